"""Python as the field has it: pipelines, a model that is called, frames and notebooks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

import qingyu
from qingyu import display
from qingyu.errors import InputError, TaskNotSupportedError
from qingyu.model.plain import plain_task
from qingyu.results import (
    Candidate,
    ClassificationResult,
    EmbeddingResult,
    Entity,
    FillMaskResult,
    MaskFill,
    TokenClassificationResult,
)
from qingyu.tasks import registry

NAMES = TokenClassificationResult(
    "<b>王小明</b>去北京",
    (Entity("PER", "王小明", 3, 6, 0.98765), Entity("LOC", "北京", 11, 13, 0.9)),
)


@pytest.fixture(scope="module")
def model() -> Iterator[qingyu.Model]:
    """The model in the package."""
    with qingyu.load() as loaded:
        yield loaded


def test_a_pipeline_answers_as_clients_expect(model: qingyu.Model) -> None:
    """A text gives candidates by Hugging Face's names, a list a list of them, best first."""
    fill = qingyu.pipeline("fill-mask", model=model)
    best, second = fill("今天天气真[MASK]啊，适合出去玩。", top_k=2)
    assert (best["token_str"], best["sequence"]) == ("好", "今天天气真好啊，适合出去玩。")
    assert best["score"] > second["score"]
    assert fill(["北京是中国的首[MASK]。"], top_k=1)[0][0]["token_str"] == "都"


def test_a_pipeline_has_the_fields_other_names(model: qingyu.Model) -> None:
    """`ner` and `sentiment-analysis` are what transformers calls them."""
    found = qingyu.pipeline("ner", model=model)("王小明在北京大学读书。")
    assert ("王小明", "PER") in [(one["word"], one["entity_group"]) for one in found]
    feeling = qingyu.pipeline("sentiment-analysis", model=model)("这家店的面很好吃，服务也周到。")
    assert feeling[0]["label"] == model.classify("这家店的面很好吃，服务也周到。").label


@pytest.mark.parametrize("task", ["nothing", "score", "sentence-similarity"])
def test_no_such_pipeline(task: str) -> None:
    """What is none is refused before anything is loaded, with those that there are."""
    with pytest.raises(TaskNotSupportedError, match="fill-mask"):
        qingyu.pipeline(task, model="no-such-model")


def test_a_pipeline_that_the_model_cannot_do(model: qingyu.Model) -> None:
    """It is refused when it is made."""
    with pytest.raises(TaskNotSupportedError, match="text2text"):
        qingyu.pipeline("text2text-generation", model=model)


def test_a_model_that_is_called_fills(model: qingyu.Model) -> None:
    """Where every text has a blank, in any spelling, it is filled; else methods are named."""
    assert model("北京是中国的首[MASK]。", top_k=1) == model.fill_mask(
        "北京是中国的首[MASK]。", top_k=1
    )
    assert model(["北京是中国的首___。"])[0].sequence == "北京是中国的首都。"
    with pytest.raises(InputError, match=r"model\.fill_mask"):
        model("没有空")
    with pytest.raises(InputError, match="classify"):
        model(["北京是中国的首[MASK]。", "没有空"])


def test_the_only_head_is_plain(model: qingyu.Model) -> None:
    """A model with one classifier and nothing else needs no method named."""
    only = {
        name: head
        for name, head in model.manifest.heads.items()
        if head.kind == "token-classification"
    }
    assert plain_task(only, ["王小明"]) is registry.TOKENS
    with pytest.raises(InputError):
        plain_task(model.manifest.heads, [])


def test_one_text_has_one_vector(model: qingyu.Model) -> None:
    """`encode` of a string is a vector of length 1, the first row of its list's."""
    one, many = model.encode("今天"), model.encode(["今天"])
    assert one.ndim == 1
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(one, many[0])


def test_names_are_found_by_their_short_name(model: qingyu.Model) -> None:
    """`ner` is the same method."""
    assert model.ner("王小明在北京。") == model.token_classification("王小明在北京。")


