"""What every training step shares: the clock, the optimiser, the saved state, and the device.

A schedule runs by the wall clock (`--minutes`), so a run fits the time there is on whatever
machine there is, or by a count (`--steps`), so a test is repeatable. Either way it is progress
from 0 to 1 that sets the learning rate: a straight warm-up, then a straight way down to 0. A run
that starts from a checkpoint (`--from`) gets a warm-up of its own; a run that goes on (`--resume`)
keeps its place.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training import export
from training.errors import RecipeError
from training.model import Model

WARM_UP = 0.03  # share of the run
SAVE_EVERY_S = 300.0


@dataclass
class Schedule:
    """Where a run stands. Exactly one of `minutes` and `steps` is set; `spent_s` is carried over a
    resume.
    """

    minutes: float | None
    steps: int | None
    step: int = 0
    spent_s: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise RecipeError("say how long to train: either --minutes or --steps")
        self._started = self.clock() - self.spent_s

    def elapsed_s(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self.clock() - self._started

    def progress(self) -> float:
        """0 at the start, 1 at the end."""
        if self.steps is not None:
            return min(1.0, self.step / max(1, self.steps))
        return min(1.0, self.elapsed_s() / max(1e-9, 60 * (self.minutes or 0)))

    def rate(self) -> float:
        """The share of the peak learning rate to use now."""
        at = self.progress()
        return (at + 1e-3) / (WARM_UP + 1e-3) if at < WARM_UP else (1 - at) / (1 - WARM_UP)


def common_options(parser: argparse.ArgumentParser, lr: float, batch: int) -> None:
    """The options that every step has, with the step's own defaults."""
    parser.add_argument("--out", required=True, type=Path, help="checkpoint directory to write")
    parser.add_argument("--minutes", type=float, help="train for so long by the clock")
    parser.add_argument("--steps", type=int, help="train for so many steps instead")
    parser.add_argument("--lr", type=float, default=lr, help="peak learning rate (%(default)s)")
    parser.add_argument("--batch", type=int, default=batch, help="rows a step (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from OUT.state.pt")
    parser.add_argument("--tiny", action="store_true", help="seconds on a CPU: see that all works")


def trainer_options(parser: argparse.ArgumentParser) -> None:
    """The options of `Trainer`."""
    parser.add_argument(
        "--accumulate", type=int, default=1, metavar="N",
        help="add up the gradients of N batches for a step: a larger batch in the same memory",
    )  # fmt: skip
    parser.add_argument(
        "--recompute", action="store_true",
        help="compute layers again on the way back: less memory, a third more time",
    )  # fmt: skip
    parser.add_argument(
        "--average", type=float, default=0.0, metavar="DECAY",
        help="write a moving average of the weights over the steps, such as 0.999",
    )  # fmt: skip


def settle(args: argparse.Namespace) -> None:
    """Make `--tiny` mean something where the user did not say otherwise, and seed torch."""
    if args.tiny:
        args.batch = min(args.batch, 8)
        if args.minutes is None and args.steps is None:
            args.steps = 12
    torch.manual_seed(args.seed)


def pick_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def multiplies_bf16(device: torch.device) -> bool:
    """Whether bf16 is faster than FP32 there: CUDA, and CPUs that have AVX512_BF16 or AMX and are
    quicker with it. Intel's without AMX are not: 77 against 137 GFLOPS on one core of a Xeon.
    """
    if device.type == "cuda":
        return True
    able = getattr(torch.cpu, "get_capabilities", dict)()  # older ones cannot tell
    if not (able.get("avx512_bf16") or able.get("amx_bf16")):
        return False
    return product_seconds(torch.bfloat16) < product_seconds(torch.float32)


def product_seconds(dtype: torch.dtype) -> float:
    """The shortest of a few products of a middling layer, by what this thread computes."""
    rows, weight = torch.ones(1024, 512, dtype=dtype), torch.ones(512, 2048, dtype=dtype)
    times = []
    for _ in range(5):
        began = time.thread_time()
        rows @ weight
        times.append(time.thread_time() - began)
    return min(times)


def autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """bf16 where the device multiplies it; weights and optimiser stay FP32."""
    if multiplies_bf16(device):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def cast_frozen(module: nn.Module) -> None:
    """Weights that are not trained, kept in bf16 where `autocast` would cast them every step."""
    if multiplies_bf16(next(module.parameters()).device):
        for part in module.modules():
            if isinstance(part, nn.Linear):
                part.bfloat16()


def compiled(function: Callable[..., Any], device: torch.device) -> Callable[..., Any]:
    """The function compiled on CUDA; on a CPU a short run would wait longer than it gains."""
    return torch.compile(function, dynamic=False) if device.type == "cuda" else function


