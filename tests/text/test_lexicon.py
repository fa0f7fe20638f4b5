"""Lexicons: what passes, what they are made from, how words are spelt in tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qingyu import bundle
from qingyu.errors import InputError
from qingyu.text.lexicon import Lexicon
from qingyu.text.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("values", "word", "passes"),
    [
        ({}, "任何", True),
        ({"words": ["画蛇添足"]}, "画蛇添足", True),
        ({"words": ["画蛇添足"]}, "画蛇", False),
        ({"pattern": "画.*"}, "画蛇添足", True),
        ({"pattern": "画"}, "画蛇添足", False),
        ({"length": 2}, "画蛇", True),
        ({"length": 2}, "🙂", False),
        ({"length": 1}, "🙂", True),
        ({"allowed": "画蛇"}, "蛇画", True),
        ({"allowed": "画蛇"}, "蛇足", False),
        ({"banned": ["蛇"]}, "画蛇", False),
        ({"banned": ["蛇"]}, "画", True),
        ({"words": ["画蛇"], "banned": ["蛇"]}, "画蛇", False),
        (["画蛇"], "画蛇", True),
        (("画蛇",), "足", False),
    ],
)
def test_what_passes(values: Any, word: str, passes: bool) -> None:
    """Every part that is given must hold for the whole word."""
    assert Lexicon.of(values).admits(word) is passes


@pytest.mark.parametrize(
    "values",
    [3, "词", None, {"colour": "红"}, {"words": "词"}, {"words": [3]}, {"words": [""]},
     {"pattern": "("}, {"pattern": 3}, {"pattern": "(?P<n"}, {"length": 0}, {"length": True},
     {"length": "2"}, {"allowed": ["红"]}, {"banned": "坏"}, [["词"]]],
)  # fmt: skip
def test_what_makes_no_lexicon(values: Any) -> None:
    """A part of a wrong type, a broken pattern and an unknown field are clear errors."""
    with pytest.raises(InputError) as error:
        Lexicon.of(values)
    assert error.value.zh


def test_a_list_is_read_from_a_file(tmp_path: Path) -> None:
    """The first column of every line, with or without a byte order mark; notes are left out."""
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff画蛇添足\t12\r\n\n# 注\n两全其美\n".encode())
    assert Lexicon.read(path).words == {"画蛇添足", "两全其美"}


@pytest.mark.parametrize("content", [None, b"", b"# only notes\n", b"\xff\xfe\x00"])
def test_a_list_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A missing, empty or undecodable file is named."""
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"words\.txt"):
        Lexicon.read(path)


def test_equal_lexicons_are_one(tmp_path: Path) -> None:
    """Lexicons are values: equal and of equal hash whatever the order of their words."""
    one, other = Lexicon.of(["甲", "乙"]), Lexicon.of({"words": ["乙", "甲", "甲"]})
    assert one == other
    assert hash(one) == hash(other)
    assert Lexicon.of(one) is one


def test_words_are_spelt_by_their_tokens() -> None:
    """Words of so many tokens as ids, sorted; what the vocabulary cannot spell is left out."""
    tokenizer = Tokenizer(bundle.find(bundle.DEFAULT) / bundle.TOKENIZER)
    lexicon = Lexicon.of({"words": ["北京", "上海", "好", "𠮷林", "坏"], "banned": ["坏"]})
    spelt = lexicon.spelt(tokenizer, 2)
    words = {"".join(tokenizer.surfaces[i] for i in row) for row in spelt.tolist()}
    assert words == {"北京", "上海"}
    assert lexicon.spelt(tokenizer, 1).tolist() == [[tokenizer.token_to_id("好")]]
    assert lexicon.spelt(tokenizer, 3).shape == (0, 3)
