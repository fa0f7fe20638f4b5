"""An ONNX file somebody else made is adopted as it answers, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import qingyu
from qingyu.build.pipeline import Options, build
from qingyu.engine.network import Network
from qingyu.errors import CheckpointError
from qingyu.query import Query
from tests.support.foreign import WIDTH, WORDS, make

FAST = Options(measure=False)


def truth(ids: np.ndarray[Any, Any], outputs: int = WORDS, rank: int = 3) -> np.ndarray[Any, Any]:
    draw = np.random.default_rng(7)
    table = draw.standard_normal((WORDS, WIDTH)).astype(np.float32)
    matrix = draw.standard_normal((WIDTH, outputs)).astype(np.float32)
    rows = table[ids]
    mean = rows.mean(axis=0, keepdims=True)
    return (rows + mean if rank == 3 else mean) @ matrix


def queries(head: str) -> list[Query]:
    """Texts of unlike lengths, asked at some places."""
    found = []
    for length, asked in ((5, [0, 3]), (9, [8]), (2, [1, 0])):
        ids = np.arange(length) * 7 % WORDS
        found.append(Query(ids, np.zeros_like(ids), np.array(asked), head))
    return found


def test_it_answers_as_before(tmp_path: Path) -> None:
    """Texts of unlike lengths in one batch: each the answers that the file alone would give."""
    built = build(make(tmp_path / "foreign"), tmp_path / "out", FAST)
    assert built.manifest.heads["fill-mask"].kind == "masked-lm"
    asked = queries("fill-mask")
    for query, answer in zip(asked, Network(built.manifest).run(asked), strict=True):
        np.testing.assert_allclose(
            answer, truth(query.input_ids)[query.positions], atol=1e-4, rtol=1e-4
        )
    result = qingyu.load(built.path).fill_mask("今天[MASK]气真好")
    assert len(result.masks[0].candidates) == 5


def test_a_classifier(tmp_path: Path) -> None:
    """One row a text; labels from config.json, whose number must be right."""
    folder = make(tmp_path / "foreign", 3, 2)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["id2label"] = {"0": "好", "1": "坏"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(CheckpointError, match="3 outputs"):
        build(folder / "model.onnx", tmp_path / "out", FAST)
    config["id2label"]["2"] = "平"
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    built = build(folder / "model.onnx", tmp_path / "out", FAST)
    asked = [
        Query(q.input_ids, q.token_type_ids, np.array([0]), "classification") for q in queries("")
    ]
    for query, answer in zip(asked, Network(built.manifest).run(asked), strict=True):
        np.testing.assert_allclose(answer, truth(query.input_ids, 3, 2), atol=1e-4)


def point(model: onnx.ModelProto, **entries: str) -> None:
    """Let the first tensor lie in another file."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)


def test_external_data_beside_it(tmp_path: Path) -> None:
    """Weights in a file of the same folder are taken over."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    table = np.random.default_rng(7).standard_normal((WORDS, WIDTH)).astype(np.float32)
    (folder / "weights.data").write_bytes(b"\0" * 64 + table.tobytes())
    make(folder, change=lambda m: point(m, location="weights.data", offset="64"))
    built = build(folder, tmp_path / "out", FAST)
    (query,) = queries("fill-mask")[:1]
    (answer,) = Network(built.manifest).run([query])
    np.testing.assert_allclose(answer, truth(query.input_ids)[query.positions], atol=1e-4)


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "../secret"},
        {"location": "/etc/passwd"},
        {"location": "link"},
        {"location": "sub/../../secret"},
        {"location": ""},
        {},
        {"location": "missing"},
        {"location": "short"},
        {"location": "short", "offset": "-5"},
        {"location": "short", "offset": "2", "length": "99999999"},
        {"location": "short", "offset": "x"},
    ],
)
def test_hostile_external_data(tmp_path: Path, entries: dict[str, str]) -> None:
    """Outside the folder, by a link, missing or past the end: refused by tensor, nothing left."""
    (tmp_path / "secret").write_bytes(b"x" * 100_000)
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "short").write_bytes(b"abc")
    make(folder, change=lambda model: point(model, **entries))
    with pytest.raises(CheckpointError):
        build(folder, tmp_path / "out", FAST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign", "secret"]


def _nested(model: onnx.ModelProto) -> None:
    tensor = TensorProto(name="hidden_one", data_type=TensorProto.FLOAT, dims=[1])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def _rename(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[1] = "tokens"


def _fix(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 128


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_nested, "outside"),
        (_rename, "input_ids"),
        (_fix, "dynamic"),
        (lambda m: m.opset_import.append(helper.make_opsetid("evil", 1)), "evil"),
        (lambda m: setattr(m.opset_import[0], "version", 11), "opset"),
        (lambda m: setattr(m.graph.output[0], "name", "score"), "logits"),
        (lambda m: setattr(m.graph.node[0], "op_type", "Nonsense"), "does not run"),
    ],
)
def test_what_is_not_as_expected(
    tmp_path: Path, change: Callable[[onnx.ModelProto], Any], said: str
) -> None:
    """Other inputs, outputs, operators or versions are refused, and the message says which."""
    folder = make(tmp_path / "foreign", change=change)
    with pytest.raises(CheckpointError, match=said):
        build(folder, tmp_path / "out", FAST)
    assert [path.name for path in tmp_path.iterdir()] == ["foreign"]


@pytest.mark.parametrize("content", [b"", b"\x08", b"no protobuf at all" * 10])
def test_no_onnx_at_all(tmp_path: Path, content: bytes) -> None:
    """Anything else under that name is refused."""
    folder = make(tmp_path / "foreign")
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.onnx"):
        build(folder, tmp_path / "out", FAST)
