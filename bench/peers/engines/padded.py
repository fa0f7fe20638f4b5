"""Texts as the padded arrays that an exported graph takes; used by the engines that run one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Encode = Callable[[list[str]], tuple[dict[str, Any], Any]]


def encoder(checkpoint: Path) -> Encode:
    """texts -> (feeds, where the masks are: bool [texts, longest])."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    tokenizer.enable_padding()
    mask_id = tokenizer.token_to_id("[MASK]")

    def encode(texts: list[str]) -> tuple[dict[str, Any], Any]:
        encodings = tokenizer.encode_batch(texts)
        input_ids = np.array([encoding.ids for encoding in encodings])
        feeds = {
            "input_ids": input_ids,
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
            "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
        }
        return feeds, input_ids == mask_id

    return encode
