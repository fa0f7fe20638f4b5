"""The task shapes of Hugging Face's inference clients: `{"inputs", "parameters"}` in, theirs out.

`POST /pipeline/{task}/{model}`, or `POST /models/{model}` where the task follows from what is sent
or else from what the model can do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from qingyu.errors import InputError, TaskNotSupportedError
from qingyu.service.calls import Call
from qingyu.tasks.registry import TASKS, supported
from qingyu.web.state import state_of

from .exchange import FOREIGN_ERRORS, body_of, calls_of, compute, received, shaped
from .tasks import BY_TASK
from .validation import parse, parse_value

Shape: TypeAlias = Callable[[Any, dict[str, Any]], object]

# What a model is asked when nothing in a request says which task it is.
PLAIN = [
    task.name
    for task in TASKS.values()
    if task.hugging_face and task.pair != "always" and not task.required
]


class PipelineRequest(BaseModel):
    """Beside these, fields at the root count as parameters."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True)

    inputs: Any = Field(
        description="文本、文本列表，或任务自己的对象 / a text, texts, or the task's own object",
        examples=["今天天气真[MASK]啊。"],
    )
    parameters: dict[str, Any] = Field(default={}, description="任务参数 / of the task")
    options: dict[str, Any] = Field(default={}, description="忽略 / ignored")

    def all_parameters(self) -> dict[str, Any]:
        return {**(self.model_extra or {}), **self.parameters}


BODY = PipelineRequest
router = APIRouter(tags=["huggingface"])


@router.post(
    "/models/{model}",
    summary="按模型推理 / by model",
    response_model=None,
    responses=FOREIGN_ERRORS,
    openapi_extra=body_of(PipelineRequest),
)
async def by_model(request: Request, model: str) -> Response:
    bundle = state_of(request).service.registry.state(model)
    available = supported(bundle.manifest.heads)
    return await answer(request, partial(guessed, available), model)


@router.post(
    "/pipeline/{task}/{model}",
    summary="按任务推理 / by task",
    response_model=None,
    responses=FOREIGN_ERRORS,
    openapi_extra=body_of(PipelineRequest),
)
async def by_task(request: Request, task: str, model: str) -> Response:
    return await answer(request, lambda _: task, model)


async def answer(
    request: Request, task_of: Callable[[PipelineRequest], str], model: str
) -> Response:
    settings = state_of(request).settings

    def make(body: bytes) -> tuple[PipelineRequest, str, Shape, list[Call]]:
        wanted = parse(PipelineRequest, body)
        task = task_of(wanted)
        shape = shape_of(task)
        parameters = translated(task, wanted.all_parameters())
        ours = {**fields(task, wanted.inputs), **parameters, "model": model}
        return wanted, task, shape, calls_of(parse_value(BY_TASK[task].request, ours), settings)

    wanted, task, to_theirs, calls = await received(request, make)
    answers = await compute(request, model, calls)
    alone = task == "sentence-similarity" or (
        isinstance(wanted.inputs, str | dict) and task != "text-classification"
    )

    def theirs() -> object:
        parameters = wanted.all_parameters()
        results = [to_theirs(json.loads(one.body), parameters) for one in answers]
        return results[0] if alone else results

    return await shaped(request, theirs)


def shape_of(task: str) -> Shape:
    """What makes their result of ours. Raises TaskNotSupportedError."""
    shape = TASKS[task].hugging_face if task in TASKS else None
    if shape is None:
        known = [one.name for one in TASKS.values() if one.hugging_face]
        raise TaskNotSupportedError(
            f"没有任务 {task[:40]!r}；可用的任务：{'、'.join(known)}。",
            f"No task {task[:40]!r}; there are: {', '.join(known)}.",
        )
    return shape


def guessed(available: list[str], wanted: PipelineRequest) -> str:
    """The task that what is sent belongs to, else the first that the model can do."""
    if isinstance(wanted.inputs, dict) and "source_sentence" in wanted.inputs:
        return "sentence-similarity"
    if "candidate_labels" in wanted.all_parameters():
        return "zero-shot-classification"
    return next((task for task in PLAIN if task in available), PLAIN[-1])


def fields(task: str, inputs: Any) -> dict[str, Any]:
    """`inputs` as the fields of our own request. Raises InputError."""
    if task == "sentence-similarity":
        if isinstance(inputs, dict) and set(inputs) == {"source_sentence", "sentences"}:
            return {"query": inputs["source_sentence"], "texts": inputs["sentences"]}
        raise InputError(
            "inputs 应为 {source_sentence, sentences}。",
            "inputs should be {source_sentence, sentences}.",
        )
    if task == "text-classification" and isinstance(inputs, dict):
        return {name: inputs[name] for name in inputs if name in {"text", "text_pair"}}
    return {"text": inputs}


def translated(task: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters under our names; one that we have not is left for the check to refuse."""
    ours = dict(parameters)
    if task == "feature-extraction" and isinstance(ours.get("truncate"), bool):
        ours["truncate"] = "end" if ours["truncate"] else "error"
    return ours
