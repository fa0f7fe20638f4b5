"""Results as Markdown: one function a table. Every figure is computed from the files given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

Results = dict[str, Any]
NEAR = 1.0  # answers count as equal to ours with a top-1 agreement so many per cent less, or more


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def spread(values: Sequence[float], style: str = ".2f") -> str:
    """Median, with the least and the most."""
    if len(values) == 1:
        return format(values[0], style)
    return f"{median(values):{style}} ({min(values):{style}}–{max(values):{style}})"


def mb(count: float) -> str:
    return f"{count / 1e6:.0f}"


def where(results: Results) -> str:
    """The machine, the commit and the day of a file of results."""
    machine = results["machine"]
    features = ", ".join(machine["features"])
    return (
        f"{machine['cpu']} ({features}), {machine['threads']} threads, Python "
        f"{machine['python']}; commit {results['commit']}, {results['date']}"
    )


def rivals(results: Results) -> list[str]:
    """Peers whose answers are as near the reference as ours, so that times may be compared."""
    peers = results["peers"]

    def near(name: str) -> float:
        found = peers[name].get("agreement")
        return 100 * float(found.get("top1", found.get("cosine"))) if found else 100.0

    least = near(results["ours"]) - NEAR
    return [name for name in peers if not name.startswith("qingyu:") and near(name) >= least]


def best(results: Results, workload: str) -> tuple[str, list[float]]:
    """The rival with the least median ratio, and its ratios."""
    peers = results["peers"]
    name = min(rivals(results), key=lambda one: median(peers[one]["ratios"][workload]))
    return name, peers[name]["ratios"][workload]


def shares(results: Results, name: str, workload: str) -> list[float]:
    """Operations a second over the INT8 peak of the same round, for each round."""
    operations = results["work"][workload]["operations"]
    seconds = results["peers"][name]["seconds"][workload]
    peaks = results["limits"]["int8"]
    return [operations / s / peak for s, peak in zip(seconds, peaks, strict=True)]


def times(results: Results) -> str:
    peers = results["peers"]
    rows = [
        [name, *(f"{median(one) * 1000:.2f}" for one in found["seconds"].values())]
        for name, found in peers.items()
    ]
    return table(["ms a text", *results["work"]], rows)


def ratios(results: Results) -> str:
    rows = [
        [name, *(spread(one) for one in found["ratios"].values())]
        for name, found in results["peers"].items()
        if name != results["ours"]
    ]
    return table(["peer / Qingyu INT8", *results["work"]], rows)


def costs(results: Results) -> str:
    """Everything that is not time a text."""
    rows = []
    for name, found in results["peers"].items():
        cpu = [median(found["cpu_seconds"][one]) * 1000 for one in ("1x32", "mixed x16")]
        rows.append(
            [
                name,
                spread(found["start_seconds"], ".1f"),
                *(f"{one:.1f}" for one in cpu),
                *(mb(found[one]) for one in ("rss_idle", "rss_after", "rss_peak")),
                mb(found["model_bytes"]),
                mb(found["installed_bytes"]),
                answers(found.get("agreement")),
                " ".join(f"{package} {number}" for package, number in found["versions"].items()),
            ]
        )
    head = ["", "cold start, s", "CPU s / 1,000 texts of 32", "of mixed", "RSS idle, MB"]
    head += ["after load", "peak", "model, MB", "installed, MB", "same answers", "versions"]
    return table(head, rows)


def answers(found: dict[str, float] | None) -> str:
    if not found:
        return "random weights"
    if "cosine" in found:
        return f"cosine {found['cosine']:.4f}, least {found['least_cosine']:.4f}"
    return f"{found['top1']:.1%} first, {found['top5']:.1%} of five"


def limits(results: Results) -> str:
    """Least work of each workload, and how much of the INT8 peak each peer makes of it."""
    work = results["work"]
    peak, copy = (median(results["limits"][one]) for one in ("int8", "copy"))
    rows = [
        ["operations, G", *(f"{one['operations'] / 1e9:.2f}" for one in work.values())],
        ["bytes, MB", *(f"{one['bytes'] / 1e6:.1f}" for one in work.values())],
        [
            "least, ms",
            *(
                f"{max(one['operations'] / peak, one['bytes'] / copy) * 1e3:.2f}"
                for one in work.values()
            ),
        ],
    ]
    for name in results["peers"]:
        cells = [f"{median(shares(results, name, one)):.1%}" for one in work]
        rows.append([name, *cells])
    return table(["of a text", *work], rows)


def ceiling(results: Results) -> str:
    """The machine's limits in a sentence."""
    found = results["limits"]
    text = (
        f"INT8 peak {spread([one / 1e9 for one in found['int8']], '.0f')} GOPS, "
        f"copying {spread([one / 1e9 for one in found['copy']], '.1f')} GB/s"
    )
    theory = results["theory"]
    if theory:
        text += (
            f"; in theory {theory['int8'] / 1e9:.0f} GOPS by {theory['set']} "
            f"({theory['per_cycle']} operations a cycle and core at the nominal "
            f"{results['machine']['mhz']:.0f} MHz)"
        )
    return text + "."


def roofline(results: Results) -> str:
    """The encoder alone."""
    rows = [
        [
            name,
            f"{shape['operations'] / 1e9:.2f}",
            f"{median(shape['seconds']) * 1000:.2f}",
            spread([100 * one for one in shape["share"]], ".0f") + " %",
        ]
        for name, shape in results["shapes"].items()
    ]
    return table(["encoder alone", "operations, G", "ms", "share of the INT8 peak"], rows)


def profile(results: Results) -> str:
    """Shares of time by kind of node, one thread."""
    shapes = results["shapes"]
    kinds: dict[str, float] = {}
    for shape in shapes.values():
        for kind, node in shape["nodes"].items():
            kinds[kind] = max(kinds.get(kind, 0.0), node["milliseconds"] / total(shape))
    rows = []
    for kind in sorted(kinds, key=lambda one: -kinds[one]):
        nodes = [shape["nodes"].get(kind) for shape in shapes.values()]
        count = max(int(node["count"]) for node in nodes if node)
        cells = [
            f"{node['milliseconds'] / total(shape):.1%}" if node else ""
            for node, shape in zip(nodes, shapes.values(), strict=True)
        ]
        rows.append([kind, str(count), *cells])
    rows.append(["all nodes, ms", "", *(f"{total(shape):.2f}" for shape in shapes.values())])
    rows.append(["a run, ms", "", *(f"{shape['milliseconds']:.2f}" for shape in shapes.values())])
    return table(["kind of node", "nodes", *shapes], rows)


def total(shape: dict[str, Any]) -> float:
    return float(sum(node["milliseconds"] for node in shape["nodes"].values()))
