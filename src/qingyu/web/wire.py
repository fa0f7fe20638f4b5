"""What goes over the wire: requests as clients write them, answers as they read them.

A task is a request type here and a row in `tables.py`. What a task answers is described by its own
result type, so that HTTP and Python show the same fields.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from qingyu.service.work import Call

Texts = Annotated[list[str], Field(min_length=1)]


class Strict(BaseModel):
    """No conversions, no unknown fields: a typing mistake is told, not guessed at."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class TaskRequest(Strict):
    """Base of all requests: which task, which model, and the calls it stands for."""

    TASK: ClassVar[str]

    model: str | None = Field(default=None, description="模型名，默认为服务的默认模型 / model name")

    def calls(self) -> list[Call]:
        """One call for each result."""
        raise NotImplementedError


def each(text: str | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else text


# -- fill-mask ------------------------------------------------------------------------------------


class FillMaskRequest(TaskRequest):
    TASK: ClassVar[str] = "fill-mask"

    text: str | Texts = Field(
        description="带 [MASK] 的文本，或文本列表 / text with [MASK], or a list of texts",
        examples=["今天天气真[MASK]啊，适合出去玩。"],
    )
    top_k: int = Field(
        default=5, ge=1, le=100, description="每个空的候选数 / candidates for each mask"
    )
    truncate: Literal["around-mask", "error"] = Field(
        default="around-mask",
        description="文本过长时截取还是报错 / window or refuse a text too long",
    )

    def calls(self) -> list[Call]:
        parameters = (("top_k", self.top_k), ("truncate", self.truncate))
        return [Call(self.TASK, (text,), parameters) for text in each(self.text)]


# -- around all tasks -----------------------------------------------------------------------------


class PredictRequest(BaseModel):
    """The request that existing fill-mask services take; what else it carries is ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    text: str = Field(examples=["今天天气真[MASK]啊，适合出去玩。"])


class Scored(BaseModel):
    token: str
    score: float


class PredictResponse(BaseModel):
    results: list[Scored] | list[list[Scored]] = Field(
        description="一个空时为候选列表，多个空时每空一个 / one list for a mask, lists for several"
    )


class ErrorDetail(BaseModel):
    code: str = Field(description="稳定的错误码，供程序判断 / stable, for programs")
    message: str
    message_en: str
    request_id: str


class ErrorResponse(BaseModel):
    error: ErrorDetail


class ModelInfo(BaseModel):
    name: str
    family: str
    precision: str
    tasks: list[str]
    bytes: int = Field(description="磁盘占用 / size on disk")
    parameters: int
    loaded: bool
    pinned: bool
    memory_bytes: int = Field(description="内存占用，未载入为 0 / in memory, 0 if not loaded")


class ModelsResponse(BaseModel):
    models: list[ModelInfo]
    default: str
