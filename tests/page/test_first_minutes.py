"""`tests/first_minutes.md`, walked: what a stranger tries first gives what is promised."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from qingyu.cli import run
from tests.support.process import served

SCRIPT = Path(__file__).parents[1] / "first_minutes.md"
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
ROWS = [
    (start, result)
    for start, _purpose, result in ROW.findall(SCRIPT.read_text("utf-8"))[1:]
    if not start.startswith("by hand: ") and set(start) != {"-"}
]

pytestmark = pytest.mark.slow


def rows(kind: str) -> list[tuple[str, str]]:
    """Starts of a kind, without what says so, and their results."""
    found = [(start, result) for start, result in ROWS if start.startswith(kind)]
    return [(re.sub("^(?:[a-z]+: |`qingyu)", "", start).strip("` "), end) for start, end in found]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with served() as running:
        yield running.address


def test_every_row_is_walked() -> None:
    """No row is of a kind that nothing here walks."""
    kinds = ("`qingyu", "python: ", "http: ", "page: ")
    assert len(ROWS) == sum(len(rows(kind)) for kind in kinds) > 12


@pytest.mark.parametrize(("command", "result"), rows("`qingyu"))
def test_on_the_command_line(command: str, result: str) -> None:
    """What it says, on either stream, has the result."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        run(shlex.split(command))
    assert result in said.getvalue()


@pytest.mark.parametrize(("code", "result"), rows("python: "))
def test_in_python(code: str, result: str) -> None:
    """One line, typed as it stands."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, SCRIPT.name, "exec"), {})  # noqa: S102 that is what it is for
    assert result in said.getvalue()


@pytest.mark.parametrize(("request_line", "result"), rows("http: "))
def test_over_http(request_line: str, result: str, service: str) -> None:
    """The address and the body that are shown, to a service started as people start it."""
    method, path, body = request_line.split(" ", 2)
    headers = {"content-type": "application/json"}
    answer = httpx.request(method, service + path, content=body.encode(), headers=headers)
    assert result in answer.text


@pytest.mark.browser
@pytest.mark.parametrize(("card", "result"), rows("page: "))
def test_in_the_browser(card: str, result: str, page: Page, service: str) -> None:
    """A click on the purpose, and the answer to its example is there."""
    page.goto(service)
    expect(page.get_by_role("heading", level=1)).to_have_text("想做什么？")
    named = page.get_by_role("heading", name=card, exact=True)
    page.locator("a.purpose", has=named).click()
    expect(page.locator("a.purpose")).to_have_count(0)
    expect(page.locator("main")).to_contain_text(result)
