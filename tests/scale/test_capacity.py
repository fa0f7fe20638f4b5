"""The plan follows from what was measured, by arithmetic that can be checked."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

import qingyu
from qingyu.cli import run
from qingyu.errors import InputError
from qingyu.scale.capacity import Costs, carried, measure, p95, plan, text_of
from qingyu.settings import Settings
from qingyu.web.app import create_app

ONE_BY_ONE = Costs((1,), (0.01,))
TOGETHER = Costs((1, 2, 4, 8), (0.010, 0.012, 0.016, 0.024))


def test_a_queue_with_a_known_answer() -> None:
    """One server with a fixed time (M/D/1) at half its rate: the mean wait is s/2, and the 95th
    percentile of the whole lies between 2 and 4 times s."""
    assert 0.02 < p95(ONE_BY_ONE, 50, count=40_000) < 0.04
    assert p95(ONE_BY_ONE, 0.1) == pytest.approx(0.01)


def test_batches_carry_more() -> None:
    """Where requests together cost less, more of them fit into the same target."""
    assert carried(TOGETHER, 0.05) > 2 * carried(ONE_BY_ONE, 0.05)
    assert carried(TOGETHER, 0.05) < TOGETHER.highest_rate == pytest.approx(8 / 0.024)


def test_lanes_share_what_waits() -> None:
    """Two lanes carry about twice what one does, and a request alone takes as long as before."""
    two = Costs(ONE_BY_ONE.sizes, ONE_BY_ONE.seconds, lanes=2)
    assert two.highest_rate == 2 * ONE_BY_ONE.highest_rate
    assert 1.8 < carried(two, 0.1) / carried(ONE_BY_ONE, 0.1) < 2.3
    assert p95(two, 0.1) == pytest.approx(0.01)


@given(st.floats(0.011, 1.0), st.floats(0.011, 1.0))
@bounded(max_examples=10)
def test_a_looser_target_never_carries_less(one: float, other: float) -> None:
    """The rate rises with the latency that is allowed."""
    low, high = sorted((one, other))
    rates = [carried(TOGETHER, target, count=500) for target in (low, high)]
    assert rates[0] <= rates[1]


def test_costs_in_between() -> None:
    """What was not measured lies on the line between its neighbours, never beyond them."""
    assert TOGETHER.of(3) == pytest.approx(0.014)
    with pytest.raises(ValueError, match="9"):
        TOGETHER.of(9)


def test_replicas_and_money() -> None:
    """Replicas are rounded up; a million requests cost their share of the hours paid."""
    found = plan(TOGETHER, 1000, 0.05, price=0.36, gpu_price=3.6)
    assert found.replicas == math.ceil(1000 / (found.rate * 0.8))
    assert found.replicas_with_spare == found.replicas + 1
    assert found.p95 <= 0.05
    assert found.cost_per_million == pytest.approx(0.36 * found.replicas / 3.6)
    # At that rate the GPU's million costs the same.
    assert found.gpu_break_even is not None
    assert 3.6 / 3600 / found.gpu_break_even * 1e6 == pytest.approx(found.cost_per_million)


def test_a_target_that_cannot_be_met() -> None:
    """A request alone may take too long already; no number of machines helps."""
    with pytest.raises(InputError, match=r"takes 10\.0 ms"):
        plan(ONE_BY_ONE, 1, 0.005)


def test_what_is_measured() -> None:
    """Texts have the length asked for, batches go up to the service's, and never get cheaper."""
    model = qingyu.load(threads=1)
    (query,) = next(model.steps("fill-mask", text_of(model, 40)))
    assert query.cost == 40
    costs = measure(model, 50, 0.0)
    assert costs.sizes == (1, 2)
    assert measure(model, 50, 0.0, max_batch_tokens=200).sizes == (1, 2, 4)
    assert costs.seconds[0] <= costs.seconds[1]
    with pytest.raises(InputError, match=str(model.manifest.sizes.max_positions)):
        text_of(model, 10_000)
    model.close()


def test_the_largest_batch_is_the_one_the_service_takes() -> None:
    """The plan and the service have one default, the settings'."""
    settings = Settings()
    app = create_app(settings)
    assert app.state.qingyu.service.scheduler.max_batch_tokens == settings.max_batch_tokens
    model = qingyu.load(threads=1)
    largest = measure(model, settings.max_batch_tokens // 8, 0.0).largest
    model.close()
    assert largest == 8


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints what it measured and found, as lines or as JSON."""
    wanted = ["plan", "--qps", "20", "--tokens", "50", "--p95", "5s", "--seconds", "0.01"]
    assert run([*wanted, "--price", "0.35/h", "--gpu-price", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["requests"] for one in found["measured"]] == [1, 2]
    assert found["replicas"] >= 1
    assert found["cost_per_million"] > 0
    assert run([*wanted, "--price", "0.35"]) == 0
    assert "per million requests" in capsys.readouterr().out
    for wrong in (["--p95", "soon"], ["--price", "cheap"]):
        assert run(["plan", "--qps", "1", *wrong]) == 2
