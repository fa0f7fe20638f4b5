"""/v1/jobs over a real socket: files in, answers out, paused, cancelled, restarted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qingyu.settings import Settings
from qingyu.web.edge.security import hash_key
from tests.support.serving import Running, serving, write_bundle

CSV = "题,n\n今天真[MASK]啊,1\n没有空,2\n他很[MASK]。,3\n".encode()


def settings(tmp_path: Path, **changes: Any) -> Settings:
    folder = tmp_path / "models"
    write_bundle(folder)
    values = {"port": 0, "model": "fake", "models": folder, "jobs": tmp_path / "jobs"}
    return Settings(**{**values, **changes})


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with serving(settings(tmp_path)) as running:
        yield running


def create(client: httpx.Client, **changes: Any) -> Any:
    body = {"task": "fill-mask", "name": "题.csv", "column": "题", **changes}
    return client.post("/v1/jobs", json=body)


def sent(client: httpx.Client, data: bytes = CSV, **changes: Any) -> str:
    job: str = create(client, **changes).raise_for_status().json()["id"]
    client.put(f"/v1/jobs/{job}/input", content=data).raise_for_status()
    return job


def wait(client: httpx.Client, job: str, *states: str) -> Any:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = client.get(f"/v1/jobs/{job}").json()
        if found["state"] in states:
            return found
        time.sleep(0.01)
    raise AssertionError(found)


def test_a_file_is_answered(service: Running) -> None:
    """Sent, worked on, fetched: the answers beside the columns, the bad row aside, and removed."""
    with service.client() as client:
        job = sent(client, options={"top_k": 2})
        done = wait(client, job, "done", "failed")
        assert (done["state"], done["rows"], done["failed"], done["progress"]) == ("done", 3, 1, 1)
        answer = client.get(f"/v1/jobs/{job}/output")
        rows = answer.content.decode("utf-8-sig").splitlines()
        assert rows[0] == "题,n,filled,candidates"
        assert rows[1] == "今天真[MASK]啊,1,今天真好啊,好 0.500000; 好 0.500000"
        assert len(rows) == 3
        assert "filename" in answer.headers["content-disposition"]
        bad = client.get(f"/v1/jobs/{job}/errors").json()
        assert (bad["line"], bad["code"]) == (3, "no_mask")
        assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [job]
        assert client.delete(f"/v1/jobs/{job}").status_code == 204
        assert client.get(f"/v1/jobs/{job}").status_code == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"task": "nonsense"}, "invalid_input"),
        ({"name": "x.doc"}, "file_invalid"),
        ({"output": "exe"}, "file_invalid"),
        ({"options": {"top_k": 0}}, "invalid_request"),
        ({"options": {"nonsense": 1}}, "invalid_request"),
        ({"options": {"text": "x"}}, "invalid_input"),
        ({"task": "zero-shot-classification"}, "invalid_request"),
        ({"model": "none"}, "model_not_found"),
        ({"extra": 1}, "invalid_request"),
    ],
)
def test_mistakes_are_told_at_once(service: Running, changes: dict[str, Any], code: str) -> None:
    """What could not work is refused before a file is sent."""
    with service.client() as client:
        answer = create(client, **changes)
        assert answer.status_code in {404, 422}
        assert answer.json()["error"]["code"] == code


def test_a_file_that_cannot_be_read_fails_with_its_reason(service: Running) -> None:
    """The job says why; nothing is to be fetched."""
    with service.client() as client:
        job = sent(client, b"\xff\xff\xff\n")
        failed = wait(client, job, "failed", "done")
        assert failed["error"]["code"] == "file_invalid"
        assert "no encoding" in failed["error"]["message_en"]
        assert client.get(f"/v1/jobs/{job}/output").json()["error"]["code"] == "job_state"


def test_pause_resume_cancel(service: Running) -> None:
    """A paused job stands still and goes on; a cancelled one ends; each only when it can."""
    with service.client() as client:
        service.model.gate.clear()
        job = sent(client, "题\n".encode() + "今天[MASK]好\n".encode() * 3)
        wait(client, job, "running")
        assert client.post(f"/v1/jobs/{job}/pause").json()["state"] == "paused"
        service.model.gate.set()
        assert client.post(f"/v1/jobs/{job}/pause").status_code == 409
        assert client.post(f"/v1/jobs/{job}/resume").json()["state"] in {"queued", "running"}
        assert wait(client, job, "done")["rows"] == 3
        service.model.gate.clear()
        other = sent(client, "题\n昨天[MASK]好\n".encode())
        wait(client, other, "running")
        assert client.delete(f"/v1/jobs/{other}").status_code == 409
        assert client.post(f"/v1/jobs/{other}/cancel").json()["state"] == "cancelled"
        service.model.gate.set()
        assert client.delete(f"/v1/jobs/{other}").status_code == 204


def test_a_job_outlives_its_service(tmp_path: Path) -> None:
    """What was under way when the service ended is done by the next one."""
    chosen = settings(tmp_path, drain=1, cache=0)
    with serving(chosen) as first, first.client() as client:
        first.model.gate.clear()
        job = sent(client)
        wait(client, job, "running")
        first.model.gate.set()
    with serving(chosen) as second, second.client() as client:
        assert wait(client, job, "done")["rows"] == 3


def test_limits_and_owners(tmp_path: Path) -> None:
    """Files have a largest size, keys a number of jobs, and no key sees another's."""
    chosen = settings(
        tmp_path,
        max_upload=100,
        max_jobs=2,
        api_keys=f"one:{hash_key('1')},two:{hash_key('2')}",
    )
    with serving(chosen) as running, running.client() as client:
        mine, theirs = ({"authorization": f"Bearer {key}"} for key in "12")
        client.headers.update(mine)
        job = create(client).json()["id"]
        create(client).raise_for_status()
        assert create(client).json()["error"]["code"] == "too_many_jobs"
        large = client.put(f"/v1/jobs/{job}/input", content=b"x" * 101)
        assert large.json()["error"]["code"] == "body_too_large"
        assert client.get(f"/v1/jobs/{job}").json()["state"] == "uploading"
        assert client.get(f"/v1/jobs/{job}", headers=theirs).status_code == 404
        assert client.get("/v1/jobs", headers=theirs).json() == {
            "jobs": [],
            "next": None,
            "enabled": True,
        }


def test_without_a_folder_there_are_no_jobs(tmp_path: Path) -> None:
    """A service that was given none says so."""
    with serving(settings(tmp_path, jobs=None)) as running, running.client() as client:
        assert client.get("/v1/jobs").json() == {"jobs": [], "next": None, "enabled": False}
        assert create(client).json()["error"]["code"] == "jobs_disabled"
