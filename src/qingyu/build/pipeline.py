"""From a checkpoint directory to a bundle: written aside, verified, and only then put in place."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from qingyu import __version__, bundle
from qingyu.build.calibrate import Calibrating, channel_ranges
from qingyu.build.card import card
from qingyu.build.families import family
from qingyu.build.graph import Graph, WeightFile
from qingyu.build.layers import Layers, Layout
from qingyu.build.precision import OTHER, PRECISIONS, Precision
from qingyu.build.sources.checkpoint import Checkpoint, read_checkpoint
from qingyu.build.tokenizer import write_tokenizer
from qingyu.build.verify import SAMPLES, agreement, answers, sample_queries
from qingyu.errors import BuildError
from qingyu.text.tokenizer import Tokenizer

REFERENCE = "fp32"

Progress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and how much of it all is done, 0 to 1."""


@dataclass(frozen=True)
class Built:
    """A finished bundle, and the tensors of the checkpoint that it has no use for."""

    manifest: bundle.Manifest
    unused: list[str]

    @property
    def path(self) -> Path:
        return self.manifest.path


def build(
    source: str | Path,
    out: str | Path,
    *,
    precision: str = "int8",
    min_agreement: float = 0.0,
    licence: str = "",
    progress: Progress = lambda _what, _share: None,
) -> Built:
    """Build the checkpoint directory `source` into the bundle `out`, whole or not at all.

    source:    a folder with config.json, model.safetensors, tokenizer.json or vocab.txt, and
               heads.json where it carries heads of its own
    precision: "fp32" or "int8"

    Raises CheckpointError where the checkpoint is incomplete or inconsistent, BuildError where
    the rest goes wrong.
    """
    source, out = Path(source), Path(out)
    if precision not in PRECISIONS:
        raise BuildError(
            f"没有精度 {precision}；可选：{'、'.join(PRECISIONS)}。",
            f"No precision {precision}; there are: {', '.join(PRECISIONS)}.",
        )
    if out.exists():
        raise BuildError(
            f"{out} 已存在，请换一个位置或先移走它。", f"{out} exists; choose another or move it."
        )
    checkpoint = read_checkpoint(source)
    family(checkpoint.config, checkpoint.weights)  # refuses before anything is written
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise BuildError(
            f"无法写入 {out.parent}：{error}", f"Cannot write {out.parent}: {error}"
        ) from error
    try:
        result, reference = folder / "result", folder / "reference"
        chosen, texts = PRECISIONS[precision], SAMPLES.read_text("utf-8").splitlines()
        if precision != REFERENCE:
            progress("reference", 0.0)
            whole = _write(checkpoint, Calibrating(), reference, out.name)
            chosen = chosen.calibrated(channel_ranges(whole, texts[::2]))
        progress("graphs", 0.3)
        manifest = _write(checkpoint, chosen, result, out.name)
        unused = checkpoint.weights.unused()
        if precision != REFERENCE:
            progress("verify", 0.6)
            manifest = replace(manifest, accuracy=_verify(manifest, whole, texts[1::2]))
        manifest = replace(manifest, licence=licence)
        progress("bundle", 0.95)
        (result / bundle.CARD).write_text(card(_with_files(manifest)), "utf-8")
        bundle.write_manifest(_with_files(manifest), result)
        result.rename(out)
        progress("done", 1.0)
        return Built(bundle.read_manifest(out), unused)
    except OSError as error:
        raise BuildError(f"写入 {out} 失败：{error}", f"Cannot write {out}: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(
    checkpoint: Checkpoint, precision: Precision, folder: Path, name: str
) -> bundle.Manifest:
    """All files of a bundle but card and manifest, into `folder`."""
    folder.mkdir()
    model = family(checkpoint.config, checkpoint.weights)
    store = WeightFile(folder / bundle.WEIGHTS)
    heads = {}
    try:
        graph = Graph("encoder", store)
        layers = Layers(graph, precision)
        inputs = [
            graph.input(name, np.int64, ["tokens"])
            for name in ("input_ids", "token_type_ids", "position_ids")
        ]
        hidden = model.encoder(layers, Layout(graph), *inputs)
        graph.output(hidden, "hidden", ["rows", model.hidden])
        read = replace(layers.origins.get(hidden, OTHER), name="hidden")
        graph.save(folder / bundle.ENCODER)
        for head in model.heads():
            graph = Graph(head.name, store)
            states = graph.input("hidden", np.float32, ["rows", model.hidden])
            logits = head.write(Layers(graph, precision, {states: read}), states)
            graph.output(logits, "logits", ["rows", "outputs"])
            file = f"head-{head.name}.onnx"
            graph.save(folder / file)
            heads[head.name] = bundle.HeadInfo(
                file, head.kind, head.labels, head.problem, head.unit
            )
    finally:
        store.close()
    write_tokenizer(checkpoint.folder, folder / bundle.TOKENIZER, model.vocabulary)
    return bundle.Manifest(
        name=name,
        family=checkpoint.config.model_type,
        precision=precision.name,
        sizes=bundle.Sizes(
            vocab_size=model.vocabulary,
            hidden_size=model.hidden,
            num_layers=model.layers,
            num_heads=model.heads_per_layer,
            intermediate_size=model.feed_forward,
            max_positions=model.positions,
            parameters=checkpoint.weights.parameters(),
        ),
        heads=heads,
        files={},
        source=checkpoint.name,
        created_by=f"qingyu {__version__}",
        path=folder,
    )


def _verify(
    manifest: bundle.Manifest, reference: bundle.Manifest, texts: Sequence[str]
) -> dict[str, object]:
    """Both graphs on texts, one after the other so that only one is in memory."""
    tokenizer = Tokenizer(manifest.path / bundle.TOKENIZER)
    queries = sample_queries(tokenizer, manifest.heads, manifest.sizes.max_positions, texts)
    expected = answers(reference, queries)
    return agreement(queries, expected, answers(manifest, queries))


def _with_files(manifest: bundle.Manifest) -> bundle.Manifest:
    files = {
        path.name: bundle.file_info(path)
        for path in sorted(manifest.path.iterdir())
        if path.name not in (bundle.MANIFEST, bundle.CARD)
    }
    return replace(manifest, files=files)
