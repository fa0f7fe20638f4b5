"""Which layers of a model a GPU's memory holds, as `qingyu plan --gpu-memory` shows it."""

from __future__ import annotations

from dataclasses import asdict

import typer

from qingyu import bundle
from qingyu.cli import console


def show(model: str, memory: str, *, as_json: bool) -> None:
    """Planned from the sizes of the model's tensors: no GPU is needed. Raises ModelNotFoundError,
    BundleError where no GPU could run it, and SettingsError where `memory` holds nothing of it."""
    from qingyu.engine import cuda
    from qingyu.engine.cuda.driver import first_gpu
    from qingyu.engine.cuda.sizes import BATCH_TOKENS, cut, measured, mega
    from qingyu.engine.device import bytes_of

    manifest, limit = bundle.read_manifest(bundle.find(model)), bytes_of(memory)
    plan, gpu = cuda.required(manifest), first_gpu()
    kind = cuda.kind_of(plan, gpu is not None and gpu.has_bfloat16)
    sizes = measured(manifest, kind)
    placed = cut(manifest, sizes, limit)
    end = len(sizes.layers)
    if as_json:
        gpu_part = {"precision": kind, "limit": limit, **asdict(placed)}
        console.print_json({"gpu": gpu_part, "sizes": asdict(sizes)})
        return
    typer.echo(f"显存上限 / GPU memory: {mega(limit)}（{kind}）")
    rows = [("词表等 embeddings", sizes.embeddings, True)]
    rows += [
        (f"第 {index} 层 layer", size, index <= placed.layers)
        for index, size in enumerate(sizes.layers, 1)
    ]
    rows += [(f"头 head {name}", size, placed.whole) for name, size in sizes.heads.items()]
    for what, size, on_gpu in rows:
        typer.echo(f"  {'GPU' if on_gpu else 'CPU'}  {size / 1e6:8.1f} MB  {what}")
    typer.echo(
        f"GPU 上 {placed.layers}/{end} 层，权重 / weights of {placed.layers} of {end} layers: "
        f"{mega(placed.weights)}；每批 {BATCH_TOKENS} 词元约需 / a batch of {BATCH_TOKENS} tokens "
        f"works in about {mega(sizes.working)}"
    )
