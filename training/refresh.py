"""All that hangs on the encoder, made again after it has changed: bundle, heads with layers of
their own, memory of phrases, weights of proofreading, and every score.

    python -m training.refresh --from checkpoint --corpus corpus --labelled labelled --csc csc \\
        --out refreshed --minutes 40

What has ended is not run again, so the same command goes on after a break. OUT/bundle is the bundle
and OUT/scores.json what it can do; what OUT/logs/judge.log prints at its end belongs into
qingyu/tasks/parts/judgement.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from training.errors import run
from training.stages import Stage, run_stages

HEADS = ("embedding", "ner")
POSITIONS = 256  # those that the first checkpoint has learnt
CORRECTION_SETS = ("sighan_train", "ecspell_law_train", "ecspell_med_train", "ecspell_odw_train")
DEVELOPMENT = "sighan14_dev"


def heads(args: argparse.Namespace, minutes: float) -> list[Stage]:
    """Heads with layers of their own, each put into the bundle."""
    stages = []
    budget = ("--steps", "2") if args.tiny else ("--minutes", f"{minutes:g}")
    for name in HEADS:
        folder = args.out / "heads" / name
        words = (
            "training.head", name, "--from", f"{args.start}", "--labelled", f"{args.labelled}",
            "--out", f"{folder}", "--cache", f"{args.out / 'cache'}", *budget,
        )  # fmt: skip
        stages.append(Stage(f"head-{name}", words, folder / "state.pt"))
    folder = args.out / "heads" / "correct"
    shares = [f"{args.corpus / name}={share}" for name, share in
              (("general.txt", 0.5), ("extra.txt", 0.5))]  # fmt: skip
    words = (
        "training.correct", "--from", f"{args.start}", "--out", f"{folder}", *budget,
        *(word for one in shares for word in ("--source", one)),
        *(word for one in CORRECTION_SETS for word in ("--real", f"{args.csc / one}.jsonl")),
        "--held-out", f"{args.csc / DEVELOPMENT}.jsonl",
    )  # fmt: skip
    stages.append(Stage("head-correct", words, folder.with_name("correct.state.pt")))
    for name in (*HEADS, "correct"):
        words = ("qingyu", "models", "add-head", f"{args.out / 'bundle'}")
        stages.append(Stage(f"add-{name}", (*words, f"{args.out / 'heads' / name}")))
    return stages


def stages(args: argparse.Namespace) -> list[Stage]:
    """The whole of it, in order."""
    bundle, corpus = args.out / "bundle", args.corpus
    built = (
        "qingyu", "build", f"{args.start}", "--out", f"{bundle}", "--precision", "int8",
        "--positions", f"{POSITIONS}",
    )  # fmt: skip
    texts = ("general.txt/2", "extra.txt*2", "idiom_contexts.tsv*2", "emphasis.txt*2")
    phrases = (
        "training.phrases", "--bundle", f"{bundle}", "--held-out", f"{corpus / 'valid.txt'}",
        *(word for text in texts for word in ("--text", f"{corpus / text}")),
        "--famous", f"{corpus / 'emphasis.txt'}", "--list", f"{corpus / 'idioms.txt'}",
        "--out", f"{args.out / 'phrases.bin'}", "--attach",
    )  # fmt: skip
    judge = (
        "training.judge", "--bundle", f"{bundle}", "--real", f"{args.judged}",
        "--clean", f"{corpus / 'emphasis.txt'}",
    )  # fmt: skip
    scores = (
        "training.evaluate", f"{bundle}", "--text", f"{corpus / 'valid.txt'}",
        "--labelled", f"{args.labelled}", "--json", f"{args.out / 'scores.json'}",
    )  # fmt: skip
    return [
        Stage("bundle", built),
        *heads(args, args.minutes),
        Stage("phrases", phrases),
        Stage("judge", judge),
        Stage("scores", scores),
    ]


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="All that hangs on the encoder, made again.")
    parser.add_argument("--from", dest="start", type=Path, required=True, help="checkpoint")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of unpacked text")
    parser.add_argument("--labelled", type=Path, required=True, help="folder of labelled sets")
    parser.add_argument("--csc", type=Path, required=True, help="folder of correction sets")
    parser.add_argument(
        "--judged", type=Path, required=True,
        help="mistakes and their corrections that no head is trained on",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=40.0, help="a head (%(default)s)")
    parser.add_argument("--tiny", action="store_true", help="two steps a head: see that all works")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    args = options().parse_args(argv)
    run_stages(stages(args), args.out)


if __name__ == "__main__":
    run(main)
