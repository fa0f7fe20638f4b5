"""From a name on ModelScope to zero-shot answers: its own client, against a stand-in of its hub."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from qingyu.build.pipeline import Options, build
from qingyu.bundle import read_manifest
from qingyu.model import load

CHECKPOINT = Path(__file__).parents[1] / "golden" / "checkpoints" / "bert-nli"
NAME = "iic/nlp_structbert_zero-shot-classification_chinese-base"
TASK = "zero-shot-classification"
OTHER_ORDER = {"矛盾": 0, "中立": 1, "蕴含": 2}
TEXT, LABELS = "今天天气真好。", ["天气", "体育"]


class Hub(BaseHTTPRequestHandler):
    """What the client asks of ModelScope, for one repository."""

    files: dict[str, bytes]
    asked: list[str]

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        base = f"/api/v1/models/{NAME}/repo"
        if address.path == f"{base}/files":
            self.reply(json.dumps({"Code": 200, "Success": True, "Data": self.listing()}).encode())
        elif address.path == base and (name := query["FilePath"][0]) in self.files:
            self.asked.append(name)
            self.reply(self.files[name])
        elif address.path.startswith("/api/v1/repos/"):
            self.reply(b'{"Code": 200, "Success": true, "Data": {}}')
        else:
            self.send_error(404)

    def listing(self) -> dict[str, Any]:
        return {
            "Files": [
                {
                    "Name": name,
                    "Path": name,
                    "Type": "blob",
                    "Size": len(data),
                    "Sha256": hashlib.sha256(data).hexdigest(),
                    "Revision": "a" * 40,
                    "CommittedDate": 1,
                    "IsLFS": name.endswith(".safetensors"),
                }
                for name, data in self.files.items()
            ]
        }

    def reply(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def structbert(checkpoint: Callable[[str], Path]) -> dict[str, bytes]:
    """The files of a StructBERT for inference as ModelScope keeps it: its own model_type, no labels
    in config.json, an older tokenizer, and code."""
    folder = checkpoint("bert-nli")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    for key in ("id2label", "label2id", "architectures"):
        config.pop(key, None)
    config["model_type"] = "structbert"
    return {
        "config.json": json.dumps(config).encode(),
        "configuration.json": json.dumps({"framework": "pytorch", "task": TASK}).encode(),
        "model.safetensors": (folder / "model.safetensors").read_bytes(),
        "vocab.txt": (folder / "vocab.txt").read_bytes(),
        "README.md": b"# StructBERT",
        "modeling_evil.py": b"raise SystemExit",
        "tf_model.h5": b"much",
    }


@pytest.fixture
def hub(structbert: dict[str, bytes]) -> Iterator[tuple[type[Hub], str]]:
    """A stand-in of the hub that has this repository, and its address."""
    pytest.importorskip("modelscope")
    handler = type("Handler", (Hub,), {"files": structbert, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def qingyu(address: str, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line whose hub is the stand-in."""
    environment = {
        **os.environ,
        "MODELSCOPE_ENDPOINT": address,
        "MODELSCOPE_DOMAIN": address,  # its name in older clients
        "MODELSCOPE_CACHE": str(cache),
    }
    command = [sys.executable, "-m", "qingyu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_the_whole_road(hub: tuple[type[Hub], str], tmp_path: Path) -> None:
    """Built by name, a StructBERT answers zero-shot as the same weights with named labels do; its
    code is never fetched, and the bundle says where it comes from."""
    handler, address = hub
    out = tmp_path / "structbert"
    source = f"modelscope:{NAME}@v1.0.1"
    options = ["--precision", "fp32", "--no-measure"]
    made = qingyu(address, tmp_path / "cache", "build", source, "--out", str(out), *options)
    assert made.returncode == 0, made.stderr
    assert "ModelScope's order, entailment, neutral, contradiction" in made.stderr
    assert set(handler.asked) == {
        "config.json",
        "configuration.json",
        "model.safetensors",
        "vocab.txt",
    }
    manifest = read_manifest(out)
    assert (manifest.family, manifest.source) == ("bert", source)
    named = Options(
        precision="fp32", measure=False, labels=("entailment", "neutral", "contradiction")
    )
    expected = load(build(CHECKPOINT, tmp_path / "named", named).path)
    asked = ["zero-shot", "-m", str(out), "-l", ",".join(LABELS), TEXT, "--json"]
    answer = json.loads(qingyu(address, tmp_path / "cache", *asked).stdout)
    best = expected.zero_shot(TEXT, LABELS)
    assert answer["labels"] == list(best.labels)
    assert answer["scores"] == pytest.approx(best.scores, abs=1e-6)


@pytest.mark.parametrize(
    "place",
    [
        {"configuration.json": {"task": TASK, "preprocessor": {"label2id": OTHER_ORDER}}},
        {"configuration.json": {"task": TASK, "model": {"label2id": OTHER_ORDER}}},
        {"configuration.json": {"task": TASK}, "label_mapping.json": OTHER_ORDER},
    ],
)
def test_labels_that_are_told_win(
    place: dict[str, Any], structbert: dict[str, bytes], tmp_path: Path
) -> None:
    """Labels in configuration.json or label_mapping.json stand before ModelScope's usual order."""
    (folder := tmp_path / "structbert").mkdir()
    told = {name: json.dumps(value).encode() for name, value in place.items()}
    for name, data in {**structbert, **told}.items():
        (folder / name).write_bytes(data)
    manifest = build(folder, tmp_path / "out", Options(precision="fp32", measure=False)).manifest
    assert manifest.heads["classification"].labels == tuple(OTHER_ORDER)
    assert load(manifest.path).zero_shot(TEXT, LABELS).labels
