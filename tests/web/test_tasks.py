"""Every task over HTTP on the embedded model gives what the Python API gives."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

import qingyu
from qingyu.settings import Settings
from qingyu.tasks.registry import TASKS
from qingyu.web.api.tasks import ROWS
from tests.support.serving import SENTENCE, serving

TEXT = "这家店的面很好吃，服务也周到。"
WRONG = "今天天汽真好。"
LABELS = ["美食", "体育"]

# path -> (request, call of the Python API that gives the same results)
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "fill-mask": ({"text": SENTENCE, "top_k": 3}, lambda m: [m.fill_mask(SENTENCE, top_k=3)]),
    "score": ({"text": [TEXT, "很好。"]}, lambda m: m.score([TEXT, "很好。"])),
    "check": (
        {"text": "今天天汽真好。", "top_k": 2},
        lambda m: [m.check("今天天汽真好。", top_k=2)],
    ),
    "zero-shot-classification": (
        {"text": TEXT, "candidate_labels": LABELS, "multi_label": True},
        lambda m: [m.zero_shot(TEXT, LABELS, multi_label=True)],
    ),
    "text-classification": ({"text": TEXT}, lambda m: [m.classify(TEXT)]),
    "sentence-similarity": (
        {"text": [TEXT, "你好"], "text_pair": ["面好吃", "再见"]},
        lambda m: m.similarity([TEXT, "你好"], ["面好吃", "再见"]),
    ),
    "token-classification": (
        {"text": "王小明在北京大学读书。"},
        lambda m: [m.token_classification("王小明在北京大学读书。")],
    ),
    "embeddings": ({"text": TEXT}, lambda m: [m.embed(TEXT)]),
    "exercise": (
        {"text": "我家门口有一棵大树。", "choices": 3},
        lambda model: [model.exercise("我家门口有一棵大树。", choices=3)],
    ),
}


@pytest.fixture(scope="module")
def model() -> Iterator[qingyu.Model]:
    model = qingyu.load()
    yield model
    model.close()


@pytest.fixture(scope="module")
def embedded() -> Iterator[httpx.Client]:
    with serving(Settings(port=0, timeout=120), load=None) as running, running.client() as client:
        yield client


def test_every_task_has_a_row_and_a_case() -> None:
    """A task of the core is served, and what is served is tested."""
    assert {name for row in ROWS for name in (row.task.name, *row.request.ALSO)} == set(TASKS)
    elsewhere = {"text2text-generation", "search"}  # they need a model or an index of their own
    assert set(CASES) | elsewhere == {row.task.path for row in ROWS}


def test_a_task_the_model_has_no_head_for_is_told(embedded: httpx.Client) -> None:
    """The embedded model writes nothing: 422 with a code of its own, not a failure."""
    answer = embedded.post("/v1/text2text-generation", json={"text": TEXT})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "task_not_supported"


@pytest.mark.parametrize("path", CASES)
def test_http_answers_what_python_answers(
    embedded: httpx.Client, model: qingyu.Model, path: str
) -> None:
    """The results of a path are the task's own results, field by field."""
    request, call = CASES[path]
    answer = embedded.post(f"/v1/{path}", json=request)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    expected = [result.to_dict() for result in call(model)]
    assert_close(results, expected)


def test_a_cloze_and_a_strategy_reach_their_tasks(
    embedded: httpx.Client, model: qingyu.Model
) -> None:
    """The method of zero-shot and the way tokens are joined are parameters here too."""
    request = {"text": TEXT, "candidate_labels": LABELS, "method": "cloze"}
    answer = embedded.post("/v1/zero-shot-classification", json=request)
    assert_close(
        answer.json()["results"], [model.zero_shot(TEXT, LABELS, method="cloze").to_dict()]
    )
    text = "王小明上周从北京大学毕业，去了深圳工作。"
    for strategy in ("simple", "viterbi", None):
        request = {"text": text, "aggregation_strategy": strategy}  # type: ignore[dict-item]
        answer = embedded.post("/v1/token-classification", json=request)
        found = model.token_classification(text, aggregation_strategy=strategy)
        assert_close(answer.json()["results"], [found.to_dict()])


def test_ranking_is_the_other_form_of_similarity(
    embedded: httpx.Client, model: qingyu.Model
) -> None:
    """A query against texts gives one result with the texts in order of likeness."""
    texts = ["今天很热", "面条真香", "饭店服务好"]
    request = {"query": TEXT, "texts": texts, "top_k": 2}
    answer = embedded.post("/v1/sentence-similarity", json=request)
    assert answer.status_code == 200, answer.text
    assert_close(answer.json()["results"], [model.rank(TEXT, texts, top_k=2).to_dict()])


@pytest.mark.parametrize(
    "body",
    [
        {"text": TEXT},
        {"query": TEXT, "text_pair": "x"},
        {"text": TEXT, "text_pair": ["x"]},
        {"text": ["a", "b"], "text_pair": ["x"]},
        {"text": TEXT, "text_pair": "x", "query": "y", "texts": ["z"]},
    ],
)
def test_half_a_pair_is_refused(embedded: httpx.Client, body: dict[str, Any]) -> None:
    """Neither form, both forms, or lists that do not match are told in both languages."""
    answer = embedded.post("/v1/sentence-similarity", json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert "text_pair" in error["message"]
    assert error["message_en"].isascii()


def test_the_errors_of_the_tasks_reach_the_client(embedded: httpx.Client) -> None:
    """A parameter that only the task can judge is refused with its words, not with a 500."""
    for path, body, code in [
        (
            "zero-shot-classification",
            {"text": TEXT, "candidate_labels": ["a", "a"]},
            "invalid_input",
        ),
        (
            "zero-shot-classification",
            {"text": TEXT, "candidate_labels": ["a"], "hypothesis_template": "x"},
            "invalid_input",
        ),
        (
            "zero-shot-classification",
            {"text": TEXT, "candidate_labels": ["a"], "method": "cloze"},
            "invalid_input",
        ),
        (
            "zero-shot-classification",
            {"text": TEXT, "candidate_labels": ["a", "b"], "method": "guess"},
            "invalid_request",
        ),
        (
            "token-classification",
            {"text": TEXT, "aggregation_strategy": "best"},
            "invalid_request",
        ),
        ("text-classification", {"text": TEXT, "head": "nope"}, "task_not_supported"),
        ("token-classification", {"text": ""}, "empty_text"),
        ("check", {"text": TEXT, "threshold": -1}, "invalid_request"),
    ]:
        answer = embedded.post(f"/v1/{path}", json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["error"]["code"] == code


def test_long_and_short_texts_of_all_tasks_mix(embedded: httpx.Client) -> None:
    """Requests of several rounds and windows run beside each other and all come back."""
    long = TEXT * 40
    bodies = [
        ("score", {"text": long[:40]}),
        ("token-classification", {"text": long}),
        ("embeddings", {"text": [long, TEXT]}),
        ("text-classification", {"text": long}),
        ("fill-mask", {"text": long + SENTENCE}),
    ]
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = pool.map(lambda one: embedded.post(f"/v1/{one[0]}", json=one[1]), bodies)
        assert [answer.status_code for answer in answers] == [200] * len(bodies)


def assert_close(found: Any, expected: Any) -> None:
    """Equal, floats within 1e-4, tuples as lists."""
    if isinstance(expected, dict):
        assert set(found) == set(expected)
        for key in expected:
            assert_close(found[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4, rel=1e-4)
    else:
        assert found == expected
