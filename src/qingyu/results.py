"""Results of all tasks.

The same fields in Python, on the command line and over HTTP. Every [start, end) is in Unicode
code points of the text as it was sent. `truncated` says that some of a text was not read, and
`unread` which spans of it. `converted` says that a text in traditional characters was read by its
simplified form, since the model knows that alone; what is told of it is in its own characters.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from qingyu import display
from qingyu.errors import InputError

Span: TypeAlias = tuple[int, int]
Truncate: TypeAlias = Literal["around-mask", "error"]
"""A text too long for fill-mask: read around its masks, or refused."""
LongText: TypeAlias = Literal["windows", "end", "error"]
"""A text too long for a classifier: read in overlapping windows, cut at its end, or refused."""
LongPair: TypeAlias = Literal["end", "error"]
"""A pair too long: cut at the end of the longer text, or refused."""
Aggregation: TypeAlias = Literal["none", "simple", "first", "average", "max", "viterbi"]
"""How labels of tokens become spans."""
Method: TypeAlias = Literal["entailment", "cloze", "both"]
"""Zero-shot: an inference for each label, all labels at the masks of one template, or the two
joined."""

Reason: TypeAlias = Literal["同音", "近音", "形近", "的地得", "重复", "缺字", "搭配", "标点"]
"""Why a piece of text is suspected: same or near sound, like shape, 的地得, something doubled or
missing, what does not go together, punctuation."""
BlankKind: TypeAlias = Literal["idioms", "measures", "conjunctions", "characters", "words"]
"""What an exercise blanks."""
Difficulty: TypeAlias = Literal["any", "easy", "medium", "hard"]
"""How probable the model finds the answer of a blank."""
Script: TypeAlias = Literal["simplified", "traditional"]


UNCERTAIN = "不确定"
"""The label of an answer that is not sure enough, where that was asked for."""


class Result:
    """Base of all results: frozen, and the same fields everywhere."""

    def to_dict(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in vars(self).items()}

    def to_frame(self) -> Any:
        """A row for each part, as a DataFrame of pandas, or else of polars. Raises InputError
        where neither is installed."""
        return to_frame([self])

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        return display.html(self)


def to_frame(results: Sequence[Result]) -> Any:
    """The rows of several results, one under another, as `Result.to_frame` makes them."""
    columns = display.columns([row for one in results for row in display.rows(one)])
    for library in ("pandas", "polars"):
        try:
            return importlib.import_module(library).DataFrame(columns)
        except ModuleNotFoundError as error:
            if error.name != library:
                raise
    raise InputError(
        "to_frame() 需要 pandas 或 polars：pip install pandas。",
        "to_frame() needs pandas or polars: pip install pandas.",
    )


def _plain(value: Any) -> Any:
    """As `dataclasses.asdict` does it, without its copies of what cannot change: a fifth of the
    time."""
    if isinstance(value, Result):
        return value.to_dict()
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Candidate(Result):
    """A word proposed for a mask: `score` is its probability, `sequence` the text with it in.

    `token_id` is None where the word takes more than one token; `remembered` says that a memory of
    phrases made it likelier than the model alone finds it.
    """

    token: str
    token_id: int | None
    score: float
    sequence: str
    remembered: bool = False


@dataclass(frozen=True)
class MaskFill(Result):
    """One mask: where it stands (code points of the text as sent) and its candidates."""

    start: int
    end: int
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Alternative(Result):
    """All masks filled together: one word a mask, and their joint probability."""

    tokens: tuple[str, ...]
    score: float
    sequence: str


@dataclass(frozen=True)
class FillMaskResult(Result):
    """`sequence` has every mask filled: by the best of `alternatives` where these were asked
    for, else each mask by its own best candidate."""

    text: str
    sequence: str
    masks: tuple[MaskFill, ...]
    truncated: bool
    alternatives: tuple[Alternative, ...] = ()
    unread: tuple[Span, ...] = ()
    converted: bool = False


@dataclass(frozen=True)
class TokenScore(Result):
    """`log_prob` is the natural log of the probability of this token where it stands."""

    token: str
    start: int
    end: int
    log_prob: float


@dataclass(frozen=True)
class ScoreResult(Result):
    """`log_likelihood` is the sum of the tokens' `log_prob`, `perplexity` e to minus their mean."""

    text: str
    log_likelihood: float
    perplexity: float
    tokens: tuple[TokenScore, ...]
    truncated: bool = False
    converted: bool = False


