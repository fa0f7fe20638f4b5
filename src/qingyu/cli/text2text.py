"""`qingyu text2text`: what an encoder-decoder writes for a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qingyu import bundle
from qingyu.cli.texts import (
    AsJson,
    ModelName,
    Texts,
    Threads,
    answer_texts,
    draw_text,
)

if TYPE_CHECKING:
    from rich.console import Console

    from qingyu.results import Text2TextResult


def text2text(
    texts: Texts = None,
    max_new_tokens: Annotated[
        int,
        typer.Option("--max-new-tokens", min=1, help="最多写多少词元 / Tokens to write at most."),
    ] = 64,
    beams: Annotated[int, typer.Option("--beams", min=1, help="束宽 / Beams of the search.")] = 1,
    model: ModelName = bundle.DEFAULT,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """生成：用 T5 一类的模型写出文本 / What a model such as T5 writes for a text.

    例 / Example: qingyu text2text -m my-t5 "翻译成英文：今天天气真好。"
    """
    answer_texts(
        texts,
        model,
        threads,
        as_json,
        lambda m, batch: m.text2text(batch, max_new_tokens=max_new_tokens, num_beams=beams),
        draw,
    )


def draw(screen: Console, result: Text2TextResult) -> None:
    from rich.text import Text

    draw_text(screen, result.text, truncated=result.truncated)
    screen.print(Text.assemble(("  → ", "dim"), result.generated_text))
