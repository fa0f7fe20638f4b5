"""Warm-up: the first answers take longest, so some are computed at start."""

from __future__ import annotations

import logging
from dataclasses import replace

from qingyu.engine import heap
from qingyu.service.calls import Call
from qingyu.service.service import Service
from qingyu.tasks.registry import SAMPLE

log = logging.getLogger("qingyu.web")

# A sentence for each task that needs nothing but a text.
SAMPLES = {"masked-lm": Call("fill-mask", (SAMPLE,), (("top_k", 5),))}
FILLING = 16


def _some(call: Call, number: int) -> Call:
    """The same on a text of its own, so that it is computed."""
    return replace(call, inputs=(f"{call.inputs[0]}{number}",))


async def warm(service: Service, model: str) -> None:
    """Load `model` and run what it can do: one text, then as many as all lanes take at once.

    Raises what loading raises.
    """
    loaded = await service.registry.lease(model)
    try:
        kinds = {head.kind for head in loaded.model.manifest.heads.values()}
    finally:
        service.registry.release(loaded)
    for kind, call in SAMPLES.items():
        if kind in kinds:
            await service.answer(model, [call])
            await service.answer(model, [_some(call, number) for number in range(FILLING)])
    service.cache.clear()
    heap.trim()  # of what loading took and gave back
    log.info("model %s is ready", model)
