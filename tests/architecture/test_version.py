"""One version everywhere, and one set of versions for those who develop."""

from __future__ import annotations

import re
from pathlib import Path

import tomllib

import qingyu

ROOT = Path(__file__).parents[2]


def test_the_version_is_the_same_everywhere() -> None:
    """The changelog's newest release, the citation and the chart name the package's version."""
    newest = re.search(r"^## \[(\d.+?)\] - (\d{4}-\d\d-\d\d)$", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == qingyu.__version__
    citation = read("CITATION.cff")
    assert f"\nversion: {newest[1]}\n" in citation
    assert f"\ndate-released: {newest[2]}\n" in citation
    assert f"\nversion: {newest[1]}\n" in read("deploy/helm/qingyu/Chart.yaml")


def test_every_tool_of_development_is_pinned() -> None:
    """Each dependency of the package and of its groups has one version in constraints.txt."""
    project = tomllib.loads(read("pyproject.toml"))
    groups = project["dependency-groups"]
    extras = project["project"]["optional-dependencies"]
    wanted = [
        *project["project"]["dependencies"],
        *(one for name in ("build", "files", "hub") for one in extras[name]),
        *(one for name in ("test", "lint", "deploy") for one in groups[name]),
    ]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", read("constraints.txt"), re.MULTILINE))
    names = {re.split(r"[\[><=; ]", one)[0].lower().replace("_", "-") for one in wanted}
    assert not names - pinned


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")
