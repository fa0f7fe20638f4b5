"""Side files in whatever encoding people keep them in: the same lines come out of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from qingyu.build.measure.probe import read_texts
from qingyu.build.shrink.vocabulary import VocabularyChoice, choose
from qingyu.build.sources.tokenizer import read_tokenizer
from qingyu.errors import BuildError, InputError
from qingyu.text.encodings import decoded, lines_of
from qingyu.text.lexicon import Lexicon

LINES = ["体育", "财经新闻", "科技"]
ENCODINGS = ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le"]
CHECKPOINT = Path(__file__).parents[1] / "golden" / "checkpoints" / "bert-masked-lm"


def file_in(folder: Path, encoding: str, text: str = "\n".join(LINES)) -> Path:
    path = folder / "lines.txt"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_a_file(tmp_path: Path, encoding: str, end: str) -> None:
    """A mark, an encoding and kinds of line ends change nothing, nor does a last line without an
    end."""
    path = file_in(tmp_path, encoding, end.join(LINES))
    assert list(lines_of(path)) == LINES
    assert decoded(path.read_bytes()).split(end) == LINES


def test_traditional_in_big5(tmp_path: Path) -> None:
    """Big5 is told from GB18030 by the characters that come out."""
    path = file_in(tmp_path, "big5", "體育新聞\n財經\n房間很乾淨")
    assert list(lines_of(path)) == ["體育新聞", "財經", "房間很乾淨"]


@pytest.mark.parametrize("text", ["好", "是的"])
def test_one_short_line(text: str) -> None:
    """A file of a single word without a line end is told as well as any other."""
    assert decoded(text.encode("gbk")) == text


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_all_side_files(tmp_path: Path, encoding: str) -> None:
    """Calibration texts, word lists and lexicons are read alike."""
    path = file_in(tmp_path, encoding)
    assert read_texts(path) == LINES
    assert Lexicon.read(path).words == set(LINES)
    plain = file_in(tmp_path, "utf-8")
    tokenizer = read_tokenizer(CHECKPOINT)
    expected = choose(tokenizer, VocabularyChoice(plain)).kept.tolist()
    assert (
        choose(tokenizer, VocabularyChoice(file_in(tmp_path, encoding))).kept.tolist() == expected
    )


def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    """A file in no encoding, and none at all, are errors that name it."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(128, 256)) * 4)
    with pytest.raises(InputError, match=r"picture\.png is"):
        list(lines_of(path))
    with pytest.raises(BuildError, match=r"picture\.png"):
        read_texts(path)
    with pytest.raises(InputError, match=r"Cannot read .*missing\.txt: No such file"):
        list(lines_of(tmp_path / "missing.txt"))
