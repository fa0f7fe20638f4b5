"""The manual as a web site: whole, in two languages, and asking nobody else for anything."""

from __future__ import annotations

import importlib.util
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def load_website() -> ModuleType:
    spec = importlib.util.spec_from_file_location("website", DOCS / "website.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


website = load_website()


def test_every_page_is_in_the_navigation_once() -> None:
    """Nothing is written that the site does not show."""
    named = website.pages()
    assert len(named) == len(set(named))
    written = [path for path in DOCS.rglob("*.md") if DOCS / "zh" not in path.parents]
    assert sorted(named) == sorted(
        path.relative_to(DOCS).with_suffix("").as_posix() for path in written
    )


def test_links_stay_in_a_language() -> None:
    """The line that leads to the translation goes; a page that is English alone is near; a file of
    the repository is named."""
    text = website.rewritten("index", "zh")
    assert "[English]" not in text
    assert "](architecture.md)" in text
    for name in website.pages():
        for language in website.LANGUAGES:
            assert not re.search(r"\]\((?:\.\./)*zh/", website.rewritten(name, language))
    assert "Dockerfile](" not in website.rewritten("deploy", "en")


class Loads(HTMLParser):
    """What a browser would fetch to show a page, by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(named.get("src") or "")
        if tag == "link" and named.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.found.append(named.get("href") or "")


@pytest.mark.slow
def test_it_is_built_strictly_and_complete(tmp_path: Path) -> None:
    """All links lead somewhere, both languages have all pages and a search, and no page loads
    anything from elsewhere."""
    pytest.importorskip("zensical")
    website.build(tmp_path / "site")
    for language, folder in (("zh", tmp_path / "site"), ("en", tmp_path / "site" / "en")):
        searched = json.loads((folder / "search.json").read_text("utf-8"))
        assert searched["config"]["lang"] == [language]
        found = {one["location"].partition("#")[0] for one in searched["items"]}
        for name in website.pages():
            page = (folder / f"{name}.html").read_text("utf-8")
            assert f'<html lang="{language}"' in page
            assert f"{name}.html" in found
            loads = Loads()
            loads.feed(page)
            assert loads.found
            assert not [one for one in loads.found if "//" in one]
