"""Opening a file of a job, and errors of reading that name it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from .errors import FileError
from .sources import Source


class Closable(Protocol):
    def close(self) -> None: ...


def open_regular(source: Source) -> BinaryIO:
    """A pipe or a device would be waited for, for ever. Raises FileError and OSError."""
    if source.path.exists() and not source.path.is_file():
        raise FileError("不是普通文件。", "is no regular file.")
    return source.path.open("rb")


@contextmanager
def told(source: Source, damage: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """What reading raises, `damage` among it, as a FileError that names the file."""
    name = source.told
    try:
        yield
    except FileError as error:
        raise FileError(f"{name} {error.zh}", f"{name} {error.en}") from error
    except damage as error:
        raise FileError(f"{name} 已损坏：{error}", f"{name} is damaged: {error}") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise FileError(f"无法读取 {name}：{why}", f"Cannot read {name}: {why}") from error
    except MemoryError as error:
        raise FileError(
            f"{name} 展开后太大，内存不够。", f"{name} unpacks to more than the memory there is."
        ) from error


@contextmanager
def closing_on_error(opened: Closable) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise
