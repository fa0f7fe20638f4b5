"""Services under load, as bench/load.py --against writes them, for the report."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.peers.tables import spread, table

Rows = list[dict[str, Any]]
FIELDS = ("per_second", "p50", "p95", "cpu", "rss_mb")


def served(results: dict[str, Any]) -> str:
    """A table for each number of users: every service, and ours over it within a round."""
    services, ours = results["services"], results["ours"]
    text = f"\n## {results['checkpoint']}, served\n\n{results['machine'].replace(chr(10), '; ')}. "
    text += f"Texts of {results['length'] or 'mixed'} tokens; ratios are ours over theirs.\n"
    for users in sorted({row["users"] for row in services[ours]["rows"]}):
        mine = at(services[ours]["rows"], users)
        rows = []
        for name, found in services.items():
            theirs = at(found["rows"], users)
            ratios = [
                a["per_second"] / b["per_second"]
                for a, b in zip(mine, theirs, strict=True)
                if b["per_second"]
            ]
            rows.append(
                [
                    name,
                    *(f"{median(row[field] for row in theirs):.1f}" for field in FIELDS),
                    "" if name == ours or not ratios else spread(ratios, ".1f"),
                ]
            )
        head = [f"{users} users", "requests/s", "P50 ms", "P95 ms", "CPU %", "RSS MB", "ratio"]
        text += "\n" + table(head, rows)
    for name, reason in results.get("missing", {}).items():
        text += f"\nMissing: {name}: {reason}.\n"
    return text


def at(rows: Rows, users: int) -> Rows:
    """The rounds at so many users."""
    return [row for row in rows if row["users"] == users]
