"""Check 纠错: characters that were not meant, why they are suspected, and what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from weakref import WeakKeyDictionary

from qingyu.query import Steps
from qingyu.results import Candidate, CheckResult, Reason, Script, Span, Suspect
from qingyu.tasks.context import Context
from qingyu.tasks.fill_mask import replaced
from qingyu.tasks.parts import punctuation
from qingyu.tasks.parts.evidence import Heads, hidden
from qingyu.tasks.parts.findings import Finding, findings
from qingyu.tasks.parts.judgement import Judge
from qingyu.tasks.parts.parameters import checked_count, checked_strings, checked_text, wrong
from qingyu.text.scripts import scripts
from qingyu.text.sounds_and_shapes import SoundsAndShapes
from qingyu.text.tokenizer import Tokenizer, Tokens

NAME = "check"
THRESHOLD = 0.5
TRADITIONAL = 0.04  # share of traditional characters from which a text counts as such

_judges: WeakKeyDictionary[Tokenizer, Judge] = WeakKeyDictionary()


def check(
    context: Context,
    text: str,
    *,
    top_k: int = 5,
    threshold: float = THRESHOLD,
    keep: Sequence[str] = (),
    check_punctuation: bool = False,
) -> Steps[CheckResult]:
    """Characters that were probably not meant, each with up to `top_k` that could have been.

    Suspects whose confidence reaches `threshold` (above 0, at most 1) are changed in `corrected`,
    the others are hints. Words to `keep` are never suspected. `check_punctuation` adds what is
    wrong with punctuation. A text of any length is read whole, some sentences at a time; the
    `sequence` of a candidate is what was read together with it in. Raises InputError and
    TaskNotSupportedError.
    """
    asked = Heads.of(context, NAME)
    checked_count(top_k, "top_k", 1, 100)
    if (
        isinstance(threshold, bool)
        or not isinstance(threshold, int | float)
        or not 0 < threshold <= 1
    ):
        said = repr(threshold)
        raise wrong("threshold", "0 到 1 的数", "a number above 0 and at most 1", said)
    words = checked_strings(keep, "keep") if keep else []
    text = checked_text(text)
    known = sounds_and_shapes()
    script = script_of(text, known)
    read = text if script == "simplified" else "".join(known.simplified.get(c, c) for c in text)
    tokens = context.tokenizer.tokens(read)
    kept = kept_places(text, words)
    judge = _judge(context.tokenizer)
    places = [
        i
        for i, (token_id, (start, _)) in enumerate(zip(tokens.ids, tokens.offsets, strict=True))
        if token_id in judge.chinese and start not in kept
    ]
    found = yield from findings(context, asked, judge, read, tokens, places, threshold)
    suspects = []
    for one in found:
        change = script == "simplified" and one.confidence >= threshold
        suspect = yield from _suspect(context, asked, text, read, tokens, one, top_k, change)
        suspects.append(suspect if script == "simplified" else in_traditional(suspect, known))
    suspects = [one for one in suspects if one.candidates]
    if check_punctuation:
        taken = {i for one in suspects for i in range(one.start, one.end)}
        suspects += [one for one in punctuation.check(text) if one.start not in taken]
        suspects.sort(key=lambda one: one.start)
    changed = [one for one in suspects if one.changed]
    spans = [(one.start, one.end) for one in changed]
    corrected = replaced(text, spans, [one.candidates[0].token for one in changed])
    return CheckResult(text, corrected, tuple(suspects), script)


@lru_cache(maxsize=1)
def sounds_and_shapes() -> SoundsAndShapes:
    """The table that comes with the package, read once."""
    return SoundsAndShapes.read()


def _judge(tokenizer: Tokenizer) -> Judge:
    if tokenizer not in _judges:
        _judges[tokenizer] = Judge(tokenizer, sounds_and_shapes())
    return _judges[tokenizer]


def script_of(text: str, known: SoundsAndShapes) -> Script:
    """Traditional where enough of the Chinese characters are."""
    chinese = sum("\u3400" <= char <= "\u9fff" for char in text)
    foreign = sum(char in known.simplified for char in text)
    return "traditional" if foreign >= max(2, TRADITIONAL * chinese) else "simplified"


def kept_places(text: str, words: Sequence[str]) -> set[int]:
    """Code points of the text that belong to a word to keep."""
    kept: set[int] = set()
    for word in words:
        at = text.find(word)
        while at >= 0:
            kept.update(range(at, at + len(word)))
            at = text.find(word, at + 1)
    return kept


def _suspect(
    context: Context,
    asked: Heads,
    text: str,
    read: str,
    tokens: Tokens,
    one: Finding,
    top_k: int,
    change: bool,
) -> Steps[Suspect]:
    """A finding as it is told: what to put in place of which characters."""
    tokenizer = context.tokenizer
    first, last = one.piece
    shown = (tokens.offsets[first][0], tokens.offsets[last - 1][1])
    start, end = tokens.offsets[one.index]
    kind = one.options[0][0].kind
    words: list[tuple[str, int | None, float]]
    if kind == "missing":
        char = read[start:end]
        before, after = tokens.ids[first : one.index], tokens.ids[one.index : last]
        ids = [*before, tokenizer.mask_id or 0, *after]
        (row,) = yield from hidden(context, asked.words, ids, [one.index - first])
        chinese = tokenizer.chinese_ids
        best = chinese[row[chinese].argsort(kind="stable")[::-1][:top_k]]
        words = [(tokenizer.surface(int(i)) + char, None, one.confidence) for i in best]
    elif kind == "doubled":
        start = tokens.offsets[one.index - 1][0] if one.index else start
        word = read[start : tokens.offsets[one.index - 1][1]] if one.index else ""
        words = [(word, None, one.confidence)]
    else:
        words = [
            (tokenizer.surface(option.token_id), option.token_id, chance)
            for option, chance in one.options
            if option.kind == "character"
        ]
    candidates = tuple(
        Candidate(word, token_id, chance, _with(text, shown, (start, end), word))
        for word, token_id, chance in words[:top_k]
    )
    reason: Reason = one.options[0][0].reason
    return Suspect(
        text[start:end], start, end, one.right, candidates, reason, one.confidence, change
    )


def _with(text: str, shown: Span, span: Span, word: str) -> str:
    """What was read together, with a word in place of a span of it."""
    return text[shown[0] : span[0]] + word + text[span[1] : shown[1]]


def in_traditional(one: Suspect, known: SoundsAndShapes) -> Suspect:
    """A suspect in a traditional text: its candidates in traditional characters, less those that
    stand there already in another form. Never changed: one simplified character can be several."""
    own = "".join(known.simplified.get(char, char) for char in one.text)
    candidates = []
    for candidate in one.candidates:
        if candidate.token != own:
            word = scripts().to_traditional(candidate.token)
            sequence = candidate.sequence.replace(candidate.token, word, 1)
            candidates.append(Candidate(word, None, candidate.score, sequence))
    return Suspect(
        one.text, one.start, one.end, one.score, tuple(candidates), one.reason, one.confidence,
        changed=False,
    )  # fmt: skip
