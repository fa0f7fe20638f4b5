"""What a build tells: agreement counted as it says, costs measured, the same in every place."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from qingyu import bundle
from qingyu.build.measure.agreement import compare, interval, lowest, require, told
from qingyu.build.measure.probe import MASKS, Observation, probe, read_texts
from qingyu.build.measure.report import Report
from qingyu.build.pipeline import Options, build
from qingyu.bundle import HeadInfo, Manifest, Sizes
from qingyu.errors import AgreementError

CHECKPOINTS = Path(__file__).parents[1] / "golden" / "checkpoints"
HIDDEN = np.ones((2, 3), np.float32)


def manifest(**heads: HeadInfo) -> Manifest:
    return Manifest("m", "bert", "int8", Sizes(9, 8, 1, 1, 8, 16, 1), heads, {})


def logits(*rows: list[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.array(rows, np.float32)


def test_everything_is_told_everywhere(tmp_path: Path) -> None:
    """Manifest, report.json and README.md agree; memory falls with precision; the manifest of a
    bundle lists neither, for they differ from machine to machine.
    """
    built = build(CHECKPOINTS / "bert-masked-lm", tmp_path / "out", Options(min_agreement=0))
    told = json.loads((built.path / bundle.REPORT).read_text("utf-8"))
    assert told["accuracy"] == built.manifest.accuracy == built.report.accuracy
    assert {"hidden", "fill-mask"} <= set(told["accuracy"])
    assert told["after"]["disk"] < told["before"]["disk"]
    assert set(told["after"]["milliseconds"]) == {"16", "32", "128"}
    assert all(value > 0 for value in told["after"]["milliseconds"].values())
    if sys.platform == "linux":
        assert told["after"]["resident"] > 0
    card = (built.path / bundle.CARD).read_text("utf-8")
    assert f"{told['accuracy']['fill-mask']['agreement']:.2%}" in card
    assert {bundle.REPORT, bundle.CARD}.isdisjoint(built.manifest.files)
    bundle.verify(built.manifest)


def test_masked_words_are_counted(tmp_path: Path) -> None:
    """The same best word is agreement; the divergence is 0 only where nothing moved."""
    before = logits([5, 1, 0], [0, 3, 1])
    after = logits([4, 1, 0], [0, 1, 3])
    told = manifest(mask=HeadInfo("f", "masked-lm"))
    row = compare(told, Observation(HIDDEN, {"mask": before}), Observation(HIDDEN, {"mask": after}))
    assert row["mask"]["agreement"] == 0.5
    assert row["mask"]["error"] == pytest.approx(0.353553)
    assert row["mask"]["kl"] > 0
    assert row["hidden"]["cosine"] == 1
    same = Observation(HIDDEN, {"mask": before})
    assert compare(told, same, same)["mask"] == {
        "rows": 2, "agreement": 1.0, "top1": 1.0, "kl": 0.0, "error": 0.0,
    }  # fmt: skip


def test_each_kind_of_head_counts_its_own_way() -> None:
    """Several labels are decided one by one; numbers correlate; entities must be many."""
    heads = {
        "many": HeadInfo("f", "sequence-classification", ("a", "b"), "multi_label"),
        "number": HeadInfo("f", "sequence-classification", ("x",), "regression"),
        "tags": HeadInfo("f", "token-classification", ("O", "B-X", "I-X")),
    }
    before = Observation(HIDDEN, {
        "many": logits([1, -1], [1, 1]),
        "number": logits([1], [2], [3]),
        "tags": np.tile(np.eye(3, dtype=np.float32)[[1, 2, 0]], (120, 1)),
    })  # fmt: skip
    tags = before.heads["tags"].copy()
    tags[1] = [1, 0, 0]  # the first entity loses its second token
    after = Observation(HIDDEN, {
        "many": logits([1, -1], [1, -1]),
        "number": logits([2], [4], [6]),
        "tags": tags,
    })  # fmt: skip
    row = compare(manifest(**heads), before, after)
    assert row["many"]["agreement"] == 0.75
    assert row["number"]["agreement"] == pytest.approx(1)
    assert row["tags"]["span_f1"] == row["tags"]["agreement"] == pytest.approx(119 / 120, abs=1e-6)
    assert row["tags"]["rows"] == 120
    assert lowest(row) == ("many", 0.75)


def test_too_little_is_refused() -> None:
    """Exactly enough is enough; less names the head, its share and the ways out."""
    row = {"hidden": {"cosine": 0.5}, "nli": {"agreement": 0.97, "rows": 1_000_000}}
    require(row, 0.97, "int8")
    with pytest.raises(AgreementError, match=r"nli.*97\.00%.*1000000 rows.*--calibration"):
        require(row, 0.971, "int8")
    with pytest.raises(AgreementError, match="hidden"):
        require({"hidden": {"cosine": 0.5}}, 0.97, "int8")


def test_chance_refuses_nothing() -> None:
    """A share below the bar is refused only where its whole interval is; another head's, too."""
    assert interval(0.9634, 82) == pytest.approx((0.8979, 0.9875), abs=1e-4)
    few = {"agreement": 79 / 82, "rows": 82}  # 96.3 %, as likely as not by chance
    require({"hidden": {"cosine": 1.0}, "nli": few}, 0.97, "int8")
    many = {"agreement": 0.965, "rows": 20_000}
    with pytest.raises(AgreementError, match="fill-mask"):
        require({"hidden": {"cosine": 1.0}, "nli": few, "fill-mask": many}, 0.97, "int8")


