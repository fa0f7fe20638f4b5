"""What pruning by first-order importance costs beside pruning by magnitude, at the same sizes.

    python -m bench.pruning CHECKPOINT --importance TEXTS --lines OTHER_TEXTS

Each row is two builds at FP32, compared with the whole model on every second line of OTHER_TEXTS,
four masks a line, as `qingyu build --calibration` compares them.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.figures import describe
from qingyu.build.families.registry import family
from qingyu.build.pipeline import Options, build
from qingyu.build.shrink.prune import Pruning
from qingyu.build.sources.checkpoint import read_checkpoint

SHARES = ((0.75, 1.0), (0.5, 1.0), (1.0, 0.75), (1.0, 0.5), (0.75, 0.75), (0.5, 0.5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--importance", type=Path, required=True, help="texts to judge parts by")
    parser.add_argument("--lines", type=Path, required=True, help="texts to compare models on")
    parser.add_argument("--head", default="fill-mask", help="the head to compare")
    arguments = parser.parse_args()
    checkpoint = read_checkpoint(arguments.checkpoint)
    model = family(checkpoint.config, checkpoint.weights)
    print(describe(), "", sep="\n")
    print("| heads | units | magnitude: agreement | KL | importance: agreement | KL |")
    print("|---" * 6 + "|")
    for heads, units in SHARES:
        kept = round(heads * model.heads_per_layer), round(units * model.feed_forward)
        cells = [str(count) for count in kept]
        for texts in (None, arguments.importance):
            with tempfile.TemporaryDirectory() as folder:
                pruning = Pruning(None, *kept, importance=texts)
                options = Options(
                    "fp32", arguments.lines, min_agreement=0, measure=False, pruning=pruning
                )
                built = build(arguments.checkpoint, Path(folder) / "pruned", options)
            row = built.report.accuracy[arguments.head]
            cells += [f"{row['agreement']:.1%} ± {row['error']:.1%}", f"{row['kl']:.3f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
