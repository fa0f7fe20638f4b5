"""The memories of phrases that clients may name: files of one folder, opened when first asked for,
opened anew when they change, and counted in the memory budget."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from qingyu.errors import InputError, PhrasesError
from qingyu.phrases.build import Counting, build
from qingyu.phrases.spool import Spool
from qingyu.phrases.write import write
from qingyu.text.phrases import Phrases
from qingyu.text.tokenizer import Tokenizer

from .errors import PhrasesDisabledError, PhrasesNotFoundError
from .opened import Opened, plain, stamp_of
from .registry import Registry

ENDING = ".phrases"
MAX_FILES = 1000


@dataclass(frozen=True)
class PhraseFile:
    """A memory of the folder; `entries` is None where it cannot be read, and `problem` says why."""

    name: str
    bytes: int
    entries: int | None
    loaded: bool
    problem: PhrasesError | None = None


class PhraseStore:
    """Memories by name. Its methods may be called from any thread; they read and write files."""

    def __init__(self, folder: Path | None, most_bytes: int, registry: Registry) -> None:
        self.folder = folder
        self.most_bytes = most_bytes
        self._open: Opened[Phrases] = Opened(registry, "短语记忆", "phrase memory")
        self._lock = threading.Lock()

    def open(self, name: str) -> Phrases:
        """Raises PhrasesDisabledError, PhrasesNotFoundError, PhrasesError, MemoryBudgetError."""
        path = self._path(name)
        with self._lock:
            stamp = stamp_of(path)
            if (known := self._open.unchanged(name, stamp)) is not None:
                return known
            if stamp is None:
                raise PhrasesNotFoundError(name)
            self._open.make_room(stamp[1])
            phrases = Phrases(path)
            self._open.keep(name, stamp, phrases)
            return phrases

    def files(self) -> list[PhraseFile]:
        """All memories there are, by name. Raises PhrasesDisabledError."""
        found = []
        for path in sorted(self._folder().glob(f"*{ENDING}"))[:MAX_FILES]:
            name = path.name.removesuffix(ENDING)
            try:
                size = path.stat().st_size
            except OSError:  # removed meanwhile
                continue
            loaded = name in self._open
            try:
                entries = len(self._open[name]) if loaded else len(Phrases(path))
            except PhrasesError as error:
                found.append(PhraseFile(name, size, None, loaded, error))
            else:
                found.append(PhraseFile(name, size, entries, loaded))
        return found

    def keep(self, name: str, data: bytes) -> PhraseFile:
        """Keep a file that `qingyu phrases build` made. Raises PhrasesError where it is damaged."""
        return self._keep(name, lambda path: path.write_bytes(data))

    def count(self, name: str, text: str, phrases: str, tokenizer: Tokenizer) -> PhraseFile:
        """Count running text, and a list of phrases with one on each line, into a memory. Raises
        EmptyTextError."""

        def make(path: Path) -> None:
            with Spool(tokenizer) as spool:
                spool.add(_lines(text))
                spool.add(_lines(phrases), phrases=True)
                write(path, build(spool, Counting(most=self.most_bytes // 5)), tokenizer)

        return self._keep(name, make)

    def remove(self, name: str) -> None:
        """Raises PhrasesNotFoundError."""
        path = self._path(name)
        with self._lock:
            self._open.forget(name)
            try:
                path.unlink()
            except FileNotFoundError:
                raise PhrasesNotFoundError(name) from None

    def _keep(self, name: str, make: Callable[[Path], object]) -> PhraseFile:
        """A new file, checked before it takes the place of the old one."""
        path = self._path(name)
        if not path.exists() and len(list(self._folder().glob(f"*{ENDING}"))) >= MAX_FILES:
            raise InputError(
                f"短语记忆已有 {MAX_FILES} 份，请先删除一些。",
                f"There are {MAX_FILES} phrase memories already; remove some.",
            )
        try:
            with NamedTemporaryFile(dir=self._folder(), prefix=".", delete=False) as file:
                partial = Path(file.name)
        except OSError as error:
            why = error.strerror or str(error)
            raise PhrasesError(f"无法写入：{why}。", f"Cannot write: {why}.") from error
        try:
            make(partial)
            checked = Phrases(partial)
            if checked.bytes > self.most_bytes:
                raise InputError(
                    f"短语记忆最大 {self.most_bytes >> 20} MB。",
                    f"A phrase memory has at most {self.most_bytes >> 20} MB.",
                )
            partial.chmod(0o644)
            partial.replace(path)
        except OSError as error:
            why = error.strerror or str(error)
            raise PhrasesError(f"无法写入：{why}。", f"Cannot write: {why}.") from error
        except PhrasesError as error:
            raise InputError(
                "这不是完好的短语记忆文件。", "This is no phrase memory, or a damaged one."
            ) from error
        finally:
            partial.unlink(missing_ok=True)
        return PhraseFile(name, checked.bytes, len(checked), loaded=False)

    def _folder(self) -> Path:
        if self.folder is None:
            raise PhrasesDisabledError
        return self.folder

    def _path(self, name: str) -> Path:
        """Raises InputError unless `name` can be nothing but a file of the folder."""
        folder = self._folder()
        return folder / f"{plain(name, '短语记忆的名字', 'The name of a phrase memory')}{ENDING}"


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line]
