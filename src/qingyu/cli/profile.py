"""`qingyu profile`: where the memory of a model goes, measured, beside what was estimated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qingyu.cli import console
from qingyu.errors import SettingsError

if TYPE_CHECKING:
    from qingyu.build.measure.footprint import Footprint
    from qingyu.bundle import Manifest

BATCHES = (1, 4, 16)
LENGTHS = (16, 64, 128, 256, 512)
UNITS = {"": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def profile(
    model: Annotated[str, typer.Argument(help="模型名或目录 / Name or directory of a bundle.")],
    memory: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SIZE",
            help="如 512MB、1GB，可重复：求放得下的最大批 / Find the largest batch that fits; "
            "may be given several times.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.svg", help="把表画成热力图 / Draw the grid as a heat map."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / Write JSON.")] = False,
) -> None:
    """内存花在哪里：权重、运行时、各种批量下的激活 / Where the memory goes, by batch and length."""
    from qingyu import bundle
    from qingyu.build.measure import footprint
    from qingyu.build.measure.heat_map import heat_map

    limits = {text: parse_size(text) for text in memory or []}
    manifest = bundle.read_manifest(bundle.find(model))
    lengths = [length for length in LENGTHS if length <= manifest.sizes.max_positions]
    shapes = [(batch, length) for length in lengths for batch in BATCHES]
    usage = footprint.measure(manifest.path, shapes)
    fits = {text: largest_batches(manifest, usage, limit) for text, limit in limits.items()}
    if plot is not None:
        _write(plot, heat_map(manifest.name, usage))
    if as_json:
        console.print_json(_summary(manifest, usage, fits))
    else:
        _draw(manifest, usage, fits)


def parse_size(text: str) -> int:
    """ "512MB" in bytes. Raises SettingsError."""
    match = re.fullmatch(r"\s*([0-9.]+)\s*([KMG]I?B)?\s*", text.upper())
    try:
        if match:
            return int(float(match[1]) * UNITS[match[2] or ""])
    except ValueError:
        pass
    raise SettingsError(
        f"--memory 应如 512MB、1GB，收到 {text}。",
        f"--memory should be like 512MB or 1GB, not {text}.",
    )


def largest_batches(manifest: Manifest, usage: Footprint, limit: int) -> dict[int, int]:
    """{length: texts that can run at once} within `limit` bytes; 0 where not even one can.

    Between and beyond the measured batches the larger of measurement and estimate is scaled.
    """
    from qingyu.build.measure.footprint import estimated_activations

    room = limit - usage.loaded
    fits = {}
    for length in sorted({shape.length for shape in usage.shapes}):
        widest = max((s for s in usage.shapes if s.length == length), key=lambda s: s.batch)
        each = max(widest.bytes / widest.batch, 1.0)
        each = max(each, estimated_activations(manifest, 1, length))
        fits[length] = max(0, int(room // each))
    return fits


def _draw(manifest: Manifest, usage: Footprint, fits: dict[str, dict[int, int]]) -> None:
    from rich.table import Table

    from qingyu.build.measure.footprint import estimated_activations

    screen = console.rich_console()
    typer.echo(
        f"{manifest.name}  {manifest.precision}, {manifest.bytes / 1e6:.1f} MB 磁盘 / on disk"
    )
    runtime, held = usage.runtime, usage.loaded - usage.runtime
    typer.echo(f"运行时 runtime      {runtime / 1e6:8.1f} MB")
    typer.echo(
        f"权重等 weights etc. {held / 1e6:8.1f} MB  "
        f"（估计 estimated {manifest.bytes / 1e6:.1f} MB）"
    )
    table = Table(box=None, pad_edge=False, title="激活 activations, MB（估计 estimated）· ms")
    table.add_column("词元 tokens", justify="right")
    for batch in BATCHES:
        table.add_column(f"× {batch}", justify="right")
    for length in sorted({shape.length for shape in usage.shapes}):
        cells = [
            f"{shape.bytes / 1e6:.1f} "
            f"({estimated_activations(manifest, shape.batch, length) / 1e6:.1f})"
            f" · {shape.seconds * 1e3:.1f}"
            for shape in usage.shapes
            if shape.length == length
        ]
        table.add_row(str(length), *cells)
    screen.print(table)
    if fits:
        largest = Table(
            box=None, pad_edge=False, title="放得下的最大批 the largest batch that fits"
        )
        for heading in ("词元 tokens", *fits):
            largest.add_column(heading, justify="right")
        for length in next(iter(fits.values())):
            cells = [str(batches[length] or "—") for batches in fits.values()]
            largest.add_row(str(length), *cells)
        screen.print(largest)


def _summary(
    manifest: Manifest, usage: Footprint, fits: dict[str, dict[int, int]]
) -> dict[str, object]:
    from dataclasses import asdict

    from qingyu.build.measure.footprint import estimated_activations

    shapes = [
        asdict(shape) | {"estimated": estimated_activations(manifest, shape.batch, shape.length)}
        for shape in usage.shapes
    ]
    return {
        "model": manifest.name,
        "precision": manifest.precision,
        "disk": manifest.bytes,
        "runtime": usage.runtime,
        "loaded": usage.loaded,
        "shapes": shapes,
        "largest_batches": fits,
    }


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise SettingsError(
            f"无法写入 {path}：{error.strerror}", f"Cannot write {path}: {error.strerror}"
        ) from error