class Trainer:
    """One model being trained: its optimiser, schedule and state file.

    `extra` is trained and resumed beside the model and left out of the checkpoint.
    """

    def __init__(
        self,
        model: Model,
        args: argparse.Namespace,
        tokenizer_folder: Path,
        extra: nn.Module | None = None,
    ) -> None:
        if args.accumulate < 1 or not 0 <= args.average < 1:
            raise RecipeError("--accumulate is 1 or more, --average at least 0 and less than 1")
        self.device = pick_device()
        self.model = model.to(self.device).train()
        self.model.bert.recompute = args.recompute
        self.averaged = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(args.average))
            if args.average
            else None
        )
        self.extra = (extra or nn.Identity()).to(self.device)
        self.args = args
        self.tokenizer_folder = tokenizer_folder
        self.state_path = args.out.with_name(f"{args.out.name}.state.pt")
        self.schedule = Schedule(args.minutes, args.steps)
        self.place: dict[str, int] = {}  # where the data stands; the step keeps what it needs here
        every = [*model.parameters(), *self.extra.parameters()]
        trained = [p for p in every if p.requires_grad]
        matrices = [p for p in trained if p.ndim > 1]
        vectors = [p for p in trained if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": 0.01},
                {"params": vectors, "weight_decay": 0.0},  # biases and LayerNorms do not decay
            ],
            lr=args.lr,
            betas=(0.9, 0.98),
            eps=1e-6,
            fused=self.device.type == "cuda",
        )
        self._saved_at = time.monotonic()
        self._losses: dict[str, list[torch.Tensor]] = {}
        self._added = 0  # batches whose gradients wait for a step
        if args.resume:
            self._resume()

    def running(self) -> bool:
        """Whether there is time, or a step, left."""
        return self.schedule.progress() < 1.0

    def update(self, losses: dict[str, torch.Tensor]) -> None:
        """One batch's sum of losses; a step of the optimiser once `--accumulate` are together."""
        for name, loss in losses.items():
            self._losses.setdefault(name, []).append(loss.detach())
        (sum(losses.values()) / self.args.accumulate).backward()  # type: ignore[union-attr]
        self._added += 1
        if self._added == self.args.accumulate:
            self._added = 0
            self._step()

    def _step(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.args.lr * self.schedule.rate()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)
        self.schedule.step += 1
        if self.schedule.step % 100 == 0:
            self.report()
        if time.monotonic() - self._saved_at > SAVE_EVERY_S:
            self.save_state()

    def report(self) -> dict[str, float]:
        """Print and return the mean losses since the last report."""
        means = {name: torch.stack(seen).mean().item() for name, seen in self._losses.items()}
        self._losses.clear()
        told = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        done = f"{self.schedule.progress():.1%}  {self.schedule.elapsed_s():.0f} s"
        print(f"step {self.schedule.step}  {done}  {told}", flush=True)
        return means

    def save_state(self) -> None:
        """Write all that a resume needs, replacing the old state only when the new one is whole."""
        self.state_path.parent.mkdir(parents=True, exist_ok=True)
        specs = self.model.specs.items()
        state = {
            "model": self.model.state_dict(),
            "extra": self.extra.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "config": self.model.config.written(),
            "heads": {name: (list(spec.labels), spec.level) for name, spec in specs},
            "words": self.model.words,
            "tokenizer": str(self.tokenizer_folder),
            "step": self.schedule.step,
            "spent_s": self.schedule.elapsed_s(),
            "place": self.place,
            "random": torch.get_rng_state(),
        }
        if self.averaged is not None:
            state["averaged"] = self.averaged.state_dict()
        partial = self.state_path.with_name(self.state_path.name + ".part")
        torch.save(state, partial)
        partial.replace(self.state_path)
        self._saved_at = time.monotonic()

    def _resume(self) -> None:
        if not self.state_path.is_file():
            raise RecipeError(f"{self.state_path}: no state to resume from; leave --resume out")
        state = torch.load(self.state_path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.extra.load_state_dict(state["extra"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        if self.averaged is not None and "averaged" in state:
            self.averaged.load_state_dict(state["averaged"])
        self.place = state["place"]
        self.schedule = Schedule(
            self.args.minutes, self.args.steps, step=state["step"], spent_s=state["spent_s"]
        )

    def finish(self) -> dict[str, float]:
        """Save the state and write the checkpoint directory; returns the last mean losses."""
        means = self.report() if self._losses else {}
        self.save_state()
        written = self.model if self.averaged is None else self.averaged.module
        export.save(written.eval(), self.tokenizer_folder, self.args.out)
        print(f"{self.args.out}: written after {self.schedule.step} steps")
        return means
