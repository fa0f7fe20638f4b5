"""Makes the recipe importable and writes the small files it is tried on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACTS = ROOT / "training" / "facts.tsv"
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


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory, lines: Path, vocabulary: Path) -> Path:
    """A tiny model trained for a few steps on sentences and facts."""
    from training import pretrain  # it needs PyTorch, and other tests here do not

    out = tmp_path_factory.mktemp("runs") / "base"
    pretrain.main(
        ["--tiny", "--tokenizer", str(vocabulary), "--out", str(out), "--steps", "80",
         "--lr", "5e-3", "--long", "0.2", "--source", f"{lines}=4", "--source", f"{FACTS}=1,facts"]
    )  # fmt: skip
    return out


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few rows for each head, the same in train and dev."""
    folder = tmp_path_factory.mktemp("labelled")
    rows: dict[str, list[dict[str, object]]] = {
        "nli/a": [{"premise": "下雨了", "hypothesis": "天气好", "label": "contradiction"}] * 4,
        "pair/b": [{"a": "你好", "b": "您好", "label": 1}, {"a": "猫", "b": "水", "label": 0}] * 4,
        "sentiment/c": [{"text": "好吃", "label": "正面"}, {"text": "太差", "label": "负面"}] * 4,
        "ner/d": [{"text": list("我在北京"), "tags": ["O", "O", "B-LOC", "I-LOC"]}] * 4,
        "cls/e": [{"text": "球赛", "label": "体育"}, {"text": "唱歌", "label": "音乐"}] * 4,
    }
    for name, examples in rows.items():
        (folder / name).mkdir(parents=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in examples)
        for split in ("train", "dev"):
            (folder / name / f"{split}.jsonl").write_text(text, encoding="utf-8")
    return folder
