"""The report of a build: agreement, size, memory and latency, before and after."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qingyu import bundle
from qingyu.build.measure import footprint
from qingyu.build.measure.agreement import told

LENGTHS = (16, 32, 128)


@dataclass(frozen=True)
class BundleCost:
    """Bytes on disk and resident when answering, and milliseconds for one text of each length."""

    disk: int
    resident: int
    milliseconds: dict[int, float]

    def cells(self) -> dict[str, str]:
        """Each figure as it reads in a table."""
        cells = {"磁盘 disk": f"{self.disk / 1e6:.1f} MB"}
        if self.resident:
            cells["内存 resident"] = f"{self.resident / 1e6:.1f} MB"
        for length, milliseconds in self.milliseconds.items():
            cells[f"延迟 latency, {length}"] = f"{milliseconds:.1f} ms"
        return cells


@dataclass(frozen=True)
class Report:
    """`accuracy` as `agreement.compare` gives it; costs where they were measured."""

    accuracy: dict[str, dict[str, Any]]
    before: BundleCost | None
    after: BundleCost | None
    vocabulary: dict[str, float] | None = None

    def rows(self) -> list[tuple[str, str, str]]:
        """(what, before, after) for a person; "—" where there is nothing."""
        before = self.before.cells() if self.before else {}
        after = self.after.cells() if self.after else {}
        rows = [(what, before.get(what, "—"), cell) for what, cell in after.items()]
        if self.vocabulary:
            before_rate, after_rate = (
                f"{self.vocabulary[f'unknown_{when}']:.3%}" for when in ("before", "after")
            )
            rows.append(("未登录词 unknown tokens", before_rate, after_rate))
        for name, row in self.accuracy.items():
            if name == "hidden":
                rows.append(("隐状态余弦 hidden cosine", "1", f"{row['cosine']:.5f}"))
                continue
            share = told(row)
            if "kl" in row:
                share += f", KL {row['kl']:.4f}"
            if "span_f1" in row:
                share += f", F1 {row['span_f1']:.2%} / {row['spans']}"
            rows.append((f"{name} 一致 agreement", "100%", share))
        return rows


def measure(manifest: bundle.Manifest) -> BundleCost:
    """Run the bundle in a process of its own."""
    lengths = [length for length in LENGTHS if length <= manifest.sizes.max_positions]
    usage = footprint.measure(manifest.path, [(1, length) for length in lengths])
    times = {shape.length: round(shape.seconds * 1e3, 2) for shape in usage.shapes}
    return BundleCost(manifest.bytes, usage.loaded, times)


def write_report(report: Report, folder: Path) -> None:
    text = json.dumps(asdict(report), ensure_ascii=False, indent=1)
    (folder / bundle.REPORT).write_text(text + "\n", "utf-8")
