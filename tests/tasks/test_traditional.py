"""Traditional text with a model that knows simplified characters: recognised, converted, told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qingyu import bundle
from qingyu.build.pipeline import Options, build
from qingyu.cli import run
from qingyu.model import Model
from qingyu.text.scripts import scripts

CHECKPOINT = Path(__file__).parents[1] / "golden" / "checkpoints" / "bert-masked-lm"
GOAL = "主隊在最後一分鐘攻入致勝球，球迷歡呼。"
GOAL_SIMPLIFIED = "主队在最后一分钟攻入致胜球，球迷欢呼。"


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """The default model, told that it knows simplified characters alone."""
    manifest = bundle.read_manifest(bundle.find(bundle.DEFAULT))
    with Model(replace(manifest, simplified=True)) as loaded:
        yield loaded


@pytest.mark.parametrize(
    ("text", "traditional"),
    [
        ("今天天氣真好", True),
        ("好吃嗎", True),
        ("頭[MASK]很長", True),
        ("今天天气真好", False),
        ("乾隆皇帝", False),
        ("著名的乾坤", False),
        ("他叫陳明，是中国人，来自广东", False),
        ("hello [MASK]", False),
        ("一二三", False),
    ],
)
def test_which_script_a_text_is_in(text: str, traditional: bool) -> None:
    """By characters that only one script has; a foreign name makes no text traditional."""
    assert scripts().is_traditional(text) is traditional


@pytest.mark.parametrize(
    ("word", "before", "after", "traditional"),
    [
        ("发", "头", "", "髮"),
        ("发", "", "现", "發"),
        ("后", "最", "", "後"),
        ("后", "皇", "", "后"),
        ("面", "", "", "面"),
        ("回", "", "", "回"),
        ("只", "一", "", "隻"),
        ("只", "", "", "只"),
        ("头发", "", "", "頭髮"),
        ("乾隆", "", "", "乾隆"),
    ],
)
def test_the_form_between_neighbours(word: str, before: str, after: str, traditional: str) -> None:
    """One simplified character is several traditional ones: what stands beside it tells which."""
    assert scripts().to_traditional(word, before, after) == traditional


def test_every_character_stays_one() -> None:
    """Offsets hold because no form is longer or shorter, in either direction."""
    every = "".join(chr(code) for code in range(0x3400, 0xA000))
    assert len(scripts().to_simplified(every)) == len(every)
    assert len(scripts().to_traditional(every)) == len(every)


QUESTIONS: list[tuple[str, Callable[[Model, str], Any], str]] = [
    ("classify", lambda m, text: m.classify(text).scores, "scores"),
    ("zero_shot", lambda m, text: m.zero_shot(text, ["体育", "财经"]).scores, "scores"),
    ("embed", lambda m, text: m.embed(text).embedding, "embedding"),
    ("score", lambda m, text: m.score(text).log_likelihood, "log_likelihood"),
    (
        "similarity",
        lambda m, text: m.similarity(text, "球迷在欢呼").score,
        "score",
    ),
    ("rank", lambda m, text: m.rank("球迷在欢呼", [text]).ranking[0].score, "score"),
    (
        "token_classification",
        lambda m, text: [(e.label, e.start, e.end) for e in m.token_classification(text).entities],
        "entities",
    ),
]


@pytest.mark.parametrize(("task", "ask", "what"), QUESTIONS)
def test_answers_are_those_of_the_simplified_text(
    model: Model, task: str, ask: Callable[[Model, str], Any], what: str
) -> None:
    """Every task reads the simplified form, and its offsets are those of the text as sent."""
    assert ask(model, GOAL) == ask(model, GOAL_SIMPLIFIED), (task, what)


def test_it_is_told(model: Model) -> None:
    """A result says that its text was converted, and repeats it as it was sent."""
    for text, converted in ((GOAL, True), (GOAL_SIMPLIFIED, False)):
        result = model.classify(text)
        assert (result.text, result.converted) == (text, converted)
        assert result.to_dict()["converted"] is converted
    assert model.similarity(GOAL_SIMPLIFIED, GOAL).converted
    assert model.rank(GOAL_SIMPLIFIED, [GOAL]).converted


def test_labels_in_either_script(model: Model) -> None:
    """Labels are told as they were given, whichever script they and the text are in."""
    plain = model.zero_shot(GOAL_SIMPLIFIED, ["体育", "财经"])
    given = model.zero_shot(GOAL, ["體育", "財經"])
    mixed = model.zero_shot(GOAL_SIMPLIFIED, ["體育", "財經"], method="cloze")
    assert given.labels == ("體育", "財經")
    assert given.scores == pytest.approx(plain.scores, abs=1e-6)
    assert mixed.labels == ("體育", "財經")
    assert not mixed.converted


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("她的頭[MASK]很長很漂亮。", "她的頭髮很長很漂亮。"),
        ("這個問題最[MASK]再說。", "這個問題最後再說。"),
        ("他坐在沙[MASK]上看書。", "他坐在沙發上看書。"),
        ("請把門[MASK]上。", "請把門關上。"),
    ],
)
def test_masks_are_filled_in_the_script_of_the_text(model: Model, text: str, filled: str) -> None:
    """Candidates are traditional by their neighbours; all else of the text is as it was sent."""
    result = model.fill_mask(text)
    assert result.converted
    assert result.sequence == filled
    [mask] = result.masks
    assert text[mask.start : mask.end] == "[MASK]"


def test_words_to_choose_from(model: Model) -> None:
    """Targets and lexicons in traditional characters are asked about, and told as they are."""
    [mask] = model.fill_mask("她的頭[MASK]很長。", targets=["髮", "臉"]).masks
    assert [one.token for one in mask.candidates] == ["髮", "臉"]
    found = model.fill_mask("她的[MASK][MASK]很長。", lexicon=["頭髮", "眼睛"])
    assert found.sequence == "她的頭髮很長。"
    assert found.alternatives[0].tokens == ("頭", "髮")


def test_other_models_read_what_they_were_given(tmp_path: Path) -> None:
    """A bundle converts only where its build was told so, so that answers of other checkpoints
    stay those of transformers."""
    plain = build(CHECKPOINT, tmp_path / "plain", Options(precision="fp32", measure=False))
    told = Options(precision="fp32", measure=False, simplified=True)
    simplified = build(CHECKPOINT, tmp_path / "simplified", told)
    assert not plain.manifest.simplified
    assert bundle.read_manifest(simplified.path).simplified
    with Model(plain.manifest) as model:
        assert not model.fill_mask("今天天氣真[MASK]").converted
    with Model(simplified.manifest) as model:
        assert model.fill_mask("今天天氣真[MASK]").converted


def test_the_command_line_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A person is told below the answer."""
    told = Options(precision="fp32", measure=False, simplified=True)
    made = build(CHECKPOINT, tmp_path / "simplified", told).path
    assert run(["fill", "今天天氣真[MASK]", "-m", str(made)]) == 0
    assert "繁体文本" in capsys.readouterr().out
    assert run(["fill", "今天天气真[MASK]", "-m", str(made)]) == 0
    assert "繁体文本" not in capsys.readouterr().out
