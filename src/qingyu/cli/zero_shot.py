"""`qingyu zero-shot`: labels of one's own, without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli.texts import (
    DEFAULT_MODEL,
    AsJson,
    ModelName,
    Texts,
    Threads,
    answer_texts,
    draw_bars,
    draw_text,
)

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.types import ZeroShotResult


def zero_shot(
    labels: Annotated[
        str, typer.Option("--labels", "-l", help="标签，用逗号分开 / Labels, with commas between.")
    ],
    texts: Texts = None,
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
    model: ModelName = DEFAULT_MODEL,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """零样本分类：标签自己定 / Classify by labels of your own, without training.

    例 / Example: qingyu zero-shot -l 体育,财经,科技 "主队在最后一分钟攻入制胜球。"
    """
    parameters: dict[str, Any] = {"hypothesis_template": templates} if templates else {}
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        lambda m, batch: m.zero_shot(batch, labels, multi_label=multi_label, **parameters),
        draw,
    )


def draw(screen: Console, result: ZeroShotResult) -> None:
    draw_text(screen, result.text, truncated=result.truncated)
    draw_bars(screen, zip(result.labels, result.scores, strict=True))
