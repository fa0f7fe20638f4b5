"""Text for training: what is refused, how files are read, how lines become sentences and tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from training.data import join_lines, vary_width
from training.errors import RecipeError, run
from training.sources import HeldOut, Source, TextFile, refuse_held_out
from training.templates import FACTS, KINDS
from training.vocab import SPECIAL, build_vocab, make_tokenizer

FACT_LINES = (
    (Path(__file__).parents[2] / "training" / "facts.tsv").read_text(encoding="utf-8").splitlines()
)


@pytest.mark.parametrize(
    "name",
    ["valid.txt", "dev.jsonl", "test.jsonl", "zh_test_public.json", "My-Valid.TXT", "cloze.tsv"],
)
def test_held_out_names_are_refused(tmp_path: Path, name: str) -> None:
    """No file whose name says it is held out can become a source."""
    (tmp_path / name).write_text("一行字。\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="never trained on"):
        refuse_held_out(tmp_path / name)
    with pytest.raises(RecipeError, match="never trained on"):
        Source.parse(f"{tmp_path / name}=0.5")


@pytest.mark.parametrize("name", ["latest.txt", "validity.txt", "devices.txt", "contest.txt"])
def test_words_inside_other_words_are_not_refused(tmp_path: Path, name: str) -> None:
    """`test` in `latest` is no reason, nor is a folder called bq_devtest."""
    folder = tmp_path / "bq_devtest"
    folder.mkdir()
    (folder / name).write_text("一行字。\n", encoding="utf-8")
    assert refuse_held_out(folder / name) == folder / name


def test_a_link_to_held_out_text_is_refused(tmp_path: Path) -> None:
    """Another name for a held-out file does not help."""
    (tmp_path / "valid.txt").write_text("一行字。\n", encoding="utf-8")
    (tmp_path / "general.txt").symlink_to(tmp_path / "valid.txt")
    with pytest.raises(RecipeError, match="'valid'"):
        refuse_held_out(tmp_path / "general.txt")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{}=x", "number above 0"),
        ("{}=-1", "number above 0"),
        ("{}=nan", "number above 0"),
        ("{}=1,songs", "unknown kind"),
        ("{}.xz", "unpack it first"),
        ("{}.missing", "no such file"),
    ],
)
def test_a_bad_source_says_what_is_wrong(tmp_path: Path, spec: str, message: str) -> None:
    """A weight, a kind or a file that cannot be used gives one clear error."""
    path = tmp_path / "text.txt"
    path.write_text("一行字。\n", encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        Source.parse(spec.format(path))


@given(
    st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1), min_size=1),
    st.integers(1, 60),
    st.sampled_from(["\n", "\n\n", "\r\n"]),
    st.booleans(),
)
def test_chunks_give_every_line_once(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    chunk_bytes: int,
    end: str,
    ended: bool,
) -> None:
    """However small the chunks, the lines of all chunks together are the lines of the file."""
    path = tmp_path_factory.mktemp("chunks") / "text.txt"
    path.write_bytes((end.join(lines) + end * ended).encode())
    file = TextFile(str(path), chunk_bytes)
    assert [line for i in range(file.chunks) for line in file.lines(i)] == lines


def test_text_cut_out_of_held_out_text_is_recognised(tmp_path: Path) -> None:
    """A snippet of a held-out line is known wherever it comes from; other text is not."""
    held = "从前有一座高高的山，山上有一座古老的庙，庙里住着一个年轻的和尚，他每天下山去挑水。"
    path = tmp_path / "valid.txt"
    path.write_text(f"{held}\n短句也算。\n", encoding="utf-8")
    held_out = HeldOut([str(path)])
    assert held_out.covers(held)
    assert held_out.covers(held[5:30])
    assert held_out.covers("短句也算。")
    assert not held_out.covers("短句不算。")
    assert not held_out.covers(held[5:30] + "后来他老了，就把扁担交给了徒弟。")
    assert not held_out.covers("城里新开了一家书店，门口摆着两盆茶花，老板是个退休教师。")


@pytest.mark.parametrize("seed", range(20))
def test_width_changes_keep_the_length(seed: int) -> None:
    """Punctuation changes width one character for one, so that marked stretches stay in place."""
    text = "他说：“好，走吧！”（笑）价格3.5元,便宜吗?行;走"
    varied = vary_width(text, np.random.default_rng(seed), 0.5)
    assert len(varied) == len(text)
    assert varied != text
    assert "3.5" in varied


def test_width_is_left_alone_at_rate_0() -> None:
    """Without augmentation the text is the text."""
    rng = np.random.default_rng(0)
    assert vary_width("好，好,好", rng, 0.0) == "好，好,好"


@pytest.mark.parametrize(
    ("kind", "line", "focus"),
    [
        ("idioms", "半途而废", "半途而废"),
        ("idioms", "小胡同里赶猪——直进直出", "直进直出"),
        ("contexts", "名胜古迹\t23\t这里有许多名胜古迹可看", "名胜古迹"),
        ("facts", "capital\t法国\t巴黎", "巴黎"),
    ],
)
def test_templates_mark_what_is_to_be_learnt(kind: str, line: str, focus: str) -> None:
    """Whatever sentence is chosen, the marked stretch of it is the idiom, or the answer."""
    seen = set()
    for seed in range(40):
        text, [(start, stop)] = KINDS[kind](line, np.random.default_rng(seed))
        assert text[start:stop] == focus
        seen.add(text)
    assert len(seen) > 2 or kind == "contexts"


@pytest.mark.parametrize(
    "line",
    [
        "床前明月光，疑是地上霜。",
        "床前明月光，疑是地上霜。——李白《静夜思》",
        "《静夜思》（唐）李白：床前明月光，疑是地上霜。",
    ],
)
def test_each_clause_of_a_verse_is_marked(line: str) -> None:
    """Quoted or attributed, its clauses are marked; an author only where the line names one."""
    texts = set()
    for seed in range(60):
        text, spans = KINDS["verse"](line, np.random.default_rng(seed))
        assert [text[start:stop] for start, stop in spans] == ["床前明月光", "疑是地上霜"]
        assert "{" not in text
        texts.add(text)
    assert any("李白" in text for text in texts) == ("李白" in line)
    assert len(texts) > 3


@pytest.mark.parametrize(
    "line", ["# a note", "capital\t法国", "friend\t你\t我", "没有成语\t3\t别的字"]
)
def test_lines_that_do_not_fit_their_kind_are_left_out(line: str) -> None:
    """A note, a missing column, an unknown relation or an idiom that is not there gives no text."""
    rng = np.random.default_rng(0)
    kind = "contexts" if "3" in line else "facts"
    assert KINDS[kind](line, rng) == ("", [])


def test_every_committed_fact_can_be_written_out() -> None:
    """facts.tsv has no line that its templates cannot use, and no line twice."""
    facts = [line for line in FACT_LINES if not line.startswith("#")]
    assert len(facts) == len(set(facts)) > 500
    assert all(KINDS["facts"](line, np.random.default_rng(0))[0] for line in facts)
    assert {line.split("\t")[0] for line in facts} == set(FACTS)


def test_joined_lines_keep_all_text() -> None:
    """Neighbouring lines are run together to about the length asked for; nothing is lost."""
    joined = list(join_lines(["一二三", "四五", "六", "七八九十"], 4))
    assert joined == ["一二三四五", "六七八九十"]
    assert list(join_lines(["一二"], 4)) == ["一二"]


def test_a_vocabulary_has_characters_whole_and_latin_in_pieces() -> None:
    """Frequent characters come whole, Latin words as WordPiece, and nothing comes twice."""
    text = ["编写程序python程序", "python和pytorch", "程序员写python"] * 3
    vocab = build_vocab(text, 150)
    assert len(vocab) == len(set(vocab)) <= 150
    assert vocab[:5] == list(SPECIAL)
    assert {"程", "序", "员", "python"} <= set(vocab)
    assert not any("\u4e00" <= c <= "\u9fff" for token in vocab if len(token) > 1 for c in token)
    tokenizer = make_tokenizer(vocab)
    assert tokenizer.encode("写Python程序").tokens == ["[CLS]", "写", "python", "程", "序", "[SEP]"]


def test_a_vocabulary_too_small_for_its_fixed_tokens_is_refused() -> None:
    """The alphabet and the special tokens need their room."""
    with pytest.raises(ValueError, match="no room"):
        build_vocab(["一"], 50)


def test_written_tokenizer_files_agree(vocabulary: Path) -> None:
    """vocab.txt lists the tokens of tokenizer.json in the order of their ids."""
    tokens = (vocabulary / "vocab.txt").read_text(encoding="utf-8").splitlines()
    vocab = Tokenizer.from_file(str(vocabulary / "tokenizer.json")).get_vocab()
    assert [vocab[token] for token in tokens] == list(range(len(vocab)))
    config = json.loads((vocabulary / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["mask_token"] == "[MASK]"
    assert config["model_max_length"] == 512


def test_a_step_tells_its_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """As a command, a step that cannot start prints why and leaves with status 2."""

    def cannot() -> None:
        raise RecipeError("no such file")

    with pytest.raises(SystemExit) as left:
        run(cannot)
    assert left.value.code == 2
    assert capsys.readouterr().err == "error: no such file\n"
