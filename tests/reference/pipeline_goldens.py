"""Reference answers of transformers' pipelines and tokenizers on the tiny checkpoints.

Usage: python tests/reference/pipeline_goldens.py
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
import transformers
from goldens import GOLDEN, rounded, save_json
from pipeline_cases import EMBED, GENERATE, Case, all_cases
from tiny_goldens import load
from tiny_texts import PAIRS, TEXTS, UNKNOWN

TOKENIZED = [
    "bert-masked-lm",
    "bert-ner",
    "distilbert-sentiment",
    "roberta-masked-lm",
    "xlm-roberta-masked-lm",
    "t5-tied",
    "mt5-untied",
]
# Nothing, spaces, full-width Latin, accents, zero-width and right-to-left characters.
ODD = [UNKNOWN, "", " ", "  两个  空格 ", "ＡＢＣ，ｔｅｓｔ！全角　空格", "ÀÉÎõü"]
ODD += ["天\u200b气\u202e好"]

loaded = cache(load)


def with_mask(inputs: Any, tokenizer: Any) -> Any:
    """Put the tokenizer's mask in place of `{mask}`."""
    if isinstance(inputs, list):
        return [with_mask(item, tokenizer) for item in inputs]
    if isinstance(inputs, str) and tokenizer.mask_token:
        return inputs.replace("{mask}", tokenizer.mask_token)
    return inputs


def plain(value: Any) -> Any:
    """Turn a pipeline's answer into JSON values."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 7)
    return value.item() if isinstance(value, np.integer) else value


def embed(model: Any, tokenizer: Any, texts: list[str]) -> list[list[float]]:
    """Average the last hidden state over every real token, then scale to unit length."""
    rows = []
    for text in texts:
        encoding = tokenizer(text, return_tensors="pt")
        mean = model.base_model(**encoding).last_hidden_state[0].mean(0)
        rows.append(rounded(mean / mean.norm(), 7))
    return rows


def generate(
    model: Any, tokenizer: Any, text: str, parameters: dict[str, Any]
) -> list[dict[str, Any]]:
    """Generate, and decode with and without special tokens."""
    encoding = tokenizer(text, return_tensors="pt")
    sequences = model.generate(**encoding, do_sample=False, **parameters)
    answers = []
    for ids in sequences.tolist():
        generated = ids[1:]
        if model.config.eos_token_id in generated:
            generated = generated[: generated.index(model.config.eos_token_id) + 1]
        answers.append(
            {
                "generated_text": tokenizer.decode(generated, skip_special_tokens=True),
                "raw_text": tokenizer.decode(generated, skip_special_tokens=False),
                "token_ids": generated,
            }
        )
    return answers


@torch.inference_mode()
def answer(case: Case, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Ask one case; the record is described in tests/golden/README.md."""
    model, tokenizer = loaded(case.checkpoint, dtype)
    inputs = with_mask(case.inputs, tokenizer)
    if case.task == EMBED:
        outputs: Any = embed(model, tokenizer, inputs)
    elif case.task == GENERATE:
        outputs = generate(model, tokenizer, inputs, case.parameters)
    else:
        ask = transformers.pipeline(case.task, model=model, tokenizer=tokenizer)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Tokenizer does not support real words"
            outputs = ask(inputs, **case.parameters)
    record = case._replace(inputs=inputs)._asdict()
    return record | {"outputs": plain(outputs)}


def tokenised(name: str) -> list[dict[str, Any]]:
    """Tokenise every text and pair; offsets are code points of the text they come from."""
    _, tokenizer = loaded(name, torch.float64)
    items: list[tuple[str, ...]] = [(text,) for text in [*TEXTS, *ODD]]
    cases = []
    for item in [*items, *PAIRS]:
        encoding = tokenizer(*item, return_offsets_mapping=True)
        case = dict(zip(("text", "text_pair"), item, strict=False))
        case |= {"input_ids": encoding["input_ids"], "offsets": encoding["offset_mapping"]}
        if "token_type_ids" in encoding:
            case["token_type_ids"] = encoding["token_type_ids"]
        cases.append(plain(case))
    return cases


def distance(one: Any, other: Any) -> float:
    """Return the largest difference of two answers' floats; all else must be the same."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other)
    if isinstance(one, dict):
        assert one.keys() == other.keys(), (one, other)
        return max((distance(one[key], other[key]) for key in one), default=0.0)
    if isinstance(one, list):
        assert len(one) == len(other), (one, other)
        return max((distance(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    assert one == other, (one, other)
    return 0.0


def main() -> None:
    cases = all_cases()
    answers = [answer(case) for case in cases]
    worst = max(
        distance(record, answer(case, torch.float32))
        for record, case in zip(answers, cases, strict=True)
    )
    print(f"{len(cases)} cases, float32 differs by at most {worst:.1e}")
    about = {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}
    save_json(GOLDEN / "pipelines.json", about | {"cases": answers})
    save_json(GOLDEN / "tokenizers.json", {name: tokenised(name) for name in TOKENIZED})


if __name__ == "__main__":
    main()
