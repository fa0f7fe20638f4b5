"""Where reference outputs lie and how they are written: shared by the scripts of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def save_npz(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Write arrays as a compressed `.npz`; the same arrays give the same bytes."""
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def save_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object in which every object of a list, however deep, takes one line."""
    path.write_text(_dump(value, 0) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def rounded(values: Any, digits: int = 6) -> Any:
    """Turn an array, or a float, into plain numbers with `digits` decimals."""
    plain = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(plain, list):
        return [rounded(item, digits) for item in plain]
    return round(float(plain), digits)


def _dump(value: Any, depth: int) -> str:
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        rows = [f"{pad}{json.dumps(key)}: {_dump(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + pad[2:] + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = [pad + json.dumps(item, ensure_ascii=False) for item in value]
        return "[\n" + ",\n".join(rows) + "\n" + pad[2:] + "]"
    return json.dumps(value, ensure_ascii=False)
