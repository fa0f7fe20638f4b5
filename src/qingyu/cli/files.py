"""Files named where texts are expected: their paragraphs are the texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from qingyu.cli import console
from qingyu.cli.lines import InputLine
from qingyu.errors import InputError

LONGEST_PATH = 4096
NAMED = re.compile(r"\S+\.(?:txt|md|docx?|pdf|csv|tsv|xlsx?|jsonl?|parquet)", re.IGNORECASE)
TOGETHER = 64  # paragraphs answered at once, and shown as soon as they are


def files_among(arguments: Sequence[str]) -> list[Path]:
    """The arguments that are files; it is noted where one only looks like a file's name. Raises
    InputError where some of them are files and some are not."""
    short = [Path(one) for one in arguments if len(one.encode("utf-8", "replace")) < LONGEST_PATH]
    files = [path for path in short if _is_file(path)]
    if files and len(files) < len(arguments):
        raise InputError(
            f"{files[0]} 是文件，其余是文本；请分开运行。",
            f"{files[0]} is a file and others are texts; run them apart.",
        )
    for one in arguments if not files else ():
        if NAMED.fullmatch(one):
            console.note(f"没有文件 {one}，按文本处理", "no such file: taken for a text")
    return files


def refuse_files(*texts: str | None) -> None:
    """Raises InputError where a text that is compared whole is the name of a file."""
    if files := files_among([one for one in texts if one is not None]):
        raise InputError(
            f"{files[0]} 是文件，这里要的是文本；要与文件的各行比较，请用 --against {files[0]}。",
            f"{files[0]} is a file where a text is wanted; to compare with its lines, say "
            f"--against {files[0]}.",
        )


def paragraphs(files: Sequence[Path]) -> Iterator[list[InputLine]]:
    """The paragraphs of documents, some at a time, by their numbers in the file; what is read is
    noted. Raises FileError."""
    from qingyu.jobs.documents import read_document

    for path in files:
        document = read_document(path)
        lines = [InputLine(number, text) for number, text in document.paragraphs.items()]
        console.note(
            f"读取文件 {path}，共 {len(lines)} 段，逐段回答",
            f"reading the file, each of its {len(lines)} paragraphs by itself",
        )
        if document.unchecked[0]:
            zh, en = document.unchecked
            console.note(f"未读：{zh}", f"not read: {en}")
        for at in range(0, len(lines), TOGETHER):
            yield lines[at : at + TOGETHER]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False
