"""Recipes of several commands: broken off, gone on, cut into pieces."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from training.errors import RecipeError
from training.pieces import cut, join
from training.stages import Stage, run_stages

torch = pytest.importorskip("torch", reason="the training recipe needs PyTorch")

from training import gpu, refresh  # noqa: E402

COUNTS = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.write_text(path.read_text() + "x" if path.exists() else "x")
print("counted")
sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 and sys.argv[-1] != "--resume" else 0)
"""


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module `counts` that notes each call and ends as it is told."""
    (tmp_path / "counts.py").write_text(COUNTS, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_what_has_ended_is_not_run_again(counts: Path) -> None:
    """A failing stage stops the recipe with what it said; the next run begins with it."""
    first, second = counts / "first", counts / "second"
    good = Stage("good", ("counts", str(first)))
    with pytest.raises(RecipeError, match=r"bad ended with 3(?s:.)*counted"):
        run_stages([good, Stage("bad", ("counts", str(second), "3"))], counts / "out")
    run_stages([good, Stage("bad", ("counts", str(second)))], counts / "out")
    assert (first.read_text(), second.read_text()) == ("x", "xx")


def test_other_words_are_another_stage(counts: Path) -> None:
    """A stage whose arguments have changed runs again."""
    for name in ("a", "b", "a"):
        run_stages([Stage("one", ("counts", str(counts / name)))], counts / "out")
    assert (counts / "a").read_text() == "xx"


def test_a_stage_with_a_state_goes_on(counts: Path) -> None:
    """Where the state of a broken-off command lies, it is told to resume."""
    state = counts / "state.pt"
    stage = Stage("one", ("counts", str(counts / "a"), "1"), state)
    assert stage.command() == [sys.executable, "-m", "counts", str(counts / "a"), "1"]
    state.touch()
    run_stages([stage], counts / "out")


def test_pieces_come_back_as_they_were(tmp_path: Path) -> None:
    """Cut and joined a file is the same; cut again, a piece that is the same is left alone."""
    data = bytes(range(256)) * 5
    (tmp_path / "file").write_bytes(data)
    made = cut(tmp_path / "file", tmp_path / "pieces", 500)
    assert [piece.stat().st_size for piece in made] == [500, 500, 280]
    join(tmp_path / "pieces", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    (tmp_path / "file").write_bytes(data[:600])
    assert len(cut(tmp_path / "file", tmp_path / "pieces", 500)) == 2
    assert sorted(p.name for p in (tmp_path / "pieces").iterdir()) == ["000", "001", "SHA256"]
    told = (tmp_path / "pieces" / "SHA256").read_text()
    assert told == hashlib.sha256(data[:600]).hexdigest()


def test_a_damaged_piece_gives_no_file(tmp_path: Path) -> None:
    """A missing piece, or one that has changed, is one clear error, and nothing is written."""
    (tmp_path / "file").write_bytes(b"x" * 900)
    cut(tmp_path / "file", tmp_path / "pieces", 500)
    (tmp_path / "pieces" / "001").write_bytes(b"y")
    with pytest.raises(RecipeError, match="missing or damaged"):
        join(tmp_path / "pieces", tmp_path / "back")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "pieces"]
    with pytest.raises(RecipeError, match="not all there"):
        join(tmp_path / "elsewhere", tmp_path / "back")


def corpus(folder: Path, sentences: list[str]) -> Path:
    """A corpus in miniature, under the names of the real one."""
    folder.mkdir()
    for name in ("general", "extra", "emphasis"):
        (folder / f"{name}.txt").write_text("\n".join(sentences * 8) + "\n", "utf-8")
    (folder / "valid.txt").write_text("春天来了，燕子飞回来了。\n" * 20, "utf-8")
    (folder / "idioms.txt").write_text("画蛇添足\n半途而废\n守株待兔\n" * 9, "utf-8")
    context = "大家都说这是画蛇添足的做法"
    (folder / "idiom_contexts.tsv").write_text(f"画蛇添足\t9\t{context}\n" * 30, "utf-8")
    return folder


def test_a_gpu_recipe_in_miniature(
    tmp_path: Path, base: Path, labelled: Path, sentences: list[str]
) -> None:
    """Both stages end on a CPU, and the pieces are the checkpoint."""
    arguments = [
        "--tiny", "--minutes", "1", "--from", str(base), "--labelled", str(labelled), "--corpus",
        str(corpus(tmp_path / "corpus", sentences)), "--out", str(tmp_path / "out"), "--pieces",
        str(tmp_path / "pieces"), "--workers", "0",
    ]  # fmt: skip
    gpu.main(arguments)
    join(tmp_path / "pieces" / "heads", tmp_path / "whole")
    made = tmp_path / "out" / "heads" / "model.safetensors"
    assert (tmp_path / "whole").read_bytes() == made.read_bytes()
    assert set(json.loads((made.parent / "heads.json").read_text("utf-8"))) >= {"nli", "ner"}
    gpu.main(arguments)  # nothing is left to do


def test_a_refresh_knows_its_commands(tmp_path: Path) -> None:
    """The bundle comes first, each head is added after it was trained, scores come last."""
    args = refresh.options().parse_args(
        [word for name in ("from", "corpus", "labelled", "csc", "judged", "out")
         for word in (f"--{name}", str(tmp_path / name))]
    )  # fmt: skip
    names = [stage.name for stage in refresh.stages(args)]
    assert (names[0], names[-1]) == ("bundle", "scores")
    assert len(set(names)) == len(names)
    for head in (*refresh.HEADS, "correct"):
        assert names.index(f"head-{head}") < names.index(f"add-{head}") < names.index("phrases")
