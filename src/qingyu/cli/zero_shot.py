"""`qingyu zero-shot`: labels of one's own, without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu import bundle
from qingyu.cli.files import files_among
from qingyu.cli.texts import (
    AsJson,
    ModelName,
    PhraseFiles,
    Texts,
    Threads,
    answer_texts,
    draw_bars,
    draw_text,
    read_texts,
)
from qingyu.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from qingyu.model import Model
    from qingyu.results import ZeroShotResult


def zero_shot(
    texts: Texts = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            "-l",
            help="标签，用逗号、顿号等分开；每段文本各写一次则各用各的 / Labels, with commas "
            "between; once for each text: a set for each.",
        ),
    ] = None,
    labels_file: Annotated[
        str | None,
        typer.Option(
            "--labels-file",
            help="标签文件，每行一个，可用制表符附描述 / A file of labels; tab, description.",
        ),
    ] = None,
    templates: Annotated[
        list[str] | None,
        typer.Option(
            "--template",
            "-t",
            help="假设模板，含 {}，可多次给出 / Hypothesis with {}; several are averaged.",
        ),
    ] = None,
    multi_label: Annotated[
        bool, typer.Option("--multi-label", help="各标签互不排斥 / Judge each label by itself.")
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            help="entailment 逐个推理，cloze 一遍填空，both 合用 / How labels are scored.",
        ),
    ] = "entailment",
    uncertain: Annotated[
        bool, typer.Option("--uncertain", help="没把握时答“不确定” / Say so where it is not sure.")
    ] = False,
    model: ModelName = bundle.DEFAULT,
    phrases: PhraseFiles = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """零样本分类：标签自己定 / Classify by labels of your own, without training.

    例 / Example: qingyu zero-shot -l 体育,财经,科技 "主队在最后一分钟攻入制胜球。"
    """
    if (labels is None) == (labels_file is None):
        raise InputError(
            "请用 --labels 或 --labels-file 给出标签。",
            "Give labels with either --labels or --labels-file.",
        )
    wanted = read_labels(labels_file) if labels_file is not None else (labels or [""])[0]
    own = _own_sets(texts or [], labels) if labels and len(labels) > 1 else None
    parameters: dict[str, Any] = {"hypothesis_template": templates} if templates else {}
    parameters |= {"multi_label": multi_label, "method": method, "uncertain": uncertain}

    def ask(loaded: Model, batch: list[str]) -> Sequence[ZeroShotResult]:
        sets: Any = wanted if own is None else [own[text] for text in batch]
        return loaded.zero_shot(batch, sets, **parameters)

    answer_texts(texts, model, threads, as_json, ask, draw, phrases)


def _own_sets(texts: list[str], labels: list[str]) -> dict[str, list[str]]:
    """The labels of each text. Raises InputError where there are not as many sets as texts."""
    from qingyu.tasks.zero_shot import described_labels, label_sets

    sets = label_sets([list(described_labels(one)) for one in labels], len(texts))
    own = dict(zip(texts, sets, strict=True))
    if len(own) < len(texts) or files_among(texts):
        raise InputError(
            "各用各的标签时，文本应各不相同，且不能是文件。",
            "Texts with labels of their own should differ, and be no files.",
        )
    return own


def read_labels(path: str) -> list[tuple[str, str]]:
    """Labels of a file, each with the words that describe it: itself, where there is no tab.

    Raises InputError.
    """
    pairs = [line.partition("\t") for line in read_texts(path)]
    return [(name.strip(), words.strip() or name.strip()) for name, _, words in pairs]


def draw(screen: Console, result: ZeroShotResult) -> None:
    draw_text(screen, result.text, truncated=result.truncated)
    if result.label not in result.labels:
        screen.print(f"    {result.label}")
    draw_bars(screen, zip(result.labels, result.scores, strict=True))
