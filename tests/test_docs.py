"""The manual stands in two languages, points to what exists and names options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qingyu
from qingyu.cli import run

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CHINESE = DOCS / "zh"
ENGLISH_ONLY = {"architecture.md", "performance.md"}

PAGES = sorted(DOCS.rglob("*.md"))
LINK = re.compile(r"\]\(([^)]+)\)")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
COMMAND = re.compile(r"^  ([a-z][a-z0-9-]*)  ", re.MULTILINE)


def name(path: Path) -> str:
    return path.relative_to(DOCS).as_posix()


def anchors(page: Path) -> set[str]:
    """What a heading is called in a link, as GitHub makes it."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_stands_in_both_languages() -> None:
    """A page and its translation have the same name and the same examples."""
    english = {path.name for path in DOCS.glob("*.md")} - ENGLISH_ONLY
    assert english == {path.name for path in CHINESE.glob("*.md")}
    for page in english:
        codes = [
            FENCE.findall((folder / page).read_text(encoding="utf-8")) for folder in (DOCS, CHINESE)
        ]
        without_comments = [
            [(lang, re.sub(r"\s*#.*", "", code)) for lang, code in found] for found in codes
        ]
        assert without_comments[0] == without_comments[1], page


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link names a file, and a heading in it where it says so."""
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_flags_of_the_manual_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """No page speaks of an option that no command has."""

    def flags_of(*command: str) -> set[str]:
        assert run([*command, "--help"]) == 0
        shown, _, inner = capsys.readouterr().out.partition("\nCommands:\n")
        return set(FLAG.findall(shown)).union(
            *(flags_of(*command, name) for name in COMMAND.findall(inner))
        )

    # Steps of the recipe and benchmarks need more than is here to be asked; sources tell as well.
    folders = (ROOT / "training", ROOT / "bench")
    scripts = [path.read_text(encoding="utf-8") for one in folders for path in one.rglob("*.py")]
    defined = re.compile(r'argument\(\s*"(--[a-z-]+)"')
    options = {flag for script in scripts for flag in defined.findall(script)}
    known = flags_of() | options
    assert {"--top-k", "--minutes"} <= known
    for page in PAGES:
        assert set(FLAG.findall(page.read_text(encoding="utf-8"))) <= known, page


def test_every_error_code_is_documented() -> None:
    """A client that meets a code over HTTP finds it in the manual, beside its status."""
    from qingyu.web.edge.errors import STATUS

    for folder in (DOCS, CHINESE):
        text = (folder / "http.md").read_text(encoding="utf-8")
        rows = [line for line in text.splitlines() if re.match(r"\| \d", line)]
        for code, status in STATUS.items():
            if code != "client_gone":  # nobody is there to read it
                assert any(f"`{code}`" in row and str(status) in row for row in rows), code


def test_codes_of_the_troubleshooting_exist() -> None:
    """Each is one that the service, Python or the JavaScript client gives, and most stand there."""
    from qingyu import errors
    from qingyu.web.edge.errors import STATUS

    tree = [one for one in vars(errors).values() if isinstance(one, type)]
    known = {*STATUS, *(one.code for one in tree if issubclass(one, errors.QingyuError))}
    known |= {"unreachable", "unreadable_answer"}
    for folder in (DOCS, CHINESE):
        rows = (folder / "troubleshooting.md").read_text(encoding="utf-8").splitlines()
        first = [row.split("|")[1] for row in rows if row.startswith("|")]
        told = {code for cell in first for code in re.findall(r"`([a-z_]+)`", cell)}
        assert told <= known
        assert len(told) > 30


def test_nothing_is_installed_by_a_name_that_is_not_published() -> None:
    """What is installed is a clone or a wheel; the day it is published, `install.md` says so."""
    asked = re.compile(r"pip install (?:-\S+ )*['\"]?qingyu(?![-.]\*|_)")
    files = [*PAGES, *ROOT.glob("*.md"), *(ROOT / "deploy").rglob("*")]
    files += [*(ROOT / "src" / "qingyu").rglob("*.py"), *(ROOT / "src" / "qingyu").rglob("*.js")]
    for path in files:
        if path.is_file():
            assert not asked.search(path.read_text(encoding="utf-8")), path


def test_python_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """The Python shown in the manual answers; `py` asks a service, in tests/client."""
    for language, code in FENCE.findall((DOCS / "python.md").read_text(encoding="utf-8")):
        assert language in ("python", "py")
        if language == "python":
            exec(compile(code, "python.md", "exec"), {})  # noqa: S102 that is what it is for
    assert capsys.readouterr().out.startswith(
        qingyu.load().fill_mask("今天天气真[MASK]啊，适合出去玩。").sequence
    )
