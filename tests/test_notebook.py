"""The notebook of the manual: every cell runs, and says what stands below it.

`python tests/test_notebook.py` writes the outputs anew, after a change of the model.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "start.ipynb"
NUMBER = re.compile(r"-?\d+\.\d+(?:e-\d+)?")

Cell = dict[str, Any]


def code_cells(notebook: Cell) -> list[Cell]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(source: str, names: dict[str, Any]) -> list[Cell]:
    """The outputs of a cell as Jupyter stores them: what it prints, and its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    shown = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "notebook", "exec"), names)  # noqa: S102 that is what it is for
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), "notebook", "eval"), names)  # noqa: S307
    outputs: list[Cell] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": printed.getvalue()})
    if shown is not None:
        data = {"text/plain": repr(shown)}
        if hasattr(shown, "_repr_html_"):
            data["text/html"] = shown._repr_html_()
        result = {"data": data, "execution_count": None, "metadata": {}}
        outputs.append({"output_type": "execute_result", **result})
    return outputs


def words(outputs: list[Cell]) -> str:
    """Without counts of runs, and figures, which differ a little from one CPU to another."""
    plain = [{**output, "execution_count": None} for output in outputs]
    return NUMBER.sub("#", json.dumps(plain, ensure_ascii=False, sort_keys=True))


def test_every_cell_says_what_stands_below_it() -> None:
    """Run one after the other, as a reader does."""
    pytest.importorskip("pandas")
    names: dict[str, Any] = {}
    cells = code_cells(json.loads(NOTEBOOK.read_text("utf-8")))
    assert len(cells) >= 10
    for cell in cells:
        assert words(run(cell["source"], names)) == words(cell["outputs"]), cell["source"]


def test_it_is_a_notebook() -> None:
    """Of the format that Jupyter opens: cells have kinds and names of their own, none is empty."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert all(
        cell["source"].strip() and cell["cell_type"] in ("code", "markdown") for cell in cells
    )
    assert any("<table" in str(cell.get("outputs")) for cell in cells)


def rewrite() -> None:
    """Write the outputs into the notebook."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    names: dict[str, Any] = {}
    for number, cell in enumerate(code_cells(notebook), 1):
        cell["execution_count"] = number
        cell["outputs"] = run(cell["source"], names)
        for output in cell["outputs"]:
            if output["output_type"] == "execute_result":
                output["execution_count"] = number
    NOTEBOOK.write_text(f"{json.dumps(notebook, ensure_ascii=False, indent=1)}\n", "utf-8")


if __name__ == "__main__":
    rewrite()