def test_what_tab_shows(model: qingyu.Model) -> None:
    """The package, and a model, list what one can ask; a model says which it is."""
    assert {"load", "pipeline", "to_frame", "Model"} <= set(dir(qingyu))
    assert all(getattr(qingyu, name) is not None for name in dir(qingyu))
    assert {"ner", "encode", "fill_mask"} <= set(dir(model))
    assert repr(model).startswith(f"<qingyu.Model {model.name}: fill-mask, ")


def test_rows_of_parts() -> None:
    """Each entity a row; the text stands in all, and a name that both have is told apart."""
    assert display.rows(NAMES)[1] == {
        "text": "<b>王小明</b>去北京",
        "truncated": False,
        "converted": False,
        "label": "LOC",
        "entities_text": "北京",
        "start": 11,
        "end": 13,
        "score": 0.9,
    }


def test_rows_of_parts_in_parts() -> None:
    """Candidates of masks, labels with their scores, and a vector whole."""
    candidates = (Candidate("好", 1, 0.5, "很好"), Candidate("坏", 2, 0.25, "很坏"))
    filled = FillMaskResult("很[MASK]", "很好", (MaskFill(1, 7, candidates),), False)
    rows = display.rows(filled)
    assert [(row["token"], row["score"], row["start"]) for row in rows] == [
        ("好", 0.5, 1),
        ("坏", 0.25, 1),
    ]
    label = ClassificationResult("好", None, "正", 0.9, ("正", "负"), (0.9, 0.1), False)
    assert [(row["label"], row["score"]) for row in display.rows(label)] == [
        ("正", 0.9),
        ("负", 0.1),
    ]
    assert display.rows(EmbeddingResult("好", (0.6, 0.8), False))[0]["embedding"] == (0.6, 0.8)


def test_frames() -> None:
    """Results of many texts under one another."""
    pytest.importorskip("pandas")
    assert list(NAMES.to_frame()["label"]) == ["PER", "LOC"]
    frame = qingyu.to_frame([NAMES, NAMES])
    assert frame.shape == (4, 8)
    assert list(frame["entities_text"]) == ["王小明", "北京"] * 2


def test_frames_of_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pandas is not there, polars is asked."""

    def found(name: str) -> SimpleNamespace:
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)
        return SimpleNamespace(DataFrame=lambda columns: (name, columns["label"]))

    monkeypatch.setattr("qingyu.results.importlib.import_module", found)
    assert NAMES.to_frame() == ("polars", ["PER", "LOC"])


def test_without_a_library_for_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told which to install, in both languages."""

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name, name=name)

    monkeypatch.setattr("qingyu.results.importlib.import_module", absent)
    with pytest.raises(InputError, match="pip install pandas"):
        NAMES.to_frame()


def test_a_notebook_shows_it_escaped() -> None:
    """A table of its fields; text of others is text, also in what is inside."""
    shown = NAMES._repr_html_()
    assert "&lt;b&gt;王小明&lt;/b&gt;" in shown
    assert "<b>" not in shown
    assert shown.count("<table>") == shown.count("</table>") == 2
    assert "0.9877" in shown
    hostile = TokenClassificationResult("a", (Entity("<script>", '"><img>', 0, 1, 0.5),))
    assert "<script" not in hostile._repr_html_()
    assert "<img" not in hostile._repr_html_()


def test_a_notebook_shows_some_of_what_is_long() -> None:
    """A vector by its first numbers, a long text by its beginning."""
    shown = EmbeddingResult("字" * 5000, tuple([0.1] * 384), False)._repr_html_()
    assert "(384)" in shown
    assert len(shown) < 2000


def test_results_stay_plain_json() -> None:
    """What a notebook needs added no field."""
    assert set(json.loads(json.dumps(NAMES.to_dict()))) == {
        "text",
        "entities",
        "truncated",
        "converted",
    }
