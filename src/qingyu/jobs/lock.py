"""A file lock for one process at a time, released by the system if its holder dies."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import BusyError, WriteError


class Lock:
    """Held from construction to `release`. Raises BusyError while another holds it."""

    def __init__(self, path: Path, subject: Path) -> None:
        self._path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise WriteError(subject, error) from error
        try:
            _lock(self._descriptor)
            # Whoever held it before may have removed the file between our opening and locking it.
            if not os.path.samestat(os.fstat(self._descriptor), path.stat()):
                raise BlockingIOError
        except OSError as error:
            os.close(self._descriptor)
            raise BusyError(subject) from error

    @property
    def descriptor(self) -> int:
        """A process that inherits it holds the lock, too, as long as it lives."""
        return self._descriptor

    def release(self) -> None:
        try:
            if os.name != "nt":  # which cannot remove what is open
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


if os.name == "nt":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
