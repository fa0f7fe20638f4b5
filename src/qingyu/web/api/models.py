"""GET /v1/models: the bundles; /v1/models/{name}/card: what there is to know of one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from qingyu.bundle import CARD
from qingyu.errors import ModelNotFoundError
from qingyu.service.slots import BundleState
from qingyu.tasks.registry import supported
from qingyu.web.state import state_of

from .exchange import ERRORS
from .indexes import in_thread

MARKDOWN = "text/markdown"
router = APIRouter(tags=["models"])


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
    digest: str
    licence: str
    accuracy: dict[str, Any] = Field(description="与未压缩时的比较 / against its uncompressed self")


class ModelsResponse(BaseModel):
    models: list[ModelInfo]
    default: str
    memory_budget_bytes: int | None = Field(
        description="模型内存的上限，无则为 null / most that models may take, null if unbounded"
    )


@router.get("/v1/models", summary="有哪些模型 / which models there are")
async def models(request: Request) -> ModelsResponse:
    state = state_of(request)
    infos = [model_info(one) for one in state.service.registry.states()]
    return ModelsResponse(
        models=infos,
        default=state.default,
        memory_budget_bytes=state.service.registry.budget,
    )


@router.get(
    "/v1/models/{name}/card",
    summary="模型卡 / the model card",
    response_model=None,
    responses={200: {"content": {MARKDOWN: {"schema": {"type": "string"}}}}, **ERRORS},
)
async def card(request: Request, name: str) -> Response:
    registry = state_of(request).service.registry

    def read() -> bytes:
        try:
            return (registry.state(name).manifest.path / CARD).read_bytes()
        except OSError as error:
            raise ModelNotFoundError(
                f"模型 {name} 没有模型卡。", f"The model {name} has no card."
            ) from error

    return Response(await in_thread(read), media_type=f"{MARKDOWN}; charset=utf-8")


def model_info(bundle: BundleState) -> ModelInfo:
    manifest = bundle.manifest
    return ModelInfo(
        name=bundle.name,
        family=manifest.family,
        precision=manifest.precision,
        tasks=supported(manifest.heads),
        bytes=manifest.bytes,
        parameters=manifest.sizes.parameters,
        loaded=bundle.loaded,
        pinned=bundle.pinned,
        memory_bytes=bundle.memory_bytes,
        digest=manifest.digest,
        licence=manifest.licence,
        accuracy=manifest.accuracy,
    )
