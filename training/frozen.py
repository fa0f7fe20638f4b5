"""Rows of the frozen layers, computed once a text and kept in a memory-mapped file.

They come from an INT8 bundle of those layers alone: faster on a CPU than FP32 by half, and what
the head will be given when it serves.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from qingyu import Model as Bundle
from qingyu import load as load_bundle
from qingyu.build.pipeline import Options, build
from qingyu.query import Query
from training import export
from training.data import token_id
from training.finetune import character_id

AT_ONCE = 64  # texts sent to the bundle together


@dataclass(frozen=True, eq=False)
class Tokens:
    """One text, or a pair of texts, as the encoder reads it: int64 [length] each."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]


class Reader:
    """Texts to tokens, cut to a length, the longer of a pair first."""

    def __init__(self, folder: Path, length: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(length, strategy="longest_first")
        self._length = length
        names = ("[UNK]", "[CLS]", "[SEP]")
        self._unknown, self._cls, self._sep = (token_id(self._tokenizer, name) for name in names)

    def text(self, first: str, second: str | None = None) -> Tokens:
        pair = () if second is None else (second,)
        found = self._tokenizer.encode(first, *pair)
        return Tokens(np.array(found.ids, np.int64), np.array(found.type_ids, np.int64))

    def characters(self, text: Sequence[str]) -> Tokens:
        """One token for each character, as a token head reads it."""
        kept = text[: self._length - 2]
        inner = [character_id(self._tokenizer, one, self._unknown) for one in kept]
        ids = np.array([self._cls, *inner, self._sep], np.int64)
        return Tokens(ids, np.zeros_like(ids))


def shared_bundle(checkpoint: Path, layers: int, out: Path) -> Bundle:
    """The first `layers` layers of a checkpoint as an INT8 bundle in `out`, built where there is
    none.
    """
    if not out.exists():
        model = export.load(checkpoint)
        model.bert.encoder.layer = nn.ModuleList(model.bert.encoder.layer[:layers])
        model.config = replace(model.config, num_hidden_layers=layers)
        model.specs, model.heads = {}, nn.ModuleDict()
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            export.save(model, checkpoint, Path(folder) / "shared")
            # What words its rows would say is of no interest, so how far they agree is not either.
            options = Options(precision="int8", min_agreement=0.0, measure=False)
            build(Path(folder) / "shared", out, options)
    return load_bundle(out, threads=1)


class Frozen:
    """Rows [length, H] of each of `texts`, in FP16, made when first wanted and kept in the folder
    `cache` for the next run of the same texts.
    """

    def __init__(self, bundle: Bundle, texts: Sequence[Tokens], cache: Path) -> None:
        self._bundle, self._texts = bundle, texts
        self.lengths = np.array([len(text.ids) for text in texts])
        self._ends = np.cumsum(self.lengths)
        digest = hashlib.sha256(bundle.digest.encode())
        for text in texts:
            digest.update(text.ids.tobytes() + text.types.tobytes())
        path = cache / f"{digest.hexdigest()[:16]}.rows"
        shape = (max(1, int(self.lengths.sum())), bundle.manifest.sizes.hidden_size)
        mode = "r+" if path.exists() else "w+"
        self._rows = np.memmap(path, np.float16, mode, shape=shape)
        self._known = np.memmap(path.with_suffix(".known"), np.bool_, mode, shape=(len(texts),))

    def prepare(self, wanted: Sequence[int]) -> None:
        """Compute the rows of these texts that are not there yet."""
        todo = [i for i in dict.fromkeys(wanted) if not self._known[i]]
        for first in range(0, len(todo), AT_ONCE):
            part = todo[first : first + AT_ONCE]
            asked = [
                Query(text.ids, text.types, np.arange(len(text.ids)))
                for text in (self._texts[i] for i in part)
            ]
            for i, rows in zip(part, self._bundle.run(asked), strict=True):
                self._rows[self._ends[i] - len(rows) : self._ends[i]] = rows
            self._known[part] = True

    def batch(self, wanted: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows float32 [B, L, H], zeros beyond a text's end, and a mask int64 [B, L]."""
        self.prepare(wanted)
        longest = int(self.lengths[list(wanted)].max())
        rows = np.zeros((len(wanted), longest, self._rows.shape[1]), np.float32)
        mask = np.zeros((len(wanted), longest), np.int64)
        for row, i in enumerate(wanted):
            length = self.lengths[i]
            rows[row, :length] = self._rows[self._ends[i] - length : self._ends[i]]
            mask[row, :length] = 1
        return torch.from_numpy(rows), torch.from_numpy(mask)
