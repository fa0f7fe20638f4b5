"""XML in pieces, for files from strangers: no document types, so no entities; bounded depth, and
no mark-up that never ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeAlias
from xml.parsers import expat

from .errors import FileError

PIECE_BYTES = 1 << 16
LARGEST_TOKEN = 8 << 20  # bytes without an event
MAX_DEPTH = 64

Start: TypeAlias = Callable[[str, dict[str, str]], None]
End: TypeAlias = Callable[[str], None]
Text: TypeAlias = Callable[[str], None]


def parse(stream: BinaryIO, start: Start, end: End, text: Text) -> Iterator[int]:
    """Calls back with local names and gives, after each piece, how many bytes have been read.

    Raises FileError."""
    parser = expat.ParserCreate(namespace_separator="}")
    depth = read = 0

    def started(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise FileError("的 XML 嵌套过深。", "nests its XML too deeply.")
        start(name.rpartition("}")[2], attributes)

    def ended(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition("}")[2])

    parser.StartElementHandler = started
    parser.EndElementHandler = ended
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse
    try:
        while piece := stream.read(PIECE_BYTES):
            read += len(piece)
            parser.Parse(piece, False)
            if read - parser.CurrentByteIndex > LARGEST_TOKEN:
                raise FileError("的 XML 标记过长。", "has XML mark-up that is too long.")
            yield read
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise FileError(f"的 XML 已损坏：{error}", f"holds damaged XML: {error}") from error


def _refuse(*_: object) -> None:
    raise FileError("的 XML 含有文档类型声明。", "has a document type in its XML.")
