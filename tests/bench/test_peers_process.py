"""A peer's process answers in its turn and stands still in between."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from bench import instructions
from bench.peers import everything, peer, worker
from bench.peers.compare import order
from bench.peers.peer import Peer, PeerError
from bench.peers.peer_files import last_words
from qingyu import bundle
from qingyu.bundle import DEFAULT

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")


def state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Peers run in this interpreter, and log into a folder that goes."""
    monkeypatch.setattr(peer, "python", lambda _name: Path(sys.executable))
    monkeypatch.setattr(peer, "CACHE", tmp_path)
    return bundle.find(DEFAULT)


@pytest.mark.slow
def test_a_peer_stands_still_but_for_its_turn(here: Path) -> None:
    """It is stopped after it is loaded and after each answer, and answers all the same."""
    one = Peer("qingyu:int8", "fill-mask", here, here, 1)
    try:
        assert state(one.process.pid) == "T"
        texts = ["今天天气真[MASK]啊。", "他是[MASK]国人。"]
        found = one.ask(texts=texts, batch=2)["answers"]
        assert [len(candidates) for candidates in found] == [5, 5]
        assert one.ask(texts=texts, batch=1, seconds=0.0)["calls"] >= worker.LEAST
        assert state(one.process.pid) == "T"
        assert one.memory()["peak"] >= one.memory()["rss"] > 0
    finally:
        one.close()
    assert one.process.poll() is not None


@pytest.mark.slow
def test_a_peer_that_cannot_load_says_why(here: Path) -> None:
    """The library's own error is the reason, and no process stays."""
    with pytest.raises(PeerError, match="ModelNotFoundError"):
        Peer("qingyu:int8", "fill-mask", here / "absent", here, 1)


def test_a_slow_call_counts_from_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of half a second warm themselves up; short ones have one that is not counted."""
    clock = iter(range(1000))
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock) * 1.0)
    asked: list[list[str]] = []
    assert worker.timed(asked.append, [["a"]], 0.15)["calls"] == len(asked) == 1
    asked.clear()
    monkeypatch.setattr(worker.time, "perf_counter", lambda: next(clock) * 0.01)
    assert worker.timed(asked.append, [["a"]], 0.0)["calls"] == worker.LEAST == len(asked) - 1


def test_everybody_comes_first_once() -> None:
    """Over as many rounds as peers, no peer keeps its place, and every other round runs back."""
    names = ["a", "b", "c", "d"]
    rounds = [order(names, turn) for turn in range(4)]  # type: ignore[arg-type]
    assert all(sorted(one) == names for one in rounds)  # type: ignore[comparison-overlap]
    assert len({tuple(one) for one in rounds}) == 4


@pytest.mark.parametrize(("answer", "fails"), [(1029, False), (1031, True), (900, False)])
def test_more_instructions_than_allowed_fail(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: int, fails: bool
) -> None:
    """What start-up takes falls out, and only a count above the tolerance fails."""
    baseline = tmp_path / "baseline.json"
    baseline.write_text(json.dumps({"versions": {}, "instructions": 1000}))
    monkeypatch.setattr(instructions, "BASELINE", baseline)
    monkeypatch.setattr(instructions, "versions", dict)
    monkeypatch.setattr(instructions, "count", lambda times: 50_000 + times * answer)
    monkeypatch.setattr(sys, "argv", ["instructions.py"])
    with pytest.raises(SystemExit, match="above") if fails else nullcontext():
        instructions.main()


def test_every_step_has_its_script_and_writes_a_file_of_its_own(tmp_path: Path) -> None:
    """The one command names scripts that exist, and no step overwrites another's results."""
    found = everything.steps(tmp_path, tmp_path / "lines.txt", 5, [])
    assert all((everything.HERE / step[0]).is_file() for step in found)
    written = [step[step.index("--out") + 1] for step in found if "--out" in step]
    assert len(set(written)) == len(written) > len(everything.SHAPES)
    some = everything.steps(tmp_path, tmp_path / "lines.txt", 5, [everything.DEFAULT])
    assert all(step in found for step in some)
    assert len(some) < len(found)


def test_a_maker_s_error_is_told_by_its_own_line() -> None:
    """Of what a maker wrote, the line that names the error is the reason."""
    text = "Traceback:\n  File x\nValueError: no such thing\n[ a tensor ]\n"
    assert last_words(text) == "ValueError: no such thing"
    assert last_words("only this\n") == "only this"
    assert last_words("") == "it ended without a word"
