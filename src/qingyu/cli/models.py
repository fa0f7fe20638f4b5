"""`qingyu models`: the bundles that are there, what they are, and whether they are whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qingyu.cli import console
from qingyu.cli.summaries import SummaryGroup
from qingyu.errors import BundleError

if TYPE_CHECKING:
    from qingyu.bundle import Manifest

app = typer.Typer(
    cls=SummaryGroup,
    help="查看与校验模型 / List, show and verify models.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / Write JSON.")]


@app.callback()
def models(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """列出可按名字使用的模型 / List the models that can be loaded by name."""
    from qingyu import bundle

    manifests: list[Manifest] = []
    damaged: list[BundleError] = []
    for folder in bundle.installed():
        try:
            manifests.append(bundle.read_manifest(folder))
        except BundleError as error:
            damaged.append(error)
    if as_json:
        for manifest in manifests:
            console.print_json(_summary(manifest))
    elif manifests:
        _draw_list(manifests)
    else:
        console.note("没有已安装的模型", "no models are installed")
    for damage in damaged:
        console.complain(damage.zh, damage.en)
    if damaged:
        raise typer.Exit(console.FAILURE)


@app.command()
def info(
    model: Annotated[str, typer.Argument(help="模型名或目录 / Name or directory of a bundle.")],
    as_json: AsJson = False,
) -> None:
    """显示一个模型的清单 / Show the manifest of a model."""
    from qingyu import bundle

    manifest = bundle.read_manifest(bundle.find(model))
    if as_json:
        console.print_json(_summary(manifest) | _details(manifest))
    else:
        _draw_info(manifest)


@app.command()
def verify(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="模型名或目录，默认全部 / Names or directories, all by default."),
    ] = None,
) -> None:
    """校验每个文件的 SHA-256 / Check the SHA-256 of every file."""
    from qingyu import bundle

    folders = [bundle.find(model) for model in models] if models else list(bundle.installed())
    failed = False
    for folder in folders:
        try:
            manifest = bundle.read_manifest(folder)
            bundle.verify(manifest)
        except BundleError as error:
            failed = True
            console.complain(error.zh, error.en)
        else:
            typer.echo(f"{manifest.name}  完好 / intact  ({len(manifest.files)} files)")
    if failed:
        raise typer.Exit(console.FAILURE)


@app.command()
def upgrade(
    models: Annotated[
        list[str], typer.Argument(help="模型名或目录 / Names or directories of bundles.")
    ],
) -> None:
    """把旧格式的模型包改写成新格式，答案不变 / Rewrite bundles of the old format, equal answers.

    每个模型包要么全部改写，要么原样不动。需要构建工具：pip install onnx onnxruntime

    Each is rewritten whole or left as it is. Needs the build tools: pip install onnx onnxruntime
    """
    from qingyu import bundle
    from qingyu.cli.build import require_onnx

    require_onnx()
    from qingyu.build import upgrade as build_upgrade

    for model in models:
        manifest = build_upgrade.upgrade(bundle.find(model))
        typer.echo(f"{manifest.name}  格式 / format {manifest.format}")


@app.command("add-head")
def add_head(
    model: Annotated[str, typer.Argument(help="模型名或目录 / Name or directory of a bundle.")],
    heads: Annotated[
        Path, typer.Argument(help="heads.json 与 heads.safetensors 所在的目录 / Their folder.")
    ],
    calibration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="每行一段的样本文本 / Sample texts, one a line."),
    ] = None,
    min_agreement: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="与 FP32 的最低一致率，低于它不写 / Write nothing below this agreement.",
        ),
    ] = 0.97,
) -> None:
    """把训练好的任务头加进模型包，同名的被替换，其余文件不动 / Put trained heads into a bundle.

    同名的任务头被替换；编码器的权重与其他任务头逐字节不变。

    Heads of the same names are replaced; the encoder's weights and other heads stay as they are.
    """
    from qingyu import bundle
    from qingyu.cli.build import require_onnx

    require_onnx()
    from qingyu.build.add_heads import add_heads
    from qingyu.build.heads import described_heads
    from qingyu.build.measure.agreement import told

    manifest = add_heads(bundle.find(model), heads, calibration, min_agreement)
    for name in described_heads(heads):
        typer.echo(f"{name}  一致率 / agreement {told(manifest.accuracy[name])}")


def _summary(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "family": manifest.family,
        "precision": manifest.precision,
        "heads": list(manifest.heads),
        "bytes": manifest.bytes,
        "path": str(manifest.path),
    }


def _details(manifest: Manifest) -> dict[str, Any]:
    return {
        "sizes": asdict(manifest.sizes),
        "labels": {name: list(head.labels) for name, head in manifest.heads.items() if head.labels},
        "accuracy": manifest.accuracy,
        "source": manifest.source,
        "licence": manifest.licence,
        "created_by": manifest.created_by,
        "digest": manifest.digest,
    }


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _draw_list(manifests: list[Manifest]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("名称 name", "家族 family", "精度 precision", "大小 size", "头 heads"):
        table.add_column(title)
    for manifest in manifests:
        heads = ", ".join(manifest.heads)
        size = _megabytes(manifest.bytes)
        table.add_row(manifest.name, manifest.family, manifest.precision, size, heads)
    console.rich_console().print(table)


def _draw_info(manifest: Manifest) -> None:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    for key, value in (_summary(manifest) | _details(manifest)).items():
        shown = _megabytes(value) if key == "bytes" else _plain(value)
        table.add_row(key, shown)
    console.rich_console().print(table)


def _plain(value: Any) -> str:
    """A manifest value on a line, or one line for each of its entries."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
