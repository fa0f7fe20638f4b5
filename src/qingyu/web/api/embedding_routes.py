"""Vectors and ranking as other services' clients ask for them: `/embed` and `/rerank` as Text
Embeddings Inference has them, `/rerank` and `/v1/rerank` with `documents` as Jina and Cohere.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from pydantic import Field, model_validator
from starlette.responses import Response

from qingyu.errors import InputError
from qingyu.service.calls import Call
from qingyu.web.edge.context import context_of
from qingyu.web.state import state_of

from .embedding_shapes import Foreign, OpenAIEmbeddingsRequest, Texts
from .exchange import FOREIGN_ERRORS, body_of, calls_of, compute, received, shaped
from .validation import parse
from .wire import EmbeddingsRequest, SimilarityRequest

router = APIRouter(tags=["embeddings"])


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
