"""A checkpoint in CTranslate2's format: python -m makers.ctranslate2 CHECKPOINT VARIANT FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    from ctranslate2.converters import TransformersConverter

    checkpoint, variant, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    TransformersConverter(checkpoint).convert(str(folder), quantization=variant, force=True)


if __name__ == "__main__":
    main()
