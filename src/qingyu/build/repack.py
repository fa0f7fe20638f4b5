"""Bundles of format 2 whose INT4 weights lie in rows, as of old: the same numbers, packed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from qingyu import bundle
from qingyu.build.graphs import Graphs
from qingyu.build.rewrite import copy
from qingyu.build.stored import Stored, stored_head, stored_precision
from qingyu.bundle import Manifest
from qingyu.engine.native.weights import products_of
from qingyu.errors import BuildError
from qingyu.tensors import TensorFile, TensorWriter, pack_columns, pack_int4


def repack(old: Manifest, folder: Path) -> Manifest:
    """All files but the manifest into `folder`.

    Raises BuildError where only graphs know the weights.
    """
    if old.plan is None:
        raise BuildError(f"{old.path} 没有说明。", f"{old.path} comes without a plan.")
    packed = {f"{one.name}.weight" for one in products_of(old) if one.weight == "int4"}
    files = {bundle.WEIGHTS, *(head.weights for head in old.heads.values() if head.weights)}
    for name in files:
        _rewrite(old.path / name, folder / name, packed)
    precision = stored_precision(old.precision, old.plan, old.heads)
    encoder = TensorFile(folder / bundle.WEIGHTS)
    graphs = Graphs(Stored(old.plan, old.sizes), precision, encoder)
    graphs.write_segments(sorted({*map(old.branch, old.heads), old.sizes.num_layers}))
    own = {name: TensorFile(folder / name) for name in files}
    for name, head in old.heads.items():
        graphs.write_head(stored_head(name, head, old.plan.epsilon), own[head.weights])
    graphs.save(folder)
    if old.phrases is not None:
        copy(old.path / old.phrases.file, folder)
    return replace(old, path=folder)


def _rewrite(before: Path, after: Path, packed: set[str]) -> None:
    """A file of tensors with what belongs to the weights `packed` packed."""
    file = TensorFile(before)
    with closing(TensorWriter(after)) as out:
        for name, place in file.places.items():
            array = file.array(name)
            if name in packed:
                out.append(name, pack_int4(array))
            elif name.removesuffix("_scale").removesuffix("_zero_point") in packed:
                out.append(name, pack_columns(array), place.dtype)
            else:
                out.append(name, array, place.dtype)
