"""fastembed: embeddings of the exported encoder on ONNX Runtime; it has no other task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def load_embed(made: Path, checkpoint: Path, _variant: str, threads: int) -> Any:
    import json
    import shutil

    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    config = json.loads((checkpoint / "config.json").read_text())
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(checkpoint / name, made / name)
    said = {"model_max_length": config["max_position_embeddings"], "pad_token": "[PAD]"}
    (made / "tokenizer_config.json").write_text(json.dumps(said))
    (made / "special_tokens_map.json").write_text('{"pad_token": "[PAD]", "mask_token": "[MASK]"}')
    TextEmbedding.add_custom_model(
        model="local/peer",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="local/peer"),
        dim=config["hidden_size"],
        model_file="model.onnx",
    )
    model = TextEmbedding("local/peer", threads=threads, specific_model_path=str(made))

    def embed(texts: list[str]) -> Any:
        return np.array(list(model.embed(texts, batch_size=len(texts))), np.float32)

    return embed
