"""Labels where ModelScope keeps them: beside `config.json`, not in it.

`label_mapping.json` maps labels to numbers; `configuration.json` may hold `label2id` or `id2label`
with its model or preprocessor. A model for the task zero-shot-classification without names for
its three labels has them in the order that ModelScope's own pipeline takes for granted:
entailment first, contradiction last (modelscope.pipelines.nlp.zero_shot_classification_pipeline).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qingyu.build.notes import Note
from qingyu.build.sources.config import Config

MAPPING = "label_mapping.json"
CONFIGURATION = "configuration.json"
ZERO_SHOT = "zero-shot-classification"
INFERENCE = ("entailment", "neutral", "contradiction")


def with_labels(config: Config) -> tuple[Config, list[Note]]:
    """`config` with the labels that the files beside it name, where it names none itself."""
    if config.values.get("id2label") is not None and not config.unnamed:
        return config, []
    folder = config.path.parent
    told = _object(folder / CONFIGURATION)
    for name, place in (
        (MAPPING, _object(folder / MAPPING)),
        (CONFIGURATION, told.get("model")),
        (CONFIGURATION, told.get("preprocessor")),
        (CONFIGURATION, told),
    ):
        labels = _labels(place)
        if labels:
            note = Note(
                f"标签取自 {name}：{_listed(labels)}", f"labels from {name}: {_listed(labels)}"
            )
            return config.changed(id2label=labels), [note]
    if told.get("task") == ZERO_SHOT and len(config.labels()) in (2, len(INFERENCE)):
        # Two is what a config.json that says nothing of labels stands for.
        labels = {str(index): label for index, label in enumerate(INFERENCE)}
        note = Note(
            f"{CONFIGURATION} 的任务是 {ZERO_SHOT}，标签按 ModelScope 的次序：{_listed(labels)}",
            f"the task in {CONFIGURATION} is {ZERO_SHOT}: labels in ModelScope's order, "
            f"{_listed(labels)}",
        )
        return config.changed(id2label=labels), [note]
    return config, []


def _labels(place: Any) -> dict[str, str]:
    """id -> label out of {label: id}, {id: label}, or an object with label2id or id2label."""
    if not isinstance(place, dict):
        return {}
    for key in ("id2label", "label2id"):
        if isinstance(place.get(key), dict):
            return _labels(place[key])
    if place and all(type(value) is int for value in place.values()):
        return {str(value): str(key) for key, value in place.items()}
    if place and all(str(key).isdigit() and isinstance(value, str) for key, value in place.items()):
        return {str(key): value for key, value in place.items()}
    return {}


def _listed(labels: dict[str, str]) -> str:
    return ", ".join(label for _, label in sorted(labels.items(), key=lambda item: int(item[0])))


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none, since these files are optional."""
    try:
        values = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
