"""Other protocols, each driven by a real client of its own where there is one."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from qingyu.settings import Settings
from tests.support.serving import SENTENCE, Running, fake_settings, serving, write_bundle

NAME = "qingyu-small-zh"
TEXT = "这家店的面很好吃，服务也周到。"


@pytest.fixture(scope="module")
def embedded() -> Iterator[Running]:
    with serving(Settings(port=0, timeout=120), load=None) as running:
        yield running


# -- Hugging Face ---------------------------------------------------------------------------------


@pytest.fixture
def hub(embedded: Running) -> Any:
    """`huggingface_hub`'s own client, which comes with the tokenizers library."""
    from huggingface_hub import InferenceClient

    client = InferenceClient(token="unused")
    client.at = lambda task: f"{embedded.address}/pipeline/{task}/{NAME}"  # type: ignore[attr-defined]
    return client


def test_hugging_face_fill_mask(hub: Any, embedded: Running) -> None:
    """Their client reads score, token, its text and the sequence, by task and by model."""
    for url in (hub.at("fill-mask"), f"{embedded.address}/models/{NAME}"):
        first, *rest = hub.fill_mask(SENTENCE, model=url, top_k=3)
        assert len(rest) == 2
        assert first.sequence == SENTENCE.replace("[MASK]", first.token_str)
        assert isinstance(first.token, int)
        assert first.score > rest[0].score


def test_hugging_face_classification(hub: Any) -> None:
    """Labels with scores, from a head of the model and from labels of one's own."""
    labels = hub.text_classification(TEXT, model=hub.at("text-classification"))
    assert sum(one.score for one in labels) == pytest.approx(1, abs=1e-3)
    own = hub.zero_shot_classification(
        TEXT, ["美食", "体育"], multi_label=True, model=hub.at("zero-shot-classification")
    )
    assert {one.label for one in own} == {"美食", "体育"}


def test_hugging_face_entities(hub: Any) -> None:
    """Spans of the text with their group."""
    text = "王小明在北京大学读书。"
    found = hub.token_classification(text, model=hub.at("token-classification"))
    assert found
    assert all(text[one.start : one.end] == one.word for one in found)


def test_hugging_face_similarity_and_vectors(hub: Any) -> None:
    """One score for each sentence in the order sent; one vector for a text."""
    scores = hub.sentence_similarity(
        "怎么退款？", ["今天很热", "怎样退款？"], model=hub.at("sentence-similarity")
    )
    assert scores[1] > scores[0]
    vector = hub.feature_extraction(TEXT, model=hub.at("feature-extraction"), truncate=True)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_hugging_face_errors_are_strings(client: httpx.Client) -> None:
    """Their clients print `error`; what is not supported is refused rather than ignored."""
    for path, body, status in [
        ("/models/fake", {"inputs": "没有"}, 422),
        ("/models/fake", {"inputs": SENTENCE, "parameters": {"nonsense": 1}}, 422),
        ("/models/fake", {}, 422),
        ("/models/nope", {"inputs": SENTENCE}, 404),
        ("/pipeline/nope/fake", {"inputs": SENTENCE}, 422),
        ("/pipeline/sentence-similarity/fake", {"inputs": "x"}, 422),
    ]:
        answer = client.post(path, json=body)
        assert answer.status_code == status, answer.text
        assert isinstance(answer.json()["error"], str)


# -- Open Inference Protocol ----------------------------------------------------------------------


@pytest.fixture
def triton(embedded: Running) -> Iterator[Any]:
    """Triton's HTTP client, the usual one for this protocol."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("tritonclient.http")
    client = module.InferenceServerClient(f"127.0.0.1:{embedded.port}")
    client.module = module
    yield client
    client.close()


@pytest.mark.parametrize("binary", [True, False])
def test_v2_inference(triton: Any, binary: bool) -> None:
    """Texts as BYTES, in the binary extension or as JSON, give each result as JSON."""
    texts = [SENTENCE, "我[MASK]你。"]
    tensor = triton.module.InferInput("text", [2], "BYTES")
    tensor.set_data_from_numpy(np.array(texts, object), binary_data=binary)
    result = triton.infer(NAME, [tensor], request_id="7", parameters={"top_k": 2})
    assert result.get_response()["id"] == "7"
    found = [json.loads(one) for one in result.as_numpy("results")]
    assert [one["text"] for one in found] == texts
    assert len(found[0]["masks"][0]["candidates"]) == 2


def test_v2_other_tasks(triton: Any) -> None:
    """`task` and its parameters travel as parameters of the request."""
    tensor = triton.module.InferInput("text", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([TEXT], object))
    labels = triton.module.InferInput("candidate_labels", [2], "BYTES")
    labels.set_data_from_numpy(np.array(["美食", "体育"], object))
    parameters = {"task": "zero-shot-classification", "multi_label": True}
    result = triton.infer(NAME, [tensor, labels], parameters=parameters)
    assert set(json.loads(result.as_numpy("results")[0])["labels"]) == {"美食", "体育"}


def test_v2_health_metadata_and_repository(triton: Any) -> None:
    """What the client asks about the server and the models is answered as it expects."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready(NAME)
    assert triton.get_server_metadata()["name"] == "qingyu"
    assert triton.get_model_metadata(NAME)["inputs"][0]["datatype"] == "BYTES"
    assert NAME in [one["name"] for one in triton.get_model_repository_index()]
    with pytest.raises(triton.module.InferenceServerException, match="nope"):
        triton.get_model_metadata("nope")


