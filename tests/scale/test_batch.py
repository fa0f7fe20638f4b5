"""Batch jobs on a real Ray cluster of several nodes on this machine."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qingyu.cli import run
from qingyu.jobs.errors import FileError
from qingyu.jobs.local import asking
from qingyu.jobs.paths import lay_out
from qingyu.jobs.runner import Job, Progress, locally
from qingyu.jobs.runner import run as run_job
from qingyu.jobs.windows import Answering, Limits
from qingyu.model import load

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install '.[ray]')")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Ray's own
]

TEXTS = [f"第{i}天的天气真[MASK]啊。" if i % 9 else "没有空" for i in range(400)]
SMALL = Limits(rows=20, characters=10_000)


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


def job(folder: Path, name: str) -> Job:
    source = folder / "in.txt"
    if not source.exists():
        source.write_text("\n".join(TEXTS))
    return Job("fill-mask", lay_out(str(source), folder / name), limits=SMALL)


def plain(folder: Path) -> Progress:
    model = load(threads=1)
    ask = asking(model, "fill-mask", {})
    found = run_job(job(folder, "plain.jsonl"), locally(lambda inputs: Answering(ask, inputs)))
    model.close()
    return found


def same(folder: Path) -> None:
    for ending in ("", ".errors.jsonl"):
        expected = (folder / f"plain.jsonl{ending}").read_bytes()
        assert (folder / f"ray.jsonl{ending}").read_bytes() == expected


def test_two_nodes_give_the_plain_results(tmp_path: Path, cluster: Any) -> None:
    """Byte for byte what one process writes, errors included."""
    from qingyu.scale.batch import computing

    for _ in range(2):
        cluster.add_node(num_cpus=1)
    expected = plain(tmp_path)
    with computing(cluster.address, "fill-mask", {}, "qingyu-small-zh", slots=2) as compute:
        found = run_job(job(tmp_path, "ray.jsonl"), compute)
    assert (found.rows, found.failed) == (expected.rows, expected.failed)
    same(tmp_path)


def test_a_node_killed_in_the_middle(tmp_path: Path, cluster: Any) -> None:
    """A node that dies after the first answers costs nothing but time."""
    from qingyu.scale.batch import computing

    cluster.add_node(num_cpus=1)
    doomed = cluster.add_node(num_cpus=1)
    plain(tmp_path)
    killed = threading.Event()

    def kill(progress: Progress) -> None:
        if progress.rows >= 60 and not killed.is_set():
            killed.set()
            cluster.remove_node(doomed, allow_graceful=False)

    with computing(cluster.address, "fill-mask", {}, "qingyu-small-zh", slots=2) as compute:
        run_job(job(tmp_path, "ray.jsonl"), compute, report=kill)
    assert killed.is_set()
    same(tmp_path)


def test_the_command_and_its_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--ray local` writes what the command writes alone; a wrong parameter never reaches Ray."""
    (tmp_path / "in.txt").write_text("今天天气真[MASK]啊。\n")
    arguments = ["batch", "fill", str(tmp_path / "in.txt")]
    assert run([*arguments, str(tmp_path / "a.jsonl"), "--threads", "1"]) == 0
    assert run([*arguments, str(tmp_path / "b.jsonl"), "--ray", "local", "--slots", "1"]) == 0
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert run([*arguments, str(tmp_path / "c.jsonl"), "--ray", "local", "-k", "999999"]) == 2
    assert "top_k" in capsys.readouterr().err


def test_a_damaged_file_is_told_as_on_one_machine(tmp_path: Path, cluster: Any) -> None:
    """What the reader's task raises comes back as itself."""
    from qingyu.scale.batch import computing

    cluster.add_node(num_cpus=1)
    source = tmp_path / "in.txt.gz"
    whole = gzip.compress("\n".join(f"第{i}天{i * i}[MASK]" for i in range(500)).encode())
    source.write_bytes(whole[: len(whole) // 2])
    planned = Job("fill-mask", lay_out(str(source), tmp_path / "out.jsonl"), limits=SMALL)
    with (
        computing(cluster.address, "fill-mask", {}, "qingyu-small-zh", slots=1) as compute,
        pytest.raises(FileError, match="damaged"),
    ):
        run_job(planned, compute)
