"""The chart under Helm itself: its linter, and its rendering beside that of the other tests."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .rendering import CHART, render
from .test_chart import EVERYTHING, KEYS

pytest.importorskip("yaml", reason="PyYAML is not installed")
if importlib.util.find_spec("helm_python") is None:
    pytest.skip("helm-python-sdk is not installed", allow_module_level=True)

# In a process of its own: Go's runtime need not live in this one.
HELM = """
import json, sys
from helm_python.chart import Chart, lint
path, values = json.load(sys.stdin)
told = lint(path, values, strict=True)["messages"]
files = Chart.load(path).render(values, name="demo", namespace="apps")
json.dump([told, files], sys.stdout)
"""
INFORMATION = 1  # below warnings and errors


def helm(values: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """What `helm lint --strict` says, and the files that `helm template` renders."""
    ended = subprocess.run(
        [sys.executable, "-c", HELM],
        input=json.dumps([str(CHART), values]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told, files = json.loads(ended.stdout)
    return told, files


@pytest.mark.parametrize("values", [KEYS, EVERYTHING], ids=["default", "everything"])
def test_helm_renders_what_the_tests_see(tmp_path: Path, values: dict[str, Any]) -> None:
    """Helm's linter has no warning, and every document is the one that the other tests check."""
    import yaml

    told, files = helm(values)
    assert [one for one in told if one["severity"] > INFORMATION] == []
    documents = [yaml.safe_load(text) for name, text in files.items() if name.endswith(".yaml")]
    found = {document["kind"]: document for document in documents if document is not None}
    assert found == render(tmp_path, **values)
    notes = next(text for name, text in files.items() if name.endswith("NOTES.txt"))
    assert "demo-qingyu" in notes
    assert "<no value>" not in "".join(files.values())


def test_helm_refuses_what_the_schema_does_not_know() -> None:
    """A misspelt value is an error before anything is rendered."""
    ended = subprocess.run(
        [sys.executable, "-c", HELM],
        input=json.dumps([str(CHART), {**KEYS, "replicaz": 3}]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "replicaz" in ended.stderr + ended.stdout
