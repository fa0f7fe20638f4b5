"""Numbers in a Chinese text, those in characters written as digits, so that 三十天 is 30天."""

from __future__ import annotations

import re

DIGITS = {char: i for i, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
UNITS = {"十": 10, "百": 100, "千": 1000}
COUNTERS = (
    "个天年月日号点分秒块元角毛岁人张件台次本条只位名斤里米楼层期周小时刻代折倍度%"
    "杯辆套双支部家间门首页步局场届级集吨亩克升瓶包盒箱份笔盘"
)  # what follows a number
ONES = "".join(DIGITS)
NUMBER = re.compile(
    f"[{ONES}十百千]+[万亿][{ONES}十百千万亿]*"
    f"|[{ONES}]*[十百千][{ONES}十百千]*"
    f"|(?<=[第周期拜])[{ONES}日天]|(?<=[买送])[{ONES}]|[一二三四五六七八九]+(?=两)"
    f"|[{ONES}]+(?=[{COUNTERS}])"
)
# Words that hold such a character and count nothing.
WORDS = re.compile(
    "十分(?!钟)|千万别|百度|万一|千千|一点(?!钟|半)|一天天|星期天气|周日历|几十|百货|天天"
)
SPOKEN = (
    (re.compile(f"百分之([{ONES}十百0-9]+)"), r"\1%"),
    (re.compile("半个?小时"), "30分钟"),
    (re.compile("半年"), "6个月"),
    (re.compile("点一刻"), "点15分"),
    (re.compile("一刻钟"), "15分钟"),
    (re.compile("半斤"), "5两"),
    (re.compile("一打(?=[^开听算])"), "12个"),
    (re.compile("(?<=[0-9一二三四五六七八九十两])点半"), "点30分"),
    (re.compile("半个月"), "15天"),
)  # fmt: skip
RUN = re.compile(r"\d+(?:\.\d+)?")


HOURS = re.compile("(.)个半小时")
WHOLE_HOURS = re.compile(r"(\d+(?:\.\d+)?)个?(?:小时|钟头)")
CLOCK = re.compile(r"(\d+)点(?!\d)")


def in_digits(text: str) -> str:
    """The text with its numbers in digits; 周日 and 星期天 are day 7."""
    text = HOURS.sub(_minutes, text)
    for spoken, plain in SPOKEN:
        text = spoken.sub(plain, text)
    kept = {i for word in WORDS.finditer(text) for i in range(*word.span())}

    def told(found: re.Match[str]) -> str:
        word = found.group()
        if kept.intersection(range(*found.span())):
            return word
        if word in ("日", "天"):
            return "7"
        number = value(word)
        return word if number is None else str(number)

    text = CLOCK.sub(r"\1点0分", NUMBER.sub(told, text))
    return WHOLE_HOURS.sub(lambda found: f"{round(float(found[1]) * 60)}分钟", text)


def _minutes(found: re.Match[str]) -> str:
    hours = (
        value(found[1]) if found[1] in DIGITS else int(found[1]) if found[1].isdecimal() else None
    )
    return found[0] if hours is None else f"{hours * 60 + 30}分钟"


def value(word: str) -> int | None:
    """What a number in characters up to 亿 says; digits one by one as they stand (二〇二六); None
    where it is none.

    >>> value("三百二十五"), value("十"), value("二〇二六"), value("一万二")
    (325, 10, 2026, 12000)
    """
    if not word or word[0] in "万亿":
        return None
    if all(char in DIGITS for char in word):
        return int("".join(str(DIGITS[char]) for char in word))
    total = part = digit = 0
    last = 1
    for char in word:
        if char in DIGITS:
            digit, plain = DIGITS[char], True
            continue
        unit = UNITS.get(char)
        plain = False
        if unit is not None:
            part += (digit or 1) * unit
            last = unit
        else:
            last = 10_000 if char == "万" else 100_000_000
            if char == "万":
                total += (part + digit) * last
            else:
                total = (total + part + digit) * last
            part = 0
        digit = 0
    if plain and digit and last >= 100 and word[-2] not in DIGITS:
        digit *= last // 10  # 一万二 is 12,000
    return total + part + digit


def numbers(text: str) -> list[str]:
    """The numbers in digits of a text, in their order, without leading zeros."""
    return [run.lstrip("0") or "0" for run in RUN.findall(text)]
