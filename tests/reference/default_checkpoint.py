"""Reference outputs of the default model's checkpoint: fill-mask and every head.

Usage: python tests/reference/default_checkpoint.py CHECKPOINT_DIR WORDS_DIR

WORDS_DIR is what training.words wrote: fill-mask's own layers above a branch, and its readout.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from default_texts import HEADS
from goldens import GOLDEN, rounded, save_json, save_npz
from safetensors.torch import load_file
from transformers import AutoTokenizer, BertForMaskedLM

SEED = 20260101
TOP = 64
TOP_LOGITS = 8


def is_cjk(char: str) -> bool:
    """Whether the character is a CJK unified ideograph of the basic block."""
    return "\u4e00" <= char <= "\u9fff"


def mask_one(tokenizer: Any, line: str, seed: list[int]) -> tuple[list[int], int, int, int]:
    """Mask one random CJK character of a line.

    Returns the token ids with the mask in place, its token position, the character's offset in the
    line and the id that was there.
    """
    encoding = tokenizer(line, return_offsets_mapping=True)
    ids = list(encoding["input_ids"])
    choices = [
        (position, start)
        for position, (start, end) in enumerate(encoding["offset_mapping"])
        if end - start == 1 and is_cjk(line[start]) and ids[position] != tokenizer.unk_token_id
    ]
    position, start = choices[np.random.default_rng(seed).integers(len(choices))]
    true_id = ids[position]
    ids[position] = tokenizer.mask_token_id
    assert ids == tokenizer(line[:start] + "[MASK]" + line[start + 1 :])["input_ids"]
    return ids, position, start, true_id


@torch.inference_mode()
def fill_mask(
    model: Any, tokenizer: Any, lines: list[str], every: int = 1
) -> dict[str, np.ndarray]:
    """Answer one masked character a line; the arrays are described in tests/golden/README.md."""
    numbers = range(0, len(lines), every)
    rows = [mask_one(tokenizer, lines[number], [SEED, number]) for number in numbers]
    top_ids, log_probs, logits = [], [], []
    for ids, position, _, _ in rows:
        answer = model(input_ids=torch.tensor([ids])).logits[0, position].double()
        order = torch.argsort(answer, descending=True, stable=True)[:TOP]
        top_ids.append(order.numpy())
        log_probs.append(torch.log_softmax(answer, -1)[order].numpy())
        logits.append(answer[order[:TOP_LOGITS]].numpy())
    return {
        "input_ids": np.concatenate([row[0] for row in rows]).astype(np.uint16),
        "lengths": np.array([len(row[0]) for row in rows], np.uint16),
        "mask_position": np.array([row[1] for row in rows], np.uint16),
        "mask_char": np.array([row[2] for row in rows], np.uint16),
        "true_id": np.array([row[3] for row in rows], np.uint16),
        "top_ids": np.stack(top_ids).astype(np.uint16),
        "top_log_probs": np.stack(log_probs).astype(np.float32),
        "top_logits": np.stack(logits).astype(np.float32),
    }


def encode(tokenizer: Any, item: str | tuple[str, str], by_character: bool) -> Any:
    """Tokenise a text, a pair, or a text with one token a character, without truncation."""
    if by_character:
        return tokenizer(list(item), is_split_into_words=True, return_tensors="pt")
    texts = (item,) if isinstance(item, str) else item
    return tokenizer(*texts, return_tensors="pt")


@torch.inference_mode()
def head_cases(
    model: Any,
    tokenizer: Any,
    weights: dict[str, torch.Tensor],
    name: str,
    token_level: bool,
    every: int = 1,
) -> list[dict[str, Any]]:
    """Ask one head about its texts: `classifier(tanh(pooler(h[CLS])))`, or `classifier(h)`."""
    dtype = next(model.parameters()).dtype
    head = {
        key.removeprefix(f"heads.{name}."): tensor.to(dtype)
        for key, tensor in weights.items()
        if key.startswith(f"heads.{name}.")
    }
    cases = []
    for item in HEADS[name][::every]:
        encoding = encode(tokenizer, item, token_level)
        hidden = model.bert(**encoding).last_hidden_state[0]
        if token_level:
            assert len(hidden) == len(item) + 2, item
        else:
            pooled = torch.nn.functional.linear(
                hidden[0], head["pooler.weight"], head["pooler.bias"]
            )
            hidden = torch.tanh(pooled)
        logits = torch.nn.functional.linear(
            hidden, head["classifier.weight"], head["classifier.bias"]
        )
        texts = (
            {"text": item}
            if isinstance(item, str)
            else dict(zip(("text", "text_pair"), item, strict=True))
        )
        cases.append(
            {
                **texts,
                "input_ids": encoding["input_ids"][0].tolist(),
                "token_type_ids": encoding["token_type_ids"][0].tolist(),
                "logits": rounded(logits),
            }
        )
    return cases


def load(checkpoint: Path, dtype: torch.dtype = torch.float64) -> tuple[Any, Any, Any]:
    """Load model, tokenizer, and every tensor of the file by name."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    model = BertForMaskedLM.from_pretrained(checkpoint, dtype=dtype).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    return model, tokenizer, load_file(checkpoint / "model.safetensors")


def with_words(model: Any, folder: Path) -> Any:
    """A copy of the model with the last layers and the readout of words of a folder."""
    branch = json.loads((folder / "heads.json").read_text(encoding="utf-8"))["fill-mask"]["branch"]
    state = {}
    for name, tensor in load_file(folder / "heads.safetensors").items():
        rest = name.removeprefix("heads.fill-mask.")
        if rest.startswith("encoder.layer."):
            _, _, number, tail = rest.split(".", 3)
            state[f"bert.encoder.layer.{branch + int(number)}.{tail}"] = tensor
        else:
            state[f"cls.predictions.{rest}"] = tensor
    model = copy.deepcopy(model)
    assert not model.load_state_dict(state, strict=False).unexpected_keys
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("words", type=Path)
    args = parser.parse_args()
    checkpoint = args.checkpoint
    model, tokenizer, weights = load(checkpoint, torch.float32)
    lines = (GOLDEN / "sentences.txt").read_text(encoding="utf-8").splitlines()
    heads = json.loads((checkpoint / "heads.json").read_text(encoding="utf-8"))

    words = with_words(model, args.words)
    single = fill_mask(words, tokenizer, lines)
    double = fill_mask(words.double(), tokenizer, lines)
    worst = np.abs(single["top_logits"] - double["top_logits"]).max()
    hits = (double["top_ids"][:, 0] == double["true_id"]).mean()
    print(f"{len(lines)} lines, accuracy {hits:.4f}, float32 logits differ by at most {worst:.1e}")
    save_npz(GOLDEN / "default-fill-mask.npz", double)
    save_json(
        GOLDEN / "default-heads.json",
        {
            name: {
                "level": about["level"],
                "labels": about["labels"],
                "cases": head_cases(
                    model.double(), tokenizer, weights, name, about["level"] == "token"
                ),
            }
            for name, about in heads.items()
        },
    )


if __name__ == "__main__":
    main()
