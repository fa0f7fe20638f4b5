"""infinity-emb: the engine of its server, called without HTTP; embeddings only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def load_embed(_made: Path, checkpoint: Path, variant: str, threads: int) -> Any:
    import asyncio

    import torch
    from infinity_emb import AsyncEmbeddingEngine, EngineArgs

    torch.set_num_threads(threads)
    loop = asyncio.new_event_loop()
    arguments = EngineArgs(
        model_name_or_path=str(checkpoint),
        engine=variant,
        device="cpu",
        model_warmup=False,
        lengths_via_tokenize=False,
    )
    engine = AsyncEmbeddingEngine.from_args(arguments)
    loop.run_until_complete(engine.astart())

    def embed(texts: list[str]) -> Any:
        vectors, _ = loop.run_until_complete(engine.embed(texts))
        return np.array(vectors, np.float32)

    return embed
