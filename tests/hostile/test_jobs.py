"""Jobs that only read, or read what ends their process: they stop when they are told to, and nobody
else waits for them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from qingyu.jobs.apart import Apart, Asked, Done, Event, FailedError, Order
from qingyu.jobs.errors import BusyError
from qingyu.jobs.lock import Lock
from qingyu.jobs.runner import Progress
from qingyu.settings import Settings
from qingyu.web.edge.security import hash_key
from tests.support.serving import Running, serving, write_bundle

from .harness import Service, withstood
from .job_files import END, HEAD, cells, only_read, repeated, workbook

ENDLESS = repeated(b"[1]\n", 40)  # ten million bad rows in 40 KB
SECONDS = 60  # generous


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    write_bundle(tmp_path / "models")
    chosen = Settings(
        port=0, model="fake", models=tmp_path / "models", jobs=tmp_path / "jobs", max_kept_jobs=20
    )
    with serving(chosen) as running:
        yield running


def sent(client: httpx.Client, data: bytes, name: str, **more: Any) -> str:
    body = {"task": "fill-mask", "name": name, **more}
    job: str = client.post("/v1/jobs", json=body).raise_for_status().json()["id"]
    client.put(f"/v1/jobs/{job}/input", content=data).raise_for_status()
    return job


def wait(client: httpx.Client, job: str, wanted: Callable[[Any], bool]) -> Any:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = client.get(f"/v1/jobs/{job}").json()
        if wanted(found):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def over(job: Any) -> bool:
    return job["state"] in {"done", "failed", "cancelled"}


def begun(job: Any) -> bool:
    return bool(job["rows"])


def test_a_job_that_only_reads_stops(service: Running) -> None:
    """Paused, resumed from where it stood, and cancelled in the midst of its bad rows; the job
    behind it is done, and a cancelled job leaves no file."""
    with service.client() as client:
        job = sent(client, ENDLESS, "a.jsonl.gz")
        behind = sent(client, "今天[MASK]好\n".encode(), "a.txt")
        wait(client, job, begun)
        assert client.post(f"/v1/jobs/{job}/pause").json()["state"] == "paused"
        assert wait(client, behind, over)["state"] == "done"
        stood = client.get(f"/v1/jobs/{job}").json()["rows"]
        client.post(f"/v1/jobs/{job}/resume").raise_for_status()
        wait(client, job, lambda found: found["rows"] > stood)
        assert client.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
        last = sent(client, "今天[MASK]好\n".encode(), "a.txt")
        assert wait(client, last, over)["state"] == "done"
        folder = service.app.state.jobs.store.files.of(job)
        assert not (folder.exists() and any(folder.iterdir()))


def test_a_service_ends_in_the_midst_of_reading(tmp_path: Path) -> None:
    """SIGTERM does not wait for a file; the job is there after the next start."""
    write_bundle(tmp_path / "models")
    chosen = Settings(
        port=0, model="fake", models=tmp_path / "models", jobs=tmp_path / "jobs", drain=1
    )
    with serving(chosen) as first, first.client() as client:
        job = sent(client, ENDLESS, "a.jsonl.gz")
        wait(client, job, begun)
        began = time.monotonic()
    assert time.monotonic() - began < SECONDS / 2
    with serving(chosen) as second, second.client() as client:
        assert client.get(f"/v1/jobs/{job}").json()["state"] in {"queued", "running"}
        client.post(f"/v1/jobs/{job}/cancel").raise_for_status()


def test_errors_name_the_file_as_its_owner_does(service: Running) -> None:
    """What fails a job tells the client's own name of the file and no path of the server."""
    with service.client() as client:
        for name, data in {"坏.csv": b"", "坏.xlsx": b"x", "坏.jsonl.gz": b"x"}.items():
            found = wait(client, sent(client, data, name), over)
            assert found["state"] == "failed", name
            assert name in found["error"]["message_en"]
            assert "/" not in found["error"]["message_en"]
        bad = sent(client, b'{"text": 1, "n": [\n', "坏.jsonl")
        wait(client, bad, over)
        assert client.get(f"/v1/jobs/{bad}/errors").json()["file"] == "坏.jsonl"


