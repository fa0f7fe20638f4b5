"""Structured pruning: fewer words, layers, heads, feed-forward units, positions.

Nothing is copied: a pruned checkpoint is the same files, of which some rows are left unread. So
every cut composes with every other, and with every precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qingyu.build.families.encoder import Encoder
from qingyu.build.families.registry import family
from qingyu.build.families.t5 import T5
from qingyu.build.measure.probe import read_texts
from qingyu.build.naming import LayerNames
from qingyu.build.shrink.importance import Importance, importances
from qingyu.build.sources.checkpoint import Checkpoint
from qingyu.build.sources.config import HEAD_WIDTH
from qingyu.build.sources.weights import Cut
from qingyu.errors import BuildError
from qingyu.numbers import FloatArray

Kept: TypeAlias = NDArray[np.int64]

HEADS = ("query", "key", "value")


@dataclass(frozen=True)
class Pruning:
    """What to leave out; None and 0 leave everything in.

    layers:       which layers to keep, from 0
    heads:        attention heads to keep in each layer
    feed_forward: feed-forward units to keep in each layer
    positions:    tokens of a text to keep places for
    importance:   texts, one a line, by which to judge heads and units to first order; by
                  magnitude without it
    """

    layers: tuple[int, ...] | None = None
    heads: int | None = None
    feed_forward: int | None = None
    positions: int | None = None
    importance: Path | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in vars(self).values())


def prune(checkpoint: Checkpoint, model: Encoder | T5, pruning: Pruning) -> Checkpoint:
    """The checkpoint, which `model` describes, with less in it. Raises BuildError where there is
    not as much to keep, or where the family has no such parts of its own.
    """
    if not pruning:
        return checkpoint
    if not isinstance(model, Encoder) or not model.separate():
        raise _error(
            f"{checkpoint.config.model_type} 的层不能裁剪（各层共用权重，或结构特殊）",
            f"the layers of {checkpoint.config.model_type} cannot be pruned (they share weights, "
            "or are of another kind)",
        )
    if pruning.importance is not None and pruning.layers is not None:
        # Importance is that in the model whose layers are gone.
        checkpoint = prune(checkpoint, model, Pruning(layers=pruning.layers))
        model = family(checkpoint.config, checkpoint.weights)
        return prune(checkpoint, model, replace(pruning, layers=None))
    judged = _judged(checkpoint, model, pruning)
    names, cuts = _kept_layers(model, pruning)
    for new, old in names.items():
        known = judged[old] if judged else None
        cuts |= _cut_layer(model, model.layer_names(new), model.layer_names(old), pruning, known)
    if pruning.positions is not None:
        rows = _at_most(pruning.positions, model.positions, "positions") + model.first_position
        cuts[model.position_name] = Cut(model.position_name, ((0, np.arange(rows)),))
    config = checkpoint.config.by(model.KEYS).changed(
        num_hidden_layers=len(names),
        num_attention_heads=pruning.heads or model.heads_per_layer,
        intermediate_size=pruning.feed_forward or model.feed_forward,
        max_position_embeddings=(pruning.positions or model.positions) + model.first_position,
    )
    config = config.changed(**{HEAD_WIDTH: model.head_width})
    return replace(checkpoint, config=config, weights=checkpoint.weights.cut(cuts))


def keep_words(checkpoint: Checkpoint, model: Encoder | T5, kept: Kept) -> Checkpoint:
    """The checkpoint with only some words: rows of embeddings, outputs and biases of heads."""
    weights = checkpoint.weights
    count = model.vocabulary
    if count in (model.hidden, model.feed_forward, model.positions):
        raise _error(
            f"词数 {count} 与模型的另一尺寸相同，分不清哪些张量属于词表",
            f"with {count} words, the same as another size of the model, it cannot be told which "
            "tensors are of words",
        )
    cuts = {}
    for name in weights.names:
        axes = [axis for axis, length in enumerate(weights.shape(name)) if length == count]
        if axes:
            cuts[name] = Cut(name, tuple((axis, kept) for axis in axes))
    config = checkpoint.config.changed(vocab_size=len(kept))
    return replace(checkpoint, config=config, weights=weights.cut(cuts), words=kept)


def _kept_layers(model: Encoder, pruning: Pruning) -> tuple[Mapping[int, int], dict[str, Cut]]:
    """{new layer: old layer}, and the tensors of the new ones by their old names."""
    kept = tuple(range(model.layers)) if pruning.layers is None else pruning.layers
    if not kept or sorted(set(kept)) != list(kept) or not 0 <= kept[0] <= kept[-1] < model.layers:
        raise _error(
            f"要保留的层 {list(kept)} 应是 0 到 {model.layers - 1} 的递增编号",
            f"the layers to keep, {list(kept)}, should be rising numbers from 0 to "
            f"{model.layers - 1}",
        )
    cuts = {}
    for new, old in enumerate(kept):
        stems = f"{model.layer_stem(new)}.", f"{model.layer_stem(old)}."
        for name in model.weights.names:
            if name.startswith(stems[1]):
                cuts[stems[0] + name.removeprefix(stems[1])] = Cut(name)
    for gone in range(len(kept), model.layers):
        stem = f"{model.layer_stem(gone)}."
        cuts |= {name: Cut("") for name in model.weights.names if name.startswith(stem)}
    return dict(enumerate(kept)), cuts


def _judged(checkpoint: Checkpoint, model: Encoder, pruning: Pruning) -> list[Importance]:
    """How important the parts of each layer are, where that is to be found out."""
    if pruning.importance is None:
        return []
    if pruning.heads is None and pruning.feed_forward is None:
        raise _error(
            "--importance 用来取舍注意力头与前馈单元，需要 --heads 或 --feed-forward",
            "--importance chooses among heads and feed-forward units; it needs --heads or "
            "--feed-forward",
        )
    return importances(checkpoint, model, read_texts(pruning.importance))


def _cut_layer(
    model: Encoder, new: LayerNames, old: LayerNames, pruning: Pruning, known: Importance | None
) -> dict[str, Cut]:
    """Rows and columns of one layer that stay, by importance or by magnitude."""
    cuts: dict[str, Cut] = {}
    if pruning.heads is not None:
        count = _at_most(pruning.heads, model.heads_per_layer, "heads")
        heads = _largest(known.heads if known else _head_magnitudes(model, old), count)
        columns = (heads[:, None] * model.head_width + np.arange(model.head_width)).ravel()
        for part in HEADS:
            cuts |= _rows(getattr(new, part), getattr(old, part), columns)
        cuts |= _columns(new.attended, old.attended, columns)
    if pruning.feed_forward is not None:
        count = _at_most(pruning.feed_forward, model.feed_forward, "feed_forward")
        units = _largest(known.units if known else _unit_magnitudes(model, old), count)
        cuts |= _rows(new.inner, old.inner, units)
        cuts |= _columns(new.outer, old.outer, units)
    return cuts


def _head_magnitudes(model: Encoder, names: LayerNames) -> FloatArray:
    """Squares of each head's values and output matrix, multiplied and summed, [heads]."""
    width = model.heads_per_layer * model.head_width
    value = model.weights.get(f"{names.value}.weight", width, model.hidden)
    output = model.weights.get(f"{names.attended}.weight", model.hidden, width)
    strength = np.square(value).sum(axis=1) * np.square(output).sum(axis=0)
    return np.asarray(strength.reshape(model.heads_per_layer, -1).sum(axis=1))


