"""Reference outputs of the tiny checkpoints, one .npz each.

Usage: python tests/reference/tiny_goldens.py [NAME ...]      (all checkpoints by default)
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import transformers
from goldens import GOLDEN, save_npz
from tiny_recipes import RECIPES
from tiny_texts import PAIRS, TEXTS

CHECKPOINTS = GOLDEN / "checkpoints"
LONG = 512
LONG_POSITIONS = [0, 1, 2, 3, 31, 64, 100, 127, 128, 129, 200, 255, 256, 300, 400, 509, 510, 511]
MASKED = {"short": [3, 5], "pair": [2, -3], "batch": [1], "long": [2, 100, 300, 509]}
STEPS = 6
GENERATE = {"do_sample": False, "max_new_tokens": 20}
BEAMS = 4

Arrays = dict[str, np.ndarray]


def load(
    name: str, dtype: torch.dtype = torch.float64, root: Path = CHECKPOINTS
) -> tuple[Any, Any]:
    """Load a tiny checkpoint with the class its config names, and its tokenizer."""
    folder = root / name
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = getattr(transformers, config["architectures"][0])
    model = kind.from_pretrained(folder, dtype=dtype).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def encoded_cases(tokenizer: Any) -> dict[str, Any]:
    """Encode the four inputs every encoder is asked about."""
    short = tokenizer(TEXTS[0], return_tensors="pt")
    pair = tokenizer(*PAIRS[0], return_tensors="pt")
    batch = tokenizer(
        [TEXTS[3], TEXTS[15], PAIRS[2][0], TEXTS[18]],
        [PAIRS[1][1], PAIRS[3][0], PAIRS[2][1], PAIRS[3][1]],
        padding=True,
        return_tensors="pt",
    )
    long = tokenizer("".join(TEXTS) * 3, truncation=True, max_length=LONG, return_tensors="pt")
    assert long["input_ids"].shape == (1, LONG)
    return {"short": short, "pair": pair, "batch": batch, "long": long}


def inputs_of(encoding: Any) -> Arrays:
    """Return the inputs as they are stored."""
    arrays = {"input_ids": encoding["input_ids"].numpy().astype(np.int32)}
    for key in ("attention_mask", "token_type_ids"):
        if key in encoding:
            arrays[key] = encoding[key].numpy().astype(np.uint8)
    return arrays


def put_masks(encoding: Any, places: list[int], mask_id: int) -> np.ndarray:
    """Mask `places` of every row (negative: from the row's end); return (row, position) pairs."""
    rows = []
    for row, length in enumerate(encoding["attention_mask"].sum(-1).tolist()):
        rows += [(row, place % length) for place in places]
    for row, position in rows:
        encoding["input_ids"][row, position] = mask_id
    return np.array(rows, np.int32)


def positions_of(encoding: Any) -> list[int]:
    """Return the token positions whose hidden states are stored: all, or a sample of long rows."""
    width = encoding["input_ids"].shape[1]
    return LONG_POSITIONS if width == LONG else list(range(width))


def at(values: torch.Tensor, encoding: Any, positions: list[int]) -> np.ndarray:
    """Take token positions of (batch, tokens, n) values, zeros where padded, as float32."""
    real = encoding["attention_mask"][:, positions, None].to(values.dtype)
    return (values[:, positions] * real).numpy().astype(np.float32)


def ask(model: Any, encoding: Any) -> tuple[torch.Tensor, Any]:
    """Run a model over a batch: last hidden states (batch, tokens, hidden), and its own output.

    MobileBERT reads each word's neighbours, and in a padded batch transformers gives the last word
    a [PAD] for one. The truth is what the row answers alone, so its rows are run one by one.
    """
    if model.config.model_type != "mobilebert" or len(encoding["input_ids"]) == 1:
        return model.base_model(**encoding).last_hidden_state, model(**encoding)
    lengths = encoding["attention_mask"].sum(-1).tolist()
    rows = [
        ask(model, {key: value[row : row + 1, :length] for key, value in encoding.items()})
        for row, length in enumerate(lengths)
    ]
    pad = partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)
    logits = pad([output.logits[0] for _, output in rows])
    return pad([hidden[0] for hidden, _ in rows]), SimpleNamespace(logits=logits)


