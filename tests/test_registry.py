"""One row a task: what the floors and the page know of tasks is what the registry says."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from typer.main import get_command

import qingyu
from qingyu.cli import app
from qingyu.cli.batch import batch
from qingyu.tasks.registry import FILE_TASKS, TASKS, Task
from qingyu.web.api.huggingface import PLAIN
from qingyu.web.api.tasks import BY_TASK, REQUESTS
from qingyu.web.api.wire import NAMING, fixed

ROWS = list(TASKS.values())
JS = Path(__file__).parents[1] / "src" / "qingyu" / "web" / "static" / "js"
rows = pytest.mark.parametrize("task", ROWS, ids=TASKS)


def signature(task: Task[..., object]) -> dict[str, inspect.Parameter]:
    """The task's parameters by name, without its context."""
    _context, *parameters = inspect.signature(task.begin).parameters.values()
    return {parameter.name: parameter for parameter in parameters}


@rows
def test_python_and_the_command_line_have_it(task: Task[..., object]) -> None:
    """A method of the model and a command, by the names in its row."""
    assert callable(getattr(qingyu.Model, task.method))
    assert task.command in get_command(app).commands  # type: ignore[attr-defined]


def test_every_task_for_files_is_told_by_the_command() -> None:
    """`qingyu batch --help` names them all, by their commands and in their order."""
    annotation = inspect.signature(batch, eval_str=True).parameters["task"].annotation
    told = annotation.__metadata__[0].help.rpartition(":")[2].strip(" .").split()
    assert told == [task.command for task in FILE_TASKS.values()]


@rows
def test_it_is_served(task: Task[..., object]) -> None:
    """Some request means it, or may mean it; no two requests mean the same."""
    meant = [name for request in REQUESTS for name in (request.TASK, *request.ALSO)]
    assert meant.count(task.name) == 1


@pytest.mark.parametrize("name", BY_TASK)
def test_a_request_and_its_task_agree(name: str) -> None:
    """Every field of a request is a parameter of its task, with the same default, but those that
    name what the service keeps."""
    row = BY_TASK[name]
    for field, info in row.request.model_fields.items():
        if field not in {*row.request.INPUTS, *NAMING}:
            assert fixed(info.default) == signature(row.task)[field].default, field


@rows
def test_what_a_row_says_of_parameters_is_so(task: Task[..., object]) -> None:
    """A pair is a second text, and what is required has no default."""
    parameters = signature(task)
    texts = {"never": [], "maybe": ["text_pair"], "always": ["text_pair"]}[task.pair]
    assert [name for name in parameters if name == "text_pair"] == texts
    second = parameters.get("text_pair")
    assert second is None or (second.default is second.empty) == (task.pair == "always")
    bare = {name for name, one in parameters.items() if one.default is one.empty}
    assert bare - {"text", "text_pair"} == set(task.required)


def test_a_model_alone_names_a_task() -> None:
    """What Hugging Face's clients ask of a model without saying what for."""
    assert PLAIN == [
        "fill-mask", "text-classification", "token-classification", "feature-extraction",
    ]  # fmt: skip


def test_the_page_knows_the_same_tasks() -> None:
    """Its views, its names of tasks in both languages, its routes and the columns of its files."""
    views = re.findall(
        r'view\("tasks", "[\w-]+", "([\w-]+)"\)', (JS / "views/index.js").read_text()
    )
    assert views
    assert set(views) <= set(TASKS)
    for language in ("zh", "en"):
        text = (JS / f"lang/{language}.js").read_text("utf-8")
        assert set(re.findall(r'^  "task\.([\w-]+)":', text, re.M)) == set(TASKS)
    [(odd, path)] = re.findall(
        r'task === "([\w-]+)" \? "([\w-]+)" : task', (JS / "api.js").read_text()
    )
    for row in BY_TASK.values():
        assert row.task.path == (path if row.task.name == odd else row.task.name)
    files = (JS / "files/tasks.js").read_text("utf-8")
    ranked = re.search(r"const ranked = \{\s+columns: (\[.*?\])", files)
    assert ranked
    files = files.replace("...ranked", f"columns: {ranked[1]}")
    entries = re.findall(r'^  "?([\w-]+)"?: \{(.*?)(?=^  "?[\w-]+"?: \{|^\};)', files, re.M | re.S)
    assert len(entries) == files.count("most: ")
    for name, entry in entries:
        columns = re.search(r"columns: \[(.*?)\]", entry)
        assert columns
        assert tuple(re.findall(r'"(\w+)"', columns[1])) == FILE_TASKS[name].table.columns
