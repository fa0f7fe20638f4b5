"""Numbers in characters, as digits."""

from __future__ import annotations

import pytest

from qingyu.text.numerals import in_digits, numbers, value


@pytest.mark.parametrize(
    ("word", "number"),
    [("三百二十五", 325), ("十", 10), ("二〇二六", 2026), ("一万二", 12_000), ("一百零五", 105),
     ("两千三", 2300), ("一亿三千万", 130_000_000), ("十二", 12), ("万", None), ("", None)],
)  # fmt: skip
def test_a_number_in_characters_says_what_it_is_read_as(word: str, number: int | None) -> None:
    """Places, a spoken end (一万二) and digits one by one are read; what is no number is none."""
    assert value(word) == number


@pytest.mark.parametrize(
    ("text", "plain"),
    [("一个月有三十天", "1个月有30天"), ("等了半小时", "等了30分钟"), ("周日", "周7"),
     ("三点半", "3点30分"), ("三点开始", "3点0分开始"), ("一个半小时", "90分钟"),
     ("2小时", "120分钟"),
     ("百分之五十", "50%"), ("十分好吃", "十分好吃"), ("统一", "统一"), ("百货大楼", "百货大楼")],
)  # fmt: skip
def test_numbers_become_digits_and_words_stay(text: str, plain: str) -> None:
    """What counts is in digits; a word that only holds such a character stays."""
    assert in_digits(text) == plain


def test_numbers_are_compared_without_leading_zeros() -> None:
    """08 and 8 are one number, and 0 stays."""
    assert numbers("08点0分3.50元") == ["8", "0", "3.50"]
