"""Faults of the whole process: killed while it works, a full disk, a bundle damaged under it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from qingyu import bundle
from tests.support.process import Served

SENTENCE = "今天天气真[MASK]啊，适合出去玩。"

pytestmark = pytest.mark.slow


class Service(Served):
    """`qingyu serve` in a process of its own."""

    def __init__(self, stderr: int | IO[bytes], environment: dict[str, str]) -> None:
        super().__init__("--cache", "0", environment=environment, stdout=stderr, stderr=stderr)
        self.client = httpx.Client(base_url=self.address, timeout=60, verify=False)  # noqa: S501

    def fill(self, **body: Any) -> httpx.Response:
        return self.client.post("/v1/fill-mask", json={"text": SENTENCE, **body})


@contextmanager
def service(stderr: int | IO[bytes] = subprocess.DEVNULL, **environment: str) -> Iterator[Service]:
    running = Service(stderr, environment)
    try:
        yield running
    finally:
        running.client.close()
        running.kill()


def test_killed_at_any_moment_it_starts_again() -> None:
    """kill -9 while it loads and while it computes: the bundle is whole, the next start answers."""
    for delay in (0.3, 0.8):
        with service() as running:
            threading.Event().wait(delay)
            running.process.send_signal(signal.SIGKILL)
    with service() as running:
        running.wait()
        threads = [threading.Thread(target=quietly, args=(running,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        running.process.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join()
    bundle.verify(bundle.read_manifest(bundle.find(bundle.DEFAULT)))
    with service() as running:
        running.wait()
        assert running.fill().status_code == 200


def quietly(running: Service) -> None:
    try:
        with httpx.Client(base_url=running.address, timeout=30, verify=False) as client:  # noqa: S501
            client.post("/v1/fill-mask", json={"text": SENTENCE})
    except httpx.TransportError:
        pass


def test_a_second_signal_ends_it_at_once_and_quietly(tmp_path: Path) -> None:
    """SIGTERM twice: it ends without waiting out the notice, and without a traceback."""
    log = tmp_path / "log"
    with log.open("wb") as stderr, service(stderr, QINGYU_DRAIN_NOTICE="60") as running:
        running.wait()
        running.process.terminate()
        while running.ready():
            threading.Event().wait(0.02)
        running.process.terminate()
        assert running.process.wait(20) == 0
    assert "Traceback" not in log.read_text("utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_silences_the_log_and_nothing_else() -> None:
    """Log lines that cannot be written are lost; requests are answered all the same."""
    with Path("/dev/full").open("wb") as full, service(full, QINGYU_LOG_LEVEL="debug") as running:
        running.wait()
        for _ in range(5):
            assert running.fill().status_code == 200
            assert running.fill(top_k=0).status_code == 422


def test_a_bundle_damaged_under_the_service(tmp_path: Path) -> None:
    """A damaged copy is not taken up: the loaded model goes on, a fresh load is refused, and a
    repaired bundle is taken up without a restart."""
    source = bundle.find(bundle.DEFAULT)
    for name in ("good", "other"):
        shutil.copytree(source, tmp_path / name)
    with service(QINGYU_MODELS=str(tmp_path), QINGYU_MODEL="good") as running:
        running.wait()
        before = running.fill().json()["results"]
        for name in ("good", "other"):
            damage(tmp_path / name)
        threading.Event().wait(1.5)  # long enough for the service to have looked
        assert running.fill().json()["results"] == before
        refused = running.fill(model="other")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "bundle_invalid"
        shutil.rmtree(tmp_path / "other")
        shutil.copytree(source, tmp_path / "other")
        assert running.fill(model="other").json()["results"] == before
        assert running.client.get("/health/live").json()["replaced"] == 0


def damage(path: Path) -> None:
    """Other bytes under the same name, and a manifest that looks changed but is not right."""
    weights = path / "encoder.safetensors"
    garbage = tmp_copy(weights)
    garbage.write_bytes(bytes(weights.stat().st_size))
    garbage.replace(weights)
    manifest = json.loads((path / "manifest.json").read_text("utf-8"))
    manifest["source"] = "changed"
    fresh = tmp_copy(path / "manifest.json")
    fresh.write_text(json.dumps(manifest), "utf-8")
    fresh.replace(path / "manifest.json")


def tmp_copy(path: Path) -> Path:
    return path.with_name(path.name + ".new")