def test_files_that_are_gone(service: Running) -> None:
    """A result that somebody removed from the disk is 404, not 500."""
    with service.client() as client:
        job = sent(client, "今天[MASK]好\n".encode(), "a.txt")
        wait(client, job, over)
        service.app.state.jobs.store.files.remove(job)
        for what in ("output", "errors"):
            answer = client.get(f"/v1/jobs/{job}/{what}")
            assert answer.status_code == 404
            assert answer.json()["error"]["code"] == "job_files_missing"


def test_the_bytes_of_a_key_are_bounded(tmp_path: Path) -> None:
    """Uploads, and what jobs write, stop at the limit; deleting makes room."""
    write_bundle(tmp_path / "models")
    chosen = Settings(
        port=0, model="fake", models=tmp_path / "models", jobs=tmp_path / "jobs",
        max_job_bytes=1 << 20,
    )  # fmt: skip
    with serving(chosen) as running, running.client() as client:
        job = sent(client, ENDLESS, "a.jsonl.gz")
        found = wait(client, job, over)
        assert (found["state"], found["error"]["code"]) == ("failed", "too_many_bytes")
        other = client.post("/v1/jobs", json={"task": "fill-mask", "name": "a.txt"}).json()["id"]
        refused = client.put(f"/v1/jobs/{other}/input", content=b"x")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_bytes")
        client.delete(f"/v1/jobs/{job}").raise_for_status()
        client.put(f"/v1/jobs/{other}/input", content=b"x").raise_for_status()