@pytest.mark.parametrize(
    ("precision", "advised", "not_advised"),
    [
        ("int4", "int8 or fp16", "fp32"),
        ("int8", "fp16 or fp32", "int8"),
        ("fp16", "fp32", "int8"),
        ("fp32", "", "--precision"),
    ],
)
def test_a_precision_that_failed_is_not_advised(
    precision: str, advised: str, not_advised: str
) -> None:
    """What is advised is nearer to the reference than what was tried."""
    row = {"hidden": {"cosine": 1.0}, "nli": {"agreement": 0.5, "rows": 1000}}
    with pytest.raises(AgreementError) as caught:
        require(row, 0.97, precision)
    for said in (caught.value.zh, caught.value.en):
        assert not_advised not in said
    assert advised in caught.value.en


def test_one_row_is_not_certain() -> None:
    """All of one row agreeing says little, and the report says how little."""
    assert told({"agreement": 1.0, "rows": 1}) == "100.00% (95 %: 20.7% – 100.0%, n=1)"
    report = Report({"nli": {"agreement": 1.0, "rows": 1, "error": 0.0}}, None, None)
    assert report.rows() == [("nli 一致 agreement", "100%", told({"agreement": 1.0, "rows": 1}))]


def test_a_classifier_is_asked_often(tmp_path: Path) -> None:
    """Parts of the texts give it several rows a text."""
    options = Options(precision="fp32", measure=False)
    built = build(CHECKPOINTS / "bert-sentiment", tmp_path / "out", options).manifest
    asked = probe(built, read_texts()[1::2])
    assert len(asked.plain) + len(asked.parts) > 600


def test_the_same_places_are_asked(tmp_path: Path) -> None:
    """A probe is drawn with a fixed seed: each text whole, and with some tokens masked in turn."""
    options = Options(precision="fp32", measure=False)
    built = build(CHECKPOINTS / "bert-masked-lm", tmp_path / "out", options).manifest
    texts = read_texts()[:5]
    first, second = probe(built, texts), probe(built, texts)
    assert len(first.plain) == 5
    assert len(first.masked) == 5 * MASKS
    for a, b in zip(first.masked, second.masked, strict=True):
        assert a.input_ids.tolist() == b.input_ids.tolist()
        assert a.positions.tolist() == b.positions.tolist()
