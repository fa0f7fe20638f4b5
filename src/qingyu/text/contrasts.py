"""What two texts of nearly the same words do not share: who does what to whom, whether it is
denied, the opposite word, another number, place or time.

A denial, an opposite word and an exchange of two names each turn the meaning round, so two of them
leave it as it was: 客队输给了主队 is 主队打败了客队. Words are in `contrasts.tsv`, a kind and its
words on a line: `opposite`, `same` (the others are read as the first), `empty` (says nothing),
and kinds of which a text names one (`place`, `day`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from qingyu.text.numerals import in_digits, numbers

MARKS = re.compile(r"[^\w%]|_")
PARTICLES = re.compile("[了的地得过着吗呢啊吧呀嘛哦哈啦么很更也都就才还个儿]")
ASKED = re.compile(r"(.)[不没]\1|是否|(有)没有?(?!人)|[不没]$")  # A or not A
HARMLESS = re.compile(
    "不同(?!意)|不[过仅但断管错久]|非常|特别|[分区级性告]别|别[的人墅处]|要不|差不多|不好意思|对不起|无[线论聊]"
    "|未来|没[事关]|了不起|不锈钢|不一样|不一定|除非|是非|非洲|莫名"
)
DENIALS = re.compile(f"({HARMLESS.pattern})|[不没未无非别勿莫]有?")
MOST = 6  # characters of a name that a passive or a comparison is rewritten around
TOGETHER = re.compile("[和与跟及或]")  # what stands on both sides may change places
ASKING = re.compile("什么|怎么|哪|谁|何|几|多少|多久|为")
PASSIVE, LESS, THAN = "被", "没", "比"
FROM, TOWARDS = re.compile("从|自(?!动|己|然)"), re.compile("[到去往至飞]")
WITH = "向跟"  # X向YV: X does it, Y is whom it comes from
LENT = "借租"  # which say by 向 alone who gives
UNDONE, ENDED = re.compile("取消|解除|撤销"), re.compile("关(?![注于系心])|[停退销解删消]")
FREE = "能不"  # allowed not to, which is not "not allowed to"
SMALL = "把将给被有是会在以来人这那"  # characters that may be there or not


@dataclass(frozen=True)
class Contrast:
    """How two texts differ.

    denied:    how many more denials one has than the other
    opposites: words of one whose opposite the other has
    exchanged: two parts stand in each other's place
    number, named: both have numbers (places, times ...), and not the same ones
    rest:      characters of either that none of this explains
    """

    denied: int
    opposites: int
    exchanged: bool
    number: bool
    named: bool
    rest: int

    @property
    def turns(self) -> int:
        """How often the meaning is turned round."""
        return self.denied + self.opposites + self.exchanged


@dataclass(frozen=True)
class ContrastLists:
    """The lists of `contrasts.tsv`, ready for matching."""

    same: Mapping[str, str]
    spelt: re.Pattern[str]
    opposites: tuple[tuple[str, str], ...]
    named: tuple[re.Pattern[str], ...]


@lru_cache(maxsize=1)
def words() -> ContrastLists:
    """Reads the lists, once."""
    text = resources.files("qingyu.text").joinpath("contrasts.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines()]
    same = {row[1]: "" for row in rows if row[0] == "empty"}
    same |= {word: row[1] for row in rows if row[0] == "same" for word in row[2:]}
    spelt = _any(same)

    def read(word: str) -> str:
        return PARTICLES.sub("", spelt.sub(lambda found: same[found.group()], word)) or word

    pairs = {(read(row[1]), read(row[2])) for row in rows if row[0] == "opposite"}
    pairs |= {(other, one) for one, other in pairs}
    longest = sorted(pairs, key=lambda pair: (-len(pair[0] + pair[1]), pair))
    kinds = dict.fromkeys(row[0] for row in rows if row[0] not in ("same", "empty", "opposite"))
    named = [_any([row[1] for row in rows if row[0] == kind]) for kind in kinds]
    return ContrastLists(same, spelt, tuple(longest), tuple(named))


def _any(some: Mapping[str, str] | list[str]) -> re.Pattern[str]:
    """Any of these words, the longest there is."""
    return re.compile("|".join(map(re.escape, sorted(some, key=lambda word: (-len(word), word)))))


def plain(text: str) -> str:
    """A text in lower case and half width, without marks and spaces, with its numbers in digits."""
    return in_digits(MARKS.sub("", unicodedata.normalize("NFKC", text).lower()))


def contrast(one: str, other: str) -> Contrast:
    """How two texts differ that `plain` has read; the same whichever stands first."""
    known = words()
    one, other = sorted((one, other), key=lambda text: (_spelt(text, known), text))
    a, b = _spelt(one, known), _spelt(other, known)
    number = _differ(numbers(a), numbers(b))
    named = False
    for kind in known.named:
        mine, yours = set(kind.findall(a)), set(kind.findall(b))
        if mine - yours and yours - mine:
            named = True
            a, b = _without(a, mine - yours), _without(b, yours - mine)
    if number:
        a, b = (re.sub(r"\d", "", text) for text in (a, b))
    compared = (THAN in a) != (THAN in b)
    denials = [0, 0]
    texts = [a, b]
    free = [FREE in text for text in texts]
    for i in (0, 1):
        if not (compared and LESS in texts[i] and THAN not in texts[i]):  # A没B高 is rewritten
            texts[i], denials[i] = _affirmed(texts[i])
    a, b, opposites = _opposed(texts[0], texts[1], known)
    opposites += denials[0] == denials[1] > 0 and free[0] != free[1]
    if not opposites:
        opposites += _one_way(one, other) or _one_way(other, one)
    if not opposites:
        opposites += _undone(a, b) or _undone(b, a)
        a, b = UNDONE.sub("", a), UNDONE.sub("", b)
    opposites += _lent(a, b) or _lent(b, a)
    exchanged = _exchanged(a, b)
    rest = 0
    left, right = Counter(a), Counter(b)
    told = SMALL + WITH + (LESS + THAN if compared else "")
    for char, count in ((left - right) + (right - left)).items():
        rest += 0 if char in told else count
    return Contrast(abs(denials[0] - denials[1]), opposites, exchanged, number, named, rest)


def _affirmed(text: str) -> tuple[str, int]:
    """A text without its denials, and how many there are."""
    count = 0

    def kept(found: re.Match[str]) -> str:
        nonlocal count
        count += found[1] is None
        return found[1] or ""

    return DENIALS.sub(kept, text), count


def _one_way(one: str, other: str) -> bool:
    """Whether one comes from where the other goes to."""
    return bool(
        FROM.search(one)
        and not TOWARDS.search(one)
        and TOWARDS.search(other)
        and not FROM.search(other)
    )


def _undone(one: str, other: str) -> bool:
    """Whether one puts an end to what the other says."""
    return bool(UNDONE.search(one)) and not ENDED.search(other)


def _lent(one: str, other: str) -> bool:
    """Whether both speak of lending, and one from the side of the borrower."""
    asked = any(mark in one and mark not in other for mark in WITH)
    return asked and any(verb in one and verb in other for verb in LENT)


def _spelt(text: str, known: ContrastLists) -> str:
    """A text with words of one meaning in one spelling, without what says nothing."""
    text = ASKED.sub(lambda found: found.group(1) or found.group(2) or "", text)
    text = known.spelt.sub(lambda found: known.same[found.group()], text)
    return PARTICLES.sub("", text)


def _differ(mine: list[str], yours: list[str]) -> bool:
    """Whether each has a number that the other has not."""
    left, right = Counter(mine), Counter(yours)
    return bool(left - right) and bool(right - left)


def _without(text: str, names: set[str]) -> str:
    return re.sub("|".join(map(re.escape, names)), "", text)


def _opposed(a: str, b: str, known: ContrastLists) -> tuple[str, str, int]:
    """The texts with each word whose opposite the other has as a common sign, and how many."""
    found = 0
    left, right = set(a) - set(b), set(b) - set(a)
    if not left or not right:
        return a, b, 0
    for one, other in known.opposites:
        if (
            one in a
            and other in b
            and a.count(one) > b.count(one)
            and b.count(other) > a.count(other)
        ):
            sign = chr(0xE000 + found)
            a, b = a.replace(one, sign, 1), b.replace(other, sign, 1)
            found += 1
    return a, b, found


def _exchanged(a: str, b: str) -> bool:
    """Whether two parts of one stand in each other's place in the other."""
    for one, other in ((a, b), (b, a)):
        for mark in (PASSIVE, LESS):
            if mark in one and mark not in other and (mark == PASSIVE or THAN in other):
                told = [_turned(text, other) for text in _rewritten(one, mark)]
                return False not in told and True in told
        for mark in WITH:
            if mark in one and mark not in other:
                return any(_turned(text, other) for text in _rewritten(one, mark))
    return bool(_turned(a, b))


