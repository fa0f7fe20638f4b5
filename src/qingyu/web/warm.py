"""The first answers take longest, so they are given before anyone asks."""

from __future__ import annotations

import logging

from qingyu.service.service import Service
from qingyu.service.work import Call

log = logging.getLogger("qingyu.web")

# A sentence for each task that needs nothing but a text.
SAMPLES = {"masked-lm": Call("fill-mask", ("今天天气真[MASK]啊。",), (("top_k", 5),))}


async def warm(service: Service, model: str) -> None:
    """Load `model` and run what it can do, a few lengths each. Raises what loading raises."""
    loaded = await service.registry.lease(model)
    try:
        kinds = {head.kind for head in loaded.model.manifest.heads.values()}
    finally:
        service.registry.release(loaded)
    for kind, call in SAMPLES.items():
        if kind in kinds:
            await service.answer(model, [call])
    service.cache.clear()
    log.info("model %s is ready", model)
