"""Lists of words that proofreading never suspects, by name: text files of one folder, a word a
line, read anew when they change."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from qingyu.errors import InputError
from qingyu.jobs.document import write_whole
from qingyu.jobs.errors import FileError
from qingyu.text.encodings import lines_of

from .opened import Stamp, plain, stamp_of
from .shelf import MAX_KEPT, Kind, NotKeptError, NotThereError

ENDING = ".txt"
WORDS = Kind("words", ENDING, "QINGYU_WORDS", "词表", "word list")
MAX_WORDS = 10_000


class WordLists:
    """Its methods may be called from any thread; they read and write files."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._known: dict[str, tuple[Stamp, tuple[str, ...]]] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> tuple[str, ...]:
        """The words of a list. Raises NotKeptError, NotThereError, InputError, FileError."""
        path = self._path(name)
        with self._lock:
            stamp = stamp_of(path)
            if stamp is None:
                raise NotThereError(WORDS, name)
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                known = self._known[name] = stamp, checked(list(lines_of(path)))
            return known[1]

    def names(self) -> list[str]:
        """Raises NotKeptError."""
        found = self._folder().glob(f"[!.]*{ENDING}")
        return sorted(path.name.removesuffix(ENDING) for path in found)[:MAX_KEPT]

    def keep(self, name: str, words: Sequence[str]) -> tuple[str, ...]:
        """Write a list in place of what was there. Raises NotKeptError, InputError, FileError."""
        path, kept = self._path(name), checked(words)
        if not path.exists() and len(self.names()) >= MAX_KEPT:
            raise InputError(
                f"{WORDS.zh}已有 {MAX_KEPT} 份，请先删除一些。",
                f"There are {MAX_KEPT} word lists already; remove some.",
            )
        with self._lock:
            write_whole(path, "".join(f"{word}\n" for word in kept).encode())
        return kept

    def remove(self, name: str) -> None:
        """Raises NotKeptError, NotThereError, InputError, FileError."""
        path = self._path(name)
        with self._lock:
            self._known.pop(name, None)
            try:
                path.unlink()
            except FileNotFoundError:
                raise NotThereError(WORDS, name) from None
            except OSError as error:
                why = error.strerror or str(error)
                raise FileError(f"无法删除：{why}。", f"Cannot remove: {why}.") from error

    def _path(self, name: str) -> Path:
        return self._folder() / f"{plain(name)}{ENDING}"

    def _folder(self) -> Path:
        if self.folder is None:
            raise NotKeptError(WORDS)
        return self.folder


def checked(lines: Sequence[str]) -> tuple[str, ...]:
    """The words of some lines, each once. Raises InputError where there are none or too many."""
    words = tuple(dict.fromkeys(word for line in lines if (word := line.strip())))
    if not 0 < len(words) <= MAX_WORDS:
        raise InputError(
            f"词表应有 1 到 {MAX_WORDS} 个词，收到 {len(words)} 个。",
            f"A word list has 1 to {MAX_WORDS} words, not {len(words)}.",
        )
    return words
