"""`qingyu build`: a checkpoint becomes a bundle."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qingyu.cli import console
from qingyu.errors import BuildError

if TYPE_CHECKING:
    from qingyu.build.pipeline import Built, Options
    from qingyu.build.shrink.vocabulary import VocabularyChoice

STAGES = {
    "reference": "参照 / the reference",
    "graphs": "写计算图 / writing graphs",
    "verify": "与参照比较 / comparing",
    "bundle": "收尾 / finishing",
    "done": "完成 / done",
}


def build(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="检查点目录、权重文件、model.onnx、hf:owner/name 或 modelscope:owner/name / "
            "A checkpoint: its directory or weight file, an ONNX file, or a name on a hub.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="新模型包的目录 / Directory of the new bundle.")
    ],
    precision: Annotated[
        Literal["int8", "int7", "int4", "fp16", "bf16", "fp32"],
        typer.Option(help="权重精度 / Precision of the weights."),
    ] = "int8",
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="样本文本，每行一段 / Sample texts, one a line, instead of the built-in ones.",
        ),
    ] = None,
    min_agreement: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            show_default="0.97, int4: 0.9",
            help="低于此一致率则不写出 / Refuse below this share of equal answers.",
        ),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(help="测量内存与延迟 / Measure memory and latency, before and after."),
    ] = True,
    words_from: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="只保留这份语料或词表用到的词 / Keep only words that this corpus or list uses.",
        ),
    ] = None,
    words: Annotated[
        int | None,
        typer.Option(min=16, help="保留最常见的几个词 / Of those, so many of the commonest."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(metavar="0,2,4", help="保留哪些层，从 0 数起 / Layers to keep, from 0."),
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="每层保留几个注意力头 / Heads to keep in a layer.")
    ] = None,
    feed_forward: Annotated[
        int | None,
        typer.Option(min=1, help="每层保留几个前馈单元 / Feed-forward units to keep in a layer."),
    ] = None,
    importance: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="按这些文本上的一阶重要性取舍头与单元 / Choose heads and units by first-order "
            "importance on these texts, not by magnitude.",
        ),
    ] = None,
    positions: Annotated[
        int | None, typer.Option(min=8, help="最多读几个词元 / Tokens of a text to keep room for.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="任务头各标签的名称，按训练时的次序 / Names of the labels, in their order.",
        ),
    ] = None,
    simplified: Annotated[
        bool,
        typer.Option(
            "--simplified",
            help="只学过简体：繁体文本按简体形式读 / It knows simplified characters alone: read "
            "traditional text by its simplified form.",
        ),
    ] = False,
    licence: Annotated[
        str, typer.Option(help="写入清单的许可证 / Licence to name in the manifest.")
    ] = "",
) -> None:
    """把检查点转成模型包，并报告代价 / Turn a checkpoint into a bundle and tell what it cost."""
    require_onnx()
    from qingyu.build.pipeline import Options
    from qingyu.build.shrink.prune import Pruning

    options = Options(
        precision=precision,
        calibration=calibration,
        min_agreement=min_agreement,
        measure=measure,
        licence=licence,
        simplified=simplified,
        labels=tuple(re.split("[,，、]", labels)) if labels else (),
        words=_words(words_from, words),
        pruning=Pruning(_numbers(layers), heads, feed_forward, positions, importance),
    )
    built = _build(source, out, options)
    _show(built)


def _words(file: Path | None, count: int | None) -> VocabularyChoice | None:
    from qingyu.build.shrink.vocabulary import VocabularyChoice

    if file is None and count is not None:
        raise typer.BadParameter("--words 需要 --words-from / --words needs --words-from")
    return None if file is None else VocabularyChoice(file, count)


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """ "0,2,4" as numbers."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        message = f"--layers 应如 0,2,4，收到 {text} / should be like 0,2,4, not {text}"
        raise typer.BadParameter(message) from None


def require_onnx() -> None:
    """Raises BuildError where what writes graphs, or tries them, is not installed."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise BuildError(
            f"构建模型需要 {'、'.join(missing)}，请运行：pip install {' '.join(missing)}",
            f"Building needs {' and '.join(missing)}; run: pip install {' '.join(missing)}",
        )


def _build(source: str, out: Path, options: Options) -> Built:
    """Run the build under a progress bar."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from qingyu.build import pipeline

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    screen = console.rich_console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=screen, transient=True) as bar:
        work = bar.add_task("", total=1.0)

        def show(what: str, share: float) -> None:
            bar.update(work, description=STAGES.get(what, what), completed=share)

        return pipeline.build(source, out, options, progress=show)


def _show(built: Built) -> None:
    from rich.table import Table

    for one in built.notes:
        console.note(one.zh, one.en)
    if built.unused:
        names = ", ".join(built.unused)
        console.note(f"未用到的张量：{names}", f"tensors not used: {names}")
    rows = built.report.rows()
    if rows:
        table = Table(box=None, pad_edge=False)
        for heading in ("", "之前 before", "之后 after"):
            table.add_column(heading, justify="left" if not heading else "right")
        for row in rows:
            table.add_row(*row)
        console.rich_console().print(table)
    size = f"{built.manifest.precision}, {built.manifest.bytes / 1e6:.1f} MB"
    typer.echo(f"{built.path}  已构建 / built  ({size})")
