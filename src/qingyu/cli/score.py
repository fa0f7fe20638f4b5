"""`qingyu score`: how natural a sentence is, character by character."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qingyu import bundle
from qingyu.cli.texts import AsJson, ModelName, PhraseFiles, Texts, Threads, answer_texts

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.results import ScoreResult

# Nats from which a character is shown as odd, and as very odd: a chance of 1 in 20, of 1 in 1,000.
ODD, VERY_ODD = 3.0, 6.9


def score(
    texts: Texts = None,
    model: ModelName = bundle.DEFAULT,
    phrases: PhraseFiles = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """打分：句子有多通顺，哪些字出人意料 / How natural a sentence is, character by character.

    例 / Example: qingyu score "今天天气真好。" "今天天汽真好。"
    """
    answer_texts(texts, model, threads, as_json, lambda m, batch: m.score(batch), draw, phrases)


def draw(screen: Console, result: ScoreResult) -> None:
    """The text with what surprises in colour, and its perplexity."""
    from rich.text import Text

    shown = Text(result.text, style="bold")
    for token in result.tokens:
        if -token.log_prob >= ODD:
            style = "red underline" if -token.log_prob >= VERY_ODD else "yellow"
            shown.stylize(style, token.start, token.end)
    screen.print(shown)
    screen.print(
        f"    困惑度 / perplexity {result.perplexity:.2f}"
        f"    对数似然 / log-likelihood {result.log_likelihood:.2f}"
    )
