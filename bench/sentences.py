"""Chinese texts that no cache knows: short ones, mixed ones, many that differ, running text."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from bench.figures import ROOT

WHEN = ("今天", "昨天", "明天", "早上", "晚上", "下午", "周末", "春天", "秋天", "冬天")
WHERE = ("山里", "海边", "城里", "南方", "北方", "家乡", "这里", "那里")
WHAT = ("出去玩", "去爬山", "去跑步", "去划船", "放风筝", "洗衣服", "去钓鱼", "去郊游")
TIMES = (
    "今天", "昨天", "明天", "早上", "中午", "晚上", "周末", "春天",
    "夏天", "秋天", "冬天", "刚才", "以前", "最近", "现在", "去年",
)  # fmt: skip
SUBJECTS = (
    "天气", "路上", "公园", "学校", "公司", "车站", "商店", "饭馆",
    "图书馆", "电影院", "医院", "机场", "海边", "山里", "村里", "城里",
)  # fmt: skip
ENDS = (
    "很多人", "很安静", "很热闹", "下着雨", "开着花", "排着队",
    "在修路", "打折了", "人不多", "有点冷", "有点热", "真漂亮",
)  # fmt: skip
GOLDEN = ROOT / "tests/golden/sentences.txt"


def short() -> Iterator[str]:
    """Endless sentences like 「今天这里天气真[MASK]啊，适合出去玩。」; the first 640 all differ."""
    for what, where, when in itertools.cycle(itertools.product(WHAT, WHERE, WHEN)):
        yield f"{when}{where}天气真[MASK]啊，适合{what}。"


def mixed() -> Iterator[str]:
    """Lines of 6 to 194 characters with one of them masked, round and round."""
    lines = GOLDEN.read_text("utf-8").splitlines()
    for turn in itertools.count():
        for line in lines:
            at = turn % len(line)
            yield f"{line[:at]}[MASK]{line[at + 1 :]}"


def distinct(count: int, chance: random.Random, *, masked: bool) -> list[str]:
    """So many sentences of some 14 characters that all differ, in order."""
    texts: set[str] = set()
    while len(texts) < count:
        text = f"{chance.choice(TIMES)}{chance.choice(SUBJECTS)}{chance.choice(ENDS)}"
        text += f"，{chance.randrange(1000)}号{chance.choice('店楼门路线')}"
        if masked:
            at = chance.randrange(len(text))
            text = f"{text[:at]}[MASK]{text[at + 1 :]}"
        texts.add(text)
    return sorted(texts)


def corpus() -> str:
    """Running text to cut pieces from: Chinese characters only, so that one is one token."""
    return "".join(char for char in GOLDEN.read_text("utf-8") if "\u4e00" <= char <= "\u9fff")
