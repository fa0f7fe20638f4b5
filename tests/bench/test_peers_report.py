"""The page of results says what the files say."""

from __future__ import annotations

from typing import Any

import pytest

from bench.peers import report, tables
from bench.peers.compare import agreement
from bench.peers.served import served

WORKLOADS = ["1x16", "1x32", "1x128", "8x128", "mixed x16"]


def peer(factor: float, top1: float = 1.0) -> dict[str, Any]:
    return {
        "start_seconds": [0.5, 0.6],
        "versions": {"engine": "1.0"},
        "installed_bytes": 200_000_000 * factor,
        "model_bytes": 30_000_000,
        "rss_idle": 100_000_000,
        "rss_after": 120_000_000 * factor,
        "rss_peak": 300_000_000,
        "seconds": {one: [0.002 * factor, 0.004 * factor] for one in WORKLOADS},
        "ratios": {one: [factor, factor * 1.1] for one in WORKLOADS},
        "cpu_seconds": {one: [0.001, 0.001] for one in WORKLOADS},
        "agreement": {"top1": top1, "top5": 0.9, "moved": 0.1},
    }


@pytest.fixture
def results() -> dict[str, Any]:
    """Two rounds of four peers; the quickest gives other answers."""
    return {
        "kind": "peers",
        "task": "fill-mask",
        "machine": {
            "cpu": "A processor",
            "features": ["avx2"],
            "mhz": 2000.0,
            "threads": 2,
            "python": "3.11",
        },
        "commit": "abc1234",
        "date": "2026-01-02",
        "checkpoint": "default",
        "rounds": 2,
        "minutes": 1.5,
        "ours": "qingyu:int8",
        "missing": {"absent:int8": "not for this machine"},
        "work": {one: {"operations": 1e9, "bytes": 1e7} for one in WORKLOADS},
        "limits": {"int8": [1e12, 2e12], "copy": [1e10, 1e10]},
        "theory": {"set": "avx2", "per_cycle": 43, "int8": 1.7e11},
        "peers": {
            "qingyu:int8": peer(1.0, 0.99),
            "qingyu:fp32": peer(1.1),
            "hugging_face:fp32": peer(5.0),
            "near:int8": peer(1.5, 0.985),
            "far:int8": peer(0.5, 0.8),
        },
    }


def test_a_peer_with_other_answers_is_no_rival(results: dict[str, Any]) -> None:
    """The best peer is the quickest of those whose answers are as near, and none of our own."""
    assert set(tables.rivals(results)) == {"hugging_face:fp32", "near:int8"}
    assert tables.best(results, "1x16") == ("near:int8", [1.5, 1.5 * 1.1])


def test_shares_are_held_against_the_peak_of_their_own_round(results: dict[str, Any]) -> None:
    """A round in which the machine ran slower is measured by that round's peak."""
    assert tables.shares(results, "qingyu:int8", "1x16") == [0.5, 0.125]


def test_the_page_names_every_peer_and_what_is_missing(results: dict[str, Any]) -> None:
    """Each peer has its row, each absent one its reason, and the machine and commit are told."""
    page = report.page([results])
    for name in results["peers"]:
        assert f"| {name} |" in page
    assert "absent:int8: not for this machine" in page
    assert "A processor" in page
    assert "abc1234" in page
    assert "| default | 1.58 (1.50–1.65) near:int8 |" in page


def test_without_results_there_is_no_page() -> None:
    """An empty folder of results is said to be one, and writes nothing."""
    with pytest.raises(SystemExit, match="no results"):
        report.page([])


def test_a_bar_stands_for_every_peer(results: dict[str, Any]) -> None:
    """The plot has a bar a peer and panel, and names each once."""
    picture = report.bars(results)
    others = len(results["peers"]) - 1
    assert picture.count("<rect") == 1 + others * len(report.SHOWN)
    assert picture.count(">near:int8<") == 1


def test_agreement_of_tokens_counts_the_first_and_the_five() -> None:
    """One of two texts with another best token, and half of the tokens shared."""
    reference = [[[1, 0.5], [2, 0.3]], [[3, 0.6], [4, 0.2]]]
    found = [[[1, 0.4], [2, 0.3]], [[9, 0.5], [8, 0.2]]]
    assert agreement("fill-mask", found, reference) == {"top1": 0.5, "top5": 0.5, "moved": 0.5}


def test_agreement_of_vectors_is_their_cosine() -> None:
    """Vectors of length 1 are compared by their dot product."""
    found = agreement("embed", [[1.0, 0.0], [0.6, 0.8]], [[1.0, 0.0], [1.0, 0.0]])
    assert found == {"cosine": pytest.approx(0.8), "least_cosine": pytest.approx(0.6)}


def test_a_service_is_compared_within_its_round() -> None:
    """Requests a second of ours over another's, round by round, at each number of users."""

    def rows(*figures: float) -> list[dict[str, float]]:
        return [
            {"users": 16, "per_second": one, "p50": 1.0, "p95": 2.0, "cpu": 150.0, "rss_mb": 90.0}
            for one in figures
        ]

    page = served(
        {
            "kind": "served",
            "machine": "A processor\nwith two lines",
            "checkpoint": "bert-base",
            "length": 16,
            "ours": "qingyu",
            "missing": {"flask-onnx": "not installed"},
            "services": {
                "qingyu": {"rows": rows(100.0, 80.0, 120.0)},
                "flask": {"rows": rows(10.0, 10.0, 10.0)},
            },
        }
    )
    assert "| flask | 10.0 | 1.0 | 2.0 | 150.0 | 90.0 | 10.0 (8.0–12.0) |" in page
    assert "flask-onnx: not installed" in page
