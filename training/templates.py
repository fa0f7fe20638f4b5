"""Ways to read a line: a function per kind of source, from a line to a sentence and the stretches
of it to focus on.

Idiom lists and tables of facts are not sentences; a model meets them in use only if someone writes
them into one. The same stretch is then the one masking asks for. A kind takes (line, rng) and
returns (text, [(start, stop), ...]) in characters; an empty text means that the line cannot be
used.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

Reading = tuple[str, list[tuple[int, int]]]

# A bare idiom is in the list several times: it is how people type one.
IDIOM = (
    "{}",
    "{}",
    "{}。",
    "“{}”",
    "成语：{}。",
    "成语“{}”。",
    "这个成语是“{}”。",
    "有个成语叫{}。",
    "真可以说是{}。",
    "这就叫{}。",
    "用一个词来形容，就是{}。",
    "他一下子想起了“{}”这个成语。",
    "老师让大家用“{}”造句。",
    "你知道“{}”是什么意思吗？",
    "文章里用了“{}”这个词。",
    "古人说“{}”，今天看来仍有道理。",
)
SAYING = ("{}", "{}。", "俗话说：{}。", "有句歇后语：{}。", "老话讲，{}。")

QUOTED = (  # a line of verse as people quote it: most often it alone
    "{verse}",
    "{verse}",
    "{verse}",
    "“{verse}”",
    "古诗里说：{verse}",
    "他随口背道：“{verse}”",
)
ATTRIBUTED = (
    "{verse}——{author}《{title}》",
    "《{title}》{author}：{verse}",
    "{author}写过：“{verse}”",
    "“{verse}”是{author}的诗句。",
    "“{verse}”出自《{title}》。",
)
_AFTER = re.compile(r"^(?P<verse>.+)——(?P<author>[^《]+)《(?P<title>[^》]+)》$")
_BEFORE = re.compile(r"^《(?P<title>[^》]+)》(?:（.）)?(?P<author>[^：《》]+)：(?P<verse>.+)$")
PHRASE = re.compile(r"[\u4e00-\u9fff]{3,}")

# relation -> sentences. {b} is the answer and is what masking asks for.
FACTS: dict[str, tuple[str, ...]] = {
    "capital": ("{a}的首都是{b}。", "{a}的首都是哪里？是{b}。", "{b}是{a}的首都。", "{a}首都{b}"),
    "seat": ("{a}的省会是{b}。", "{b}是{a}的省会。", "{a}省会{b}"),
    "opposite": (
        "“{a}”的反义词是“{b}”。",
        "{a}的反面是{b}。",
        "不是{a}，而是{b}。",
        "{a}和{b}意思相反。",
    ),
    "kind": ("{a}是一种{b}。", "{a}属于{b}。", "像{a}这样的{b}。"),
    "measure": ("一{b}{a}", "这里有一{b}{a}。", "他买了两{b}{a}。", "桌边放着三{b}{a}。"),
    "counted": ("一{b}{a}", "远处有一{b}{a}。", "我看见两{b}{a}。", "那{b}{a}不见了。"),
    "author": ("《{a}》的作者是{b}。", "《{a}》是{b}写的。", "{b}写了《{a}》。"),
    "colour": ("{a}是{b}色的。", "{a}的颜色是{b}色。", "{b}色的{a}。"),
    "used_for": ("{a}是用来{b}的。", "人们用{a}{b}。", "要{b}，就得有{a}。"),
    "place": ("{b}里有{a}。", "在{b}可以找到{a}。", "{a}在{b}里。"),
    "next": ("{a}之后是{b}。", "过了{a}就是{b}。", "{a}完了，接着是{b}。"),
    "part": ("{b}是{a}的一部分。", "{a}上有{b}。", "{a}的{b}。"),
    "does": ("{a}会{b}。", "{a}正在{b}。", "我们都知道{a}能{b}。"),
    "made_of": ("{a}是用{b}做的。", "做{a}要用{b}。", "{b}可以做成{a}。"),
    "worker": ("{b}的人叫{a}。", "{a}的工作是{b}。", "他是{a}，每天{b}。"),
}


def _pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


def plain(line: str, _: np.random.Generator) -> Reading:
    """The line as it stands."""
    return line, []


def idiom(line: str, rng: np.random.Generator) -> Reading:
    """A bare idiom, or a two-part saying `riddle——answer；answer`, one a line."""
    if "——" in line:
        riddle, _, answers = line.partition("——")
        answer = _pick(tuple(answers.split("；")), rng)
        template = _pick(SAYING, rng)
        start = template.index("{}") + len(riddle) + 2
        return template.format(f"{riddle}——{answer}"), [(start, start + len(answer))]
    template = _pick(IDIOM, rng)
    start = template.index("{}")
    return template.format(line), [(start, start + len(line))]


def verse(line: str, rng: np.random.Generator) -> Reading:
    """A line of verse, bare or as `verse——author《title》` or `《title》author：verse`. Each of its
    clauses is a stretch of its own.
    """
    named = _AFTER.match(line) or _BEFORE.match(line)
    parts = named.groupdict() if named else {"verse": line}
    template = _pick(ATTRIBUTED if named and rng.random() < 0.4 else QUOTED, rng)
    before = template[: template.index("{verse}")].format(**parts)
    clauses = PHRASE.finditer(parts["verse"])
    spans = [(len(before) + m.start(), len(before) + m.end()) for m in clauses]
    return template.format(**parts), spans


def context(line: str, _: np.random.Generator) -> Reading:
    """Tab-separated: an idiom, how often it was seen, a piece of text around it."""
    columns = line.split("\t")
    if len(columns) != 3 or columns[0] not in columns[2]:
        return "", []
    start = columns[2].index(columns[0])
    return columns[2], [(start, start + len(columns[0]))]


def fact(line: str, rng: np.random.Generator) -> Reading:
    """Tab-separated: a relation of FACTS, what it is about, the answer. Lines that start with #
    are notes.
    """
    columns = line.split("\t")
    if line.startswith("#") or len(columns) != 3 or columns[0] not in FACTS:
        return "", []
    relation, about, answer = columns
    template = _pick(FACTS[relation], rng).replace("{a}", about)
    start = template.index("{b}")
    return template.replace("{b}", answer), [(start, start + len(answer))]


KINDS: dict[str, Callable[[str, np.random.Generator], Reading]] = {
    "text": plain,
    "idioms": idiom,
    "verse": verse,
    "contexts": context,
    "facts": fact,
}
