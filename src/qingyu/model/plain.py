"""Which task a model called by itself does: `model(text)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qingyu.bundle import HeadInfo
from qingyu.errors import InputError
from qingyu.tasks import registry
from qingyu.tasks.parts.blanks import COMMON, spellings
from qingyu.tasks.registry import Task

# Those that need nothing but a text, and of which most models have one.
OTHERS = (registry.CLASSIFICATION, registry.TOKENS, registry.TEXT2TEXT)


def plain_task(heads: Mapping[str, HeadInfo], texts: Sequence[str]) -> Task[..., Any]:
    """Filling where every text has a mask; else the one task that there is a head for. Raises
    InputError where that is none or several."""
    blank = spellings(list(COMMON))
    if registry.FILL_MASK.fits(heads) and texts and all(blank.search(text) for text in texts):
        return registry.FILL_MASK
    fitting = [task for task in OTHERS if task.fits(heads)]
    if len(fitting) == 1:
        return fitting[0]
    methods = [task.method for task in registry.TASKS.values() if task.fits(heads)]
    raise InputError(
        f"看不出要做什么：文本里没有 [MASK]。请写明方法，如 model.{methods[0]}(...)；"
        f"这个模型有 {'、'.join(methods)}。",
        f"Cannot tell what to do: no [MASK] in the text. Name a method, such as "
        f"model.{methods[0]}(...); this model has {', '.join(methods)}.",
    )
