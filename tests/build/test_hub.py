"""Names on a hub, against stand-ins on this machine: no test reaches further."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qingyu.build.pipeline import Options, build
from qingyu.build.sources import hub
from qingyu.errors import BuildError, CheckpointError

CHECKPOINT = Path(__file__).parents[1] / "golden" / "checkpoints" / "bert-masked-lm"
FAST = Options(precision="fp32", measure=False)
COMMIT = "a" * 40


class StandIn(BaseHTTPRequestHandler):
    """What huggingface_hub asks of a mirror, for one repository: owner/name."""

    files: dict[str, bytes]
    sums: dict[str, str]
    asked: list[str]

    def log_message(self, *_: Any) -> None:
        return

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        if body:
            self.asked.append(path)
        if path.startswith("/api/models/owner/name"):
            tree = f"/api/models/owner/name/tree/{COMMIT}"
            found = json.dumps(self.tree() if path == tree else self.describe()).encode()
            self.reply(found, {"Content-Type": "application/json"}, body)
            return
        name = path.removeprefix(f"/owner/name/resolve/{COMMIT}/")
        if name not in self.files:
            self.send_error(404)
            return
        digest = hashlib.sha256(self.files[name]).hexdigest()
        self.reply(self.files[name], {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT}, body)

    def describe(self) -> dict[str, Any]:
        siblings = []
        for name, data in self.files.items():
            entry: dict[str, Any] = {"rfilename": name, "size": len(data)}
            if name in self.sums:
                size = len(data)
                entry["lfs"] = {"sha256": self.sums[name], "size": size, "pointerSize": 100}
            siblings.append(entry)
        return {"id": "owner/name", "modelId": "owner/name", "sha": COMMIT, "siblings": siblings}

    def tree(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
            for name, data in self.files.items()
        ]

    def reply(self, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(200)
        for key, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[StandIn]]:
    """A mirror on this machine, named by HF_ENDPOINT, and an empty cache."""
    pytest.importorskip("huggingface_hub")
    files = {path.name: path.read_bytes() for path in CHECKPOINT.iterdir()}
    weights = hashlib.sha256(files["model.safetensors"]).hexdigest()
    files["modeling_evil.py"] = b"raise SystemExit"
    handler = type(
        "Handler",
        (StandIn,),
        {"files": files, "sums": {"model.safetensors": weights}, "asked": []},
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "cache")
    )
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_from_a_mirror(mirror: type[StandIn], tmp_path: Path) -> None:
    """The bundle of the hub's checkpoint is the local one's; its code is never even fetched, and
    a second build takes nothing but the listing.
    """
    local = build(CHECKPOINT, tmp_path / "local", FAST)
    remote = build("hf:owner/name", tmp_path / "remote", FAST)
    assert remote.manifest.files == local.manifest.files
    assert not any("evil" in path for path in mirror.asked)
    mirror.asked.clear()
    build("hf:owner/name@main", tmp_path / "again", FAST)
    assert not any("safetensors" in path for path in mirror.asked)


def test_a_wrong_checksum(mirror: type[StandIn], tmp_path: Path) -> None:
    """A file that is not what the hub says is refused by name, and nothing is built."""
    mirror.sums["model.safetensors"] = "0" * 64
    with pytest.raises(CheckpointError, match="SHA-256"):
        build("hf:owner/name", tmp_path / "out", FAST)
    assert not (tmp_path / "out").exists()


def test_a_name_that_is_not_there(mirror: type[StandIn], tmp_path: Path) -> None:
    """The error names the source and the ways out, in one line each."""
    with pytest.raises(BuildError, match="HF_ENDPOINT") as caught:
        build("hf:owner/other", tmp_path / "out", FAST)
    assert "\n" not in caught.value.en
    assert mirror.asked


def test_modelscope(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The client is told the name, the revision and which files, and no code is among them."""
    told: dict[str, Any] = {}

    def snapshot_download(name: str, **options: Any) -> str:
        told.update(options, name=name)
        return str(CHECKPOINT)

    stand_in = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "modelscope", stand_in)  # type: ignore[arg-type]
    build("modelscope:owner/name@v1.0", tmp_path / "out", FAST)
    assert (told["name"], told["revision"]) == ("owner/name", "v1.0")
    assert not any(pattern.endswith(".py") for pattern in told["allow_file_pattern"])


def test_without_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says which package to install."""
    monkeypatch.setitem(sys.modules, "modelscope", None)
    with pytest.raises(BuildError, match="pip install modelscope"):
        build("modelscope:owner/name", tmp_path / "out", FAST)


@pytest.mark.parametrize("name", ["hf:name", "hf:", "modelscope:a/b/c", "hf:../../etc"])
def test_names_that_are_none(name: str) -> None:
    """What begins like a hub's name must be one."""
    with pytest.raises(BuildError, match="owner/name"):
        hub.fetch(name)


def test_a_path_is_no_name() -> None:
    """Everything else is a path, a colon in it or not."""
    assert hub.fetch("some/folder") is None
    assert hub.fetch("C:/folder") is None
