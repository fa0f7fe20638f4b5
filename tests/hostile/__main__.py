"""What others notice of each attack, held to the promise: `python -m tests.hostile [WORD...]`.

Ends with status 1 where one is not withstood.
"""

from __future__ import annotations

import sys

from .attacks import ALL
from .harness import HEADER, withstood


def main(words: list[str]) -> int:
    broken = 0
    print(f"{'':46}{HEADER}")
    for name, attack in ALL.items():
        if words and not any(word in name for word in words):
            continue
        try:
            seen = withstood(attack)
            told = str(seen)
            seen.check(1.0)
        except AssertionError as failure:
            broken += 1
            told += f"  BROKEN: {str(failure).splitlines()[0][:150]}"
        print(f"{name[:45]:46}{told}", flush=True)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
