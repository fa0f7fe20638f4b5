"""Plain text and Markdown as documents: encoding, line ends and blank lines stay as they are.

Of Markdown, fenced code is passed over.
"""

from __future__ import annotations

import re
from pathlib import Path

from .document import Changes, applied, write_whole
from .errors import FileError
from .lines import detect_encoding
from .opening import open_regular, told
from .sources import Source

LARGEST_BYTES = 32 << 20
FENCE = re.compile(r" {0,3}(```+|~~~+)")
BOM = "\ufeff"


class TextDocument:
    """A text of lines, in any encoding that can be told."""

    def __init__(self, path: Path) -> None:
        source = Source(path, "text")
        with told(source):
            with open_regular(source) as file:
                data = file.read(LARGEST_BYTES + 1)
            if len(data) > LARGEST_BYTES:
                raise FileError(
                    f"超过 {LARGEST_BYTES >> 20} MB。", f"is larger than {LARGEST_BYTES >> 20} MB."
                )
            self._encoding = detect_encoding(data)
            try:
                text = data.decode(self._encoding)
            except UnicodeDecodeError as error:
                raise FileError(f"不是 {self._encoding}。", f"is not {self._encoding}.") from error
        self._lines = re.split(r"(\r\n|\n|\r)", text)  # a line, its end, a line, ...
        fenced = _fenced(self._lines[::2]) if path.suffix.lower() in (".md", ".markdown") else set()
        self.paragraphs = {
            number: line.lstrip(BOM)
            for number, line in enumerate(self._lines[::2], 1)
            if line.strip(BOM + " \t\u3000") and number not in fenced
        }
        self.unchecked = ("代码块", "fenced code") if fenced else ("", "")

    def write(self, path: Path, changes: Changes) -> None:
        lines = list(self._lines)
        for number, some in changes.items():
            place = 2 * (number - 1)
            mark = BOM if lines[place].startswith(BOM) else ""
            lines[place] = mark + applied(self.paragraphs[number], some)
        write_whole(path, "".join(lines).encode(self._encoding, "replace"))


def _fenced(lines: list[str]) -> set[int]:
    """Numbers of the lines of fenced code, the fences among them."""
    inside: set[int] = set()
    fence = ""
    for number, line in enumerate(lines, 1):
        match = FENCE.match(line)
        if fence:
            inside.add(number)
            if match and match.group(1).startswith(fence) and not line.strip("`~ "):
                fence = ""
        elif match:
            inside.add(number)
            fence = match.group(1)
    return inside
