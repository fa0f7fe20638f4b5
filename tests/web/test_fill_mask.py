"""The typed interface for fill-mask, and /predict, over real HTTP."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from qingyu.settings import Settings
from tests.support.serving import SENTENCE, Running, fake_settings, serving, write_bundle


def test_one_text_gives_one_result(client: httpx.Client) -> None:
    """The envelope says which model, how many tokens, how long, and holds one result."""
    answer = client.post("/v1/fill-mask", json={"text": SENTENCE, "top_k": 2})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"model", "results", "tokens", "elapsed_ms"}
    assert body["model"] == "fake"
    assert body["tokens"] == len(SENTENCE) + 2
    (result,) = body["results"]
    assert result["sequence"] == SENTENCE.replace("[MASK]", "好")
    (mask,) = result["masks"]
    assert SENTENCE[mask["start"] : mask["end"]] == "[MASK]"
    assert [c["token"] for c in mask["candidates"]] == ["好", "好"]


def test_a_list_gives_results_in_its_order(client: httpx.Client) -> None:
    """Results stand in the order of the texts, the same text twice included."""
    texts = [f"{'很' * n}[MASK]" for n in (30, 1, 7, 1)]
    results = client.post("/v1/fill-mask", json={"text": texts}).json()["results"]
    assert [result["text"] for result in results] == texts


def test_predict_keeps_the_shape_of_existing_services(client: httpx.Client) -> None:
    """One mask gives a list of token and score; several give one list each; more is ignored."""
    one = client.post("/predict", json={"text": SENTENCE, "whatever": 1}).json()
    assert one == {"results": [{"token": "好", "score": 0.5}] * 5}
    two = client.post("/predict", json={"text": "[MASK]和[MASK]"}).json()
    assert [len(mask) for mask in two["results"]] == [5, 5]


def test_predict_without_a_mask_is_400_with_the_known_message(client: httpx.Client) -> None:
    """Clients of such services look for this status and these words."""
    answer = client.post("/predict", json={"text": "没有"})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "未找到 [MASK] 标记"


def test_the_error_of_one_of_several_texts_says_which(client: httpx.Client) -> None:
    """The whole request is refused, naming the text at fault."""
    answer = client.post("/v1/fill-mask", json={"text": [SENTENCE, "没有"]})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "no_mask"
    assert "第 2 条" in error["message"]
    assert "Item 2" in error["message_en"]
    assert error["index"] == 1


def test_another_model_is_loaded_when_it_is_named(tmp_path: Path) -> None:
    """A model in the folder is loaded on first use; a name outside it is unknown."""
    settings = fake_settings(tmp_path)
    write_bundle(tmp_path, "other")
    with serving(settings) as running, running.client() as client:
        answer = client.post("/v1/fill-mask", json={"text": SENTENCE, "model": "other"})
        assert answer.json()["model"] == "other"
        assert len(running.models) == 2
        loaded = {m["name"]: m["loaded"] for m in client.get("/v1/models").json()["models"]}
        assert loaded["fake"]
        assert loaded["other"]
        for name in ("../other", "nope", "/etc", ".", "", "x" * 300, "a\u0000b"):
            answer = client.post("/v1/fill-mask", json={"text": SENTENCE, "model": name})
            assert answer.status_code == (200 if not name else 404)


def test_answers_are_cached_and_shared(tmp_path: Path) -> None:
    """The same question is computed once: while it is under way, and afterwards."""
    with serving(fake_settings(tmp_path)) as running, running.client() as client:
        model = running.model
        before = sum(model.ran)
        model.entered.clear()
        model.gate.clear()
        with ThreadPoolExecutor(4) as pool:
            asked = [
                pool.submit(client.post, "/v1/fill-mask", json={"text": SENTENCE}) for _ in range(4)
            ]
            assert model.entered.wait(10)
            until(lambda: running.state.metrics.in_flight == 4)
            model.gate.set()
            bodies = [one.result().json()["results"] for one in asked]
        assert all(body == bodies[0] for body in bodies)
        client.post("/v1/fill-mask", json={"text": SENTENCE})
        assert sum(model.ran) - before == 1
        client.post("/v1/fill-mask", json={"text": SENTENCE, "top_k": 3})
        assert sum(model.ran) - before == 2


def test_the_cache_can_be_switched_off(tmp_path: Path) -> None:
    """With a limit of 0 every request is computed."""
    with serving(fake_settings(tmp_path, cache=0)) as running, running.client() as client:
        before = sum(running.model.ran)
        for _ in range(3):
            client.post("/v1/fill-mask", json={"text": SENTENCE})
        assert sum(running.model.ran) - before == 3


def test_a_full_queue_is_429_with_a_time_to_return(tmp_path: Path) -> None:
    """Beyond the queue's tokens the answer is no, at once, while the rest is still computed."""
    settings = fake_settings(tmp_path, max_queue_tokens=64, max_batch_tokens=16)
    with serving(settings) as running, running.client() as client:
        running.model.entered.clear()
        running.model.gate.clear()
        with ThreadPoolExecutor(64) as pool:
            asked = [
                pool.submit(client.post, "/v1/fill-mask", json={"text": f"{n:02}{SENTENCE}"})
                for n in range(64)
            ]
            until(lambda: sum(one.done() for one in asked) > 20)
            refused = [one.result() for one in asked if one.done()]
            assert {answer.status_code for answer in refused} == {429}
            assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
            assert refused[0].json()["error"]["code"] == "overloaded"
            running.model.gate.set()
            codes = {one.result().status_code for one in asked}
        assert codes == {200, 429}


def test_a_deadline_is_503(tmp_path: Path) -> None:
    """What the model does not finish in time while it waits is given up."""
    with serving(fake_settings(tmp_path, timeout=0.2)) as running, running.client() as client:
        running.model.entered.clear()
        running.model.gate.clear()
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(client.post, "/v1/fill-mask", json={"text": SENTENCE})
            assert running.model.entered.wait(10)
            late = client.post("/v1/fill-mask", json={"text": "很" + SENTENCE})
            assert late.status_code == 503
            assert late.json()["error"]["code"] == "deadline_exceeded"
            running.model.gate.set()
            assert first.result().status_code == 200


def test_the_embedded_model_answers() -> None:
    """The default service, nothing set but the port, fills a real sentence as the page shows it."""
    with serving(Settings(port=0), load=None) as running, running.client() as client:
        body = client.post("/v1/fill-mask", json={"text": SENTENCE}).json()
        candidates = body["results"][0]["masks"][0]["candidates"]
        assert "好" in [candidate["token"] for candidate in candidates]
        scores = [candidate["score"] for candidate in candidates]
        assert scores == sorted(scores, reverse=True)
        assert client.post("/predict", json={"text": SENTENCE}).json()["results"] == [
            {"token": candidate["token"], "score": candidate["score"]} for candidate in candidates
        ]


def until(condition: object, seconds: float = 10.0) -> None:
    """Wait for another thread; fails if that takes too long."""
    assert callable(condition)
    waiter = threading.Event()
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        waiter.wait(0.005)


@pytest.fixture(autouse=True)
def _open_gate(request: pytest.FixtureRequest) -> None:
    """The shared server never holds anything back."""
    if "client" in request.fixturenames:
        running: Running = request.getfixturevalue("running")
        running.model.gate.set()
