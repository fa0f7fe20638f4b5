"""Compressed files, by the ending of their name: .gz, and .zst where a library for it is there."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

from .errors import FileError, MissingLibraryError

FREE_BYTES = 64 << 20  # may come of any number of packed ones
ENDINGS = {".gz": "gzip", ".zst": "zstd"}
DAMAGED: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile)


def split(path: Path) -> tuple[str, str]:
    """`a.csv.gz` -> (".csv", "gzip"); without compression the second is ""."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in ENDINGS:
        return (suffixes[-2] if len(suffixes) > 1 else ""), ENDINGS[suffixes[-1]]
    return (suffixes[-1] if suffixes else ""), ""


def opened(file: BinaryIO, compression: str) -> BinaryIO:
    """A stream of the uncompressed bytes of `file`. Raises MissingLibraryError."""
    if compression == "gzip":
        return cast(BinaryIO, gzip.open(file, "rb"))
    if compression == "zstd":
        zstd = _zstd()
        if hasattr(zstd, "ZstdFile"):
            return cast(BinaryIO, zstd.open(file, "rb"))
        inner = zstd.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=False)
        return io.BufferedReader(inner, 1 << 17)
    return file


class _Bounded:
    """A stream that unpacks to at most `limit` times what it has read of `file`."""

    def __init__(self, stream: BinaryIO, file: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._file = file
        self._limit = limit
        self._given = 0

    def read(self, size: int) -> bytes:
        return self._counted(self._stream.read(size))

    def readline(self, size: int) -> bytes:
        return self._counted(self._stream.readline(size))

    def _counted(self, data: bytes) -> bytes:
        self._given += len(data)
        check_expansion(self._given, self._file.tell(), self._limit)
        return data


def bounded(stream: BinaryIO, file: BinaryIO, limit: int) -> BinaryIO:
    """`stream`, which unpacks `file`; its reading raises FileError where that expands too far."""
    return cast(BinaryIO, _Bounded(stream, file, limit))


def check_expansion(unpacked: int, packed: int, limit: int) -> None:
    """Raises FileError where `unpacked` bytes are more than `limit` times those packed."""
    if unpacked > FREE_BYTES and unpacked > limit * packed:
        raise FileError(
            f"解压后超过原来的 {limit} 倍，不再读下去。",
            f"unpacks to more than {limit} times its size; it is read no further.",
        )


def compressor(compression: str) -> Callable[[bytes], bytes]:
    """Bytes -> a member of its own, so that members end to end are one file that can be cut
    between them. The same bytes give the same member."""
    if compression == "gzip":
        return lambda data: gzip.compress(data, 6, mtime=0) if data else b""
    if compression == "zstd":
        compress = _zstd().compress
        return lambda data: cast(bytes, compress(data, 3)) if data else b""
    return lambda data: data


def damaged(compression: str) -> tuple[type[Exception], ...]:
    """What reading a damaged or cut file of this kind raises."""
    if compression != "zstd":
        return DAMAGED
    zstd = _zstd()
    return (*DAMAGED, getattr(zstd, "ZstdError", EOFError))


def _zstd() -> Any:
    """Python's own (from 3.14), else the package zstandard."""
    for name in ("compression.zstd", "zstandard"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise MissingLibraryError("zstd", "zstandard")
