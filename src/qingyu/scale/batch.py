"""A batch job's computing on a Ray cluster: the same windows, answers and files as on one machine.

    this node        one reader yields windows          (Ray Data, streamed)
    all nodes        an actor a slot answers windows    (a bundle loaded once in each)
    this node        the runner writes them in order and keeps the checkpoint

Whatever is lost with a node is computed again by Ray on another; what is lost with this node is
what the checkpoint does not hold, as always.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from qingyu import bundle
from qingyu.errors import QingyuError
from qingyu.jobs.columns import Inputs
from qingyu.jobs.errors import ClusterError, MissingLibraryError
from qingyu.jobs.local import asking
from qingyu.jobs.readers import open_reader
from qingyu.jobs.runner import Compute, FileReading
from qingyu.jobs.windows import Answered, Answering, read_windows
from qingyu.model import load

from .actors import memory_bytes

COLUMN = "window"  # of the blocks that travel: one pickled window each
CPUS_A_SLOT = 1


@contextmanager
def computing(
    address: str,
    task: str,
    parameters: dict[str, Any],
    model: str,
    *,
    slots: int | None = None,
    threads: int | None = None,
) -> Iterator[Compute]:
    """Answers by `slots` models on the cluster at `address` ("local" starts one here), by default
    one for each CPU that is not this reader's. Every node must hold the bundle under the same name
    or path. Raises MissingLibraryError, ClusterError and what loading the model raises."""
    ray = _ray()
    manifest = bundle.read_manifest(bundle.find(model))
    _check(model, task, parameters)
    ours = not ray.is_initialized()
    if ours:
        where = {"include_dashboard": False} if address == "local" else {"address": address}
        try:
            ray.init(**where, log_to_driver=False)
        except Exception as error:  # it has no one class of its own here
            raise ClusterError(address, error) from error
    try:
        count = slots or max(1, int(ray.cluster_resources().get("CPU", 1)))
        options = {
            "num_cpus": CPUS_A_SLOT,
            "memory": memory_bytes(manifest),
        }

        def compute(reading: FileReading) -> Iterator[Answered]:
            windows = _answered(reading, task, parameters, model, threads or 1, count, options)
            try:
                yield from windows
            except Exception as error:
                raise _told(address, error) from error

        yield compute
    finally:
        if ours:
            ray.shutdown()


def _check(model: str, task: str, parameters: dict[str, Any]) -> None:
    """Raises here what every actor would meet."""
    loaded = load(model, threads=1)
    try:
        asking(loaded, task, parameters)
    finally:
        loaded.close()


def _told(address: str, error: BaseException) -> QingyuError:
    """What one of our own raised on some node, which Ray wraps several times; else that the
    cluster failed."""
    inner: BaseException | None = error
    while inner is not None:
        wrapped: BaseException | None = getattr(inner, "cause", None)
        if wrapped is None and isinstance(inner, QingyuError):
            return inner
        inner = wrapped or inner.__cause__
    return ClusterError(address, error)


def _answered(
    reading: FileReading,
    task: str,
    parameters: dict[str, Any],
    model: str,
    threads: int,
    slots: int,
    options: dict[str, Any],
) -> Iterator[Answered]:
    import ray
    from ray.data import ActorPoolStrategy, DataContext
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    context = DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    windows = ray.data.read_datasource(
        _source(reading), ray_remote_args={"num_cpus": 0, "scheduling_strategy": here}
    )
    answered = windows.map_batches(
        AnsweringActor,
        fn_constructor_args=(model, task, parameters, reading.inputs, threads),
        batch_size=1,
        compute=ActorPoolStrategy(size=slots),
        **options,
    )
    for batch in answered.iter_batches(batch_size=1, prefetch_batches=0):
        for pickled in batch[COLUMN]:
            yield pickle.loads(pickled)  # noqa: S301 made by our own actors


class AnsweringActor:
    """An actor: one model, answering one window after the other."""

    def __init__(
        self, model: str, task: str, parameters: dict[str, Any], inputs: Inputs, threads: int
    ) -> None:
        self._model = load(model, threads=threads)
        self._answering = Answering(asking(self._model, task, parameters), inputs)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return _column(
            self._answering.answer(pickle.loads(pickled))  # noqa: S301 made by our own reader
            for pickled in batch[COLUMN]
        )


def _source(reading: FileReading) -> Any:
    """The windows of a reading as a Ray Data source with a single, streaming task."""
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    def blocks() -> Iterable[Any]:
        import pyarrow

        reader = open_reader(reading.source, reading.position)
        try:
            for window in read_windows(reader, reading.limits):
                yield pyarrow.table({COLUMN: pyarrow.array([pickle.dumps(window)], "large_binary")})
        finally:
            with suppress(OSError):
                reader.close()

    class Windows(Datasource):  # type: ignore[misc]  # Ray has no types here
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_: Any, **__: Any) -> list[Any]:
            unknown = BlockMetadata(
                num_rows=None, size_bytes=None, input_files=None, exec_stats=None
            )
            return [ReadTask(blocks, unknown)]

    return Windows()


def _column(windows: Iterable[Answered]) -> dict[str, Any]:
    import numpy

    pickled = numpy.empty(1, dtype=object)
    (window,) = windows
    pickled[0] = pickle.dumps(window)
    return {COLUMN: pickled}


def _ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingLibraryError("Ray", '"ray[data,serve]"') from error
    return ray
