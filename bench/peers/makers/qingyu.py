"""A checkpoint as Qingyu's bundle: python -m makers.qingyu CHECKPOINT VARIANT FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    from qingyu.build.pipeline import Options, build

    checkpoint, variant, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    # Random weights agree with nothing; how far trained ones do is measured here.
    build(checkpoint, folder / "bundle", Options(variant, min_agreement=0, measure=False))


if __name__ == "__main__":
    main()
