"""`qingyu build`: a checkpoint becomes a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from qingyu.cli import console
from qingyu.errors import BuildError

STAGES = {
    "graphs": "写计算图 / writing graphs",
    "reference": "写参照 / writing the reference",
    "verify": "与参照比较 / comparing",
    "bundle": "收尾 / finishing",
    "done": "完成 / done",
}


def build(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Hugging Face 布局的检查点目录 / A checkpoint in the Hugging Face layout.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="新模型包的目录 / Directory of the new bundle.")
    ],
    precision: Annotated[
        Literal["int8", "fp32"], typer.Option(help="权重精度 / Precision of the weights.")
    ] = "int8",
) -> None:
    """把 Hugging Face 检查点转成模型包 / Turn a checkpoint into a bundle."""
    try:
        from qingyu.build import pipeline
    except ModuleNotFoundError as error:
        if error.name not in {"onnx", "safetensors"}:
            raise
        raise BuildError(
            f"构建模型需要 {error.name}，请运行：pip install onnx safetensors",
            f"Building needs {error.name}; run: pip install onnx safetensors",
        ) from error
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    screen = console.rich_console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=screen, transient=True) as bar:
        work = bar.add_task("", total=1.0)

        def report(what: str, share: float) -> None:
            bar.update(work, description=STAGES.get(what, what), completed=share)

        built = pipeline.build(source, out, precision=precision, progress=report)

    if built.unused:
        names = ", ".join(built.unused)
        console.note(f"未用到的张量：{names}", f"tensors not used: {names}")
    size = f"{precision}, {built.manifest.bytes / 1e6:.1f} MB"
    typer.echo(f"{built.path}  已构建 / built  ({size})")
