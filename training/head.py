"""One head with layers of its own, trained on the frozen encoder: `python -m training.head NAME`.

    python -m training.head similar --from checkpoint --labelled labelled --out heads/similar \\
        --minutes 25 --cache cache

The rows of the shared layers are computed once a text and kept in --cache (1 KB a token). Every so
often the rows split off for tuning are scored; OUT/curve.json keeps the curve. Written are the best
weights, or the last where the checkpoint itself has learnt from such rows and they tell too little,
with the temperature that fits those rows. `--resume` goes on from OUT/state.pt.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from training import export
from training.branch import Branch, save, write_json
from training.errors import RecipeError, run
from training.frozen import Frozen, Reader, Tokens, shared_bundle
from training.labelled import HEADS
from training.lessons import Lesson, lesson
from training.loop import SAVE_EVERY_S, Schedule
from training.recipes import RECIPES, Recipe, Row, gather

WIDTH = 256  # dimensions of an embedding
EVALUATIONS = 10
POOL = 8  # batches of rows sorted by length together


class Batches:
    """Rows in batches of like length, each row once a round, in an order that the seed and the
    round decide.
    """

    def __init__(self, costs: Sequence[int], size: int, seed: int) -> None:
        self._costs, self._size, self._seed = costs, size, seed
        self.per_round = max(1, len(costs) // size)

    def batch(self, number: int) -> list[int]:
        """The `number`th batch of all rounds."""
        turn, place = divmod(number, self.per_round)
        random = torch.Generator().manual_seed(self._seed + 7919 * turn)
        order = torch.randperm(len(self._costs), generator=random).tolist()
        pool, within = divmod(place, POOL)
        drawn = order[pool * POOL * self._size : (pool + 1) * POOL * self._size]
        drawn.sort(key=lambda index: self._costs[index])
        cuts = [drawn[i : i + self._size] for i in range(0, len(drawn), self._size)]
        mixed = torch.randperm(len(cuts), generator=random.manual_seed(self._seed + pool)).tolist()
        return cuts[mixed[within % len(cuts)]]


class Training:
    """A branch, its rows and its optimiser, and where the run stands."""

    def __init__(self, args: argparse.Namespace) -> None:
        recipe = RECIPES[args.name]
        self.args, self.recipe = args, recipe
        rows = gather(args.name, args.labelled, args.seed, args.most)
        self.train, self.tuning = rows.train, rows.tuning[: args.tuning]
        model = export.load(args.start)
        layers = recipe.layers if args.layers is None else args.layers
        self.branch = Branch(model, recipe.kind, recipe.heads, layers, WIDTH)
        texts, index = tokenised(args.start, recipe, [*self.train, *self.tuning])
        args.cache.mkdir(parents=True, exist_ok=True)
        k = self.branch.branch
        shared = shared_bundle(args.start, k, args.cache / f"shared-{k}")
        self.frozen = Frozen(shared, texts, args.cache)
        self.lesson: Lesson = lesson(recipe.kind, self.branch, self.frozen, index)
        costs = [self.lesson.cost(row) for row in self.train]
        self.batches = Batches(costs, args.batch, args.seed)
        matrices = [p for p in self.branch.parameters() if p.ndim > 1]
        vectors = [p for p in self.branch.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}],
            lr=args.lr,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.schedule = Schedule(args.minutes, args.steps)
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.state_path = args.out / "state.pt"
        if args.resume:
            self._resume()

    def _resume(self) -> None:
        if not self.state_path.is_file():
            raise RecipeError(f"{self.state_path}: no state to resume from; leave --resume out")
        state = torch.load(self.state_path, map_location="cpu", weights_only=True)
        self.branch.load_state_dict(state["branch"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["random"])
        self.curve, self.best = state["curve"], state["best"]
        self.schedule = Schedule(
            self.args.minutes, self.args.steps, step=state["step"], spent_s=state["spent_s"]
        )

    def save_state(self) -> None:
        """Write all that a resume needs, replacing the old state only when the new one is whole."""
        self.args.out.mkdir(parents=True, exist_ok=True)
        state = {
            "branch": self.branch.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "random": torch.get_rng_state(),
            "curve": self.curve,
            "best": self.best,
            "step": self.schedule.step,
            "spent_s": self.schedule.elapsed_s(),
        }
        partial = self.state_path.with_name("state.pt.part")
        torch.save(state, partial)
        partial.replace(self.state_path)

    def run(self) -> None:
        """Train to the end of the schedule and write the head."""
        print(f"{len(self.train)} rows, {len(self.tuning)} to tune on", flush=True)
        if not self.curve:
            self.evaluate(0.0)
        saved = time.monotonic()
        losses: list[torch.Tensor] = []
        while self.schedule.progress() < 1.0:
            losses.append(self.step())
            due = int(self.schedule.progress() * EVALUATIONS) / EVALUATIONS
            if due > self.curve[-1]["progress"]:
                self.evaluate(due, loss=torch.stack(losses).mean().item())
                losses.clear()
            if time.monotonic() - saved > SAVE_EVERY_S:
                self.save_state()
                saved = time.monotonic()
        if self.curve[-1]["progress"] < 1.0:
            self.evaluate(1.0)
        self.save_state()
        self.branch.load_state_dict(self.best)
        self.branch.eval()
        save(self.branch, self.args.out, self.lesson.settled(self.tuning))
        print(f"{self.args.out}: written after {self.schedule.step} steps", flush=True)

    def step(self) -> torch.Tensor:
        """One step of the optimiser; returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.args.lr * self.schedule.rate()
        drawn = [self.train[i] for i in self.batches.batch(self.schedule.step)]
        self.branch.train()
        loss = self.lesson.loss(drawn)
        loss.backward()
        nn.utils.clip_grad_norm_(self.branch.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.schedule.step += 1
        return loss.detach()

    def evaluate(self, progress: float, **more: float) -> None:
        """Score the tuning rows; keep the weights where they are the best so far."""
        self.branch.eval()
        scores = self.lesson.scores(self.tuning)
        point = {"progress": progress, "step": self.schedule.step, **more, **scores}
        point["seconds"] = round(self.schedule.elapsed_s())
        best = max((one["score"] for one in self.curve), default=-1.0)
        if self.args.name in HEADS or scores["score"] >= best:
            self.best = {name: t.detach().clone() for name, t in self.branch.state_dict().items()}
        self.curve.append(point)
        write_json(self.args.out / "curve.json", self.curve)
        print("  ".join(f"{name} {value:.4g}" for name, value in point.items()), flush=True)


def tokenised(
    folder: Path, recipe: Recipe, rows: Sequence[Row]
) -> tuple[list[Tokens], dict[object, int]]:
    """What the encoder reads of the rows, each once, and where each stands: a pair by both of its
    texts, any other text by itself.
    """
    reader = Reader(folder, recipe.length)
    index: dict[object, int] = {}
    found: list[Tokens] = []
    for row in rows:
        wanted: list[object] = list(row.texts)
        if recipe.kind == "seq":
            wanted = [row.texts]
        for one in wanted:
            if one not in index:
                index[one] = len(found)
                if recipe.kind == "seq":
                    found.append(reader.text(*row.texts))  # type: ignore[arg-type]
                elif recipe.kind == "token":
                    found.append(reader.characters(one))  # type: ignore[arg-type]
                else:
                    found.append(reader.text(one))  # type: ignore[arg-type]
    return found, index


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="A head with layers of its own.")
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument("--from", dest="start", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--labelled", type=Path, required=True, help="folder of labelled sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the head")
    parser.add_argument("--cache", type=Path, required=True, help="folder for rows, kept")
    parser.add_argument("--minutes", type=float, help="train for so long by the clock")
    parser.add_argument("--steps", type=int, help="train for so many steps instead")
    parser.add_argument("--layers", type=int, help="layers of its own, instead of the recipe's")
    parser.add_argument("--most", type=int, default=1 << 30, help="rows of each set at most")
    parser.add_argument("--tuning", type=int, default=1000, help="rows to tune on (%(default)s)")
    parser.add_argument("--lr", type=float, help="peak learning rate, instead of the recipe's")
    parser.add_argument("--batch", type=int, help="rows a step, instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from OUT/state.pt")
    return parser


def main(argv: Sequence[str] | None = None) -> Training:
    args = options().parse_args(argv)
    recipe = RECIPES[args.name]
    args.lr, args.batch = args.lr or recipe.lr, args.batch or recipe.batch
    torch.manual_seed(args.seed)
    training = Training(args)
    training.run()
    return training


if __name__ == "__main__":
    run(main)  # type: ignore[arg-type]
