"""Vectors and ranking as other services' clients ask for them, by real clients where there are."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest
from huggingface_hub import InferenceClient

from qingyu.settings import Settings
from tests.support.serving import Running, serving

NAME = "qingyu-small-zh"
TEXTS = ["怎么退款", "如何申请退款？", "今天天气真好"]


@pytest.fixture(scope="module")
def embedded() -> Iterator[Running]:
    with serving(Settings(port=0, timeout=120), load=None) as running:
        yield running


@pytest.fixture
def http(embedded: Running) -> Iterator[httpx.Client]:
    with embedded.client() as found:
        yield found


def test_openai_s_client_gets_vectors_and_usage(embedded: Running, http: httpx.Client) -> None:
    """Its default, base64, and floats give the vectors that our own form gives."""
    with openai.OpenAI(base_url=f"{embedded.address}/v1", api_key="unused") as client:
        found = client.embeddings.create(model=NAME, input=TEXTS)
        plain = client.embeddings.create(model=NAME, input=TEXTS[0], encoding_format="float")
    ours = http.post("/v1/embeddings", json={"text": TEXTS}).json()["results"]
    vectors = np.array([one.embedding for one in found.data])
    assert np.allclose(vectors, [one["embedding"] for one in ours], atol=1e-6)
    assert np.allclose(plain.data[0].embedding, vectors[0], atol=1e-6)
    assert found.usage.total_tokens == found.usage.prompt_tokens > 0
    assert [one.index for one in found.data] == [0, 1, 2]


def test_openai_s_client_reads_our_errors(embedded: Running) -> None:
    """An unknown model is not found; another length of vectors is refused and told."""
    with openai.OpenAI(base_url=f"{embedded.address}/v1", api_key="x", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="none", input="甲")
        with pytest.raises(openai.UnprocessableEntityError, match="dimensions"):
            client.embeddings.create(model=NAME, input="甲", dimensions=7)


def test_tei_s_embed_by_hugging_face_s_client(embedded: Running, http: httpx.Client) -> None:
    """A list of vectors of length 1, one for each text."""
    client = InferenceClient(model=f"{embedded.address}/embed", token="unused")
    found = client.feature_extraction(TEXTS)
    assert found.shape[0] == 3
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    long = http.post("/embed", json={"inputs": "长" * 2000, "truncate": False})
    assert long.status_code == 422


def test_ranking_as_tei_jina_and_cohere_have_it(http: httpx.Client) -> None:
    """The same order for all, under the names of each; what is neither form is refused."""
    query, others = TEXTS[0], TEXTS[1:]
    tei = http.post("/rerank", json={"query": query, "texts": others, "return_text": True}).json()
    assert tei[0]["index"] == 0
    assert tei[0]["text"] == others[0]
    assert tei[0]["score"] > tei[1]["score"]
    body = {"query": query, "documents": [{"text": others[0]}, others[1]], "model": NAME,
            "top_n": 1, "return_documents": True}  # fmt: skip
    jina = http.post("/v1/rerank", json=body).json()
    assert jina["results"] == [
        {"index": 0, "relevance_score": tei[0]["score"], "document": {"text": others[0]}}
    ]
    assert jina["model"] == NAME
    assert "usage" in jina
    assert http.post("/rerank", json={"query": query}).status_code == 422
    assert http.post("/rerank", json={"query": query, "documents": [{}]}).status_code == 422


@pytest.mark.parametrize("path", ["/embed", "/rerank"])
def test_errors_are_as_theirs(http: httpx.Client, path: str) -> None:
    """A client of Text Embeddings Inference reads a string, as the description says."""
    answer = http.post(path, json={})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert isinstance(answer.json()["error"], str)
