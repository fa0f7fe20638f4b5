"""How sentence-transformers made one vector of a text, read from the files it leaves beside a
checkpoint, and followed or refused: with another pooling every vector would be another.

`modules.json` lists the steps; a step's own `config.json` says how it pools. Layout:
https://sbert.net/docs/sentence_transformer/usage/custom_models.html
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qingyu.build.notes import Note
from qingyu.bundle import EmbeddingInfo, Pooling
from qingyu.errors import CheckpointError

MODULES = "modules.json"
LENGTH = "sentence_bert_config.json"
SETTINGS = "config_sentence_transformers.json"
FOLLOWED = ("Transformer", "Pooling", "Normalize")
MODES: dict[str, Pooling] = {
    "cls": "cls",
    "mean": "mean",
    "max": "max",
    "mean_sqrt_len_tokens": "mean-sqrt-length",
    "lasttoken": "last",
    # As flags, in files of version 4 and before.
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean-sqrt-length",
    "pooling_mode_lasttoken": "last",
}


def embedding_info(folder: Path) -> tuple[EmbeddingInfo, list[Note]]:
    """How vectors are made, and what is to be told; the mean where nothing is said.

    Raises CheckpointError for a step or a kind of pooling that is not followed here.
    """
    if not (folder / MODULES).is_file():
        return EmbeddingInfo(), []
    modules = _read(folder / MODULES, list)
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    for kind, module in zip(kinds, modules, strict=True):
        if kind not in FOLLOWED:
            raise CheckpointError(
                f"{folder / MODULES} 中的 {module.get('path') or kind}（{kind}）这里做不了，"
                "略去它会得到别的向量，所以没有构建。",
                f"{folder / MODULES} has {module.get('path') or kind} ({kind}), which is not done "
                "here; without it every vector would be another, so nothing was built.",
            )
    info = EmbeddingInfo()
    for kind, module in zip(kinds, modules, strict=True):
        if kind == "Pooling":
            info = EmbeddingInfo(_pooling(folder / str(module.get("path", "")) / "config.json"))
    length = _optional(folder / LENGTH).get("max_seq_length")
    if type(length) is int and length > 0:
        info = EmbeddingInfo(info.pooling, length)
    told = f"{info.pooling}, {length or '—'}"
    notes = [Note(f"句向量按 {MODULES}：{told}", f"embeddings as {MODULES} says: {told}")]
    return info, notes + _prompts(folder)


def _pooling(path: Path) -> Pooling:
    values = _read(path, dict)
    named = values.get("pooling_mode")
    chosen = (
        [named]
        if isinstance(named, str)
        else [
            key for key, value in values.items() if key.startswith("pooling_mode") and value is True
        ]
    )
    if len(chosen) == 1 and chosen[0] in MODES:
        return MODES[chosen[0]]
    listed = ", ".join(map(str, chosen)) or "—"
    raise CheckpointError(
        f"{path} 的池化方式（{listed}）这里做不了；可用：{'、'.join(sorted(set(MODES.values())))}，"
        "每次一种。",
        f"{path} pools by {listed}, which is not done here; there are "
        f"{', '.join(sorted(set(MODES.values())))}, one at a time.",
    )


def _prompts(folder: Path) -> list[Note]:
    """A prompt that is put before every text cannot be left out; others are told."""
    settings = _optional(folder / SETTINGS)
    prompts = settings.get("prompts") or {}
    default = settings.get("default_prompt_name")
    if default and prompts.get(default):
        raise CheckpointError(
            f"{folder / SETTINGS} 在每段文本前加「{prompts[default]}」（{default}），这里不加。"
            "请删去 default_prompt_name，并自己把它写在文本前面。",
            f"{folder / SETTINGS} puts “{prompts[default]}” ({default}) before every text, which "
            "is not done here. Take default_prompt_name out and write it before texts yourself.",
        )
    return [
        Note(
            f"模型建议在 {name} 类文本前加「{prompt}」，请自己加上。",
            f"the model wants “{prompt}” before texts of the kind {name}: put it there yourself.",
        )
        for name, prompt in prompts.items()
        if prompt
    ]


def _optional(path: Path) -> dict[str, Any]:
    return _read(path, dict) if path.is_file() else {}


def _read(path: Path, kind: type) -> Any:
    try:
        values = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"无法读取 {path}：{error}", f"Cannot read {path}: {error}"
        ) from error
    if not isinstance(values, kind):
        raise CheckpointError(f"{path} 的内容不对。", f"{path} does not hold what it should.")
    return values
