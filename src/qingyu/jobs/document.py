"""Documents as people write them: paragraphs out, a corrected copy back in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from qingyu.results import CheckResult

from .errors import FileError


@dataclass(frozen=True)
class Change:
    """[start, end) of a paragraph's text, in code points, becomes `text`."""

    start: int
    end: int
    text: str


Changes = Mapping[int, Sequence[Change]]  # of paragraphs, by number; in order, apart


def changes_of(result: CheckResult) -> list[Change]:
    """What `corrected` has put right."""
    changed = [one for one in result.suspects if one.changed and one.candidates]
    return [Change(one.start, one.end, one.candidates[0].token) for one in changed]


def applied(text: str, changes: Sequence[Change]) -> str:
    """A text with its changes."""
    for one in reversed(changes):  # from the right, so that places stay true
        text = text[: one.start] + one.text + text[one.end :]
    return text


class Document(Protocol):
    """A document that was read.

    paragraphs: those with something in them, by their number from 1: the line of a text, the
                paragraph of a Word document
    unchecked:  what of it was not looked at, in Chinese and in English; empty where nothing
    """

    paragraphs: dict[int, str]
    unchecked: tuple[str, str]

    def write(self, path: Path, changes: Changes) -> None:
        """A changed copy; whole or not at all. Raises FileError."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in place of what was there, whole or not at all. Raises FileError."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.chmod(0o666 & ~_umask())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"无法写入 {path}：{why}", f"Cannot write {path}: {why}") from error


def _umask() -> int:
    """What new files of this process may not have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
