"""What turns the meaning of nearly the same words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qingyu.text.contrasts import contrast, plain, words
from qingyu.text.differences import SHAPE, differences

TEXT = st.text(st.sampled_from("我你不没开关大小把被比从到一三3天京北和吗，？ab"), max_size=16)


@pytest.mark.parametrize(
    ("one", "other", "turns"),
    [
        ("小猫被小狗咬了", "小狗咬了小猫", 0),
        ("小猫被小狗咬了", "小猫咬了小狗", 1),
        ("从杭州到苏州的车票", "从苏州到杭州的车票", 1),
        ("苏州和杭州", "杭州和苏州", 0),
        ("蓝队打败了红队", "红队输给了蓝队", 2),
        ("弟弟比哥哥高", "哥哥比弟弟矮", 2),
        ("弟弟比哥哥高", "哥哥没有弟弟高", 0),
        ("弟弟比哥哥高", "弟弟没有哥哥高", 1),
        ("我喜欢吃鱼", "我不喜欢吃鱼", 1),
        ("你喜不喜欢吃鱼", "你喜欢吃鱼吗", 0),
        ("她没有不高兴", "她高兴", 2),
        ("怎么打开蓝牙", "如何关闭蓝牙", 1),
        ("价格升高", "价格上涨", 0),
        ("什么是股票", "股票是什么", 0),
        ("你可以不去", "你不可以去", 1),
        ("大伯借给二叔一辆车", "二叔向大伯借了一辆车", 2),
        ("怎么取消预定", "怎么预定", 1),
        ("寄信到苏州", "从苏州寄信", 1),
        ("这箱比那箱重", "那箱比这箱重", 1),
        ("大勇是小勇的老师", "小勇是大勇的学生", 2),
        ("别忘了关门", "记得关门", 0),
        ("她未必同意", "她不一定同意", 0),
        ("她不得不走", "她必须走", 0),
    ],
)
def test_each_turn_is_counted(one: str, other: str, turns: int) -> None:
    """A denial, an opposite and an exchange of names are one turn each; rewriting is none."""
    assert contrast(plain(one), plain(other)).turns == turns


def test_numbers_and_names_differ_where_each_text_has_its_own() -> None:
    """Each must have one, and not the same; 三 is 3, and a place in one alone is none."""
    assert contrast(plain("订三张票"), plain("订5张票")).number
    assert not contrast(plain("订三张票"), plain("订3张票")).number
    assert not contrast(plain("订三张票"), plain("订票")).number
    assert contrast(plain("广州天气"), plain("天津天气")).named
    assert not contrast(plain("广州天气"), plain("天气")).named


def test_what_nothing_explains_is_counted() -> None:
    """Two wordings of one thing leave no rest; another word does."""
    assert contrast(plain("怎么把灯关掉"), plain("如何关闭灯？")).rest == 0
    assert contrast(plain("怎么买灯"), plain("怎么买桌子")).rest == 3


@given(TEXT, TEXT)
def test_the_order_of_two_texts_does_not_matter(one: str, other: str) -> None:
    """Differences and contrasts are the same whichever text stands first, and none fails."""
    a, b = plain(one), plain(other)
    assert contrast(a, b) == contrast(b, a)
    assert differences(a, b) == differences(b, a)
    assert len(differences(a, b)[1]) == len(SHAPE)


@given(TEXT)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    """No turn, no number, no name, no rest."""
    found = contrast(plain(text), plain(text))
    assert (found.turns, found.number, found.named, found.rest) == (0, False, False, 0)


def test_no_word_is_read_as_two_things() -> None:
    """What is read as another word is not a spelling that others are read as."""
    same = words().same
    assert not set(same) & set(same.values())
