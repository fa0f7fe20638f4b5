"""The Helm chart as Helm would render it: Go's own template engine, with Helm's values."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "deploy" / "helm" / "qingyu"


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them: mappings deeply, all else replaced."""
    out = dict(base)
    for name, value in over.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = merged(out[name], value) if both else value
    return out


def values(**over: Any) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return merged(found, over)


class RenderError(Exception):
    """What the engine says, such as for `fail`."""


# In a process of its own: the engine ends the process it is in where a template fails.
ENGINE = """
import json, sys, pathlib, go_template
paths, given = json.load(sys.stdin)
out = [go_template.render(pathlib.Path(path), given).decode() for path in paths]
json.dump(out, sys.stdout)
"""


def render(folder: Path, **over: Any) -> dict[str, dict[str, Any]]:
    """Documents by kind. Raises RenderError."""
    import yaml

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    given = {
        "Values": values(**over),
        "Release": {"Name": "demo", "Namespace": "apps", "Service": "Helm"},
        "Chart": {
            "Name": chart["name"],
            "Version": chart["version"],
            "AppVersion": chart["appVersion"],
        },
    }
    helpers = (CHART / "templates" / "_helpers.tpl").read_text("utf-8")
    paths = []
    for template in sorted((CHART / "templates").glob("*.yaml")):
        path = folder / template.name
        path.write_text(helpers + template.read_text("utf-8"), "utf-8")
        paths.append(str(path))
    ended = subprocess.run(
        [sys.executable, "-c", ENGINE],
        input=json.dumps([paths, given]),
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise RenderError(ended.stderr)
    documents = [yaml.safe_load(text) for text in json.loads(ended.stdout)]
    return {document["kind"]: document for document in documents if document is not None}
