"""A phrase memory becomes part of a bundle."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from qingyu.bundle import (
    PHRASES,
    TOKENIZER,
    Manifest,
    PhrasesInfo,
    file_info,
    read_manifest,
    write_manifest,
)
from qingyu.text.phrases import VERSION, Phrases
from qingyu.text.tokenizer import Tokenizer


def attach(folder: Path, memory: Path) -> Manifest:
    """Copy a memory into a bundle, in place of the one it has. Raises BundleError, and PhrasesError
    where the memory is damaged or of another tokenizer."""
    manifest = read_manifest(folder)
    Phrases(memory, Tokenizer(folder / TOKENIZER))
    partial = folder / f"{PHRASES}.part"
    shutil.copyfile(memory, partial)
    files = {**manifest.files, PHRASES: file_info(partial)}
    changed = replace(manifest, phrases=PhrasesInfo(PHRASES, VERSION), files=files)
    partial.replace(folder / PHRASES)
    write_manifest(changed, folder)
    return read_manifest(folder)
