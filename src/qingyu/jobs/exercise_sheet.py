"""An exercise as a sheet to print: the text with its blanks, the choices, the key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qingyu.errors import InputError
from qingyu.results import ExerciseResult

from .document import write_whole
from .word_document import new_document

LETTERS = "ABCDEFGHIJ"
TITLES = TEXTS, CHOICES, KEY = "填空", "选项", "答案"
ENDINGS = (".docx", ".md", ".txt")


def sheet(results: Sequence[ExerciseResult], *, marked: bool = False) -> list[str]:
    """Lines: every text, its choices, and at the end the answers; `marked` has headings of
    Markdown. Numbers run through all texts."""
    texts, choices, key = [], [], []
    before = 0
    for one in results:
        text = one.blanked
        for item in reversed(one.items):
            text = text.replace(f"（{item.number}）____", f"（{item.number + before}）____")
        texts += [line for line in text.splitlines() if line.strip()]
        for item in one.items:
            number = item.number + before
            letter = ""
            if item.choices:
                offered = zip(LETTERS, item.choices, strict=False)
                choices.append(f"{number}. " + "  ".join(f"{at}. {word}" for at, word in offered))
                letter = f"{LETTERS[item.choices.index(item.answer)]} "
            key.append(f"{number}. {letter}{item.answer}")
        before += len(one.items)
    mark = "## " if marked else ""
    parts = zip(TITLES, (texts, choices, key), strict=True)
    lines: list[str] = []
    for title, part in parts:
        if part:
            lines += [f"{mark}{title}", *part, ""]
    # A line of its own is a paragraph in Markdown only with an empty one behind it.
    return [more for line in lines if line for more in (line, "")] if marked else lines


def document(results: Sequence[ExerciseResult]) -> bytes:
    """A sheet as a Word document; the key begins a page of its own, to be kept back. Raises
    MissingLibraryError without lxml."""
    lines = sheet(results)
    last = len(lines) - 1 - lines[::-1].index(KEY) if KEY in lines else -1
    titles = {i for i, line in enumerate(lines) if line in TITLES and (i == 0 or not lines[i - 1])}
    return new_document(lines, titles=titles, pages={last})


def write_sheet(path: Path, results: Sequence[ExerciseResult]) -> None:
    """Write it as .docx, .md or .txt, whole or not at all. Raises InputError for another ending,
    FileError where it cannot be written, and MissingError without lxml for .docx."""
    ending = check_ending(path)
    if ending == ".docx":
        data = document(results)
    else:
        data = ("\n".join(sheet(results, marked=ending == ".md")) + "\n").encode()
    write_whole(path, data)


def check_ending(path: Path) -> str:
    """The ending of a file that a sheet can be written to. Raises InputError."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(
            f"练习只能写成 {'、'.join(ENDINGS)}，不能写成 {path.name}。",
            f"An exercise is written as {', '.join(ENDINGS)}, not as {path.name}.",
        )
    return ending
