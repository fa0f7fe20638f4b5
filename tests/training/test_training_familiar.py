"""Phrases are counted as a person would count them, and repeated by it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from training import familiar
from training.errors import RecipeError


def test_counts_are_those_of_a_plain_search(sentences: list[str]) -> None:
    """Hashing windows counts what str.count counts, phrases of all lengths together."""
    text = "\n".join(sentences)
    phrases = {s[at : at + n] for s in sentences[::7] for at in (0, 2) for n in (3, 4, 7)}
    phrases = {phrase for phrase in phrases if len(phrase) >= 3} | {"没有这样的话", "子子孙孙"}
    found = familiar.count(phrases, [text[:900], text[900:]])
    assert found == {p: text[:900].count(p) + text[900:].count(p) for p in phrases}
    assert sum(found.values()) > len(found) / 2


def test_a_line_is_as_familiar_as_its_least_seen_phrase() -> None:
    """Repeats follow a power of the count between the bounds; rare lines are left out."""
    counts = {"床前明月光": 100, "疑是地上霜": 9, "画龙点睛": 4, "目不窥园": 1}
    lines = ["床前明月光，疑是地上霜。", "画龙点睛", "目不窥园", "画龙点睛", "十一"]
    told = dict(familiar.repeated(lines, counts, 0.5, 3, 20))
    assert told == {"床前明月光，疑是地上霜。": 3, "画龙点睛": 2}
    assert dict(familiar.repeated(["床前明月光"], counts, 1.0, 3, 20)) == {"床前明月光": 20}


def test_a_list_is_written_with_its_repeats(tmp_path: Path) -> None:
    """From files to a file, the same one each time."""
    (tmp_path / "list.txt").write_text("半途而废\n画龙点睛\n目不窥园\n", encoding="utf-8")
    (tmp_path / "text.txt").write_text("不要半途而废。\n" * 9 + "画龙点睛\n" * 4, encoding="utf-8")
    command = ["--lines", str(tmp_path / "list.txt"), "--text", str(tmp_path / "text.txt")]
    for out in ("one.txt", "two.txt"):
        familiar.main([*command, "--out", str(tmp_path / out)])
    written = (tmp_path / "one.txt").read_text(encoding="utf-8")
    assert Counter(written.split()) == {"半途而废": 3, "画龙点睛": 2}
    assert written == (tmp_path / "two.txt").read_text(encoding="utf-8")


def test_a_list_without_chinese_is_refused(tmp_path: Path) -> None:
    """A list that holds no phrase at all is a mistake, and said to be one."""
    for name in ("list.txt", "text.txt"):
        (tmp_path / name).write_text("hello\n", encoding="utf-8")
    command = ["--lines", str(tmp_path / "list.txt"), "--text", str(tmp_path / "text.txt")]
    with pytest.raises(RecipeError, match="no run of three hanzi"):
        familiar.main([*command, "--out", str(tmp_path / "out.txt")])
