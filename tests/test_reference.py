"""The reference part of the manual says what the program says of itself today."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def loaded() -> ModuleType:
    """docs/reference.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return loaded()


@pytest.mark.parametrize("name", ["cli.md", "http.md", "python.md", "quality.md"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_are_fresh(reference: ModuleType, name: str, language: str) -> None:
    """`make reference` would change nothing: every command, address, method and field is there."""
    page = reference.page(name, language).read_text("utf-8")
    assert page == reference.made(name, language), "run `make reference`"


def test_everything_is_there(reference: ModuleType) -> None:
    """Commands in commands, addresses with several methods, properties and results."""
    cli, http, python = (
        reference.page(name, "en").read_text("utf-8") for name in ("cli.md", "http.md", "python.md")
    )
    for heading in ("qingyu fill", "qingyu serve", "qingyu models upgrade", "qingyu phrases fit"):
        assert f"\n### {heading}\n" in cli
    assert "| `--max-body VALUE` |" in cli
    for heading in ("GET /v1/jobs", "POST /v1/jobs", "DELETE /v1/phrases/{name}", "GET /metrics"):
        assert f"\n### {heading}\n" in http
    assert "| **`text`** |" in http
    for heading in ("fill_mask", "build_index", "memory_bytes", "stream"):
        assert f"\n#### {heading}\n" in python
    assert "\n### FillMaskResult\n" in python


@pytest.mark.parametrize(
    ("text", "chinese", "english"),
    [
        ("文本 / texts", "文本", "texts"),
        ("几个 / How many. [default: 5]", "几个 [default: 5]", "How many. [default: 5]"),
        ("填空 / what fits [MASK]", "填空", "what fits [MASK]"),
        ("向量（TEI 形式）/ vectors", "向量（TEI 形式）", "vectors"),
        ("整个改写。 Rewritten whole.", "整个改写。", "Rewritten whole."),
        ("bytes of a body", "bytes of a body", "bytes of a body"),
    ],
)  # fmt: skip
def test_a_language_has_its_half(
    reference: ModuleType, text: str, chinese: str, english: str
) -> None:
    """Bilingual words are told apart, and bounds belong to both."""
    assert reference.said(text, "zh") == chinese
    assert reference.said(text, "en") == english
