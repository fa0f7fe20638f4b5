"""Files of text: what may be trained on, and how a file of any size is read at random.

Held-out data is refused twice over: a file by its name, and a text by its content, wherever it
turns up.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from training.errors import RecipeError
from training.templates import KINDS

CHUNK_BYTES = 16 * 1024
HELD_OUT_WORDS = frozenset({"valid", "validation", "val", "dev", "test", "heldout", "cloze"})


def refuse_held_out(path: str | Path) -> Path:
    """Return `path`, or raise RecipeError where its name (or what it links to) says it is held out.

    Names are split at everything that is not a letter or digit, so `valid.txt`, `dev.jsonl` and
    `zh_test_public.json` are refused and `latest.txt` is not. Folder names do not count:
    `bq_devtest/train.jsonl` is a training file.
    """
    path = Path(path)
    for name in (path.name, path.resolve().name):
        words = set(re.split(r"[^a-z0-9]+", name.lower()))
        if found := words & HELD_OUT_WORDS:
            raise RecipeError(
                f"{path}: the name says {sorted(found)[0]!r}, and held-out data is never trained on"
            )
    if not path.is_file():
        raise RecipeError(f"{path}: no such file")
    return path


@dataclass(frozen=True)
class Source:
    """One file, the share of the training text it makes up (shares are scaled to sum to 1), and
    how to read a line.
    """

    path: str
    weight: float
    kind: str = "text"

    @classmethod
    def parse(cls, spec: str) -> Source:
        """Read `PATH`, `PATH=WEIGHT` or `PATH=WEIGHT,KIND`, kinds as in templates.KINDS."""
        path, _, rest = spec.partition("=")
        weight, _, kind = rest.partition(",")
        kind = kind or "text"
        if kind not in KINDS:
            raise RecipeError(f"{spec!r}: unknown kind {kind!r}; kinds are {', '.join(KINDS)}")
        try:
            share = float(weight or 1)
        except ValueError:
            share = 0.0
        if not share > 0:
            raise RecipeError(f"{spec!r}: the weight must be a number above 0")
        if path.endswith((".xz", ".gz", ".zip")):
            raise RecipeError(
                f"{path}: unpack it first (xz -dk, gunzip -k, unzip); it is read at random places"
            )
        return cls(str(refuse_held_out(path)), share, kind)


class TextFile:
    """A UTF-8 file of lines, read in chunks of about `chunk_bytes`. A line belongs to the chunk in
    which it starts.
    """

    def __init__(self, path: str, chunk_bytes: int = CHUNK_BYTES) -> None:
        with Path(path).open("rb") as file:
            if not Path(path).stat().st_size:
                raise RecipeError(f"{path}: the file is empty")
            self._view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.chunks = max(1, len(self._view) // max(1, chunk_bytes))
        self.chunk_bytes = len(self._view) / self.chunks

    def _line_start(self, chunk: int) -> int:
        at = chunk * len(self._view) // self.chunks
        if at == 0:
            return 0
        return self._view.find(b"\n", at - 1) + 1 or len(self._view)

    def lines(self, chunk: int) -> list[str]:
        text = self._view[self._line_start(chunk) : self._line_start(chunk + 1)].decode(
            "utf-8", "replace"
        )
        return [stripped for line in text.split("\n") if (stripped := line.strip())]


class HeldOut:
    """Recognises lines made of held-out text, whatever file they turn up in.

    A corpus is often cut into snippets before its held-out part is set aside, so a file name alone
    is not enough. A line is dropped where each 16-character stretch of it stands in a held-out
    file; a shorter line, where it is one.
    """

    GRAM = 16

    def __init__(self, paths: Iterable[str]) -> None:
        self._grams: set[int] = set()
        self._lines: set[str] = set()
        for path in paths:
            for line in Path(path).read_text(encoding="utf-8").split("\n"):
                line = line.strip()
                self._lines.add(line)
                self._grams.update(
                    hash(line[i : i + self.GRAM]) for i in range(len(line) - self.GRAM + 1)
                )

    def covers(self, line: str) -> bool:
        if len(line) < self.GRAM:
            return line in self._lines
        starts = [*range(0, len(line) - self.GRAM, self.GRAM), len(line) - self.GRAM]
        return all(hash(line[i : i + self.GRAM]) in self._grams for i in starts)
