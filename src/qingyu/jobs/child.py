"""The process that works on a job's file for a service: `python -m qingyu.jobs.child`.

It reads an order and answers from its standard input, writes what it asks and how far it is to its
standard output, and ends with the service that started it.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from qingyu.errors import InputError, QingyuError

from .columns import Inputs
from .errors import FileError
from .frames import receive, send
from .paths import lay_out
from .runner import Job, Progress, locally, run
from .windows import Answering, Limits, Outcome, Texts

NICENESS = 5  # whoever waits for an answer goes first


class RefusedError(InputError):
    """An input's error as the service told it."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(zh, en)
        self.code = code


class ParentEnd:
    """The other end: what it is asked and told. It answers in the order it was asked."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._answers: queue.Queue[Any] = queue.Queue()

    def watch(self) -> None:
        """From now on take answers, and end where the service has ended."""
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        try:
            while (message := receive(self._incoming)) is not None:
                self._answers.put(message)
        finally:
            os._exit(1)  # whatever the other thread is at

    def tell(self, **message: Any) -> None:
        try:
            send(self._outgoing, message)
        except OSError:
            os._exit(1)

    def ask(self, inputs: Sequence[Texts]) -> Iterator[Outcome]:
        self.tell(asked=inputs)
        return self._answered()

    def _answered(self) -> Iterator[Outcome]:
        for one in self._answers.get():
            if "found" in one:
                yield one["found"]
            else:
                yield RefusedError(one["code"], one["zh"], one["en"])

    def report(self, progress: Progress) -> None:
        whole = (progress.rows, progress.failed, progress.resumed)
        self.tell(progress=(*whole, progress.read_bytes, progress.total_bytes))


def work(order: dict[str, Any], service: ParentEnd) -> None:
    """Do the job, or go on with it. Raises what `run` raises."""
    layout = lay_out(order["input"], Path(order["output"]), **order["reading"]).read_as(
        order["name"], order["max_expansion"]
    )
    job = Job(
        order["task"],
        layout,
        order["model"],
        order["parameters"],
        order["column"],
        order["pair"],
        limits=Limits(order["rows"], order["characters"]),
        force=True,  # the folder is this job's own; a model that changed begins again
    )

    def answering(inputs: Inputs) -> Answering:
        return Answering(service.ask, inputs, max_characters=order["max_characters"])

    run(job, locally(answering), report=service.report)


def limit_memory(size: int | None) -> None:
    """To `size` bytes of data, or to no more than there is; where the system has such a limit."""
    try:
        import resource
    except ImportError:
        return
    with suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (most if size is None else size, most))


def main() -> None:
    service = ParentEnd(sys.stdin.buffer, sys.stdout.buffer)
    order = receive(sys.stdin.buffer)
    if order is None:
        return
    with suppress(AttributeError, OSError):
        os.nice(NICENESS)
    service.watch()
    limit_memory(order["memory"])
    try:
        try:
            work(order, service)
        finally:
            limit_memory(None)  # to tell what happened takes some, too
    except QingyuError as error:
        service.tell(failed=(error.code, error.zh, error.en))
    except MemoryError:
        too_large = FileError(
            f"{order['name']} 展开后太大，内存不够。",
            f"{order['name']} unpacks to more than the memory there is.",
        )
        service.tell(failed=(too_large.code, too_large.zh, too_large.en))
    except Exception as error:  # noqa: BLE001 - its text may hold what users wrote
        service.tell(unexpected=_where(error))
    else:
        service.tell(done=True)


def _where(error: BaseException) -> str:
    """The kind of an error and where it was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return type(error).__name__
    file = Path(place.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} at {file}:{place.tb_lineno}"


if __name__ == "__main__":
    main()
