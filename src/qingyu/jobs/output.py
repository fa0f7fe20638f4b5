"""An output file: appended to under a temporary name, renamed when complete."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .errors import OutputExistsError, WriteError

PART = ".part"
TABLE = ".table"
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
BINARY = getattr(os, "O_BINARY", 0)


class PartFile:
    """`path.part`, appended to, and cut back to what a checkpoint knows of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = part_of(path)
        self.offset = 0
        self._descriptor: int | None = None

    def open(self, offset: int = 0) -> None:
        """Go on behind `offset` bytes. Raises WriteError."""
        flags = os.O_RDWR | os.O_CREAT | NO_FOLLOW | BINARY
        self._guarded(lambda: self._open(flags, offset))

    def _open(self, flags: int, offset: int) -> None:
        self._descriptor = os.open(self.part, flags, 0o666)
        if os.fstat(self._descriptor).st_size < offset:
            raise OSError(0, "它比检查点短 / it is shorter than its checkpoint says")
        os.ftruncate(self._descriptor, offset)
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        self.offset = offset

    def write(self, data: bytes) -> None:
        """All of `data`, on the disk when this returns. Raises WriteError."""
        if data:
            self._guarded(lambda: self._write(memoryview(data)))

    def _write(self, data: memoryview) -> None:
        if self._descriptor is None:
            raise ValueError("open it first")
        while data:
            written = os.write(self._descriptor, data)
            self.offset += written
            data = data[written:]
        os.fsync(self._descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def publish(self, *, force: bool) -> None:
        """Give the whole file its name; without `force` never over another file."""
        self.close()
        publish(self.part, self.path, force=force)

    def remove(self) -> None:
        self.close()
        self.part.unlink(missing_ok=True)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except OSError as error:
            raise WriteError(self.path, error) from error


def part_of(path: Path) -> Path:
    return path.with_name(path.name + PART)


def table_of(path: Path) -> Path:
    """Where a table stands, made whole of the part file, until it gets its name."""
    return path.with_name(path.name + TABLE)


def publish(source: Path, target: Path, *, force: bool) -> None:
    """Raises OutputExistsError and WriteError."""
    try:
        move(source, target, force=force)
    except OSError as error:
        raise WriteError(target, error) from error


def move(source: Path, target: Path, *, force: bool) -> None:
    """Rename on one file system. Raises OutputExistsError and OSError."""
    if force:
        source.replace(target)
    else:
        try:
            os.link(source, target)
        except FileExistsError:
            if not source.samefile(target):
                raise OutputExistsError(target) from None
            source.unlink()  # an earlier run ended between the two steps
        except OSError:  # a file system without links
            if os.path.lexists(target):
                raise OutputExistsError(target) from None
            source.replace(target)
        else:
            source.unlink()
    sync_folder(target.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a small file at once: either the old or the new is there, never half, and after a
    power cut perhaps the old again. Raises WriteError."""
    fresh, first = path.with_name(path.name + ".new"), not path.exists()
    try:
        descriptor = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_FOLLOW | BINARY, 0o666
        )
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(path)
        if first:
            sync_folder(path.parent)
    except OSError as error:
        raise WriteError(path, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
