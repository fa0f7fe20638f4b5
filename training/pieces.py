"""A file in small pieces and back, for links that carry little at a time.

    python -m training.pieces cut model.safetensors --out pieces
    python -m training.pieces join pieces --out model.safetensors

`cut` writes pieces/000, pieces/001, ... and pieces/SHA256, the sum of the whole; pieces that are
there already and the same are not written again, so that fetching can begin while more is made.
`join` writes the file only when the sum is right.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path

from training.errors import RecipeError, run

PIECE_BYTES = 16 << 20
SUM = "SHA256"


def cut(path: Path, out: Path, piece_bytes: int = PIECE_BYTES) -> list[Path]:
    """The pieces of a file, in order."""
    out.mkdir(parents=True, exist_ok=True)
    (out / SUM).unlink(missing_ok=True)
    whole, pieces = hashlib.sha256(), []
    with path.open("rb") as file:
        while piece := file.read(piece_bytes):
            whole.update(piece)
            pieces.append(out / f"{len(pieces):03}")
            if not pieces[-1].is_file() or pieces[-1].read_bytes() != piece:
                pieces[-1].write_bytes(piece)
    for old in set(out.glob("[0-9]*")) - set(pieces):
        old.unlink()
    (out / SUM).write_text(whole.hexdigest(), "utf-8")
    return pieces


def join(folder: Path, out: Path) -> None:
    """Write the file whose pieces a folder holds. Raises RecipeError where one is missing or
    damaged.
    """
    if not (folder / SUM).is_file():
        raise RecipeError(f"{folder}: no {SUM}, the pieces are not all there")
    whole = hashlib.sha256()
    partial = out.with_name(out.name + ".part")
    with partial.open("wb") as file:
        for piece in sorted(folder.glob("[0-9]*")):
            data = piece.read_bytes()
            whole.update(data)
            file.write(data)
    if whole.hexdigest() != (folder / SUM).read_text("utf-8").strip():
        partial.unlink()
        raise RecipeError(f"{folder}: a piece is missing or damaged, the sum is another")
    partial.replace(out)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A file in small pieces and back.")
    parser.add_argument("what", choices=("cut", "join"))
    parser.add_argument("path", type=Path, help="the file, or the folder of pieces")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    if args.what == "cut":
        print(f"{len(cut(args.path, args.out))} pieces in {args.out}")
    else:
        join(args.path, args.out)
        print(args.out)


if __name__ == "__main__":
    run(main)
