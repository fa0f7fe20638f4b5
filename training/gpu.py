"""The recipe for half an hour of a GPU: text, then heads, with every checkpoint cut into pieces.

    python -m training.gpu --minutes 25 --from checkpoint --corpus corpus --labelled labelled \\
        --out gpu --pieces fetched

Stages: `words` reads text in rows of 256 tokens and, in its last tenth, of 512; `heads` trains all
linear heads with fill-mask kept on. What has ended is not run again, and a stage that was broken
off goes on where its state was saved, with the minutes that are left of it. --pieces receives each
checkpoint in pieces of 16 MiB as soon as its stage has ended (`training.pieces join`). Heads with
layers of their own, phrases and scores need no GPU: `training.refresh` makes them afterwards.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from training.errors import RecipeError, run
from training.pieces import cut
from training.stages import Stage, run_stages

WORDS, HEADS = 0.88, 0.12  # shares of the time
SOURCES = (
    "general.txt=0.55", "extra.txt=0.27", "emphasis.txt=0.08", "idioms.txt=0.02,idioms",
    "idiom_contexts.tsv=0.06,contexts",
)  # fmt: skip
FACTS = Path(__file__).with_name("facts.tsv")


def stages(args: argparse.Namespace) -> list[Stage]:
    """The commands, in order; each leaves OUT/<name>."""
    held = args.corpus / "valid.txt"
    sources = [f"{args.corpus / one}" for one in SOURCES] + [f"{FACTS}=0.02,facts"]
    words = (
        "training.pretrain", "--from", f"{args.start}", "--out", f"{args.out / 'words'}",
        "--lr", f"{args.lr:g}", "--average", "0.999", "--workers", f"{args.workers}",
        *(word for one in sources for word in ("--source", one)), "--held-out", f"{held}",
        *spent(args, WORDS),
    )  # fmt: skip
    heads = (
        "training.finetune", "--from", f"{args.out / 'words'}", "--out", f"{args.out / 'heads'}",
        "--labelled", f"{args.labelled}", "--workers", f"{args.workers}",
        "--source", f"{args.corpus / 'general.txt'}=0.7",
        "--source", f"{args.corpus / 'extra.txt'}=0.3", "--held-out", f"{held}",
        *spent(args, HEADS),
    )  # fmt: skip
    return [
        Stage(name, words, args.out / f"{name}.state.pt")
        for name, words in (("words", words), ("heads", heads))
    ]


def spent(args: argparse.Namespace, share: float) -> tuple[str, ...]:
    """What tells a step how long it may take."""
    if args.tiny:
        return ("--tiny", "--steps", "4")
    return ("--minutes", f"{args.minutes * share:g}")


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="The recipe for half an hour of a GPU.")
    parser.add_argument("--minutes", type=float, default=25.0, help="in all (%(default)s)")
    parser.add_argument("--from", dest="start", type=Path, required=True, help="checkpoint")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of unpacked text")
    parser.add_argument("--labelled", type=Path, required=True, help="folder of labelled sets")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pieces", type=Path, help="folder for the checkpoints in pieces")
    parser.add_argument("--lr", type=float, default=4e-4, help="of the text (%(default)s)")
    parser.add_argument("--workers", type=int, default=8, help="that prepare text (%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="a few steps: see that all works")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    args = options().parse_args(argv)
    if args.minutes <= 0:
        raise RecipeError("--minutes is more than 0")

    def ended(stage: Stage) -> None:
        if args.pieces is not None:
            made = cut(args.out / stage.name / "model.safetensors", args.pieces / stage.name)
            print(f"{stage.name}: {len(made)} pieces in {args.pieces / stage.name}", flush=True)

    run_stages(stages(args), args.out, ended)


if __name__ == "__main__":
    run(main)