def test_jobs_are_charged_to_their_key(tmp_path: Path) -> None:
    """What a job computes is taken from its key's tokens: its requests wait, and the job of a key
    that has some goes first."""
    write_bundle(tmp_path / "models")
    chosen = Settings(
        port=0, model="fake", models=tmp_path / "models", jobs=tmp_path / "jobs",
        api_keys=f"one:{hash_key('1')},two:{hash_key('2')}", key_tokens_per_minute=60,
    )  # fmt: skip
    with serving(chosen) as running, running.client() as client:
        client.headers["authorization"] = "Bearer 1"
        text = "".join(f"第{n}天[MASK]好，一百个字符的一行，" * 5 + "\n" for n in range(40))
        spent = sent(client, text.encode(), "a.txt")
        end = time.monotonic() + SECONDS
        while running.state.keys.wait("one") < 60:
            assert time.monotonic() < end
            time.sleep(0.02)
        refused = client.post("/v1/fill-mask", json={"text": "今天[MASK]好"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
        assert client.get(f"/v1/jobs/{spent}").status_code == 200  # to look costs nothing
        client.headers["authorization"] = "Bearer 2"
        other = sent(client, "今天[MASK]好\n".encode(), "a.txt")
        store = running.app.state.jobs.store
        while store.get(other).state != "done":
            assert time.monotonic() < end
            time.sleep(0.02)
        assert store.get(spent).state in {"queued", "running"}


def test_a_bad_folder_is_told_at_the_start(tmp_path: Path) -> None:
    """`qingyu serve` with a folder that is none: one error, no traceback."""
    (tmp_path / "jobs").write_text("x")
    told = subprocess.run(
        [sys.executable, "-m", "qingyu", "serve", "--port", "0", "--jobs", str(tmp_path / "jobs")],
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert told.returncode != 0
    assert "folder or database of jobs" in told.stderr
    assert "Traceback" not in told.stderr


# -- the process that reads ---------------------------------------------------------------------


def order(folder: Path, name: str, data: bytes, memory: int = 256 << 20) -> Order:
    (folder / name).write_bytes(data)
    return Order(
        input=str(folder / name), output=str(folder / "out.jsonl"), name=name, task="score",
        model="m", parameters={}, column=None, pair=None, reading={}, rows=256,
        characters=20_000, max_characters=100, max_expansion=256, memory=memory,
    )  # fmt: skip


def events(apart: Apart) -> Iterator[Event]:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        event = apart.next(0.2)
        if event is not None:
            yield event
        if isinstance(event, Done):
            return
    raise AssertionError("it does not end")


def test_a_job_apart_is_the_same_job(tmp_path: Path) -> None:
    """Texts are asked in windows, results and errors come back, and its rows are written."""
    data = "好\n坏\n".encode() + "长".encode() * 101 + b"\n"
    with closing(Apart(order(tmp_path, "a.txt", data))) as apart:
        for event in events(apart):
            if isinstance(event, Asked):
                assert event.inputs == [("好",), ("坏",)]
                apart.answer([b'{"perplexity": 1.5}', FailedError("no_mask", "没有", "none")])
            elif isinstance(event, Progress):
                last = event
    assert (last.rows, last.failed) == (3, 2)
    assert json.loads((tmp_path / "out.jsonl").read_bytes()) == {
        "text": "好", "result": {"perplexity": 1.5},
    }  # fmt: skip
    refused = [
        json.loads(line) for line in (tmp_path / "out.jsonl.errors.jsonl").read_bytes().splitlines()
    ]
    assert [(one["line"], one["code"]) for one in refused] == [(2, "no_mask"), (3, "row_invalid")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the data of a process")
def test_memory_is_limited(tmp_path: Path) -> None:
    """A file that takes more than the process may have is told to be too large, by its name."""
    strings = [b"<sst>", *[b"<si><t>ab</t></si>" * 50_000] * 40, b"</sst>"]
    data = workbook([HEAD, cells("text"), END], strings)
    with closing(Apart(order(tmp_path, "a.xlsx", data, memory=96 << 20))) as apart:
        with pytest.raises(FailedError, match=r"a\.xlsx unpacks to more than the memory") as told:
            list(events(apart))
        assert told.value.code == "file_invalid"


def test_a_process_that_dies_is_told(tmp_path: Path) -> None:
    """Whatever ends the other process, the job has failed and says so, at once."""
    with closing(Apart(order(tmp_path, "a.jsonl.gz", ENDLESS))) as apart:
        assert isinstance(next(events(apart)), Progress)
        os.kill(apart._process.pid, signal.SIGKILL)
        with pytest.raises(FailedError, match="ended unexpectedly"):
            list(events(apart))
    assert apart._process.returncode is not None


def test_it_ends_with_its_service(tmp_path: Path) -> None:
    """A service that is killed leaves no process behind; until that has ended, it holds the job."""
    name = "a.csv.gz"
    made = order(tmp_path, name, gzip.compress(b"text\n") + repeated(b"\n", 200))
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from qingyu.jobs.apart import Apart, Order\n"
        "from qingyu.jobs.lock import Lock\n"
        f"lock = Lock(Path({str(tmp_path / 'lock')!r}), Path('x'))\n"
        f"Apart({made!r}, [lock.descriptor])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, timeout=SECONDS)
    assert killed.returncode == -signal.SIGKILL
    end = time.monotonic() + SECONDS
    while True:
        try:
            Lock(tmp_path / "lock", tmp_path).release()
            return
        except BusyError:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.mark.slow
def test_others_do_not_notice() -> None:
    """A service under attack by every such file answers others at once, and ends in time."""
    files = only_read()

    def attack(attacked: Service) -> None:
        with attacked.client() as client:
            jobs = []
            for name, data in files.items():
                made = client.post("/v1/jobs", json={"task": "fill-mask", "name": name})
                attacked.answers.append(made.status_code)
                if made.status_code == 201:
                    jobs.append(f"/v1/jobs/{made.json()['id']}")
                    client.put(f"{jobs[-1]}/input", content=data)
            end = time.monotonic() + 3
            while time.monotonic() < end and any(
                client.get(job).json()["state"] in {"queued", "running"} for job in jobs
            ):
                time.sleep(0.1)
            for job in jobs:
                client.post(f"{job}/cancel")
                client.delete(job)

    withstood(attack, jobs=True, seconds=8).check()
