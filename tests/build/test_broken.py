"""A checkpoint that cannot be right gives one clear error, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qingyu.build.pipeline import Options, build
from qingyu.errors import AgreementError, BuildError, CheckpointError

Copy = Callable[[str], Path]
WEIGHTS = "model.safetensors"
FAST = Options(precision="fp32", measure=False)


def refusal(source: Path, options: Options = FAST) -> CheckpointError:
    """The error that building gives, having made sure that it left nothing."""
    out = source.parent / "out"
    with pytest.raises(CheckpointError) as caught:
        build(source, out, options)
    assert [path.name for path in out.parent.iterdir()] == [source.name]
    assert "Traceback" not in str(caught.value)
    assert caught.value.zh != caught.value.en
    return caught.value


def header(path: Path) -> tuple[dict[str, Any], bytes]:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the header of a safetensors file, leaving its data as it is."""
    values, data = header(path)
    change(values)
    text = json.dumps(values).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def reconfigure(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


@pytest.mark.parametrize("kept", [0, 4, 100, 60_000])
def test_a_weight_file_cut_short(checkpoint: Copy, kept: int) -> None:
    """Cut in its header or in its data, the file is named."""
    source = checkpoint("bert-masked-lm")
    path = source / WEIGHTS
    path.write_bytes(path.read_bytes()[:kept])
    assert WEIGHTS in refusal(source).en


@pytest.mark.parametrize(
    "header_bytes",
    [b"\xff" * 8, b"\x00" * 8, (20).to_bytes(8, "little") + b"not JSON at all ....",
     (12).to_bytes(8, "little") + b'{"a":{"b":1}}', (4).to_bytes(8, "little") + b"[1] "],
)  # fmt: skip
def test_a_header_that_is_none(checkpoint: Copy, header_bytes: bytes) -> None:
    """An absurd length, no JSON, or JSON of another kind: the file is named, nothing is read."""
    source = checkpoint("bert-masked-lm")
    path = source / WEIGHTS
    path.write_bytes(header_bytes + path.read_bytes()[len(header_bytes) :])
    assert WEIGHTS in refusal(source).en


def test_offsets_past_the_end(checkpoint: Copy) -> None:
    """A tensor that claims bytes the file has not is named."""
    source = checkpoint("bert-masked-lm")
    name = "bert.embeddings.LayerNorm.bias"

    def change(values: dict[str, Any]) -> None:
        values[name]["data_offsets"] = [10**12, 10**12 + 128]

    rewrite(source / WEIGHTS, change)
    assert name in refusal(source).en


NAME = "bert.encoder.layer.1.output.dense.weight"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop(NAME), "is missing"),
        (lambda tensors: tensors[NAME].update(shape=[64, 32]), "(32, 64)"),
        (lambda tensors: tensors[NAME].update(dtype="I32"), "I32"),
        (lambda tensors: tensors[NAME].update(dtype="BOOL", shape=[128, 64]), "(32, 64)"),
    ],
)
def test_a_tensor_that_does_not_fit(
    checkpoint: Copy, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    """Missing, of another shape or no float: the error names the file and the tensor."""
    source = checkpoint("bert-masked-lm")
    rewrite(source / WEIGHTS, change)
    message = refusal(source).en
    assert NAME in message
    assert WEIGHTS in message
    assert said in message


def test_numbers_that_are_none(checkpoint: Copy) -> None:
    """NaN in a tensor would make every answer NaN: it is refused by name."""
    source = checkpoint("bert-masked-lm")
    path = source / WEIGHTS
    values, _ = header(path)
    start, end = values[NAME]["data_offsets"]
    raw = bytearray(path.read_bytes())
    data = 8 + int.from_bytes(raw[:8], "little")
    raw[data + start : data + end] = np.full((end - start) // 4, np.nan, "<f4").tobytes()
    path.write_bytes(raw)
    assert f"{NAME} in" in refusal(source).en


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", 10**9),
        ("hidden_size", -32),
        ("hidden_size", 33),
        ("num_hidden_layers", 10**6),
        ("num_hidden_layers", 3),
        ("num_attention_heads", 0),
        ("num_attention_heads", 5),
        ("vocab_size", "many"),
        ("vocab_size", 353),
        ("max_position_embeddings", True),
        ("hidden_act", "swiglu"),
        ("layer_norm_eps", "tiny"),
        ("position_embedding_type", "relative_key"),
        ("model_type", "gpt2"),
        ("model_type", 7),
        ("architectures", None),
    ],
)
def test_an_absurd_config(checkpoint: Copy, key: str, value: Any) -> None:
    """A size out of all proportion, or one the tensors contradict, is refused before it costs."""
    source = checkpoint("bert-masked-lm")
    reconfigure(source, **{key: value})
    if key == "architectures":  # said nowhere, and not needed
        build(source, source.parent / "out", FAST)
        return
    message = refusal(source).en
    assert key in message or "embeddings" in message or "encoder.layer.2" in message


def test_id2label_must_fit(checkpoint: Copy) -> None:
    """Labels numbered with a gap, or more of them than the classifier has, are refused."""
    source = checkpoint("bert-nli")
    reconfigure(source, id2label={"0": "a", "2": "b"})
    assert "id2label" in refusal(source).en
    reconfigure(source, id2label={str(i): str(i) for i in range(5)})
    assert "classifier" in refusal(source).en


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"model_type": 1}'])
def test_a_config_that_is_none(checkpoint: Copy, text: str) -> None:
    """config.json must be a JSON object; nesting without end is no exception."""
    source = checkpoint("bert-masked-lm")
    (source / "config.json").write_text(text, "utf-8")
    assert "config.json" in refusal(source).en


def test_a_tokenizer_of_another_model(checkpoint: Copy) -> None:
    """More words than the embeddings have rows would ask for rows that are not there."""
    source = checkpoint("bert-masked-lm")
    other = source.parent / "roberta"
    (source / "tokenizer.json").write_text(
        (Path(__file__).parents[1] / "golden/checkpoints/roberta-masked-lm/tokenizer.json")
        .read_text("utf-8"), "utf-8",
    )  # fmt: skip
    assert not other.exists()
    assert "tokenizer" in refusal(source).en


def test_a_damaged_tokenizer(checkpoint: Copy) -> None:
    """A tokenizer.json that the library cannot read is named, without its traceback."""
    source = checkpoint("bert-masked-lm")
    (source / "tokenizer.json").write_text("{}", "utf-8")
    assert "tokenizer" in refusal(source).en


def test_too_little_agreement_writes_nothing(checkpoint: Copy) -> None:
    """Below the agreement asked for nothing is written, and the message says what to try."""
    source = checkpoint("bert-masked-lm")
    with pytest.raises(AgreementError) as caught:
        build(source, source.parent / "out", Options(min_agreement=1.0, measure=False))
    assert [path.name for path in source.parent.iterdir()] == [source.name]
    assert "fp16" in caught.value.en
    assert "%" in caught.value.zh


def test_samples_that_are_none(checkpoint: Copy, tmp_path: Path) -> None:
    """A calibration file that is missing or no text is refused before anything is written."""
    source = checkpoint("bert-masked-lm")
    for content in (None, b"", b"\xff\xfe\x00", b"one line"):
        path = source / "samples.txt"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(BuildError, match=r"samples\.txt"):
            build(source, tmp_path / "out", Options(calibration=path, measure=False))
    assert not (tmp_path / "out").exists()
