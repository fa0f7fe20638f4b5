"""Reading texts line by line, as they arrive, from whatever somebody pipes in."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.cli.lines import MAX_LINE_BYTES, InputLine, arguments_as_lines, read_lines
from qingyu.errors import InputError


class Trickle(io.BytesIO):
    """A pipe that hands over as many bytes at a time as its sizes say."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self.sizes = sizes

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read(self.sizes.pop() if self.sizes else size)


def everything(data: bytes, sizes: list[int] | None = None) -> list[InputLine]:
    return [line for batch in read_lines(Trickle(data, sizes or [])) for line in batch]


@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\ufeff")), max_size=9
    ),
    st.lists(st.integers(1, 7), max_size=60),
)
def test_how_bytes_arrive_does_not_matter(texts: list[str], sizes: list[int]) -> None:
    """The same lines with the same numbers come out wherever a pipe cuts its bytes."""
    expected = [(i, text) for i, text in enumerate(texts, 1) if text.encode().strip()]
    lines = everything("\n".join(texts).encode(), sizes)
    assert [(line.number, line.text) for line in lines] == expected


def test_lines_come_as_soon_as_they_are_whole() -> None:
    """A batch is what has arrived, so a person typing is answered after each line."""
    batches = read_lines(Trickle("一\n二\n三".encode(), [4, 4]))
    assert [[line.text for line in batch] for batch in batches] == [["一"], ["二"], ["三"]]


def test_blank_lines_are_skipped_and_counted() -> None:
    """A line keeps the number an editor shows for it."""
    assert [(line.number, line.text) for line in everything("\n  \n甲\r\n\n乙".encode())] == [
        (3, "甲"),
        (5, "乙"),
    ]


def test_a_byte_order_mark_is_no_text() -> None:
    """Files saved by Windows editors start with a mark, which belongs to no sentence."""
    assert everything("\ufeff甲\n".encode())[0].text == "甲"


def test_lines_of_another_encoding(capsys: pytest.CaptureFixture[str]) -> None:
    """GBK and Big5 are read as such and that is said; lines in UTF-8 among them are read, too."""
    read = everything(b"abc\n" + "今天天气很好".encode("gbk") + "\n明天\n".encode())
    assert [line.text for line in read] == ["abc", "今天天气很好", "明天"]
    assert "gb18030" in capsys.readouterr().err
    text = "這家餐廳的菜很好吃"
    assert everything(f"{text}\n{text}".encode("big5"))[1].text == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_lines_of_utf_16(encoding: str) -> None:
    """What begins with the mark of UTF-16 is read as that, wherever a pipe cuts it."""
    data = "\ufeff今天\r\n明天\n".encode(encoding)
    assert [line.text for line in everything(data, [3, 5, 4])] == ["今天", "明天"]


def test_a_line_in_no_encoding_fails_alone() -> None:
    """What cannot be told is refused with its line number and a way out; the next line is read."""
    bad, good = everything(b"\xff\xff\x80\n" + "明天\n".encode())
    assert bad.number == 1
    assert bad.error is not None
    assert "iconv" in bad.error.en
    assert (good.number, good.text, good.error) == (2, "明天", None)


def test_an_endless_line_is_refused() -> None:
    """A file without line ends cannot make the process swallow it whole."""
    with pytest.raises(InputError, match="Line 2 is over 1 MB"):
        everything(b"a\n" + b"x" * (MAX_LINE_BYTES + 70_000))


def test_an_argument_alone_needs_no_number() -> None:
    """One text on the command line is not called line 1."""
    assert arguments_as_lines(["甲"])[0].label_en == ""
    assert [line.label_en for line in arguments_as_lines(["甲", "乙"])] == ["line 1: ", "line 2: "]


def test_an_argument_that_is_not_utf8_is_refused() -> None:
    """Python hands such bytes over as lone surrogates, which no tokenizer takes."""
    (line,) = arguments_as_lines(["\udcff"])
    assert line.error is not None
