"""The pages about the tasks show what happens: every example runs and says what the page says.

`python tests/tasks/test_manual.py` writes the outputs anew, after a change of the model.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from qingyu.cli import run
from qingyu.tasks import registry

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "tasks").glob("*.md"))
EXAMPLE = re.compile(r"^```(sh|python)\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```(?!text)(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PARAMETER = re.compile(r"^\| (`.+?) \|", re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.\d+")
BAR = re.compile("[▏▎▍▌▋▊▉█ ]+")
# A CPU without VNNI rounds INT8 sums differently; figures may move by this share, or this much.
SHARE, POINTS = 0.1, 1.0


def output_of(language: str, code: str) -> str:
    """What an example prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if language == "python":
            exec(compile(code, "manual", "exec"), {})  # noqa: S102 that is what it is for
        else:
            program, *arguments = shlex.split(code)
            assert (program, run(arguments)) == ("qingyu", 0)
    return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())


RUN = [page for page in PAGES if page.stem != "text2text"]  # no model in the package does it
ALSO = [DOCS / "coming-from.md"]  # what is not about one task, and has examples that are run


@pytest.mark.parametrize("page", [*RUN, *ALSO], ids=lambda page: page.stem)
def test_examples_say_what_the_page_says(page: Path) -> None:
    """The words are the same, and the figures nearly."""
    examples = EXAMPLE.findall(page.read_text("utf-8"))
    assert {language for language, _, _ in examples} >= (
        {"python"} if page in ALSO else {"sh", "python"}
    )
    for language, code, said in examples:
        found = output_of(language, code)
        assert _words(found) == _words(said)
        for one, other in zip(NUMBER.findall(found), NUMBER.findall(said), strict=True):
            assert abs(float(one) - float(other)) <= max(POINTS, SHARE * abs(float(other)))


def _words(text: str) -> str:
    return BAR.sub(" ", NUMBER.sub("0", text))


@pytest.mark.parametrize("page", [*PAGES, *ALSO], ids=lambda page: page.stem)
def test_both_languages_show_the_same(page: Path) -> None:
    """A page and its translation have the same examples and the same outputs."""
    translated = DOCS / "zh" / page.relative_to(DOCS)
    assert EXAMPLE.findall(page.read_text("utf-8")) == EXAMPLE.findall(
        translated.read_text("utf-8")
    )
    assert CODE.findall(page.read_text("utf-8")) == CODE.findall(translated.read_text("utf-8"))


def test_every_parameter_is_explained() -> None:
    """All parameters of all tasks stand in the tables of the manual, and no others do."""
    pages = "".join(page.read_text("utf-8") for page in (*PAGES, DOCS / "search.md"))
    explained = {name for row in PARAMETER.findall(pages) for name in re.findall("`(\\w+)`", row)}
    taken = {
        name
        for task in registry.TASKS.values()
        for name in inspect.signature(task.begin).parameters
        if name != "context"
    }
    assert explained == taken


def test_requests_are_json() -> None:
    """Every request shown is a path and a body that parses."""
    for page in PAGES:
        for language, code in CODE.findall(page.read_text("utf-8")):
            if language == "http":
                line, body = code.split("\n", 1)
                assert re.fullmatch(r"POST /v1/[a-z0-9-]+", line)
                assert json.loads(body)


def rewrite() -> None:
    """Write the outputs into the pages of both languages."""
    for page in (*PAGES, *ALSO):
        for path in (page, DOCS / "zh" / page.relative_to(DOCS)):
            text = EXAMPLE.sub(
                lambda m: f"```{m[1]}\n{m[2]}```\n\n```text\n{output_of(m[1], m[2])}```",
                path.read_text("utf-8"),
            )
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    rewrite()
