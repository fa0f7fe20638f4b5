"""The Open Inference Protocol (KServe V2) over HTTP: health, metadata, inference, repository.

Texts are BYTES tensors, as JSON strings or in the binary extension; parameters of the request are
those of the task, with `task` naming it (fill-mask if absent). The one output, `results`, holds
each result as JSON. Errors are `{"error": "..."}`, as the protocol wants.
"""

from __future__ import annotations

import struct
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from qingyu import __version__
from qingyu.errors import InputError, TaskNotSupportedError
from qingyu.service.calls import Call
from qingyu.service.errors import ModelPinnedError
from qingyu.service.slots import BundleState
from qingyu.web.state import state_of

from .exchange import (
    FOREIGN_ERRORS,
    body_of,
    calls_of,
    compute,
    json_response,
    received,
    shaped,
)
from .tasks import BY_TASK
from .validation import parse, parse_value
from .wire import TaskRequest

HEADER_LENGTH = "inference-header-content-length"
INPUTS = ("text", "text_pair", "candidate_labels")


class Tensor(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    name: str
    shape: list[int] = Field(max_length=8, fail_fast=True)
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class InferRequest(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    id: str | None = Field(default=None, max_length=200)
    inputs: list[Tensor] = Field(
        min_length=1,
        max_length=8,
        fail_fast=True,
        examples=[[{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["真[MASK]啊"]}]],
    )
    parameters: dict[str, Any] = {}
    outputs: list[Any] | None = None


BODY = InferRequest
router = APIRouter(prefix="/v2", tags=["v2"])


@router.get("", summary="服务信息 / server metadata")
async def server() -> Response:
    extensions = ["model_repository", "binary_tensor_data"]
    return json_response({"name": "qingyu", "version": __version__, "extensions": extensions})


@router.get("/health/live", summary="是否活着 / live")
async def live(request: Request) -> Response:
    healthy = state_of(request).service.workers.healthy
    return Response(b"{}", 200 if healthy else 503, media_type="application/json")


@router.get("/health/ready", summary="是否就绪 / ready")
async def ready(request: Request) -> Response:
    state = state_of(request)
    good = state.ready and not state.draining
    return Response(b"{}", 200 if good else 503, media_type="application/json")


@router.get("/models/{model}", summary="模型信息 / model metadata", responses=FOREIGN_ERRORS)
@router.get("/models/{model}/versions/1", include_in_schema=False)
async def metadata(request: Request, model: str) -> Response:
    bundle = _bundle(request, model)
    tensor = {"datatype": "BYTES", "shape": [-1]}
    return json_response(
        {
            "name": bundle.name,
            "versions": ["1"],
            "platform": "qingyu",
            "inputs": [{"name": "text", **tensor}],
            "outputs": [{"name": "results", **tensor}],
        }
    )


@router.get(
    "/models/{model}/ready",
    summary="模型是否已载入 / model ready",
    responses={404: FOREIGN_ERRORS[404], 503: {"description": "未载入 / not loaded"}},
)
@router.get("/models/{model}/versions/1/ready", include_in_schema=False)
async def model_ready(request: Request, model: str) -> Response:
    good = _bundle(request, model).loaded
    return Response(b"{}", 200 if good else 503, media_type="application/json")


@router.post(
    "/models/{model}/infer",
    summary="推理 / infer",
    response_model=None,
    responses=FOREIGN_ERRORS,
    openapi_extra=body_of(InferRequest),
)
@router.post("/models/{model}/versions/1/infer", include_in_schema=False, response_model=None)
async def infer(request: Request, model: str) -> Response:
    settings = state_of(request).settings
    length = request.headers.get(HEADER_LENGTH)

    def make(body: bytes) -> tuple[InferRequest, list[Call]]:
        wanted, values = tensors(body, length, settings.max_texts)
        return wanted, calls_of(_ours(wanted, values, model), settings)

    wanted, calls = await received(request, make, "application/octet-stream", "")
    answers = await compute(request, model, calls)

    def shape() -> object:
        answered: dict[str, Any] = {"model_name": model, "model_version": "1"}
        if wanted.id is not None:
            answered["id"] = wanted.id
        results = {"name": "results", "datatype": "BYTES", "shape": [len(answers)]}
        answered["outputs"] = [{**results, "data": [answer.body.decode() for answer in answers]}]
        return answered

    return await shaped(request, shape)


def _ours(wanted: InferRequest, values: dict[str, Any], model: str) -> TaskRequest:
    """The request as our own. Raises TaskNotSupportedError, RequestError."""
    parameters = {
        name: value for name, value in wanted.parameters.items() if name != "binary_data_output"
    }
    task = parameters.pop("task", "fill-mask")
    if not isinstance(task, str) or task not in BY_TASK:
        raise TaskNotSupportedError(
            f"没有任务 {str(task)[:40]!r}；可用的任务：{'、'.join(BY_TASK)}。",
            f"No task {str(task)[:40]!r}; there are: {', '.join(BY_TASK)}.",
        )
    return parse_value(BY_TASK[task].request, {**parameters, **values, "model": model})


@router.post("/repository/index", summary="仓库中的模型 / models in the repository")
async def index(request: Request) -> Response:
    states = [
        {"name": one.name, "version": "1", "state": "READY" if one.loaded else "UNAVAILABLE"}
        for one in state_of(request).service.registry.states()
    ]
    return json_response(states)


@router.post("/repository/models/{model}/load", summary="载入 / load", responses=FOREIGN_ERRORS)
async def load(request: Request, model: str) -> Response:
    registry = state_of(request).service.registry
    registry.release(await registry.lease(model))
    return json_response({})


@router.post(
    "/repository/models/{model}/unload",
    summary="卸载 / unload",
    responses={**FOREIGN_ERRORS, 409: {**FOREIGN_ERRORS[404], "description": "常驻 / pinned"}},
)
async def unload(request: Request, model: str) -> Response:
    """Returns when the memory is given back. The next request for the model loads it again, so that
    a model may be unloaded once in a while only."""
    state = state_of(request)
    if model == state.default:  # others would wait until it is loaded again
        raise ModelPinnedError(model)
    state.spare_unload(model)
    await state.service.registry.unload(model)
    return json_response({})


def tensors(
    body: bytes, header_length: str | None, most: int
) -> tuple[InferRequest, dict[str, Any]]:
    """The request and the texts of its inputs, at most `most` each, by name.

    Raises RequestError, InputError.
    """
    length = len(body)
    if header_length is not None:
        if not header_length.isdecimal() or int(header_length[:12]) > len(body):
            raise _wrong(HEADER_LENGTH, "与请求体不符", "does not fit the body")
        length = int(header_length[:12])
    wanted = parse(InferRequest, body[:length])
    rest = memoryview(body)[length:]
    values: dict[str, Any] = {}
    for tensor in wanted.inputs:
        if tensor.name not in INPUTS:
            raise _wrong(tensor.name, f"应为 {INPUTS} 之一", f"should be one of {INPUTS}")
        if tensor.datatype != "BYTES":
            raise _wrong(tensor.name, "应为 BYTES", "should be BYTES")
        data = tensor.data
        size = tensor.parameters.get("binary_data_size")
        if size is not None:
            if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(rest):
                raise _wrong(tensor.name, "binary_data_size 有误", "binary_data_size is wrong")
            data, rest = unpacked(rest[:size], tensor.name, most), rest[size:]
        count = 1
        for side in tensor.shape:
            count *= side
        if data is None or len(data) != count:
            raise _wrong(tensor.name, "数据与 shape 不符", "the data does not fit its shape")
        values[tensor.name] = data
    return wanted, values


def unpacked(data: memoryview, name: str, most: int) -> list[str]:
    """Texts, each after its length in bytes (4, little-endian)."""
    texts: list[str] = []
    place = 0
    while place < len(data):
        if len(texts) == most:
            raise _wrong(name, f"最多 {most} 项", f"has at most {most} items")
        if place + 4 > len(data):
            raise _wrong(name, "数据不完整", "the data is cut off")
        (size,) = struct.unpack_from("<I", data, place)
        place += 4
        if place + size > len(data):
            raise _wrong(name, "数据不完整", "the data is cut off")
        try:
            texts.append(str(data[place : place + size], "utf-8"))
        except UnicodeDecodeError:
            raise _wrong(name, "不是 UTF-8 编码", "is not encoded in UTF-8") from None
        place += size
    return texts


def _wrong(name: str, zh: str, en: str) -> InputError:
    return InputError(f"{name[:60]}：{zh}。", f"{name[:60]}: {en}.")


def _bundle(request: Request, model: str) -> BundleState:
    return state_of(request).service.registry.state(model)
