"""The model card of a built bundle: what it is and what the build cost, in a page."""

from __future__ import annotations

from qingyu.bundle import Manifest


def card(manifest: Manifest) -> str:
    """Markdown, from the manifest alone."""
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
        "",
        "| head | kind | labels |",
        "|---|---|---|",
    ]
    for name, head in manifest.heads.items():
        lines.append(f"| {name} | {head.kind} | {', '.join(head.labels)} |")
    if manifest.accuracy:
        lines += [
            "",
            "Against the FP32 graph of the same checkpoint, on the build's sample texts:",
            "",
            "| head | same best answer | mean KL (nats) |",
            "|---|---|---|",
        ]
        for name, row in manifest.accuracy.items():
            if "top1" in row:
                lines.append(f"| {name} | {row['top1']:.2%} | {row['kl']:.5f} |")
        if "hidden" in manifest.accuracy:
            lines += ["", f"Cosine of hidden states: {manifest.accuracy['hidden']['cosine']:.5f}."]
    return "\n".join(lines) + "\n"
