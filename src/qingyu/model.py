"""A loaded bundle: texts in, answers out. The Python API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

from qingyu import bundle
from qingyu.engine.network import Network
from qingyu.errors import TaskNotSupportedError
from qingyu.tasks import fill_mask
from qingyu.tasks.context import Context
from qingyu.text.tokenizer import Tokenizer
from qingyu.types import FillMaskResult, FloatArray, Query, Result, Steps, Truncate

R = TypeVar("R", bound=Result)

TASKS: dict[str, Callable[..., Steps[Any]]] = {
    fill_mask.NAME: fill_mask.fill_mask,
}

AT_ONCE = 256  # texts whose queries wait in memory together


def load(model: str | Path = bundle.DEFAULT, *, threads: int | None = None) -> Model:
    """Load a bundle by name or folder.

    `threads` sets how many CPU threads compute, for the whole process and with the first model
    loaded; without it QINGYU_THREADS, else the CPUs this process may use.
    Raises ModelNotFoundError and BundleError.
    """
    return Model(bundle.read_manifest(bundle.find(model)), threads)


class Model:
    """A bundle ready to answer. Its methods may be called from many threads."""

    def __init__(self, manifest: bundle.Manifest, threads: int | None = None) -> None:
        self.manifest = manifest
        self.tokenizer = Tokenizer(manifest.path / bundle.TOKENIZER)
        self._context = Context(
            manifest.name, self.tokenizer, manifest.heads, manifest.sizes.max_positions
        )
        self._network = Network(manifest, threads)

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, and so of every file it lists."""
        return self.manifest.digest

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks this model can do."""
        return list(TASKS)

    def steps(self, task: str, /, *inputs: Any, **parameters: Any) -> Steps[Any]:
        """One task on one input as a generator, to be driven here or by a scheduler.

        Raises TaskNotSupportedError where there is no such task; the generator raises InputError.
        """
        if task not in TASKS:
            raise TaskNotSupportedError(
                f"没有任务 {task}；可用的任务：{'、'.join(TASKS)}。",
                f"No task {task}; there are: {', '.join(TASKS)}.",
            )
        return TASKS[task](self._context, *inputs, **parameters)

    def run(self, queries: Sequence[Query]) -> list[FloatArray]:
        """Answer queries in batches by tokens; [n positions, outputs of the head] each."""
        return self._network.run(queries)

    @property
    def memory_bytes(self) -> int:
        """What the loaded bundle keeps resident, estimated: its files and the runtime's share."""
        return self.manifest.bytes

    def close(self) -> None:
        """Let the sessions go, and with them their memory; the model answers no more."""
        del self._network

    def complete(self, steps: Steps[R]) -> R:
        """Drive one task to its result."""
        return self.complete_all([steps])[0]

    def complete_all(self, tasks: Sequence[Steps[R]]) -> list[R]:
        """Drive many tasks to their results, in order, batching their queries together."""
        results: dict[int, R] = {}
        for first in range(0, len(tasks), AT_ONCE):
            answers: dict[int, list[FloatArray] | None] = dict.fromkeys(
                range(first, min(first + AT_ONCE, len(tasks)))
            )
            while answers:
                waiting: dict[int, list[Query]] = {}
                for index, answer in answers.items():
                    try:
                        waiting[index] = tasks[index].send(answer)  # type: ignore[arg-type]
                    except StopIteration as stop:
                        results[index] = stop.value
                outputs = iter(self.run([query for asked in waiting.values() for query in asked]))
                answers = {i: [next(outputs) for _ in asked] for i, asked in waiting.items()}
        return [results[index] for index in range(len(tasks))]

    @overload
    def fill_mask(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too
        self, text: str, *, top_k: int = 5, truncate: Truncate = "around-mask"
    ) -> FillMaskResult: ...
    @overload
    def fill_mask(
        self, text: Sequence[str], *, top_k: int = 5, truncate: Truncate = "around-mask"
    ) -> list[FillMaskResult]: ...
    def fill_mask(
        self, text: str | Sequence[str], *, top_k: int = 5, truncate: Truncate = "around-mask"
    ) -> FillMaskResult | list[FillMaskResult]:
        """What fits where a text has [MASK]: see `qingyu.tasks.fill_mask`."""
        begin = partial(self.steps, fill_mask.NAME, top_k=top_k, truncate=truncate)
        return self._each(begin, text)

    def _each(self, begin: Callable[[str], Steps[R]], text: str | Sequence[str]) -> R | list[R]:
        """One result for a text, a list for a list."""
        if isinstance(text, str):
            return self.complete(begin(text))
        return self.complete_all([begin(one) for one in text])
