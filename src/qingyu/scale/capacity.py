"""How much one machine carries, and how many it takes: measured, then simulated.

1. Measure: seconds to answer 1, 2, 4… requests of the given length together, texts to results,
   while all lanes of the machine do the same.
2. Simulate: requests come at random (a Poisson process) and wait for a lane; one that is free takes
   its share of those that wait, up to the largest batch. The highest rate whose 95th percentile of
   waiting and answering stays within the target is what a replica carries.
3. Plan: replicas for the rate wanted, each at most `LOAD` of what it carries, one more as a spare.

What is not in it: the network, and reading and writing HTTP (about a millisecond a request).
"""

from __future__ import annotations

import math
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from qingyu.errors import InputError
from qingyu.model import Model
from qingyu.settings import Settings

SENTENCE = "今天天气真好啊适合和朋友一起出去走走看看远处的山和近处的水"
SIMULATED = 8000  # requests of one simulation
STEPS = 12  # of the search: the rate is found within 1/4096
LOAD = 0.8
HOUR = 3600.0


@dataclass(frozen=True)
class Costs:
    """Seconds for batches of `sizes` requests, rising, in each of `lanes` at the same time."""

    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    lanes: int = 1

    def of(self, size: int) -> float:
        """In between, on a straight line."""
        at = bisect_left(self.sizes, size)
        if at < len(self.sizes) and self.sizes[at] == size:
            return self.seconds[at]
        if at in {0, len(self.sizes)}:
            raise ValueError(f"{size} was not measured")
        low, high = self.sizes[at - 1], self.sizes[at]
        share = (size - low) / (high - low)
        return self.seconds[at - 1] + share * (self.seconds[at] - self.seconds[at - 1])

    @property
    def largest(self) -> int:
        return self.sizes[-1]

    @property
    def highest_rate(self) -> float:
        """Requests a second where full batches follow each other."""
        return self.lanes * max(n / s for n, s in zip(self.sizes, self.seconds, strict=True))


@dataclass(frozen=True)
class CapacityPlan:
    """`rate` and `p95` are what one replica carries; money is in the currency of the prices.

    `gpu_break_even` is the rate that a GPU of the price given must carry, and be given, to cost
    as little a request.
    """

    rate: float
    p95: float
    highest_rate: float
    replicas: int
    replicas_with_spare: int
    cost_per_million: float | None
    gpu_break_even: float | None


def text_of(model: Model, tokens: int) -> str:
    """A fill-mask text that the model reads as `tokens` tokens. Raises InputError."""
    text = "[MASK]"
    while True:
        (query,) = next(model.steps("fill-mask", text))
        if query.cost >= tokens:
            return text
        if query.cost >= model.manifest.sizes.max_positions:
            raise InputError(
                f"模型最多读 {query.cost} 个词元。", f"The model reads {query.cost} tokens at most."
            )
        text += SENTENCE[len(text) % len(SENTENCE)]


def measure(
    model: Model,
    tokens: int,
    seconds: float,
    lanes: int = 1,
    max_batch_tokens: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Costs:
    """Batches of doubling size up to `max_batch_tokens` (by default the service's), each for about
    `seconds`."""
    if max_batch_tokens is None:
        max_batch_tokens = Settings.model_fields["max_batch_tokens"].default
    text = text_of(model, tokens)
    sizes = [1]
    while 2 * sizes[-1] * tokens <= max_batch_tokens:
        sizes.append(2 * sizes[-1])

    def timed(texts: list[str], end: float) -> list[float]:
        times: list[float] = []
        while len(times) < 3 or clock() < end:
            began = clock()
            model.fill_mask(texts)
            times.append(clock() - began)
        return times

    measured: list[float] = []
    with ThreadPoolExecutor(lanes) as pool:
        for size in sizes:
            texts = [text] * size
            model.fill_mask(texts)
            end = clock() + seconds
            work = [pool.submit(timed, texts, end) for _ in range(lanes)]
            times = [one for lane in work for one in lane.result()]
            # A larger batch never takes less time: what says otherwise is noise.
            measured.append(max([median(times), *measured[-1:]]))
    return Costs(tuple(sizes), tuple(measured), lanes)


def p95(costs: Costs, rate: float, *, count: int = SIMULATED, seed: int = 0) -> float:
    """Seconds from coming to being answered, at `rate` requests a second."""
    chance = random.Random(seed)  # noqa: S311 a simulation, not a secret
    arrivals: list[float] = []
    now = 0.0
    for _ in range(count):
        now += chance.expovariate(rate)
        arrivals.append(now)
    latencies: list[float] = []
    free, first = [0.0] * costs.lanes, 0
    while first < count:
        begin = max(min(free), arrivals[first])
        waiting = bisect_right(arrivals, begin, first) - first
        idle = sum(one <= begin for one in free)
        taken = min(math.ceil(waiting / idle), costs.largest)
        end = begin + costs.of(taken)
        free[free.index(min(free))] = end
        latencies += [end - arrival for arrival in arrivals[first : first + taken]]
        first += taken
    latencies.sort()
    return latencies[math.ceil(0.95 * count) - 1]


def carried(costs: Costs, target: float, *, count: int = SIMULATED) -> float:
    """The highest rate whose 95th percentile is within `target` seconds; 0 where none is."""
    if costs.of(1) > target:
        return 0.0
    low, high = 0.0, costs.highest_rate
    for _ in range(STEPS):
        middle = (low + high) / 2
        if p95(costs, middle, count=count) <= target:
            low = middle
        else:
            high = middle
    return low


def plan(
    costs: Costs,
    qps: float,
    target: float,
    *,
    price: float | None = None,
    gpu_price: float | None = None,
) -> CapacityPlan:
    """Replicas and costs for `qps` requests a second within `target` seconds; prices by the hour.

    Raises InputError where the target cannot be met at any rate.
    """
    rate = carried(costs, target)
    if rate <= 0:
        alone = costs.of(1) * 1e3
        raise InputError(
            f"单个请求就要 {alone:.1f} 毫秒，达不到目标；请缩短文本或换更快的机器。",
            f"A request alone takes {alone:.1f} ms: shorter texts or a faster machine are needed.",
        )
    replicas = math.ceil(qps / (rate * LOAD))
    cost = None if price is None else _million(price * replicas, qps)
    even = None
    if cost is not None and gpu_price is not None:
        even = gpu_price / HOUR * 1e6 / cost
    at = p95(costs, min(rate, qps / replicas))
    return CapacityPlan(rate, at, costs.highest_rate, replicas, replicas + 1, cost, even)


def _million(price: float, qps: float) -> float:
    return price / HOUR / qps * 1e6


def table(costs: Costs) -> Sequence[tuple[int, float, float]]:
    """(requests together, milliseconds, requests a second) as measured."""
    pairs = zip(costs.sizes, costs.seconds, strict=True)
    return [(size, seconds * 1e3, costs.lanes * size / seconds) for size, seconds in pairs]
