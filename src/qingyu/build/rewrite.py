"""A bundle changed on disk, whole or not at all: written aside, then put in its place."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qingyu.errors import BuildError


@contextmanager
def rewritten(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, which takes its place when the block ends without an error.

    Raises BuildError where that cannot be written.
    """
    folder = folder.resolve()
    try:
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise _error(folder, error) from error
    new, old = aside / "new", aside / "old"
    try:
        new.mkdir()
        yield new
        shutil.copymode(folder, new)
        folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    except OSError as error:
        raise _error(folder, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def copy(file: Path, folder: Path) -> None:
    """A file that stays as it is: linked where the file system can, else copied."""
    try:
        os.link(file, folder / file.name)
    except OSError:
        shutil.copy2(file, folder / file.name)


def _error(folder: Path, error: OSError) -> BuildError:
    return BuildError(f"无法改写 {folder}：{error}", f"Cannot rewrite {folder}: {error}")
