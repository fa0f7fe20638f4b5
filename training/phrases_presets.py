"""The gate of lists that nobody fits: what users count from a glossary.

    python -m training.phrases_presets --bundle BUNDLE --held-out valid.txt

Takes every second line of held-out text and masks tokens. Phrases around some masks, and names made
up and put there, are a list. The masks are asked with this memory and with that of other lines.
Writes `listed` into src/qingyu/phrases/gates.json, and as `thinned` the gate of the bundle's own
memory; `whole`, of small texts, stays.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import qingyu
from qingyu.build.phrases_gate import KnownQuery, Masks, asked_of, evidence_of, fitted
from qingyu.model import Model
from qingyu.numbers import FloatArray
from qingyu.phrases.build import build
from qingyu.phrases.gates import FILE
from qingyu.phrases.spool import Spool
from qingyu.phrases.write import write
from qingyu.text.phrases import FEATURES, REACH, TRUSTS, Phrases
from training.errors import run
from training.evaluate import read_lines

LINES = 48  # that a list is made for
PHRASE = 4  # tokens
SHARE = 0.5  # of the masks that are within a phrase of the list
NAMES = 12  # made up for each list
OTHERS = 2.0  # what other text counts for beside that of the list
DIGITS = 2


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Fit the gates of memories that nobody fits.")
    parser.add_argument("--bundle", required=True, type=Path)
    parser.add_argument("--held-out", required=True, type=Path)
    args = parser.parse_args(argv)
    with qingyu.load(args.bundle) as model:
        listed = fit(model.with_phrases(own=False), read_lines(args.held_out)[1::2])
    own = Phrases(args.bundle / "phrases.bin").tables[0].gate
    gates = json.loads(FILE.read_text("utf-8"))
    for name, gate in (("thinned", own), ("listed", listed)):
        gates[name] = gate.astype(float).round(DIGITS).tolist()
    FILE.write_text(json.dumps(gates) + "\n", "utf-8")


def fit(model: Model, lines: Sequence[str]) -> FloatArray:
    """The gate of a table of phrases from a list."""
    rng = random.Random(0)
    found: list[Masks] = []
    groups = [lines[at : at + LINES] for at in range(0, len(lines), LINES)]
    before: list[Phrases] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, group in enumerate(groups):
            asked = asked_of(model, group)
            names, of_names = names_of(model, asked, rng)
            path = Path(folder) / str(number)
            memories = [counted(model, path, [*names, *phrases_of(model, asked, rng)]), *before]
            masks = iter(evidence_of(model, memories, [*asked, *of_names]))
            for memory in memories:
                *_, one = [next(masks) for _ in memory.tables]
                weight = OTHERS if memory in before else 1.0
                found.append(replace(one, weights=one.weights * weight))
            before = memories[:1]
            print(f"{number + 1} of {len(groups)}", flush=True)
    gate, _, gain = fitted(Masks.joined(found), np.zeros((REACH, TRUSTS, FEATURES), np.float32))
    print(f"gain of a mask: {gain:.4f} nats", flush=True)
    return gate


def counted(model: Model, path: Path, phrases: Sequence[str]) -> Phrases:
    """A memory of a list."""
    with Spool(model.tokenizer) as spool:
        spool.add(phrases, phrases=True)
        write(path, build(spool), model.tokenizer)
    return Phrases(path)


def phrases_of(model: Model, asked: Sequence[KnownQuery], rng: random.Random) -> list[str]:
    """Phrases around half the masks."""
    surfaces = model.tokenizer.surfaces
    found = []
    for one in asked:
        ids = one.query.input_ids.copy()
        ids[one.query.positions] = one.right
        for place in one.query.positions.tolist():
            first = place - rng.randrange(PHRASE)
            words = [surfaces[i] for i in ids[max(first, 0) : first + PHRASE].tolist()]
            if rng.random() < SHARE and all("\u4e00" <= word <= "\u9fff" for word in words):
                found.append("".join(words))
    return found


def names_of(
    model: Model, asked: Sequence[KnownQuery], rng: random.Random
) -> tuple[list[str], list[KnownQuery]]:
    """Names that nobody has heard of, put around a mask of some texts in place of what stood there:
    characters drawn at random."""
    surfaces = model.tokenizer.surfaces
    chinese = [i for i, word in enumerate(surfaces) if "\u4e00" <= word <= "\u9fff"]
    names, found = [], []
    for one in asked[:: max(1, len(asked) // NAMES)]:
        place = int(one.query.positions[0])
        ids = one.query.input_ids.copy()
        length, before = rng.choice([(3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3)])
        if place - before > 0 and place - before + length < len(ids):
            name = rng.sample(chinese, length)
            here = slice(place - before, place - before + length)
            right, ids[here] = name[before], name
            ids[one.query.positions] = model.tokenizer.mask_id
            query = replace(one.query, input_ids=ids, positions=np.array([place], np.int64))
            names.append("".join(surfaces[i] for i in name))
            found.append(KnownQuery(query, np.array([right], np.int64), 1.0))
    return names, found


if __name__ == "__main__":
    run(main)
