"""The memory of phrases that the default model comes with: counted, fitted, put into its bundle.

    python -m training.phrases --bundle BUNDLE --text general.txt/2 --text extra.txt*2 \\
        --text idiom_contexts.tsv*2 --text emphasis.txt*2 --famous emphasis.txt --list idioms.txt \\
        --held-out valid.txt --out default.phrases --attach

A path may end in `/N` (every Nth line) and `*N` (each line counts N times). `--famous` takes of a
file the lines that are quoted as they stand: verse and primers, without their authors and without
the explanations of words. The gates are fitted on every second line of the held-out file (the
first, third, ... are for measuring) and on the half of the cloze list that tuning may look at.
Which entries are kept, `qingyu.phrases.votes` decides. Counting sorts 100 million places at once,
which takes 8 GB. With
`--again MEMORY` nothing is counted: the gates of that memory are fitted anew, as a bundle needs
whose words have learnt on.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import qingyu
from qingyu.build.phrases_gate import KnownQuery, Masks, asked_of, evidence_of, regated
from qingyu.model import Model
from qingyu.phrases.attach import attach
from qingyu.phrases.build import Counting, build
from qingyu.phrases.spool import Spool
from qingyu.phrases.write import write
from qingyu.text.phrases import Phrases, PhraseTable
from qingyu.text.tokenizer import Tokenizer
from training.errors import RecipeError, run
from training.evaluate import read_cloze, read_lines
from training.sources import refuse_held_out

MOST = 4_100_000  # entries: 17.4 MB
AT_ONCE = 1 << 28
# What a cloze item counts for beside a masked token of running text: of all text, and of the table
# of phrases from lists, about which running text says little.
CLOZE_WEIGHTS = (2.0, 8.0)
TITLED = re.compile(r"《[^》]+》[^《》，。：]{0,12}：(.*)")


def source(told: str) -> tuple[Path, int, int]:
    """`PATH/2*3` as the path, every second line, each three times. Raises RecipeError."""
    match = re.fullmatch(r"(.*?)(?:/(\d+))?(?:\*(\d+))?", told)
    if match is None or not Path(match[1]).is_file():
        raise RecipeError(f"{told}: no such file")
    refuse_held_out(Path(match[1]))
    return Path(match[1]), int(match[2] or 1), int(match[3] or 1)


def lines(path: Path, every: int = 1) -> Iterator[str]:
    """Every so many lines; of a table of idioms with text around them, the text."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file):
            if number % every == 0:
                yield line.rstrip("\n").split("\t")[-1]


def famous(path: Path) -> Iterator[str]:
    """The lines that are quoted as they stand, each once."""
    seen = set()
    for line in lines(path):
        text = line.split("——")[0]
        if (match := TITLED.fullmatch(text)) is not None:
            text = match[1]
        elif re.search("[：“①《]", text):
            continue  # explains a word
        if text and text not in seen:
            seen.add(text)
            yield text


def fit(model: Model, memory: Phrases, held_out: Path) -> list[PhraseTable]:
    """The tables with gates of their own."""
    texts = asked_of(model, read_lines(held_out)[1::2])
    found = evidence_of(model, [memory], texts, progress("fitting"))
    known = evidence_of(model, [memory], list(cloze(model)))
    joined = [
        Masks.joined([masks, replace(items, weights=items.weights * weight)])
        for masks, items, weight in zip(found, known, CLOZE_WEIGHTS, strict=False)
    ]
    tables, before, after = regated(memory, joined)
    print(f"gain of a mask: {before:.4f} -> {after:.4f} nats", flush=True)
    return tables


def cloze(model: Model) -> Iterator[KnownQuery]:
    """The items that tuning may look at; of two masks the first with both, then the second with the
    first filled in, as they are filled together."""
    tokenizer, context = model.tokenizer, model.context
    for item in read_cloze():
        if item.half == "tuning":
            ids = list(tokenizer.tokens(item.text).ids)
            places = [at for at, one in enumerate(ids) if one == tokenizer.mask_id]
            for place, answer in zip(places, tokenizer.tokens(item.answers[0]).ids, strict=True):
                yield KnownQuery(
                    context.query(ids, [place], "fill-mask"), np.array([answer], np.int64), 1.0
                )
                ids[place] = answer


def counted(args: argparse.Namespace, tokenizer: Tokenizer) -> list[PhraseTable]:
    """Tables of what the options name."""
    with Spool(tokenizer) as spool:
        for told in args.text:
            path, every, weight = source(told)
            spool.add(lines(path, every), weight)
        for told in args.famous:
            spool.add(famous(source(told)[0]), phrases=True)
        for told in args.list:
            path, every, weight = source(told)
            spool.add(lines(path, every), weight, phrases=True)
        print(f"{spool.length:,} tokens", flush=True)
        how = Counting(most=args.most, threads=args.threads, at_once=AT_ONCE)
        return build(spool, how, progress("counting"))


def progress(what: str):  # type: ignore[no-untyped-def]
    """Prints shares that are done, a line each tenth."""
    told = [-1]

    def tell(done: float) -> None:
        if int(done * 10) > told[0]:
            told[0] = int(done * 10)
            print(f"{what} {done:.0%}", flush=True)

    return tell


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make the default model's memory of phrases.")
    parser.add_argument("--bundle", required=True, type=Path, help="the bundle it is for")
    parser.add_argument("--text", action="append", default=[], help="running text: PATH[/N][*N]")
    parser.add_argument("--famous", action="append", default=[], help="quoted lines: PATH")
    parser.add_argument(
        "--list", action="append", default=[], help="phrases, a line each: PATH[*N]"
    )
    parser.add_argument("--again", type=Path, help="a memory whose gates are fitted anew")
    parser.add_argument("--held-out", required=True, type=Path, help="text to fit the gate on")
    parser.add_argument("--most", type=int, default=MOST, help="entries (%(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", required=True, type=Path, help="the memory to write")
    parser.add_argument("--attach", action="store_true", help="put it into the bundle too")
    args = parser.parse_args(argv)
    tokenizer = Tokenizer(args.bundle / "tokenizer.json")
    if args.again is None:
        write(args.out, counted(args, tokenizer), tokenizer)
    model = qingyu.load(args.bundle).with_phrases(own=False)
    memory = Phrases(args.again or args.out, tokenizer)
    write(args.out, fit(model, memory, args.held_out), tokenizer)
    print(f"{args.out}: {len(memory):,} entries, {args.out.stat().st_size / 1e6:.1f} MB")
    if args.attach:
        attach(args.bundle, args.out)


if __name__ == "__main__":
    run(main)
