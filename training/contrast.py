"""Pairs of sentences made by rule that look alike and do not mean the same, and some that do.

Labelled pairs teach that texts of the same words mean the same. These teach what one word can
change: who does what to whom, from where to where, not, the opposite verb, how many and when; and
that a polite word, a particle, a passive or a synonym changes nothing. Words are in `contrast.tsv`.
"""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

DIGITS = "一二三四五六七八九十"
DAYS = "一二三四五六日"
TIMES = (
    ("今天", "明天"),
    ("昨天", "今天"),
    ("今年", "去年"),
    ("明年", "今年"),
    ("上个月", "下个月"),
)
SYNTHETIC = 0.45  # of the pairs made; the others are changed sentences of the labelled sets


@cache
def words(kind: str) -> list[list[str]]:
    """The rows of `contrast.tsv` of one kind: a word each, or two that stand for each other."""
    lines = Path(__file__).with_name("contrast.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return [row[1:] for row in rows if row[0] == kind]


def names(kind: str) -> list[str]:
    return [row[0] for row in words(kind)]


def _switched(text: str, kind: str, rng: random.Random, both: bool) -> str | None:
    """One pair of words of a kind exchanged in the text; None where no word of it is there."""
    found = []
    for one, other in words(kind):
        if other in text:
            if both:
                found.append((other, one))
        elif one in text:
            found.append((one, other))
    if not found:
        return None
    old, new = rng.choice(found)
    return text.replace(old, new, 1)


def opposite(text: str, rng: random.Random) -> str | None:
    """A verb or a quality turned into its opposite."""
    return _switched(text, "opposite", rng, both=True)


def negated(text: str, rng: random.Random) -> str | None:
    """Said of what is not; a question by "A or not A" is left alone."""
    if re.search("(.)[不没]\\1|是否|能否|有没", text):
        return None
    return _switched(text, "negated", rng, both=True)


def renumbered(text: str, rng: random.Random) -> str | None:
    """Another number: in digits, in characters, of a weekday or of a month."""
    runs = list(re.finditer(r"\d+(?:\.\d+)?", text))
    if runs:
        run = rng.choice(runs)
        old = run.group()
        digit = rng.randrange(len(old))
        while not old[digit].isdigit():
            digit = rng.randrange(len(old))
        new = rng.choice([d for d in "123456789" if d != old[digit]])
        changed = old[:digit] + new + old[digit + 1 :]
        return text[: run.start()] + changed + text[run.end() :]
    week = re.search("(?<=周|期)[一二三四五六日天]", text)
    if week:
        new = rng.choice([d for d in DAYS if d != week.group()])
        return text[: week.start()] + new + text[week.end() :]
    count = re.search(f"[{DIGITS}](?=[个天年月次块条台件位小号点])", text)
    if count and count.group() != "一":  # which is an article more often than a number
        new = rng.choice([d for d in DIGITS if d != count.group()])
        return text[: count.start()] + new + text[count.end() :]
    for one, other in TIMES:
        if one in text:
            return text.replace(one, other, 1)
    return None


def exchanged(text: str, _rng: random.Random) -> str | None:
    """Two places or two people of the text in each other's place."""
    for kind in ("place", "person"):
        found = sorted((text.find(name), name) for name in names(kind) if name in text)
        if len(found) == 2 and not re.search("[和与跟、或]", text):
            (first, one), (second, other) = found
            if first + len(one) <= second:
                between = text[first + len(one) : second]
                return text[:first] + other + between + one + text[second + len(other) :]
    return None


def moved(text: str, rng: random.Random) -> str | None:
    """Another place."""
    found = [name for name in names("place") if name in text]
    if not found:
        return None
    old = rng.choice(found)
    return text.replace(old, rng.choice([name for name in names("place") if name not in text]), 1)


def unchanged(text: str, rng: random.Random) -> str | None:
    """The same said a little differently."""
    changed = text
    if rng.random() < 0.7:
        changed = _switched(changed, "unchanged", rng, both=False) or changed
    if rng.random() < 0.35:
        changed = rng.choice(names("before")) + changed
    if rng.random() < 0.3:
        changed = changed.rstrip("？?。！!") + rng.choice(("？", "?", "。", "呢？", "啊", ""))
    return None if changed == text else changed


APART = (opposite, negated, renumbered, exchanged, moved)


def made(rng: random.Random) -> tuple[str, str, int]:
    """A pair out of nothing but names and frames: (a, b, 1 where they mean the same)."""
    return rng.choice(FRAMES)(rng)


def _turned(rng: random.Random, kind: str) -> tuple[str, str, str, str, int]:
    """Two names, the same two in the same or the other order, and whether it is the same."""
    (x, y), same = rng.sample(names(kind), 2), rng.randrange(2)
    return (x, y, x, y, 1) if same else (x, y, y, x, 0)


def _done(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "person")
    act = rng.choice(names("act"))
    plain = f"{x}{act}{y}"
    other = rng.choice((f"{two}被{one}{act}", f"{one}把{two}{act}", f"{two}让{one}{act}"))
    return (plain, other, same) if rng.random() < 0.5 else (other, plain, same)


def _given(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "person")
    verb, thing = rng.choice(("借", "送", "寄", "还", "卖")), rng.choice(names("given"))
    taken = f"{two}向{one}借了{thing}" if verb == "借" else f"{two}从{one}那里收到了{thing}"
    return f"{x}{verb}给{y}{thing}", taken, same


def _travelled(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "place")
    first, second = rng.sample(("从{}到{}的{}", "{}到{}的{}", "{}去{}的{}", "{}飞{}的{}"), 2)
    what = rng.choice(("火车票", "机票", "高铁", "路线", "快递", "距离", "航班"))
    tail = rng.choice(("", "有吗", "多少钱", "怎么买", "要多久"))
    return first.format(x, y, what) + tail, second.format(one, two, what) + tail, same


def _greater(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "person")
    how = rng.choice(names("adjective"))
    return f"{x}比{y}{how}", rng.choice((f"{two}没有{one}{how}", f"{two}不如{one}{how}")), same


def _warmer(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "place")
    how = rng.choice(("大", "热", "冷", "远", "发达", "便宜"))
    return f"{x}比{y}{how}", rng.choice((f"{one}比{two}更{how}", f"{two}没有{one}{how}")), same


def _counted(rng: random.Random) -> tuple[str, str, int]:
    n, same = rng.randint(2, 99), rng.randrange(2)
    m = n if same else rng.choice((n + 1, n * 10, n + 10, n - 1))
    frame = rng.choice(
        ("{}块钱能买到吗", "价格是{}元", "我等了{}天", "还有{}分钟到", "一共{}个人", "今年{}岁了")
    )
    before = rng.choice(names("before") if frame.endswith("吗") else ("其实", "听说", ""))
    return frame.format(n), before + frame.format(m), same


def _felt(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "person")
    verb = rng.choice(("喜欢", "讨厌", "认识", "想念", "等", "害怕", "羡慕"))
    very = "在" if verb == "等" else "" if verb == "认识" else "很"
    return f"{x}{verb}{y}", rng.choice((f"{one}{very}{verb}{two}", f"其实{one}{verb}{two}")), same


def _won(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "person")
    plain = f"{x}{rng.choice(('打败', '战胜', '赢', '击败'))}了{y}"
    other = rng.choice((f"{two}输给了{one}", f"{two}败给了{one}", f"{two}输了，{one}赢了"))
    return (plain, other, same) if rng.random() < 0.5 else (other, plain, same)


def _asked(rng: random.Random) -> tuple[str, str, int]:
    x, y, one, two, same = _turned(rng, "person")
    what = rng.choice(("搬走", "早点来", "道歉", "签字", "让座", "还钱", "付钱", "先走", "帮忙"))
    verbs = rng.sample(("让", "要", "叫", "请", "要求", "催"), 2)
    return f"{x}{verbs[0]}{y}{what}", f"{one}{verbs[1]}{two}{what}", same


def _stands(rng: random.Random) -> tuple[str, str, int]:
    x, y = rng.sample(names("thing"), 2)
    side, back = rng.sample(rng.choice((("左边", "右边"), ("前面", "后面"), ("上面", "下面"))), 2)
    plain = f"{x}在{y}{side}"
    kind = rng.randrange(4)
    if kind == 0:
        return plain, f"{y}在{x}{back}", 1
    if kind == 1:
        return plain, f"{y}的{side}是{x}", 1
    return plain, f"{x}在{y}{back}" if kind == 2 else f"{y}在{x}{side}", 0


def _written(rng: random.Random) -> tuple[str, str, int]:
    """A number in characters and in digits."""
    n, same = rng.randint(2, 99), rng.randrange(2)
    m = n if same else rng.choice((n + 1, n + 10, max(2, n - 1)))
    frame, unit = (
        rng.choice(names("counted")),
        rng.choice(("张", "个", "份", "天", "人", "块", "号")),
    )
    one, other = spoken(n, unit), str(m)
    said = (frame.format(one + unit), frame.format(other + unit))
    return (*(said if rng.random() < 0.5 else said[::-1]), same)


def _not_not(rng: random.Random) -> tuple[str, str, int]:
    who = rng.choice([*names("person"), "他", "她", "我", "他们"])
    positive, negative = rng.choice(words("negated"))
    rest = rng.choice(("", "", "这件事", "这个办法", "这样做"))
    plain = f"{who}{positive}{rest}"
    told = f"{who}{rng.choice(('并不是', '不是', '没有', '并非'))}{negative}{rest}"
    return (told, plain, 1) if rng.random() < 0.5 else (told, f"{who}{negative}{rest}", 0)


FRAMES = (
    _done, _given, _travelled, _greater, _warmer, _counted, _felt, _won, _asked, _stands, _written,
    _not_not,
)  # fmt: skip


def spoken(n: int, unit: str) -> str:
    """A number from 2 to 99 in characters; 2 before a unit that counts is 两."""
    tens, ones = divmod(n, 10)
    if n == 2 and unit != "号":
        return "两"
    return (
        ("" if tens < 2 else DIGITS[tens - 1])
        + "十" * (tens > 0)
        + (DIGITS[ones - 1] if ones else "")
    )


def pair(rows: list[tuple[str, str, int]], rng: random.Random) -> tuple[str, str, int]:
    """One pair by rule, from labelled pairs (a, b, label) or out of frames."""
    while rows and rng.random() >= SYNTHETIC:
        a, b, label = rng.choice(rows)
        if rng.random() < 0.5:
            a, b = b, a
        if rng.random() < 0.35:
            changed = unchanged(a, rng)
            if changed:
                return a, changed, 1
            continue
        rule = rng.choice(APART)
        changed = rule(b if label == 1 and rng.random() < 0.5 else a, rng)
        if changed:
            return a, changed, 0
    return made(rng)
