"""Things that clients may name: folders of one folder, opened when first asked for, opened anew
when they change, and counted in the memory budget. Taught heads and indexes lie on shelves.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from qingyu.errors import BundleError, InputError, QingyuError

from .opened import Opened, T, plain, stamp_of
from .registry import Registry

MAX_KEPT = 1000


@dataclass(frozen=True)
class Kind:
    """What lies on a shelf: the prefix of error codes, the file by which a folder of this kind is
    known, the setting that names the shelf, and what people call one.
    """

    code: str
    mark: str
    setting: str
    zh: str
    en: str


HEADS = Kind("head", "head.json", "QINGYU_HEADS", "学成的头", "taught head")
INDEXES = Kind("index", "index.json", "QINGYU_INDEXES", "索引", "index")


class NotKeptError(QingyuError):
    """The operator has set no folder for things of this kind."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(
            f"此服务不保存{kind.zh}，请设置 {kind.setting}。",
            f"This service keeps no {kind.en}; set {kind.setting}.",
        )
        self.code = f"{kind.code}_disabled"


class NotThereError(QingyuError):
    """There is nothing of this name."""

    def __init__(self, kind: Kind, name: str) -> None:
        super().__init__(
            f"没有名为 {name[:80]!r} 的{kind.zh}。", f"There is no {kind.en} named {name[:80]!r}."
        )
        self.code = f"{kind.code}_not_found"


class Shelf(Generic[T]):
    """Its methods may be called from any thread; they read and write files."""

    def __init__(
        self, kind: Kind, folder: Path | None, read: Callable[[Path], T], registry: Registry
    ) -> None:
        """`read` opens a folder; it raises BundleError."""
        self.kind = kind
        self.folder = folder
        self._read = read
        self._open: Opened[T] = Opened(registry, kind.zh, kind.en)
        self._lock = threading.Lock()

    def open(self, name: str) -> T:
        """Raises NotKeptError, NotThereError, InputError, BundleError, MemoryBudgetError."""
        path = self.path(name)
        with self._lock:
            stamp = stamp_of(path / self.kind.mark)
            if (known := self._open.unchanged(name, stamp)) is not None:
                return known
            if stamp is None:
                raise NotThereError(self.kind, name)
            found = self._read(path)
            self._open.make_room(found.bytes)
            self._open.keep(name, stamp, found)
            return found

    def has(self, name: str) -> bool:
        """Whether there is a folder of this kind by that name; never raises."""
        try:
            return self.folder is not None and (self.path(name) / self.kind.mark).is_file()
        except InputError:
            return False

    def names(self) -> list[str]:
        """Raises NotKeptError."""
        found = self._folder().glob(f"[!.]*/{self.kind.mark}")
        return sorted(path.parent.name for path in found)[:MAX_KEPT]

    def path(self, name: str) -> Path:
        """Raises InputError unless `name` can be nothing but a folder of this one; NotKeptError."""
        return self._folder() / plain(name)

    def place(self, name: str) -> Path:
        """Where a new one may be written. Raises InputError where there are too many already."""
        path = self.path(name)
        if not path.exists() and len(self.names()) >= MAX_KEPT:
            raise InputError(
                f"{self.kind.zh}已有 {MAX_KEPT} 份，请先删除一些。",
                f"There are {MAX_KEPT} already; remove some.",
            )
        return path

    def remove(self, name: str) -> None:
        """Raises NotThereError, BundleError."""
        path = self.path(name)
        with self._lock:
            self._open.forget(name)
            if not (path / self.kind.mark).is_file():
                raise NotThereError(self.kind, name)
            try:  # whole, or not at all
                with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as aside:
                    shutil.move(path, Path(aside) / name)
            except OSError as error:
                why = error.strerror or str(error)
                raise BundleError(f"无法删除：{why}。", f"Cannot remove: {why}.") from error

    def _folder(self) -> Path:
        if self.folder is None:
            raise NotKeptError(self.kind)
        return self.folder