def test_v2_load_and_unload(tmp_path: Path) -> None:
    """A model comes into memory and leaves it on request; one that is pinned stays."""
    settings = fake_settings(tmp_path, pin="fake")
    write_bundle(tmp_path, "other")
    with serving(settings) as running, running.client() as client:
        assert client.get("/v2/models/other/ready").status_code == 503
        assert client.post("/v2/repository/models/other/load").status_code == 200
        assert client.get("/v2/models/other/ready").status_code == 200
        other = running.model
        assert client.post("/v2/repository/models/other/unload").status_code == 200
        assert other.closed
        states = client.post("/v2/repository/index").json()
        assert {s["name"]: s["state"] for s in states if s["name"] != NAME} == {
            "fake": "READY",
            "other": "UNAVAILABLE",
        }
        assert client.post("/v2/repository/models/fake/unload").status_code == 409
        assert client.post("/v2/repository/models/nope/load").status_code == 404


def packed(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


@pytest.mark.parametrize(
    ("tensor", "data"),
    [
        ({"shape": [1], "datatype": "BYTES"}, b""),
        ({"shape": [2], "datatype": "BYTES", "data": ["[MASK]"]}, b""),
        ({"shape": [-1], "datatype": "BYTES", "data": []}, b""),
        ({"shape": [1], "datatype": "FP32", "data": [1.0]}, b""),
        ({"shape": [1], "datatype": "BYTES", "data": [1]}, b""),
        ({"shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 99}}, b"1234"),
        ({"shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": -1}}, b"1234"),
        ({"shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 3}}, b"123"),
        (
            {"shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 8}},
            struct.pack("<I", 1 << 31) + b"abcd",
        ),
        (
            {"shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 6}},
            packed(b"\xff\xfe"),
        ),
    ],
)
def test_v2_bad_tensors_are_refused(
    client: httpx.Client, tensor: dict[str, Any], data: bytes
) -> None:
    """Sizes that do not fit, other types and cut binary data are told, not trusted."""
    head = json.dumps({"inputs": [{"name": "text", **tensor}]}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    answer = client.post("/v2/models/fake/infer", content=head + data, headers=headers)
    assert answer.status_code == 422, answer.text
    assert isinstance(answer.json()["error"], str)


def test_v2_a_header_length_beyond_the_body_is_refused(client: httpx.Client) -> None:
    """The length of the JSON part is checked against what arrived."""
    for length in ("999999", "-1", "x", "9" * 50):
        headers = {"inference-header-content-length": length}
        answer = client.post("/v2/models/fake/infer", content=b"{}", headers=headers)
        assert answer.status_code == 422


# -- lines ----------------------------------------------------------------------------------------


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


def test_many_texts_come_back_line_by_line(client: httpx.Client) -> None:
    """In order, one line a text, an error only where it belongs, and a last line that sums up."""
    texts = [f"{n}[MASK]" for n in range(100)]
    texts[40] = "没有"
    answer = client.post(
        "/v1/fill-mask", json={"text": texts}, headers={"accept": "application/x-ndjson"}
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *found, last = lines(answer)
    assert [line["index"] for line in found] == list(range(100))
    assert found[40]["error"]["code"] == "no_mask"
    assert all(line["result"]["text"] == texts[i] for i, line in enumerate(found) if i != 40)
    assert last["done"] is True
    assert last["tokens"] == sum(len(text) + 2 for i, text in enumerate(texts) if i != 40)


def test_a_stream_takes_more_texts_than_a_request(client: httpx.Client) -> None:
    """The limit of texts is for answers held in memory; a stream holds a few at a time."""
    texts = [f"{n}[MASK]" for n in range(1000)]
    headers = {"accept": "application/x-ndjson"}
    with client.stream("POST", "/v1/fill-mask", json={"text": texts}, headers=headers) as answer:
        assert sum(1 for _ in answer.iter_lines()) == 1001


def test_a_stream_for_an_unknown_model_is_refused_before_it_begins(client: httpx.Client) -> None:
    """What is wrong with the whole request is a status, not a line."""
    headers = {"accept": "application/x-ndjson"}
    body = {"text": [SENTENCE], "model": "nope"}
    assert client.post("/v1/fill-mask", json=body, headers=headers).status_code == 404
