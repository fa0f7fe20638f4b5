"""No field of a request becomes a path: files outside a job's own folder stay as they are."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qingyu.settings import Settings
from tests.support.serving import Running, serving, write_bundle

KEYS = "owner:" + "0" * 64 + "\n"
FIELDS = {
    "output": "/../../../victim/keys.txt",
    "name": "/../../../victim/keys.txt",
    "model": "../victim",
    "task": "../victim/keys.txt",
    "column": "../../victim/keys.txt",
}


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that the service may write and no client should."""
    keys = tmp_path / "victim" / "keys.txt"
    keys.parent.mkdir()
    keys.write_text(KEYS)
    return keys


@pytest.fixture
def service(tmp_path: Path, victim: Path) -> Iterator[Running]:
    folder = tmp_path / "models"
    write_bundle(folder)
    chosen = Settings(port=0, model="fake", models=folder, jobs=tmp_path / "jobs")
    with serving(chosen) as running:
        yield running


def everything(folder: Path) -> set[Path]:
    return {one for one in folder.rglob("*") if "jobs" not in one.parts}


@pytest.mark.parametrize("field", FIELDS)
def test_fields_reach_no_other_file(
    service: Running, victim: Path, tmp_path: Path, field: str
) -> None:
    """A job with a path in any field is refused or runs in its own folder; nothing else changes."""
    before = everything(tmp_path)
    body: dict[str, Any] = {"task": "fill-mask", "name": "a.txt", field: FIELDS[field]}
    with service.client() as client:
        answer = client.post("/v1/jobs", json=body)
        if answer.status_code == 201:
            job = answer.json()["id"]
            client.put(f"/v1/jobs/{job}/input", content="今天[MASK]好\n".encode())
            _ended(client, job)
        else:
            assert answer.status_code in {404, 422}
    assert victim.read_text() == KEYS
    assert everything(tmp_path) == before


def test_a_slow_upload_does_not_replace_a_running_jobs_input(service: Running) -> None:
    """Two uploads to one job, with one request id: the first that is whole is answered."""
    text = "今天[MASK]好\n".encode()
    with service.client() as client:
        job = client.post("/v1/jobs", json={"task": "fill-mask", "name": "a.txt"}).json()["id"]
        with socket.create_connection((client.base_url.host, client.base_url.port)) as slow:
            slow.sendall(
                f"PUT /v1/jobs/{job}/input HTTP/1.1\r\nHost: {client.base_url.netloc.decode()}\r\n"
                f"X-Request-ID: same\r\nContent-Length: {len(text) * 2}\r\n\r\n".encode()
                + text
            )
            sent = client.put(
                f"/v1/jobs/{job}/input", content=text, headers={"x-request-id": "same"}
            )
            assert sent.status_code == 200
            assert _ended(client, job)["state"] == "done"
            slow.sendall("昨天[MASK]好\n".encode())
            assert slow.recv(4096).startswith(b"HTTP/1.1 409")
        answer = client.get(f"/v1/jobs/{job}/output")
        assert answer.status_code == 200
        assert answer.text.startswith("今天好好")


def _ended(client: httpx.Client, job: str) -> Any:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = client.get(f"/v1/jobs/{job}").json()
        if found["state"] in {"done", "failed"}:
            return found
        time.sleep(0.01)
    raise AssertionError(found)