def _rewritten(text: str, mark: str) -> Iterator[str]:
    """X被YV as YVX, X没YV as Y比XV, X向YV as XVY, for all lengths of Y."""
    before, after = text.split(mark, 1)
    for length in range(1, min(MOST, len(after) - 1) + 1):
        name, verb = after[:length], after[length:]
        if mark == PASSIVE:
            yield f"{name}{verb}{before}"
        elif mark == LESS:
            yield f"{name}{THAN}{before}{verb}"
        else:
            yield f"{before}{verb[:1]}{name}{verb[1:]}"


def _turned(a: str, b: str) -> bool | None:
    """Whether b is a with two parts exchanged around a third; None where it is neither that nor a
    itself."""
    common = Counter(a) & Counter(b)
    a, b = _only(a, common), _only(b, common)
    if a == b:
        return False
    start = 0
    while a[start] == b[start]:
        start += 1
    end = len(a)
    while a[end - 1] == b[end - 1]:
        end -= 1
    last = end == len(a)
    a, b = a[start:end], b[start:end]
    for i in range(1, len(a) - 1):
        x = a[:i]
        if not b.endswith(x):
            continue
        for j in range(len(a) - 1, i, -1):
            y, between = a[j:], a[i:j]
            if b == y + between + x and x != y:
                alike = "是" in between and last  # A is B: B is A
                held = alike or TOGETHER.search(between) or ASKING.search(x + y)
                return not held
    return None


def _only(text: str, common: Counter[str]) -> str:
    """The characters of a text that are in `common`, each as often as there."""
    left = Counter(common)
    kept = []
    for char in text:
        if left[char] > 0:
            left[char] -= 1
            kept.append(char)
    return "".join(kept)
