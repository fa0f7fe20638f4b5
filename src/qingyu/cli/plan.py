"""`qingyu plan`: how many machines a load takes, and what it costs, measured on this one."""

from __future__ import annotations

import os
import re
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli import console
from qingyu.cli.texts import AsJson, GpuMemory, ModelName, Threads
from qingyu.errors import InputError

if TYPE_CHECKING:
    from qingyu.scale.capacity import CapacityPlan, Costs

BUSY = 0.5  # load for each CPU
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)?")
PRICE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/\s*h(?:our)?)?")


def plan(
    qps: Annotated[
        float | None, typer.Option("--qps", min=0.001, help="每秒请求数 / Requests a second.")
    ] = None,
    tokens: Annotated[
        int, typer.Option("--tokens", min=3, help="每个请求的词元数 / Tokens of a request.")
    ] = 30,
    p95: Annotated[
        str, typer.Option("--p95", help="95% 的请求应在此时间内，如 100ms / Latency target.")
    ] = "100ms",
    price: Annotated[
        str | None, typer.Option("--price", help="这台机器的价格，如 0.35/h / Price of this one.")
    ] = None,
    gpu_price: Annotated[
        str | None, typer.Option("--gpu-price", help="一台 GPU 机器的价格 / Price of one GPU.")
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.01, help="每档测量多久 / To measure each batch.")
    ] = 2.0,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    gpu_memory: GpuMemory = None,
    as_json: AsJson = False,
) -> None:
    """规划：实测这台机器，算出需要几台、每百万请求多少钱 / Replicas and cost, measured here.

    例 / Example: qingyu plan --qps 200 --tokens 30 --p95 100ms --price 0.35/h
    显存放得下几层 / What a GPU's memory holds: qingyu plan --gpu-memory 1GB
    """
    if gpu_memory is not None:
        from qingyu.cli import placement

        placement.show(model, gpu_memory, as_json=as_json)
    if qps is None:
        if gpu_memory is None:
            raise InputError("请给出 --qps 或 --gpu-memory。", "Give --qps or --gpu-memory.")
        return
    target = _seconds(p95)
    paid = None if price is None else _price(price, "--price")
    gpu = None if gpu_price is None else _price(gpu_price, "--gpu-price")

    import qingyu
    from qingyu.engine.threads import thread_count
    from qingyu.machine import available_cpus
    from qingyu.scale.capacity import measure, table
    from qingyu.scale.capacity import plan as made

    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > BUSY * available_cpus():
        console.note(
            f"这台机器正忙（负载 {load:.1f}），测得的会偏低",
            f"this machine is busy (load {load:.1f}): it will measure too low",
        )
    with closing(qingyu.load(model, threads=1)) as loaded:  # a lane a thread, as the service does
        costs = measure(loaded, tokens, seconds, thread_count(threads))
    drawn = made(costs, qps, target, price=paid, gpu_price=gpu)
    if as_json:
        measured = [
            {"requests": size, "ms": ms, "requests_per_second": rate}
            for size, ms, rate in table(costs)
        ]
        console.print_json({"tokens": tokens, "measured": measured, **asdict(drawn)})
    else:
        _draw(costs, drawn, qps, tokens)


def _draw(costs: Costs, plan: CapacityPlan, qps: float, tokens: int) -> None:
    from qingyu.scale.capacity import LOAD, table

    say = typer.echo
    say(f"实测（每个请求 {tokens} 词元）/ measured, {tokens} tokens a request:")
    for size, ms, rate in table(costs):
        say(f"  {size:>4} 个一批 together: {ms:8.1f} ms  {rate:8.1f} 个/秒 per s")
    say(
        f"一个副本可承载 / a replica carries: {plan.rate:.1f} 个/秒 per s"
        f"（极限 at most {plan.highest_rate:.1f}）"
    )
    say(
        f"{qps:g} 个/秒需要 / takes: {plan.replicas} 个副本 replicas"
        f"（用到 {LOAD:.0%}；加一个备用共 with a spare {plan.replicas_with_spare}），"
        f"p95 {plan.p95 * 1e3:.1f} ms"
    )
    if plan.cost_per_million is not None:
        say(f"每百万请求 / per million requests: {plan.cost_per_million:.4g}")
    if plan.gpu_break_even is not None:
        say(
            f"GPU 若要不更贵，须承载且用满 / a GPU costs no more only if it carries, and is given: "
            f"{plan.gpu_break_even:.0f} 个/秒 requests per s"
        )


def _seconds(text: str) -> float:
    match = DURATION.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise InputError(
            f"--p95 应写作 100ms 或 0.1s：{text}", f"--p95 takes 100ms or 0.1s, not {text}."
        )
    return float(match[1]) * (1e-3 if match[2] != "s" else 1.0)


def _price(text: str, name: str) -> float:
    match = PRICE.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise InputError(
            f"{name} 应写作 0.35/h：{text}", f"{name} takes a price such as 0.35/h, not {text}."
        )
    return float(match[1])
