"""Documents as people write them: paragraphs out, a corrected copy back in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from qingyu.results import CheckResult

from .errors import FileError


class Document(Protocol):
    """A document that was read.

    paragraphs: those with something in them, by their number from 1: the line of a text, the
                paragraph of a Word document
    unchecked:  what of it was not looked at, in Chinese and in English; empty where nothing
    """

    paragraphs: dict[int, str]
    unchecked: tuple[str, str]

    def write(self, path: Path, results: Mapping[int, CheckResult]) -> None:
        """A copy in which what was `changed` is put right; whole or not at all. Raises
        FileError."""


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
