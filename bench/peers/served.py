"""Services under load, as bench/load.py --against writes them, for the report."""

from __future__ import annotations

from typing import Any


def served(_results: dict[str, Any]) -> str:
    return ""
