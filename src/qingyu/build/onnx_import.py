"""An ONNX file becomes a bundle: its graph, a head that hands on what it answers, a tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qingyu import __version__, bundle
from qingyu.build.graph import Graph
from qingyu.build.sources import onnx_file
from qingyu.build.sources.config import Config
from qingyu.build.sources.onnx_file import Adopted
from qingyu.build.sources.tokenizer import write_tokenizer
from qingyu.engine.batch import LANES, pack
from qingyu.engine.session import Session
from qingyu.errors import CheckpointError
from qingyu.plan import Plan
from qingyu.query import Query
from qingyu.tensors import TensorWriter
from qingyu.text.tokenizer import Tokenizer

PRECISION = "as-is"
SIZES = {
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
}


def find_onnx(source: Path) -> Path | None:
    """The ONNX file that `source` is or, where it has no other weights to go by, holds."""
    if source.suffix == ".onnx":
        return source
    if [*source.glob("*.safetensors"), *source.glob("pytorch_model*.bin")]:
        return None
    return next((source / name for name in onnx_file.NAMES if (source / name).is_file()), None)


def write_adopted(path: Path, folder: Path, name: str) -> bundle.Manifest:
    """Everything but card, report and manifest. Raises CheckpointError where the file is refused,
    or does not answer as its outputs promise.
    """
    adopted = onnx_file.read(path)
    source = path.parent.parent if path.parent.name == "onnx" else path.parent
    config = Config.read(source / "config.json")
    vocabulary, positions = config.size("vocab_size"), config.size("max_position_embeddings", 512)
    folder.mkdir()
    store = TensorWriter(folder / bundle.WEIGHTS)
    try:
        onnx_file.write(adopted, store, folder / bundle.ENCODER)
    finally:
        store.close()
    write_tokenizer(source, folder / bundle.TOKENIZER, vocabulary)
    outputs = _outputs(adopted, folder)
    heads = {}
    if adopted.answers_logits:
        head = _head(adopted, config, outputs, vocabulary)
        graph = Graph("head", store)  # which has no weights
        states = graph.input("hidden", np.float32, ["rows", outputs])
        graph.output(states, "logits", ["rows", outputs])
        graph.save(folder / head.file)
        heads = {head.file.removeprefix("head-").removesuffix(".onnx"): head}
    counts = {key: int(config.values.get(theirs) or 0) for key, theirs in SIZES.items()}
    return bundle.Manifest(
        name=name,
        family=str(config.values.get("model_type") or "onnx"),
        precision=PRECISION,
        sizes=bundle.Sizes(
            vocab_size=vocabulary,
            hidden_size=outputs,
            # A rectangle is as wide as a multiple of LANES, and may not pass the last position.
            max_positions=max(positions - positions % LANES, LANES),
            parameters=sum(int(np.prod(t.dims)) for t in adopted.model.graph.initializer),
            **counts,
        ),
        heads=heads,
        files={},
        plan=Plan("as-is"),
        source=source.resolve().name,
        created_by=f"qingyu {__version__}",
        path=folder,
    )


def _outputs(adopted: Adopted, folder: Path) -> int:
    """Columns of what the graph answers, seen by asking it about two texts of unlike lengths."""
    tokenizer = Tokenizer(folder / bundle.TOKENIZER)
    queries = [
        Query(*tokenizer.framed(tokenizer.tokens(text).ids), np.array([0]))
        for text in ("你好", "今天天气真好")
    ]
    try:
        answer = Session(folder / bundle.ENCODER).run(pack(queries))
    except Exception as error:  # the runtime raises plain Exception
        raise CheckpointError(
            f"{adopted.path} 无法运行：{error}", f"{adopted.path} does not run: {error}"
        ) from error
    if answer.ndim != 2 or len(answer) != len(queries) or not np.isfinite(answer).all():
        raise CheckpointError(
            f"{adopted.path} 的回答形状为 {answer.shape}，或含 NaN。",
            f"{adopted.path} answers in the shape {answer.shape}, or with NaN.",
        )
    return int(answer.shape[1])


def _head(adopted: Adopted, config: Config, outputs: int, vocabulary: int) -> bundle.HeadInfo:
    if adopted.rank == 3 and outputs == vocabulary:
        return bundle.HeadInfo("head-fill-mask.onnx", "masked-lm")
    labels = config.labels()
    if len(labels) != outputs:
        raise CheckpointError(
            f"{adopted.path} 有 {outputs} 个输出，{config.path} 有 {len(labels)} 个标签。",
            f"{adopted.path} has {outputs} outputs, {config.path} {len(labels)} labels.",
        )
    if adopted.rank == 3:
        return bundle.HeadInfo("head-tags.onnx", "token-classification", labels)
    return bundle.HeadInfo(
        "head-classification.onnx", "sequence-classification", labels, config.problem
    )
