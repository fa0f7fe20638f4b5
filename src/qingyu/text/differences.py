"""Two texts laid side by side: what only one of them has, what both have, what takes whose place.

Texts come as `contrasts.plain` reads them. Everything is the same whichever stands first.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import pairwise

ALONE, COMMON, REPLACED, PIECE, ASKED = "-", "+", "/", "~", "?"  # kinds of terms, their first sign
LONGEST = 4  # characters of a piece that is a term

# What a question asks for, by the words that it is asked with.
QUESTIONS = {
    name: re.compile(pattern)
    for name, pattern in (
        ("why", "为什么|为啥|为何|怎么会|咋会|怎么就|怎么总|怎么老|什么原因|原因|干嘛"),
        ("when", "什么时候|何时|几点|多久|多长时间|几天|什么时间|啥时|哪天|几号|多少天|时间"),
        ("where", "哪里|哪儿|在哪|何处|什么地方|去哪|从哪|哪边|哪能"),
        ("many", "多少|几|多大|多高|多远|额度"),
        ("who", "谁|哪位|哪个人"),
        ("which", "哪个|哪些|哪种|哪款|哪1"),
        ("how", "怎么|如何|怎样|咋|方法|步骤|流程"),
        ("what", "什么|啥|哪些"),
        ("can", "能|可以|可否|可不可以|行吗"),
        ("is", "吗|么$|是不是|是否|有没有|嘛|[不没]$"),
        ("not", "不(?!是不|能不|可不)|[没未无别]"),
        ("need", "[要需]"),
        ("want", "[想求帮]|希望"),
    )
}
INDIRECT = ("not", "need", "want")  # which statements have as well
SHAPE = (
    "characters", "of the longer", "of the shorter", "pairs", "pairs of the shorter", "in order",
    "longest run", "lengths", "length", "alike", "first", "last", "reordered",
)  # fmt: skip


def asks(text: str) -> bool:
    """Whether a text reads as a question."""
    return any(words.search(text) for name, words in QUESTIONS.items() if name not in INDIRECT)


def differences(a: str, b: str) -> tuple[Counter[str], list[float]]:
    """The terms of two texts with how often each occurs, and their SHAPE.

    Terms are characters and pairs of neighbours that one has alone or both have, pieces of up to
    LONGEST characters that stand alone or in each other's place, and what is asked for.
    """
    a, b = sorted((a, b), key=lambda text: (len(text), text))  # pieces depend on the order
    terms: Counter[str] = Counter()
    singles = Counter(a), Counter(b)
    doubles = (
        Counter(x + y for x, y in pairwise(a)),
        Counter(x + y for x, y in pairwise(b)),
    )
    for mine, yours in (singles, doubles):
        for term, count in ((mine - yours) + (yours - mine)).items():
            terms[ALONE + term] = min(count, 3)
        for term in mine & yours:
            terms[COMMON + term] = 1
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    for kind, i, j, k, m in matcher.get_opcodes():
        x, y = a[i:j], b[k:m]
        if kind == "replace" and max(len(x), len(y)) <= LONGEST:
            terms[f"{REPLACED}{min(x, y)}{REPLACED}{max(x, y)}"] += 1
        elif kind in ("delete", "insert") and len(x + y) <= LONGEST:
            terms[PIECE + x + y] += 1
    asked = [{name for name, words in QUESTIONS.items() if words.search(text)} for text in (a, b)]
    for name in asked[0] & asked[1]:
        terms[f"{ASKED}{name}"] = 1
    for name in asked[0] ^ asked[1]:
        terms[f"{ASKED}{ALONE}{name}"] = 1
    for one in asked[0] - asked[1]:
        for other in asked[1] - asked[0]:
            terms[f"{ASKED}{min(one, other)}{REPLACED}{max(one, other)}"] = 1
    runs = [block.size for block in matcher.get_matching_blocks()]
    n, m, short = len(a), len(b), max(1, min(len(a), len(b)))
    shared = (singles[0] & singles[1]).total()
    pairs = (doubles[0] & doubles[1]).total()
    both = max(1, n + m)
    shape = [
        2 * shared / both,
        shared / max(1, n, m),
        shared / short,
        2 * pairs / max(1, n + m - 2),
        pairs / max(1, short - 1),
        2 * sum(runs) / both,
        max(runs) / short,
        abs(n - m) / both,
        math.log(both),
        float(a == b),
        float(a[:1] == b[:1]),
        float(a[-1:] == b[-1:]),
        float(singles[0] == singles[1]),
    ]
    return terms, shape
