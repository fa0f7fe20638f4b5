"""Characters that the vocabulary lacks are read as those they stand for, in their own places."""

from __future__ import annotations

from pathlib import Path

import pytest

import qingyu
from qingyu.build.sources.tokenizer import write_tokenizer
from qingyu.model import Model
from qingyu.results import Entity
from qingyu.tasks.parts.names import edged
from qingyu.text.tokenizer import Tokenizer

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"


@pytest.fixture(scope="module")
def model() -> Model:
    return qingyu.load()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("２０２３年的ＫＴＶ", "2023年的KTV"),
        ("ｈｅｌｌｏ，世界", "hello，世界"),
        ("⼀个⾦属", "一个金属"),
        ("第①号", "第1号"),
        ("\uf9d0似", "類似"),
    ],
)
def test_a_text_is_read_as_what_it_stands_for(model: Model, text: str, plain: str) -> None:
    """The ids are those of the plain text, the offsets those of the text as sent; nothing is
    unknown."""
    found, expected = model.tokenizer.tokens(text), model.tokenizer.tokens(plain)
    assert found.ids == expected.ids
    assert found.offsets == expected.offsets
    assert model.tokenizer.unk_id not in found.ids
    assert model.tokenizer.batch([text]) == [expected.ids]
    assert model.tokenizer.characters(text).ids == model.tokenizer.characters(plain).ids
    assert model.classify(text).scores == model.classify(plain).scores


def test_what_a_vocabulary_has_stays(model: Model) -> None:
    """Punctuation of Chinese is a token of its own and is never made ASCII."""
    marks = "，。！？（）：；"
    tokens = model.tokenizer.tokens(marks)
    assert [model.tokenizer.id_to_token(token_id) for token_id in tokens.ids] == list(marks)


def test_entities_in_the_text_as_sent(model: Model) -> None:
    """An entity of full-width letters is told as it was written, and where."""
    text = "他在２０２３年去了ＩＢＭ公司。"
    plain = "他在2023年去了IBM公司。"
    found = model.token_classification(text).entities
    assert [(one.start, one.end) for one in found] == [
        (one.start, one.end) for one in model.token_classification(plain).entities
    ]
    assert "ＩＢＭ公司" in [one.text for one in found]


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        ("去ＫＴＶ唱歌", (1, 3), "ＫＴＶ"),
        ("住在Zürich的人", (2, 4), "Zürich"),
        ("看😀北京", (1, 4), "北京"),
        ("→上海★吧", (0, 4), "上海"),
    ],
)
def test_edges_of_entities(text: str, cut: tuple[int, int], whole: str) -> None:
    """A word of letters is whole, full-width or with accents; a symbol is no edge."""
    [one] = edged(text, [Entity("X", text[slice(*cut)], *cut, 0.9)])
    assert one.text == text[one.start : one.end] == whole


@pytest.mark.parametrize(
    "text",
    [
        "今天天气真好，我们出去玩。",
        "hello world",
        "在北京hello world的人",
    ],
)
def test_written_chinese_has_no_spaces(model: Model, tmp_path: Path, text: str) -> None:
    """What WordPiece decodes is Chinese as it is written, with spaces between Latin words alone;
    the spaces of SentencePiece are its own."""
    tokenizer = model.tokenizer
    assert tokenizer.decode(tokenizer.tokens(text).ids) == text
    write_tokenizer(CHECKPOINTS / "t5-tied", tmp_path / "tokenizer.json", 1 << 20)
    pieces = Tokenizer(tmp_path / "tokenizer.json")
    assert pieces.decode(pieces.tokens("今天 天气").ids) == "今天 天气"
