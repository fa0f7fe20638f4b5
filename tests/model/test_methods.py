"""The methods of a model that do tasks: found, documented and typed like any other."""

from __future__ import annotations

import inspect
import pydoc
from pathlib import Path

import pytest

from qingyu import Model
from qingyu.tasks.registry import TASKS, Task

rows = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
SOURCE = Path(inspect.getsourcefile(Model) or "")


@rows
def test_a_method_is_found_where_one_looks(task: Task[..., object]) -> None:
    """It is a function of the class, defined with `def` in its file, and help() lists it."""
    method = vars(Model)[task.method]
    assert inspect.isfunction(method)
    assert f"    def {task.method}(" in SOURCE.read_text("utf-8")
    told = pydoc.render_doc(Model, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    listed = told[told.index("Methods defined here") : told.index("Readonly properties")]
    first = "index" if task.method == "search" else "text"
    assert f" |  {task.method}(self, {first}" in listed


@rows
def test_a_method_says_what_its_task_says(task: Task[..., object]) -> None:
    """Its parameters and their defaults are the task's, and so is its docstring."""
    method = vars(Model)[task.method]
    if task.method in ("similarity", "search"):  # two lists, an index: they say where to look
        assert task.begin.__module__ in (inspect.getdoc(method) or "")
        return
    parameters = list(inspect.signature(method).parameters.values())[2:]
    assert parameters == list(inspect.signature(task.begin).parameters.values())[2:]
    assert (inspect.getdoc(task.begin) or "?") in inspect.getdoc(method)  # type: ignore[operator]
