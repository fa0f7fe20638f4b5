"""Fit the weights by which proofreading judges evidence, and the prior that keeps it quiet.

    python -m training.judge --bundle bundle --real held_out_errors.jsonl --clean held_out.txt

Sentences with people's mistakes that no head was trained on teach the weights, with mistakes made
in correct ones for the kinds that those lack (one character too many, one too few), and correct
lines teach the weights what is no mistake: at every doubtful place one of the options is right, and
the weights are those that make it likeliest. Correct lines then set the prior: as many as `--quiet`
(a share) may be changed. Prints what belongs into
`qingyu/tasks/parts/judgement.py`.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

import qingyu
from qingyu.model import Model
from qingyu.query import Steps
from qingyu.tasks.check import THRESHOLD, sounds_and_shapes
from qingyu.tasks.parts.evidence import Heads, doubtful
from qingyu.tasks.parts.findings import PIECE
from qingyu.tasks.parts.judgement import FEATURES, Judge
from qingyu.text.sentences import pieces
from training.errors import RecipeError, run
from training.mistakes import Marked, Mistakes, aligned

SHARES = (0.34, 0.1, 0.05, 0.1, 0.05, 0.18, 0.18)  # of mistakes.KINDS

# Right options and how their features are: [options, FEATURES]; -1 where nothing is wrong, -2 where
# what was meant is not among them.
Case = tuple[np.ndarray, int]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bundle", required=True, help="name or folder")
    parser.add_argument("--real", type=Path, action="append", required=True, metavar="JSONL")
    parser.add_argument("--clean", type=Path, required=True, help="correct lines")
    parser.add_argument("--sentences", type=int, default=400, help="of each (%(default)s)")
    parser.add_argument("--quiet", type=float, default=0.02, help="clean lines changed at most")
    parser.add_argument("--cases", type=Path, help="keep the evidence in this file, or read it")
    args = parser.parse_args(arguments)
    if args.cases and args.cases.exists():
        held = torch.load(args.cases, weights_only=False)
    else:
        held = gathered(args)
        if args.cases:
            torch.save(held, args.cases)
    real, clean = held
    if not real or not clean:
        raise RecipeError("no sentences to fit on")
    weights, prior = fit([case for cases in (*real, *clean) for case in cases])
    report("as fitted", weights, prior, real, clean)
    for _ in range(200):
        if changed(weights, prior, clean) <= args.quiet:
            break
        prior -= 0.05
    report("made quiet", weights, prior, real, clean)
    told = ", ".join(f"{weight:.3f}" for weight in weights)
    print(f"EvidenceWeights(\n    ({told}),\n    {prior:.3f}, 1.5\n)")


def gathered(args: argparse.Namespace) -> tuple[list[list[Case]], list[list[Case]]]:
    """Cases of each sentence: those with mistakes, then correct ones."""
    told = [line for path in args.real for line in path.read_text("utf-8").splitlines()]
    rows = [json.loads(line) for line in told]
    pairs = [(row["text"], row["correct"]) for row in rows]
    lines = [line for line in args.clean.read_text("utf-8").splitlines() if line.strip()]
    chance = random.Random(0)
    chance.shuffle(pairs)
    chance.shuffle(lines)
    made = Mistakes(sounds_and_shapes(), Counter("".join(lines)), Counter(), pairs, SHARES)
    rng = np.random.default_rng(0)
    few = args.sentences // 3
    marked = [aligned(*pair) for pair in pairs[: args.sentences]]
    marked += [made.make(line[:60], rng) for line in lines[:few]]
    clean = [Marked(line) for line in lines[few : few + args.sentences]]
    with closing(qingyu.load(args.bundle, threads=1)) as model:
        asked = Heads.of(model.context, "check")
        judge = Judge(model.tokenizer, sounds_and_shapes())
        found = [
            model.complete_all([cases(model, asked, judge, one) for one in some])
            for some in (marked, clean)
        ]
    return found[0], found[1]


def cases(model: Model, asked: Heads, judge: Judge, marked: Marked) -> Steps[list[Case]]:
    """The doubtful places of a sentence: features of their options, and which is right."""
    tokens = model.tokenizer.tokens(marked.text)
    chinese = set(model.tokenizer.chinese_ids.tolist())
    found: list[Case] = []
    for start, end in pieces(marked.text, tokens.offsets, PIECE):
        places = [i for i in range(start, end) if tokens.ids[i] in chinese]
        seen = yield from doubtful(
            model.context, asked, tokens.ids, (start, end), places, lambda _: True
        )
        for place in seen:
            options = judge.options(place, tokens.ids, asked.trained)
            at = tokens.offsets[place.index][0]
            target = -1
            if at in marked.meant:
                meant = model.tokenizer.token_to_id(marked.meant[at])
                ids = [option.token_id for option in options]
                target = ids.index(meant) if meant in ids else -2
            features = np.array([one.features for one in options]).reshape(-1, len(FEATURES))
            found.append((features, target))
    return found


def fit(found: Sequence[Case], steps: int = 400) -> tuple[np.ndarray, float]:
    """Weights [FEATURES] and prior that make the right options likeliest."""
    known = [(torch.from_numpy(f), t) for f, t in found if len(f) and t > -2]
    most = max(len(f) for f, _ in known)
    x = torch.zeros(len(known), most, len(FEATURES))
    there = torch.zeros(len(known), most, dtype=torch.bool)
    for i, (features, _) in enumerate(known):
        x[i, : len(features)] = features
        there[i, : len(features)] = True
    y = torch.tensor([target + 1 for _, target in known])
    weights = torch.zeros(len(FEATURES), requires_grad=True)
    prior = torch.tensor(-4.0, requires_grad=True)
    optimiser = torch.optim.Adam([weights, prior], lr=0.05)
    for _ in range(steps):
        scores = (x @ weights + prior).masked_fill(~there, -1e9)
        scores = torch.cat([torch.zeros(len(known), 1), scores], 1)
        loss = torch.nn.functional.cross_entropy(scores, y) + 1e-4 * weights.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    print(f"{len(known)} places, {int((y > 0).sum())} with mistakes, loss {loss.item():.4f}")
    return weights.detach().numpy(), float(prior.detach())


def decided(weights: np.ndarray, prior: float, case: Case) -> int:
    """The option that would be put in, or -1."""
    features, _ = case
    scores = np.concatenate([[0.0], features @ weights + prior])
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    best = int(chances[1:].argmax()) if len(features) else -1
    return best if best >= 0 and chances[best + 1] >= THRESHOLD else -1


def changed(weights: np.ndarray, prior: float, clean: Sequence[Sequence[Case]]) -> float:
    """Share of correct sentences in which something would be changed."""
    hit = [any(decided(weights, prior, case) >= 0 for case in found) for found in clean]
    return sum(hit) / len(hit)


def report(
    name: str,
    weights: np.ndarray,
    prior: float,
    real: Sequence[Sequence[Case]],
    clean: Sequence[Sequence[Case]],
) -> None:
    """Print how places fare; a mistake that was not looked into counts in the product's own
    measure only (bench/proofread.py)."""
    pairs = [(decided(weights, prior, case), case[1]) for found in real for case in found]
    wrong = [(got, meant) for got, meant in pairs if meant != -1]
    mended = sum(got == meant for got, meant in wrong)
    said = sum(got >= 0 for got, _ in pairs)
    print(
        f"{name}: prior {prior:.2f}; of {len(wrong)} mistakes looked into {mended} mended, "
        f"{said} changes in all; correct sentences changed {changed(weights, prior, clean):.1%}"
    )


if __name__ == "__main__":
    run(main)
