"""The model card of a built bundle: what it is and what the build cost, in a page."""

from __future__ import annotations

from qingyu.build.measure.report import Report
from qingyu.bundle import Manifest


def card(manifest: Manifest, report: Report) -> str:
    """Markdown."""
    sizes = manifest.sizes
    lines = [
        f"# {manifest.name}",
        "",
        f"A {manifest.family} encoder at {manifest.precision}, built by {manifest.created_by} "
        f"from `{manifest.source}`. Licence: {manifest.licence or 'that of the source'}.",
        "",
        f"{sizes.num_layers} layers, hidden {sizes.hidden_size}, {sizes.num_heads} heads, "
        f"feed-forward {sizes.intermediate_size}, vocabulary {sizes.vocab_size:,}, "
        f"{sizes.max_positions} positions, {sizes.parameters / 1e6:.1f} M parameters, "
        f"{manifest.bytes / 1e6:.1f} MB.",
    ]
    if manifest.heads:
        lines += ["", "| head | kind | labels |", "|---|---|---|"]
    for name, head in manifest.heads.items():
        lines.append(f"| {name} | {head.kind} | {', '.join(head.labels)} |")
    rows = report.rows()
    if rows:
        lines += [
            "",
            "Before is the FP32 graph of the same checkpoint. Agreement is on the build's sample "
            "texts, with its 95 % interval; latency is of one text of so many tokens on the "
            "machine that built this.",
            "",
            "| | before | after |",
            "|---|---|---|",
        ]
        lines += [f"| {what} | {before} | {after} |" for what, before, after in rows]
    return "\n".join(lines) + "\n"
