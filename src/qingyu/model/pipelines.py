"""A task as an object, answering in the shapes of Hugging Face's clients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qingyu import bundle
from qingyu.errors import TaskNotSupportedError
from qingyu.model.loaded import Model, load
from qingyu.tasks import registry
from qingyu.tasks.registry import Task

ALSO = {"ner": registry.TOKENS.name, "sentiment-analysis": registry.CLASSIFICATION.name}
# Those whose clients send one text, or a text with labels.
OFFERED = {
    name: task
    for name, task in registry.TASKS.items()
    if task.hugging_face is not None and task.pair != "always"
}


class Pipeline:
    """One task of a model: a text in, what Hugging Face's clients expect out; of a list of texts,
    a list of it."""

    def __init__(self, task: Task[..., Any], model: Model) -> None:
        self.task = task.name
        self.model = model
        self._task = task

    def __call__(self, text: str | Sequence[str], *args: Any, **parameters: Any) -> Any:
        """Parameters: those of the model's method, such as `top_k`. Raises InputError."""
        results = getattr(self.model, self._task.method)(text, *args, **parameters)
        shape = self._task.hugging_face
        assert shape is not None  # noqa: S101 only such are offered
        if isinstance(results, list):
            return [shape(one.to_dict(), parameters) for one in results]
        return shape(results.to_dict(), parameters)


def pipeline(
    task: str, model: str | Path | Model = bundle.DEFAULT, *, threads: int | None = None
) -> Pipeline:
    """A task by Hugging Face's name for it, on a model by name, folder or already loaded.

    Raises TaskNotSupportedError where there is no such task or the model cannot do it, and
    ModelNotFoundError and BundleError.
    """
    found = OFFERED.get(ALSO.get(task, task))
    if found is None:
        raise TaskNotSupportedError(
            f"没有 pipeline {task}；可用：{'、'.join([*OFFERED, *ALSO])}。其余任务是模型的方法，"
            "见 qingyu.load()。",
            f"No pipeline {task}; there are: {', '.join([*OFFERED, *ALSO])}. Other tasks are "
            "methods of a model, see qingyu.load().",
        )
    loaded = model if isinstance(model, Model) else load(model, threads=threads)
    if not found.fits(loaded.manifest.heads):
        raise TaskNotSupportedError(
            f"模型 {loaded.name} 不能做 {found.name}；它能做：{'、'.join(loaded.tasks)}。",
            f"The model {loaded.name} cannot do {found.name}; it does: {', '.join(loaded.tasks)}.",
        )
    return Pipeline(found, loaded)
