"""Makes the recipe importable and writes the small files it is tried on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEAST = 16  # characters of a sentence; bare idioms teach a tiny model little
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from training.evaluate import read_cloze  # noqa: E402
from training.vocab import build_vocab, write_tokenizer  # noqa: E402


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """Distinct Chinese sentences: the longer items of the cloze list with their answers put in."""
    items = [item for item in read_cloze() if item.group != "two" and len(item.text) >= LEAST]
    return list(dict.fromkeys(one.text.replace("[MASK]", one.answers[0]) for one in items))


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> Path:
    """Those sentences as a text file."""
    path = tmp_path_factory.mktemp("text") / "lines.txt"
    path.write_text("\n".join(sentences) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> Path:
    """A folder with the tokenizer files made from them."""
    folder = tmp_path_factory.mktemp("vocabulary")
    write_tokenizer(build_vocab(sentences, 1600), folder)
    return folder
