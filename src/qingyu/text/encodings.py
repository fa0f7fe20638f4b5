"""The encoding of a text: by its mark, by its structure, and between GB18030 and Big5, which read
each other's bytes without complaint, by whether what comes out are characters that people use."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from qingyu.errors import InputError

MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
LOOKED_AT = 1 << 16  # bytes of lines beyond ASCII
NO_CHARACTERS = 0.75  # plausibility of a text with punctuation alone
LEAST = 0.5
MARK = "\ufeff"
SAMPLE_BYTES = 1 << 20  # of a file, by which its encoding is told


def detect(sample: bytes, *, complete: bool = False) -> str:
    """The encoding of a file that begins with `sample`, or is that where it is complete: utf-8,
    utf-16-le, utf-16-be, utf-32-le, utf-32-be, gb18030 or big5hkscs. Raises InputError where it is
    none of them."""
    for mark, encoding in MARKS:
        if sample.startswith(mark):
            return encoding
    if wide := _wide(sample):
        return wide
    whole = sample if complete else sample[: sample.rfind(b"\n") + 1] or sample
    try:
        whole.decode()
    except UnicodeDecodeError as error:
        # A long sample without a line end may be cut inside a character.
        cut = not complete and len(sample) > LOOKED_AT and b"\n" not in sample
        if cut and error.start >= len(sample) - 4:
            return "utf-8"
    else:
        return "utf-8"
    lines = _beyond_ascii(whole)
    scores = {
        "utf-8": _readable(lines, "utf-8"),
        "gb18030": _plausible(lines, "gb18030"),
        "big5hkscs": _plausible(lines, "big5hkscs"),
    }
    best = max(scores, key=lambda encoding: scores[encoding])
    if scores[best] < LEAST:
        raise InputError(
            "看不出是什么编码：不像 UTF-8、GB18030、Big5 或 UTF-16。",
            "is in no encoding that can be told (UTF-8, GB18030, Big5, UTF-16).",
        )
    return best


def decoded(data: bytes) -> str:
    """A whole text of any of these encodings, without its mark. Raises InputError."""
    encoding = detect(data, complete=True)
    try:
        return data.decode(encoding).removeprefix(MARK)
    except UnicodeDecodeError as error:
        raise InputError(
            f"不是有效的 {encoding} 编码（第 {error.start} 字节）。",
            f"is not valid {encoding} (at byte {error.start}).",
        ) from error


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a text file in any of these encodings, without their ends. Raises InputError
    that names the file."""
    try:
        with path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
        encoding = detect(sample, complete=len(sample) < SAMPLE_BYTES)
        with path.open(encoding=encoding) as text:
            for number, line in enumerate(text):
                yield (line if number else line.removeprefix(MARK)).rstrip("\n")
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"无法读取 {path}：{why}", f"Cannot read {path}: {why}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} 不全是 {encoding} 编码。", f"{path} is not {encoding} all through."
        ) from error
    except InputError as error:
        raise InputError(f"{path} {error.zh}", f"{path} {error.en}") from error


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark: every other byte of what is ASCII is zero, line ends among it."""
    head = sample[: LOOKED_AT // 16]
    first, second = head[::2], head[1::2]
    for zeros, others, encoding in ((second, first, "utf-16-le"), (first, second, "utf-16-be")):
        ends = any(one == 10 and zero == 0 for one, zero in zip(others, zeros, strict=False))
        if ends and zeros.count(0) > 4 * others.count(0):
            return encoding
    return ""


def _beyond_ascii(data: bytes) -> list[bytes]:
    lines: list[bytes] = []
    size = 0
    for line in data.split(b"\n"):
        if not line.isascii():
            lines.append(line[:LOOKED_AT] if len(line) > LOOKED_AT else line)
            size += len(line)
            if size > LOOKED_AT:
                break
    return lines


def _decoded_lines(lines: list[bytes], encoding: str) -> list[str]:
    out = []
    for line in lines:
        try:
            out.append(line.decode(encoding))
        except UnicodeDecodeError as error:
            if len(line) == LOOKED_AT and error.start >= LOOKED_AT - 4:  # cut by us
                out.append(line[: error.start].decode(encoding))
    return out


def _readable(lines: list[bytes], encoding: str) -> float:
    return len(_decoded_lines(lines, encoding)) / len(lines)


def _plausible(lines: list[bytes], encoding: str) -> float:
    """The share of lines that can be read, times the share of their characters in common use."""
    read = _decoded_lines(lines, encoding)
    common = _common()
    characters = [char for line in read for char in line if char >= "\u3400"]
    known = [char for char in characters if not "\uff00" <= char <= "\uffef"]
    share = sum(char in common for char in known) / len(known) if known else NO_CHARACTERS
    return share * len(read) / len(lines)


@cache
def _common() -> frozenset[str]:
    """The first levels of GB 2312 (3,755 simplified) and of Big5 (5,401 traditional characters)."""
    characters = []
    for lead in range(0xA4, 0xD8):
        for trail in range(0x40, 0xFF):
            pair = bytes((lead, trail))
            if lead >= 0xB0:
                characters.append(pair.decode("gb2312", "ignore"))
            if lead < 0xC6 or (lead == 0xC6 and trail < 0x7F):
                characters.append(pair.decode("big5", "ignore"))
    return frozenset(char for char in characters if len(char) == 1 and char >= "\u3400")
