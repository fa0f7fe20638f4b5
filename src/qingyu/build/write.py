"""The files of a bundle: weights, graphs, tokenizer and plan of one checkpoint at one precision."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from qingyu import __version__, bundle
from qingyu.build.families.encoder import Encoder
from qingyu.build.families.t5 import T5
from qingyu.build.graphs import Graphs
from qingyu.build.precisions.base import Precision
from qingyu.build.precisions.calibrate import Calibrating
from qingyu.build.sources.checkpoint import Checkpoint
from qingyu.build.sources.tokenizer import wordless_ids, write_tokenizer
from qingyu.tensors import TensorWriter

CALIBRATION = "calibrate.onnx"


def write(
    checkpoint: Checkpoint,
    model: Encoder | T5,
    precision: Precision,
    folder: Path,
    name: str,
    calibrate: Calibrating | None = None,
) -> bundle.Manifest:
    """Everything but card, report and manifest into `folder`, which must not exist; `model`
    describes the checkpoint.

    With `calibrate` also a second encoder, over the same weights, that tells what it is asked to
    of the numbers in it. Raises CheckpointError.
    """
    folder.mkdir()
    if isinstance(model, Encoder) and checkpoint.words is None:
        model.wordless = wordless_ids(checkpoint.folder, model.vocabulary)
    heads = list(model.heads())
    infos: dict[str, bundle.HeadInfo] = {}
    told = None
    with ExitStack() as stack:

        def opened(file: str) -> TensorWriter:
            return stack.enter_context(closing(TensorWriter(folder / file)))

        graphs = Graphs(model, precision, opened(bundle.WEIGHTS))
        branches = {model.layers if head.branch is None else head.branch for head in heads}
        graphs.write_segments(sorted({*branches, model.layers}))
        own: dict[str, TensorWriter] = {}
        for head in heads:
            owner = head.owner or head.name
            if owner not in own:
                own[owner] = opened(bundle.head_weights(owner))
            infos[head.name] = graphs.write_head(head, own[owner])
        if isinstance(model, T5):
            infos["text2text"] = info = model.decoder_head(bundle.head_weights("text2text"))
            graphs.files |= model.decoder(opened(info.weights), graphs.encoder, precision)
        if calibrate is not None:
            told = graphs.write_calibration(calibrate, heads, list(own.values()))
    graphs.save(folder)
    if told is not None:
        told.save(folder / CALIBRATION)
    words = folder / bundle.TOKENIZER
    write_tokenizer(checkpoint.folder, words, model.vocabulary, checkpoint.words)
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
        heads=infos,
        files={},
        plan=model.plan(*graphs.told()),
        embedding=checkpoint.embedding,
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
