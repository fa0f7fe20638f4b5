"""The page's JavaScript is read by a type checker in development; see `make lint-page`."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/qingyu/web/static"
SCRIPTS = sorted([*STATIC.glob("*.js"), *(STATIC / "js").rglob("*.js")])


def test_every_script_is_type_checked() -> None:
    """No file is left out of what TypeScript reads."""
    assert len(SCRIPTS) > 30
    unread = [
        path.name for path in SCRIPTS if not path.read_text("utf-8").startswith("// @ts-check")
    ]
    assert not unread


def test_the_page_needs_nothing_from_npm() -> None:
    """What npm brings is for development: no script imports by the name of a package."""
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    assert "dependencies" not in package
    for path in SCRIPTS:
        for line in path.read_text("utf-8").splitlines():
            if line.startswith(("import ", "export * from", "} from")):
                assert '"./' in line or '"../' in line or line.endswith(" {"), (path.name, line)
