"""A build: a checkpoint becomes a bundle, written to a temporary folder, verified, then renamed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from qingyu import bundle
from qingyu.build.card import card
from qingyu.build.families.encoder import Encoder
from qingyu.build.families.registry import family
from qingyu.build.families.t5 import T5
from qingyu.build.families.task_head import notes
from qingyu.build.measure import report
from qingyu.build.measure.agreement import Report as Agreement
from qingyu.build.measure.agreement import compare, require
from qingyu.build.measure.probe import observe, probe, read_texts
from qingyu.build.notes import Note
from qingyu.build.onnx_import import find_onnx, write_adopted
from qingyu.build.precisions.calibrate import ROUNDS, Calibrating, statistics
from qingyu.build.precisions.registry import PRECISIONS
from qingyu.build.shrink.prune import Pruning, keep_words, prune
from qingyu.build.shrink.vocabulary import VocabularyChoice, choose
from qingyu.build.sources.checkpoint import Checkpoint, labelled, read_checkpoint
from qingyu.build.sources.places import located
from qingyu.build.sources.tokenizer import read_tokenizer
from qingyu.build.write import CALIBRATION, with_files, write
from qingyu.errors import BuildError

REFERENCE = "fp32"
LEAST_AGREEMENT = 0.97
LEAST_AGREEMENTS = {"int4": 0.9}  # what a precision is expected to cost, where that is more

Progress: TypeAlias = Callable[[str, float], None]
"""Called with what is being done and how much of it all is done, 0 to 1."""


@dataclass(frozen=True)
class Options:
    """How a checkpoint is to become a bundle.

    precision:     one of PRECISIONS
    calibration:   a file with a text a line; the built-in samples without one
    min_agreement: below this share of equal answers nothing is written; without it 0.97, and
                   0.9 for int4
    labels:        names of the task head's labels, in the order of its logits; the checkpoint's
                   own without them
    simplified:    whether the model knows simplified characters alone; see `bundle.Manifest`
    words:         which words to keep of the vocabulary; all without it
    pruning:       what else to leave out
    measure:       whether to measure memory and latency, before and after
    """

    precision: str = "int8"
    calibration: Path | None = None
    min_agreement: float | None = None
    measure: bool = True
    licence: str = ""
    simplified: bool = False
    labels: tuple[str, ...] = ()
    words: VocabularyChoice | None = None
    pruning: Pruning = field(default_factory=Pruning)

    @property
    def least_agreement(self) -> float:
        if self.min_agreement is not None:
            return self.min_agreement
        return LEAST_AGREEMENTS.get(self.precision, LEAST_AGREEMENT)


@dataclass(frozen=True)
class Built:
    """A finished bundle, what the build found out, the tensors it had no use for, and what was
    concluded or left out."""

    manifest: bundle.Manifest
    report: report.Report
    unused: list[str]
    notes: tuple[Note, ...] = ()

    @property
    def path(self) -> Path:
        return self.manifest.path


def build(
    source: str | Path,
    out: str | Path,
    options: Options | None = None,
    *,
    progress: Progress = lambda _what, _share: None,
) -> Built:
    """Build the checkpoint `source` into the bundle `out`, whole or not at all.

    source: hf:owner/name or modelscope:owner/name, @revision behind; or a folder with config.json,
            weights, tokenizer.json or vocab.txt, and heads.json where it carries heads of its
            own; or one weight file with the others beside it. An ONNX file is taken as it is:
            `options` then say nothing but the licence and `measure`

    Raises CheckpointError where the checkpoint is incomplete or inconsistent, AgreementError
    where the result strays too far from its reference, BuildError where the rest goes wrong.
    """
    options, out = options or Options(), Path(out)
    _check(options, out)
    texts = read_texts(options.calibration)
    local = located(str(source))
    path = find_onnx(local)
    checkpoint = None if path else read_checkpoint(local)
    if checkpoint and local != Path(source):  # on a hub: not what its cache calls the folder
        checkpoint = replace(checkpoint, name=str(source))
    told: tuple[Note, ...] = ()
    if checkpoint:
        if options.labels:
            checkpoint = labelled(checkpoint, options.labels)
        # Refuses before anything is written.
        model = family(checkpoint.config, checkpoint.weights)
        told = (*checkpoint.notes, *notes(checkpoint.config, checkpoint.weights))
    with _aside(out) as folder:
        if checkpoint:
            made = _from_checkpoint(checkpoint, model, folder, out.name, options, texts, progress)
        else:
            progress("graphs", 0.4)
            made = _Made(write_adopted(path or local, folder / "result", out.name))
        manifest = replace(
            made.manifest,
            accuracy=made.accuracy,
            licence=options.licence,
            simplified=options.simplified,
        )
        manifest = _sealed(manifest)
        after = report.measure(manifest) if options.measure else None
        progress("bundle", 0.95)
        cost_report = report.Report(made.accuracy, made.before, after, made.vocabulary)
        report.write_report(cost_report, manifest.path)
        (manifest.path / bundle.CARD).write_text(card(manifest, cost_report), "utf-8")
        manifest.path.rename(out)
        progress("done", 1.0)
        return Built(bundle.read_manifest(out), cost_report, made.unused, told)


@dataclass(frozen=True)
class _Made:
    """A bundle's files, and what was found out in making them."""

    manifest: bundle.Manifest
    accuracy: Agreement = field(default_factory=dict)
    before: report.BundleCost | None = None
    vocabulary: dict[str, float] | None = None
    unused: list[str] = field(default_factory=list)


