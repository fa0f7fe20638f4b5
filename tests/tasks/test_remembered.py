"""What a memory of phrases changes in answers, and what it must not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qingyu.model import Model
from qingyu.phrases.build import build
from qingyu.phrases.spool import Spool
from qingyu.phrases.write import merge, write
from qingyu.tasks.parts.words import LEAST_BOOST, Words, recalled
from qingyu.text.phrases import Phrases, marks, symbols

DOCUMENT = [
    "灵犀云枢是一台会写诗的机器，每天清晨把昨夜的月光写成句子。",
    "修理灵犀云枢的人叫阿蓝，她只用木头扳手。",
    "青萝键盘的第七排是给猫用的。",
]


@pytest.fixture(scope="module")
def bare(model: Model) -> Model:
    """The model without the memory that comes with it."""
    return model.with_phrases(own=False)


@pytest.fixture(scope="module")
def taught(bare: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The model with a memory of three sentences."""
    path = tmp_path_factory.mktemp("memory") / "document.phrases"
    write(path, counted(bare, DOCUMENT), bare.tokenizer)
    return bare.with_phrases(path)


def counted(model: Model, texts: list[str]):  # type: ignore[no-untyped-def]
    with Spool(model.tokenizer) as spool:
        spool.add(texts)
        return build(spool)


def masked(text: str, at: int) -> str:
    return f"{text[:at]}[MASK]{text[at + 1 :]}"


def test_a_document_is_known_by_heart(taught: Model) -> None:
    """Nearly all of its characters, masked one by one, come first, and say why."""
    places = [(text, at) for text in DOCUMENT for at in range(len(text)) if text[at].isalnum()]
    results = taught.fill_mask([masked(text, at) for text, at in places], top_k=1)
    best = [result.masks[0].candidates[0] for result in results]
    right = [one.token == text[at] for one, (text, at) in zip(best, places, strict=True)]
    assert sum(right) >= 0.95 * len(right)
    assert any(one.remembered for one in best)


def test_neighbouring_masks_are_filled_by_a_remembered_phrase(taught: Model) -> None:
    """Four masks side by side, filled together, are the name that stood there."""
    result = taught.fill_mask("修理[MASK][MASK][MASK][MASK]的人叫阿蓝", alternatives=2)
    assert "".join(result.alternatives[0].tokens) == "灵犀云枢"


def test_targets_score_and_lexicon_know_it_too(bare: Model, taught: Model) -> None:
    """Everything about words goes through the same function."""
    text = "修理灵犀云[MASK]的人叫阿蓝"
    before, after = (
        model.fill_mask(text, targets=["枢", "朵"]).masks[0].candidates for model in (bare, taught)
    )
    assert before[0].token == "朵"
    assert after[0].token == "枢"
    assert after[0].remembered
    assert not before[0].remembered
    (first,) = taught.fill_mask(text, lexicon=["枢", "朵"], top_k=1).masks[0].candidates
    assert first.token == "枢"
    assert taught.score(DOCUMENT[0]).perplexity < bare.score(DOCUMENT[0]).perplexity / 2


def test_what_no_memory_knows_is_answered_to_the_last_bit(bare: Model, taught: Model) -> None:
    """A text without a known context has today's answer."""
    text = "□□[MASK]□□"
    assert taught.fill_mask(text) == bare.fill_mask(text)


def test_rows_stay_probabilities(bare: Model, taught: Model) -> None:
    """Whatever is raised, a row adds up to 1, and both scales agree."""
    ids = bare.tokenizer.tokens(masked(DOCUMENT[0], 2)).ids
    context = taught.context
    query = context.query(ids, [2], "fill-mask")
    (logits,) = taught.run([query])
    (evidence,) = recalled(context.phrases, symbols(context.tokenizer), [query])
    words = Words(logits, evidence, marks(context.tokenizer))
    assert words.probabilities().sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.allclose(np.exp(words.log_probabilities()), words.probabilities(), atol=1e-6)
    assert (words.log_probabilities() >= bare_log(logits) + LEAST_BOOST - 20).all()


def bare_log(logits):  # type: ignore[no-untyped-def]
    return Words(logits).log_probabilities()


def test_company_does_not_change_an_answer(taught: Model) -> None:
    """Alone or among others, with a memory too."""
    texts = [masked(text, at) for text in DOCUMENT for at in (2, 5, 9)]
    together = taught.fill_mask(texts)
    assert [taught.fill_mask(text) for text in texts] == together


def test_saying_it_twice_does_not_make_it_truer(bare: Model, tmp_path: Path) -> None:
    """The same memory twice, or merged with itself, answers as once."""
    path, both = tmp_path / "one.phrases", tmp_path / "both.phrases"
    write(path, counted(bare, DOCUMENT), bare.tokenizer)
    merge(both, [Phrases(path), Phrases(path)])
    text = masked(DOCUMENT[0], 3)
    once = bare.with_phrases(path).fill_mask(text)
    assert bare.with_phrases(path, path).fill_mask(text) == once
    assert bare.with_phrases(both).fill_mask(text) == once