@torch.inference_mode()
def encoder_goldens(model: Any, tokenizer: Any) -> Arrays:
    """Run an encoder and its head over every case; the layout is in tests/golden/README.md."""
    arrays: Arrays = {}
    masked_lm = "MaskedLM" in type(model).__name__
    for case, encoding in encoded_cases(tokenizer).items():
        stored: Arrays = {}
        if masked_lm:
            stored["rows"] = put_masks(encoding, MASKED[case], tokenizer.mask_token_id)
        positions = positions_of(encoding)
        hidden, output = ask(model, encoding)
        stored["positions"] = np.array(positions, np.int32)
        stored["last_hidden_state"] = at(hidden, encoding, positions)
        if masked_lm:
            row, position = stored["rows"].T
            stored["logits"] = output.logits[row, position].numpy().astype(np.float32)
        elif "TokenClassification" in type(model).__name__:
            stored["logits"] = at(output.logits, encoding, positions)
        elif "SequenceClassification" in type(model).__name__:
            stored["logits"] = output.logits.numpy().astype(np.float32)
        else:
            stored["pooler_output"] = output.pooler_output.numpy().astype(np.float32)
        stored = inputs_of(encoding) | stored
        arrays |= {f"{case}.{key}": value for key, value in stored.items()}
    return arrays


@torch.inference_mode()
def generator_goldens(model: Any, tokenizer: Any) -> Arrays:
    """Run a T5: encoder, the first decoder steps, greedy and beam search."""
    texts = {
        "short": [TEXTS[0]],
        "sentinels": ["今天 <extra_id_0> 真好，适合 <extra_id_1> 玩。"],
        "batch": [TEXTS[3], TEXTS[15], TEXTS[9], TEXTS[18]],
    }
    encodings = {
        case: tokenizer(batch, padding=True, return_tensors="pt") for case, batch in texts.items()
    }
    encodings["long"] = tokenizer(
        ["".join(TEXTS) * 3], truncation=True, max_length=LONG, return_tensors="pt"
    )
    arrays: Arrays = {}
    for case, encoding in encodings.items():
        positions = positions_of(encoding)
        hidden = model.encoder(**encoding).last_hidden_state
        greedy = model.generate(**encoding, **GENERATE)
        beams = model.generate(
            **encoding,
            **GENERATE,
            num_beams=BEAMS,
            num_return_sequences=BEAMS,
            return_dict_in_generate=True,
            output_scores=True,
        )
        batch = len(greedy)
        sequences = beams.sequences
        ended = (sequences == model.config.eos_token_id).cumsum(-1) > 1
        sequences[ended] = model.config.pad_token_id  # transformers fills these up with the end
        decoder_input_ids = greedy[:, :STEPS]
        logits = model(**encoding, decoder_input_ids=decoder_input_ids).logits
        stored = inputs_of(encoding) | {
            "positions": np.array(positions, np.int32),
            "last_hidden_state": at(hidden, encoding, positions),
            "decoder_input_ids": decoder_input_ids.numpy().astype(np.int32),
            "logits": logits.numpy().astype(np.float32),
            "greedy_ids": greedy.numpy().astype(np.int32),
            "beam_ids": sequences.numpy().astype(np.int32).reshape(batch, BEAMS, -1),
            "beam_scores": beams.sequences_scores.numpy().astype(np.float32).reshape(batch, BEAMS),
        }
        arrays |= {f"{case}.{key}": value for key, value in stored.items()}
    return arrays


def goldens_of(name: str, dtype: torch.dtype = torch.float64) -> Arrays:
    """Return every array of one checkpoint's golden file, computed in `dtype`."""
    model, tokenizer = load(name, dtype)
    make = generator_goldens if model.config.is_encoder_decoder else encoder_goldens
    return make(model, tokenizer)


def distance(name: str, stored: Arrays, made: Arrays) -> float:
    """Return the largest difference of float arrays; integers must be the same."""
    assert stored.keys() == made.keys(), name
    worst = 0.0
    for key, value in stored.items():
        if value.dtype == np.float32:
            worst = max(worst, float(np.abs(value - made[key]).max()))
        else:
            np.testing.assert_array_equal(value, made[key], f"{name} {key}")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(RECIPES))
    for name in parser.parse_args().names:
        arrays = goldens_of(name)
        worst = distance(name, arrays, goldens_of(name, torch.float32))
        save_npz(Path(GOLDEN / f"{name}.npz"), arrays)
        print(f"  float32 differs by at most {worst:.1e}")


if __name__ == "__main__":
    main()
