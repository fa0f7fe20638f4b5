"""Layers of its own for fill-mask: what a run that left the lower layers alone has learnt above.

    python -m training.pretrain --from checkpoint --freeze 4 --out runs/words --minutes 120 ...
    python -m training.words runs/words --from checkpoint --branch 4 --out heads/words
    qingyu models add-head bundle heads/words

So words learn on without another head's answers changing. `--share` is how far to go from the
starting weights to the run's: a place between is often better than either end (Wortsman et al.
2022, "Robust fine-tuning of zero-shot models").
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from training import export
from training.branch import write_heads
from training.errors import RecipeError, run

NAME = "fill-mask"
LAYER = "bert.encoder.layer."
PREDICTIONS = "cls.predictions."


def own_tensors(
    before: dict[str, Tensor], after: dict[str, Tensor], branch: int, share: float
) -> dict[str, Tensor]:
    """The head's weights in FP16, from those of two checkpoints, under the names of heads.

    Raises RecipeError where a weight differs that both must share: an embedding, or a layer up to
    number `branch`.
    """
    found = {}
    for name, start in before.items():
        end = after[name]
        if name.startswith(PREDICTIONS):
            own = name.removeprefix(PREDICTIONS)
        elif name.startswith(LAYER) and (number := int(name.split(".")[3])) >= branch:
            rest = name.split(".", 4)[4]
            own = f"encoder.layer.{number - branch}.{rest}"
        elif name.startswith("bert.") and not torch.equal(start, end):
            raise RecipeError(f"{name} has changed: the run was not made with --freeze {branch}")
        else:
            continue
        mixed = torch.lerp(start.float(), end.float(), share)
        found[f"heads.{NAME}.{own}"] = mixed.half().contiguous()
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Layers of its own for fill-mask.")
    parser.add_argument("run", type=Path, help="checkpoint of a run with --freeze")
    parser.add_argument("--from", dest="start", type=Path, required=True, help="where it began")
    parser.add_argument("--branch", type=int, required=True, help="shared layer read")
    parser.add_argument("--share", type=float, default=1.0, help="of the way (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the head")
    args = parser.parse_args(argv)
    before, after = (export.load(one) for one in (args.start, args.run))
    layers = before.config.num_hidden_layers
    if before.config != after.config or not 1 <= args.branch < layers:
        raise RecipeError(f"two checkpoints of one shape, and a branch from 1 to {layers - 1}")
    tensors = own_tensors(before.state_dict(), after.state_dict(), args.branch, args.share)
    entry = {"kind": "masked-lm", "labels": [], "branch": args.branch}
    write_heads(tensors, {NAME: entry}, args.out)


if __name__ == "__main__":
    run(main)
