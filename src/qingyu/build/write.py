"""The files of a bundle: graphs, weights and tokenizer of one checkpoint at one precision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from qingyu import __version__, bundle
from qingyu.build.families.encoder import Encoder
from qingyu.build.families.registry import family
from qingyu.build.families.t5 import T5
from qingyu.build.graph import Graph, WeightFile
from qingyu.build.layers import Layers, Layout
from qingyu.build.precisions.base import OTHER, Origin, Precision
from qingyu.build.precisions.calibrate import Calibrating
from qingyu.build.precisions.registry import of_heads
from qingyu.build.sources.checkpoint import Checkpoint
from qingyu.build.sources.tokenizer import write_tokenizer

CALIBRATION = "calibrate.onnx"
INPUTS = ("input_ids", "token_type_ids", "position_ids")


def write(
    checkpoint: Checkpoint,
    precision: Precision,
    folder: Path,
    name: str,
    calibrate: Calibrating | None = None,
) -> bundle.Manifest:
    """Everything but card, report and manifest into `folder`, which must not exist.

    With `calibrate` also a second encoder, over the same weights, that tells what it is asked to
    of the numbers in it. Raises CheckpointError.
    """
    folder.mkdir()
    model = family(checkpoint.config, checkpoint.weights)
    store = WeightFile(folder / bundle.WEIGHTS)
    heads = {}
    try:
        read = _encoder(model, precision, store, folder / bundle.ENCODER)
        if calibrate is not None:
            _encoder(model, calibrate, store, folder / CALIBRATION)
        for head in model.heads():
            graph = Graph(head.name, store)
            states = graph.input("hidden", np.float32, ["rows", model.hidden])
            logits = head.write(Layers(graph, of_heads(precision), {states: read}), states)
            graph.output(logits, "logits", ["rows", "outputs"])
            file = f"head-{head.name}.onnx"
            graph.save(folder / file)
            heads[head.name] = bundle.HeadInfo(
                file, head.kind, head.labels, head.problem, head.unit
            )
        heads |= model.decoder(store, precision, folder)
    finally:
        store.close()
    out = folder / bundle.TOKENIZER
    write_tokenizer(checkpoint.folder, out, model.vocabulary, checkpoint.words)
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


def with_files(manifest: bundle.Manifest) -> bundle.Manifest:
    """The manifest with the size and digest of every file of its folder that has one."""
    files = {
        path.name: bundle.file_info(path)
        for path in sorted(manifest.path.iterdir())
        if path.name not in (bundle.MANIFEST, bundle.CARD, bundle.REPORT, CALIBRATION)
    }
    return replace(manifest, files=files)


def _encoder(model: Encoder | T5, precision: Precision, store: WeightFile, path: Path) -> Origin:
    """Write the encoder; return what is known of the hidden states that it gives out."""
    graph = Graph("encoder", store)
    layers = Layers(graph, precision)
    inputs = [graph.input(name, np.int64, ["tokens"]) for name in INPUTS]
    hidden = model.encoder(layers, Layout(graph), *inputs)
    graph.output(hidden, "hidden", ["rows", model.hidden])
    graph.save(path)
    return replace(layers.origins.get(hidden, OTHER), name="hidden")