@dataclass(frozen=True)
class Suspect(Result):
    """A piece of text that looks wrong, and what was meant, likeliest first.

    score:      probability that the piece is right as it stands
    confidence: probability that the first candidate was meant
    reason:     how the two are confused
    changed:    whether `corrected` has the first candidate; if not, this is a hint
    """

    text: str
    start: int
    end: int
    score: float
    candidates: tuple[Candidate, ...]
    reason: Reason = "搭配"
    confidence: float = 0.0
    changed: bool = True


@dataclass(frozen=True)
class CheckResult(Result):
    """`corrected` has the suspects that are `changed` replaced by their first candidates.

    A text in traditional characters is judged by its simplified form, and nothing is changed.
    """

    text: str
    corrected: str
    suspects: tuple[Suspect, ...]
    script: Script = "simplified"


@dataclass(frozen=True)
class ZeroShotResult(Result):
    """`labels`, best first, with their `scores`: they add up to 1 unless each label was asked
    for itself (`multi_label`). `label` is the best, or says that it is not sure."""

    text: str
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    multi_label: bool
    truncated: bool
    unread: tuple[Span, ...] = ()
    label: str = ""
    converted: bool = False


@dataclass(frozen=True)
class ClassificationResult(Result):
    """`label` and `score` of the best, and all `labels`, best first, with their `scores`.

    A regression has one label, and its score is the value itself.
    """

    text: str
    text_pair: str | None
    label: str
    score: float
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    truncated: bool
    unread: tuple[Span, ...] = ()
    unread_pair: tuple[Span, ...] = ()
    converted: bool = False


@dataclass(frozen=True)
class SimilarityResult(Result):
    """`score` is the probability that the two mean the same; `label` the likelier of the labels."""

    text: str
    text_pair: str
    label: str
    score: float
    truncated: bool
    unread: tuple[Span, ...] = ()
    unread_pair: tuple[Span, ...] = ()
    converted: bool = False


@dataclass(frozen=True)
class Ranked(Result):
    """One of the texts compared: `index` is its place in the list as sent."""

    index: int
    text: str
    score: float
    truncated: bool


@dataclass(frozen=True)
class RankResult(Result):
    """The texts compared with a query, most similar first."""

    text: str
    ranking: tuple[Ranked, ...]
    truncated: bool
    converted: bool = False


@dataclass(frozen=True)
class Entity(Result):
    """A span with a label; `text` is text[start:end] of the input."""

    label: str
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class TokenClassificationResult(Result):
    """Entities in the order of the text."""

    text: str
    entities: tuple[Entity, ...]
    truncated: bool = False
    converted: bool = False


@dataclass(frozen=True)
class EmbeddingResult(Result):
    """A vector of length 1 (unless not normalised), as many numbers as the model is wide."""

    text: str
    embedding: tuple[float, ...]
    truncated: bool
    unread: tuple[Span, ...] = ()
    converted: bool = False


@dataclass(frozen=True)
class Text2TextResult(Result):
    """What an encoder-decoder wrote for a text."""

    text: str
    generated_text: str
    truncated: bool
    unread: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Found(Result):
    """A row of an index: the number it keeps, the text that was searched, all its columns.

    `words` is the part of `score` that words shared with the query make, below 0 where the row
    shares fewer than most; the rest of the score is nearness of meaning. A score compares rows of
    one index: the best of them has a high one even where none answers. `same` tells that: the
    probability that the row means the same as the query, None where it was not reranked.
    """

    id: int
    text: str
    score: float
    row: tuple[tuple[str, Any], ...]
    words: float = 0.0
    same: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "row": dict(self.row)}


@dataclass(frozen=True)
class SearchResult(Result):
    """Rows of an index for a query, best first. A score is from 0 to 1: how near by words and
    meaning, with the probability of meaning the same where rows were reranked."""

    text: str
    hits: tuple[Found, ...]


@dataclass(frozen=True)
class ExerciseItem(Result):
    """A blank: text[start:end] is the answer. `choices` are the answer and wrong answers, none
    where none were asked for; `probability` is that of the answer where it stands."""

    number: int
    start: int
    end: int
    kind: BlankKind
    answer: str
    choices: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class ExerciseResult(Result):
    """`blanked` is the text with （1）____ and so on for the answers of `items`."""

    text: str
    blanked: str
    items: tuple[ExerciseItem, ...]
