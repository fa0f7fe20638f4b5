"""`POST /v1/embeddings` as OpenAI's clients ask for vectors: `input`, beside our own `text`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from qingyu.errors import InputError
from qingyu.service.calls import Answer, Call
from qingyu.settings import Settings

from .exchange import calls_of
from .validation import parse
from .wire import EmbeddingsRequest

Texts = Annotated[list[str], Field(min_length=1)]


class Foreign(BaseModel):
    """What such clients send; fields that mean nothing here are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    model: str | None = None


class OpenAIEmbeddingsRequest(Foreign):
    input: str | Texts = Field(description="文本，或文本列表 / a text, or texts")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1, description="只能是全长 / the full length")


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