def _from_checkpoint(
    checkpoint: Checkpoint,
    model: Encoder | T5,
    folder: Path,
    name: str,
    options: Options,
    texts: list[str],
    progress: Progress,
) -> _Made:
    """Write the bundle into `folder`/result and hold it against its reference.

    The reference is the FP32 graph of the whole checkpoint, of the words that are kept: half of
    the texts show a precision what to expect, the other half is what the two are compared on.
    """
    rates = None
    if options.words is not None:
        vocabulary = choose(read_tokenizer(checkpoint.folder), options.words)
        checkpoint, rates = keep_words(checkpoint, model, vocabulary.kept), vocabulary.rates()
        model = family(checkpoint.config, checkpoint.weights)
    smaller = prune(checkpoint, model, options.pruning)
    small = model if smaller is checkpoint else family(smaller.config, smaller.weights)
    precision, reference = PRECISIONS[options.precision], PRECISIONS[REFERENCE]
    if options.precision == REFERENCE and smaller is checkpoint:
        manifest = write(checkpoint, model, precision, folder / "result", name)
        return _Made(manifest, vocabulary=rates, unused=checkpoint.weights.unused())
    progress("reference", 0.0)
    witness = Calibrating(products=precision.compensates)
    if smaller is checkpoint:
        whole = seen = write(checkpoint, model, reference, folder / "reference", name, witness)
    else:
        whole = write(checkpoint, model, reference, folder / "reference", name)
        seen = write(smaller, small, reference, folder / "pruned", name, witness)
    rounds = ROUNDS if precision.compensates else 1
    precision = precision.calibrated(statistics(seen, CALIBRATION, texts[::2], rounds))
    asked = probe(seen, texts[1::2])
    expected = observe(whole, asked, pack=False)
    before = report.measure(_sealed(whole)) if options.measure else None
    progress("graphs", 0.4)
    manifest = write(smaller, small, precision, folder / "result", name)
    progress("verify", 0.7)
    accuracy = compare(manifest, expected, observe(manifest, asked))
    require(accuracy, options.least_agreement, options.precision)
    return _Made(manifest, accuracy, before, rates, smaller.weights.unused())


def _check(options: Options, out: Path) -> None:
    if options.precision not in PRECISIONS:
        raise BuildError(
            f"没有精度 {options.precision}；可选：{'、'.join(PRECISIONS)}。",
            f"No precision {options.precision}; there are: {', '.join(PRECISIONS)}.",
        )
    if not 0 <= options.least_agreement <= 1:
        raise BuildError(
            f"--min-agreement 应在 0 到 1 之间，收到 {options.min_agreement}。",
            f"--min-agreement should be from 0 to 1, not {options.min_agreement}.",
        )
    if out.exists():
        raise BuildError(
            f"{out} 已存在，请换一个位置或先移走它。", f"{out} exists; choose another or move it."
        )


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """A folder beside `out` to work in, gone afterwards whatever happens."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise BuildError(
            f"无法写入 {out.parent}：{error}", f"Cannot write {out.parent}: {error}"
        ) from error
    try:
        yield folder
    except OSError as error:
        raise BuildError(f"写入 {out} 失败：{error}", f"Cannot write {out}: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sealed(manifest: bundle.Manifest) -> bundle.Manifest:
    """The manifest with its files' digests, written into its folder."""
    manifest = with_files(manifest)
    bundle.write_manifest(manifest, manifest.path)
    return manifest
