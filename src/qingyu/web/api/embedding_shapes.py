"""Vectors and ranking as other services' clients ask for them.

`POST /v1/embeddings` with `input` as OpenAI's, beside our own `text`; `/embed` and `/rerank` as
Text Embeddings Inference has them, `/rerank` and `/v1/rerank` with `documents` as Jina and Cohere.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from qingyu.errors import InputError
from qingyu.service.calls import Answer, Call
from qingyu.settings import Settings
from qingyu.web.edge.context import context_of
from qingyu.web.state import state_of

from .exchange import FOREIGN_ERRORS, body_of, calls_of, compute, received, shaped
from .validation import parse
from .wire import EmbeddingsRequest, SimilarityRequest

router = APIRouter(tags=["embeddings"])
Texts = Annotated[list[str], Field(min_length=1)]


class Foreign(BaseModel):
    """What such clients send; fields that mean nothing here are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    model: str | None = None


class OpenAIEmbeddingsRequest(Foreign):
    input: str | Texts = Field(description="文本，或文本列表 / a text, or texts")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, description="只能是全长 / the full length")


class EmbedRequest(Foreign):
    inputs: str | Texts = Field(description="文本，或文本列表 / a text, or texts")
    normalize: bool = True
    truncate: bool = Field(default=True, description="过长时截断还是报错 / cut, or refuse")


class RerankRequest(Foreign):
    query: str
    texts: Texts | None = Field(default=None, description="TEI：候选 / TEI's candidates")
    return_text: bool = False
    documents: list[str | dict[str, Any]] | None = Field(
        default=None, min_length=1, description="Jina、Cohere：候选 / candidates of the others"
    )
    top_n: int | None = Field(default=None, ge=1)
    return_documents: bool = False

    @model_validator(mode="after")
    def _one_form(self) -> RerankRequest:
        if (self.texts is None) == (self.documents is None):
            raise ValueError("请给出 texts 或 documents / send texts or documents")
        return self

    @property
    def candidates(self) -> list[str]:
        """Raises InputError for a document without a text."""
        texts = []
        for one in self.texts or self.documents or ():
            text = one.get("text") if isinstance(one, dict) else one
            if not isinstance(text, str):
                raise InputError(
                    "documents 的每一项应为字符串或含 text 的对象。",
                    "Each of documents should be a string or an object with a text.",
                )
            texts.append(text)
        return texts


BODIES = (OpenAIEmbeddingsRequest, EmbedRequest, RerankRequest)
Shape = Callable[[Sequence[Answer]], object]


def openai_embeddings(
    body: bytes, settings: Settings
) -> tuple[str | None, list[Call], Shape] | None:
    """Model, calls, and how to shape their answers, where a body is OpenAI's; None where it is our
    own. Raises RequestError and InputError."""
    if b'"input"' not in body:
        return None
    wanted = parse(OpenAIEmbeddingsRequest, body)
    calls = calls_of(EmbeddingsRequest(model=wanted.model, text=wanted.input), settings)

    def shape(answers: Sequence[Answer]) -> object:
        vectors = [json.loads(one.body)["embedding"] for one in answers]
        if wanted.dimensions not in (None, len(vectors[0])):
            raise InputError(
                f"dimensions 只能是 {len(vectors[0])}，收到 {wanted.dimensions}。",
                f"dimensions can be {len(vectors[0])} only, not {wanted.dimensions}.",
            )
        tokens = sum(one.tokens for one in answers)
        return {
            "object": "list",
            "model": wanted.model,
            "data": [
                {
                    "object": "embedding",
                    "index": i,
                    "embedding": _base64(vector) if wanted.encoding_format == "base64" else vector,
                }
                for i, vector in enumerate(vectors)
            ],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    return wanted.model, calls, shape


def _base64(vector: list[float]) -> str:
    """Float32, little-endian, as OpenAI's clients read it."""
    return base64.b64encode(np.array(vector, "<f4").tobytes()).decode()


@router.post(
    "/embed",
    summary="句向量（TEI 形式）/ vectors, as Text Embeddings Inference",
    response_model=None,
    responses=FOREIGN_ERRORS,
    openapi_extra=body_of(EmbedRequest),
)
async def embed(request: Request) -> Response:
    settings = state_of(request).settings

    def make(body: bytes) -> tuple[str | None, list[Call]]:
        wanted = parse(EmbedRequest, body)
        ours = EmbeddingsRequest(
            model=wanted.model,
            text=wanted.inputs,
            normalize=wanted.normalize,
            truncate="end" if wanted.truncate else "error",
        )
        return wanted.model, calls_of(ours, settings)

    model, calls = await received(request, make)
    answers = await compute(request, model, calls)
    return await shaped(request, lambda: [json.loads(one.body)["embedding"] for one in answers])


@router.post(
    "/rerank",
    summary="重排（TEI、Jina、Cohere 形式）/ ranking, as TEI, Jina and Cohere",
    response_model=None,
    responses=FOREIGN_ERRORS,
    openapi_extra=body_of(RerankRequest),
)
@router.post("/v1/rerank", include_in_schema=False, response_model=None)
async def rerank(request: Request) -> Response:
    settings = state_of(request).settings

    def make(body: bytes) -> tuple[RerankRequest, list[str], list[Call]]:
        wanted = parse(RerankRequest, body)
        texts = wanted.candidates
        ours = SimilarityRequest(query=wanted.query, texts=texts, model=wanted.model)
        return wanted, texts, calls_of(ours, settings)

    wanted, texts, calls = await received(request, make)
    (answer,) = await compute(request, wanted.model, calls)

    def shape() -> object:
        ranking = json.loads(answer.body)["ranking"][: wanted.top_n]
        if wanted.texts is not None:
            more = [{"text": texts[one["index"]]} if wanted.return_text else {} for one in ranking]
            return [
                {"index": one["index"], "score": one["score"], **extra}
                for one, extra in zip(ranking, more, strict=True)
            ]
        results = []
        for one in ranking:
            ranked = {"index": one["index"], "relevance_score": one["score"]}
            if wanted.return_documents:
                ranked["document"] = {"text": texts[one["index"]]}
            results.append(ranked)
        usage = {"total_tokens": answer.tokens, "prompt_tokens": answer.tokens}
        return {"model": context_of(request).model, "results": results, "usage": usage}

    return await shaped(request, shape)
