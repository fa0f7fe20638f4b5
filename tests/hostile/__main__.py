"""What others notice of each attack, held to the promise: `python -m tests.hostile [WORD...]`.

A word picks the attacks that have it in their name or kind. At the end comes the table of the
security page: the worst of each kind. Ends with status 1 where an attack is not withstood.
"""

from __future__ import annotations

import sys

from .attacks import KINDS
from .harness import HEADER, Withstood, withstood


def worst(kind: str, seen: list[Withstood]) -> str:
    """A row of the table: the worst of a kind, in ms, ms, MB and s."""
    figures = (
        max(one.light for one in seen) * 1e3,
        max(one.live for one in seen) * 1e3,
        max(one.peak_mb for one in seen),
    )
    told = " | ".join(f"{figure:.0f}" for figure in figures)
    return f"| {kind} | {told} | {max(one.end for one in seen):.1f} |"


def main(words: list[str]) -> int:
    broken = 0
    rows = []
    print(f"{'':46}{HEADER}")
    for kind, attacks in KINDS.items():
        seen = []
        for name, attack in attacks().items():
            if words and not any(word in name or word in kind for word in words):
                continue
            try:
                seen.append(withstood(attack, jobs="jobs" in kind))
                told = str(seen[-1])
                seen[-1].check(1.0)
            except AssertionError as failure:
                broken += 1
                told = f"BROKEN: {str(failure).splitlines()[0][:150]}"
            print(f"{name[:45]:46}{told}", flush=True)
        if seen:
            rows.append(worst(kind, seen))
    print("\n".join(rows))
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