def _unit_magnitudes(model: Encoder, names: LayerNames) -> FloatArray:
    inner = model.weights.get(f"{names.inner}.weight", model.feed_forward, model.hidden)
    outer = model.weights.get(f"{names.outer}.weight", model.hidden, model.feed_forward)
    return np.asarray(np.square(inner).sum(axis=1) * np.square(outer).sum(axis=0))


def _largest(strength: FloatArray, count: int) -> Kept:
    """Indices of the `count` largest numbers, in rising order."""
    return np.sort(np.argsort(-strength, kind="stable")[:count])


def _rows(new: str, old: str, kept: Kept) -> dict[str, Cut]:
    return {f"{new}.{part}": Cut(f"{old}.{part}", ((0, kept),)) for part in ("weight", "bias")}


def _columns(new: str, old: str, kept: Kept) -> dict[str, Cut]:
    return {f"{new}.weight": Cut(f"{old}.weight", ((1, kept),))}


def _at_most(wanted: int, there: int, what: str) -> int:
    if not 1 <= wanted <= there:
        raise _error(
            f"{what} 应在 1 到 {there} 之间，收到 {wanted}",
            f"{what} should be from 1 to {there}, not {wanted}",
        )
    return wanted


def _error(zh: str, en: str) -> BuildError:
    return BuildError(f"无法裁剪：{zh}。", f"Cannot prune: {en}.")
