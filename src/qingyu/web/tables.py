"""The tasks served: one row each. A new task is a request type in `wire.py` and a row here."""

from __future__ import annotations

from dataclasses import dataclass

from qingyu.types import FillMaskResult, Result

from .wire import FillMaskRequest, TaskRequest


@dataclass(frozen=True)
class Row:
    """`path` is under /v1; `result` describes one result; `head` is the head kind a model needs."""

    path: str
    request: type[TaskRequest]
    result: type[Result]
    head: str
    summary: str

    @property
    def task(self) -> str:
        return self.request.TASK


ROWS = (
    Row("fill-mask", FillMaskRequest, FillMaskResult, "masked-lm", "语义填空 / What fits [MASK]"),
)
