"""Things opened by name, kept open while the memory budget holds them and their files stay as they
are.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from qingyu.errors import InputError, MemoryBudgetError

from .registry import Registry

MAX_NAME = 100  # bytes
Stamp = tuple[int, int, int]


class Sized(Protocol):
    @property
    def bytes(self) -> int: ...


T = TypeVar("T", bound=Sized)


class Opened(Generic[T]):
    """What is open, the longest not asked for first. Its owner locks."""

    def __init__(self, registry: Registry, zh: str, en: str) -> None:
        """`zh` and `en` are what people call one of these things."""
        self._registry = registry
        self._zh, self._en = zh, en
        self._open: OrderedDict[str, tuple[Stamp, T, int]] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def __getitem__(self, name: str) -> T:
        return self._open[name][1]

    def unchanged(self, name: str, stamp: Stamp | None) -> T | None:
        """What is open by that name, unless its file is another by now."""
        known = self._open.get(name)
        if known and known[0] == stamp:
            self._open.move_to_end(name)
            return known[1]
        self.forget(name)
        return None

    def keep(self, name: str, stamp: Stamp, thing: T) -> None:
        """Count a thing for which there is room."""
        size = thing.bytes
        self._open[name] = stamp, thing, size
        self._registry.used += size

    def make_room(self, need: int) -> None:
        """Close those not asked for longest until `need` bytes fit. Requests under way keep what
        they use, and it is gone when they are done. Raises MemoryBudgetError."""
        budget = self._registry.budget
        if budget is None:
            return
        while self._open and self._registry.used + need > budget:
            self.forget(next(iter(self._open)))
        if self._registry.used + need > budget:
            raise MemoryBudgetError(
                f"{self._zh}需要 {need >> 20} MB，内存预算 {budget >> 20} MB 容不下。",
                f"The {self._en} needs {need >> 20} MB; the memory budget of "
                f"{budget >> 20} MB cannot hold it.",
            )

    def forget(self, name: str) -> None:
        known = self._open.pop(name, None)
        if known:
            self._registry.used -= known[2]


def stamp_of(path: Path) -> Stamp | None:
    """What tells a file from another that takes its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def plain(name: str, zh: str = "名字", en: str = "A name") -> str:
    """A name that can be nothing but that of something in a folder; `zh` and `en` are what people
    call it. Raises InputError for any other."""
    one_part = Path(name).name == name and not name.startswith(".") and name.isprintable()
    short = 0 < len(name.encode("utf-8", "replace")) <= MAX_NAME
    if not one_part or not short or "\\" in name:
        raise InputError(
            f"{zh}应为 1 到 {MAX_NAME} 字节，不含斜杠，不以点开头。",
            f"{en} has 1 to {MAX_NAME} bytes, no slash, no dot first.",
        )
    return name
