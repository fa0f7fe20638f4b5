"""Runs a bundle's encoder and heads on sample texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from qingyu.bundle import TOKENIZER, HeadInfo, Manifest
from qingyu.engine.backend import CPU_BATCH_TOKENS
from qingyu.engine.batch import PackedBatch, cut
from qingyu.engine.generate import Decoder
from qingyu.engine.onnx import OnnxEngine
from qingyu.engine.session import Session
from qingyu.errors import BuildError, InputError
from qingyu.numbers import FloatArray
from qingyu.query import Query
from qingyu.text.encodings import lines_of
from qingyu.text.tokenizer import Tokenizer

SAMPLES = Path(__file__).parent / "samples.txt"
SEED = 20
PARTS = (2, 3, 4)  # in how many pieces a text is cut for classifiers, each way once
LEAST_PART = 3  # tokens
MASKS = 4  # places asked about in each text, each in a query of its own
AT_ONCE = 64  # rows a head reads at once, so that a vocabulary's worth each stays small
LED_TEXTS, LED_TOKENS = 16, 8  # what a decoder is led through
LONGEST = 100_000  # bytes of a line; more is no text


@dataclass(frozen=True)
class Probe:
    """Texts as they are, asked at all positions; with one token masked, asked there; and parts of
    the texts, asked at their beginning, since a text alone is one row for a classifier."""

    plain: list[Query]
    masked: list[Query]
    parts: list[Query]


@dataclass(frozen=True)
class Observation:
    """hidden: [tokens, hidden] of the plain texts; heads: each head's logits, as `rows` reads."""

    hidden: FloatArray
    heads: dict[str, FloatArray]


def read_texts(path: Path | None = None) -> list[str]:
    """The built-in sample texts, or the lines of a file. Raises BuildError."""
    try:
        texts = [line.strip() for line in lines_of(path or SAMPLES) if line.strip()]
    except InputError as error:
        raise BuildError(f"样本文件：{error.zh}", f"The sample file: {error.en}") from error
    if len(texts) < 2 or max(map(len, texts)) > LONGEST:
        raise BuildError(
            f"样本文件 {path} 应是每行一段文本，至少两行。",
            f"The sample file {path} should hold a text a line, at least two lines.",
        )
    return texts


def probe(manifest: Manifest, texts: Sequence[str]) -> Probe:
    """What to ask a bundle about `texts`; places to mask are drawn with a fixed seed."""
    tokenizer = Tokenizer(manifest.path / TOKENIZER)
    draw = np.random.default_rng(SEED)
    plain, masked, parts = [], [], []
    room = manifest.sizes.max_positions - tokenizer.frame.size
    first = len(tokenizer.frame.before[0])
    for text in texts:
        ids = np.array(tokenizer.tokens(text).ids[:room], np.int64)
        if not len(ids):
            continue
        input_ids, types = tokenizer.framed(ids.tolist())
        plain.append(Query(input_ids, types, np.arange(len(input_ids))))
        for count in PARTS:
            parts += [
                Query(*tokenizer.framed(part.tolist()), np.zeros(1, np.int64))
                for part in np.array_split(ids, count)
                if len(part) >= LEAST_PART
            ]
        if tokenizer.mask_id is None:
            continue
        for place in draw.permutation(len(ids))[:MASKS] + first:
            holed = input_ids.copy()
            holed[place] = tokenizer.mask_id
            masked.append(Query(holed, types, np.array([place])))
    return Probe(plain, masked, parts)


def observe(manifest: Manifest, asked: Probe, pack: bool = True) -> Observation:
    """Run the encoder once over all texts and each head over the rows it reads.

    One session lives at a time, so this holds no more than the largest of them; `pack` as in
    `Session`.
    """
    kinds = {head.kind for head in manifest.heads.values()}
    engine = OnnxEngine(manifest, pack=pack)
    plain = _asked(engine, asked.plain)
    masked = _asked(engine, asked.masked) if "masked-lm" in kinds else []
    classified = "sequence-classification" in kinds
    parts = _asked(engine, asked.parts) if classified else []
    heads = {
        name: np.concatenate(_asked(engine, _queries_of(head, name, asked)))
        for name, head in manifest.heads.items()
        if head.branch is not None
    }
    del engine
    for name, head in manifest.heads.items():
        if head.branch is not None:
            continue
        if head.kind == "text2text":
            heads[name] = _followed(Decoder(manifest.path, head), asked.plain, plain)
            continue
        if head.kind == "masked-lm":
            rows = masked
        elif head.kind == "sequence-classification":
            rows = [*(states[:1] for states in plain), *parts]
        else:
            rows = plain
        session = Session(manifest.path / head.file, pack=pack)
        logits = [session.run({"hidden": some}) for some in _some(np.concatenate(rows))]
        heads[name] = np.concatenate(logits)
    return Observation(np.concatenate(plain), heads)


def _queries_of(head: HeadInfo, name: str, asked: Probe) -> list[Query]:
    """The same rows that a head of the encoder's end reads, asked of one that branches off."""
    if head.kind == "correction":  # a vocabulary a row
        return [replace(query, head=name, positions=query.positions[:1]) for query in asked.plain]
    if head.kind == "masked-lm":
        return [replace(query, head=name) for query in asked.masked]
    if head.kind == "sequence-classification":
        texts = (*asked.plain, *asked.parts)
        return [replace(query, head=name, positions=np.array([0])) for query in texts]
    return [replace(query, head=name) for query in asked.plain]


def _asked(engine: OnnxEngine, queries: Sequence[Query]) -> list[FloatArray]:
    """Answers to queries of one head, in their order."""
    answers: list[FloatArray] = [np.empty((0, 0), np.float32)] * len(queries)
    for indices in cut(queries, CPU_BATCH_TOKENS):
        batch = PackedBatch.of([queries[index] for index in indices])
        (rows,) = engine.run(batch)
        for index, part in zip(indices, np.split(rows, np.cumsum(batch.counts)[:-1]), strict=True):
            answers[index] = part
    return answers


def _followed(
    decoder: Decoder, queries: Sequence[Query], states: Sequence[FloatArray]
) -> FloatArray:
    """A decoder's scores as it is led through the beginnings of the texts that it reads."""
    return np.concatenate(
        [
            decoder.follow(rows, query.input_ids[:LED_TOKENS].tolist())
            for query, rows in zip(queries[:LED_TEXTS], states, strict=False)
        ]
    )


def _some(rows: FloatArray) -> Iterator[FloatArray]:
    for first in range(0, len(rows), AT_ONCE):
        yield rows[first : first + AT_ONCE]
