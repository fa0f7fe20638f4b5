"""Fewer words: which of them a corpus needs, and a tokenizer that knows only those."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from qingyu.errors import BuildError, InputError
from qingyu.text.encodings import lines_of

LINES_AT_ONCE = 1000


@dataclass(frozen=True)
class VocabularyChoice:
    """What to keep of a vocabulary: the `count` commonest of a corpus, or a list's words alone."""

    file: Path
    count: int | None = None


@dataclass(frozen=True)
class Vocabulary:
    """The ids kept, rising; and the share of the file's tokens unknown before and after."""

    kept: NDArray[np.int64]
    unknown_before: float
    unknown_after: float

    def rates(self) -> dict[str, float]:
        """As the report has it."""
        return {
            "words": len(self.kept),
            "unknown_before": round(self.unknown_before, 6),
            "unknown_after": round(self.unknown_after, 6),
        }


def choose(tokenizer: tokenizers.Tokenizer, words: VocabularyChoice) -> Vocabulary:
    """Which words stay. Special tokens, the unknown one included, always do.

    Raises BuildError where the file cannot be read or names no word.
    """
    state = json.loads(tokenizer.to_str())
    kept = {int(token["id"]) for token in state.get("added_tokens", [])}
    unknown = _unknown(tokenizer, state)
    kept |= {unknown} if unknown is not None else set()
    counts: Counter[int] = Counter()
    for lines in _lines(words.file):
        for encoding in tokenizer.encode_batch_fast(lines, add_special_tokens=False):
            counts.update(encoding.ids)
    if words.count is None:  # the file is a list: its pieces are what its words are made of
        kept |= set(counts)
    else:
        ranked = sorted(counts, key=lambda token: (-counts[token], token))
        kept |= set(ranked[: max(0, words.count - len(kept))])
    if not counts or len(kept) < 2:
        raise BuildError(f"{words.file} 中没有可用的词。", f"{words.file} holds no words to keep.")
    total = sum(counts.values())
    known = sum(count for token, count in counts.items() if token in kept and token != unknown)
    before = counts[unknown] / total if unknown is not None else 0.0
    return Vocabulary(np.array(sorted(kept), np.int64), before, 1 - known / total)


def shrink(tokenizer: tokenizers.Tokenizer, kept: Sequence[int]) -> tokenizers.Tokenizer:
    """The tokenizer with the words `kept` (rising ids), renumbered from 0 in the same order.

    Raises BuildError for a kind whose words are made of others (BPE).
    """
    state = json.loads(tokenizer.to_str())
    number = {int(old): new for new, old in enumerate(kept)}
    model = state["model"]
    if model["type"] in ("WordPiece", "WordLevel"):
        model["vocab"] = {
            token: number[old] for token, old in model["vocab"].items() if old in number
        }
    elif model["type"] == "Unigram":
        model["vocab"] = [pair for old, pair in enumerate(model["vocab"]) if old in number]
        model["unk_id"] = number[model["unk_id"]]
    else:
        raise BuildError(
            f"{model['type']} 分词器的词相互拼成，不能裁剪词表。",
            f"Words of a {model['type']} tokenizer are made of each other; its vocabulary cannot "
            "be pruned.",
        )
    for token in state.get("added_tokens", []):
        token["id"] = number[int(token["id"])]
    _renumber(state.get("post_processor"), number)
    return tokenizers.Tokenizer.from_str(json.dumps(state))


def _renumber(part: Any, number: dict[int, int]) -> None:
    """Special tokens in a post-processor, wherever its kind keeps them."""
    if not isinstance(part, dict):
        return
    for inner in part.get("processors", []):
        _renumber(inner, number)
    for key in ("sep", "cls"):
        if isinstance(part.get(key), list):
            part[key][1] = number[part[key][1]]
    specials = part.get("special_tokens")
    if isinstance(specials, dict):
        for special in specials.values():
            special["ids"] = [number[old] for old in special["ids"]]


def _unknown(tokenizer: tokenizers.Tokenizer, state: dict[str, Any]) -> int | None:
    model = state["model"]
    if model.get("unk_id") is not None:
        return int(model["unk_id"])
    token = model.get("unk_token")
    number = tokenizer.token_to_id(token) if token else None
    return None if number is None else int(number)


def _lines(path: Path) -> Iterator[list[str]]:
    """The lines of a text file, some at a time."""
    try:
        whole = lines_of(path)
        while lines := list(islice(whole, LINES_AT_ONCE)):
            yield lines
    except InputError as error:
        raise BuildError(f"词表来源：{error.zh}", f"The words: {error.en}") from error
