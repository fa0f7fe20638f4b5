"""An index of rows: found by words and by meaning, reranked, added to, removed from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import qingyu
from qingyu.cli import run
from qingyu.errors import BundleError, InputError
from qingyu.model import searching
from qingyu.search.index import ABOUT, Index, removed
from qingyu.search.terms import K1, post, terms

FAQ = [
    {"问题": "如何修改登录密码？", "答案": "在设置里改。"},
    {"问题": "怎样申请退款？", "答案": "在订单里点退款。"},
    {"问题": "快递什么时候到？", "答案": "看物流。"},
    {"问题": "会员怎么取消自动续费？", "答案": "在会员中心关闭。"},
    {"问题": "支持iPhone12吗？", "答案": "支持。"},
]


@pytest.fixture(scope="module")
def model() -> Iterator[qingyu.Model]:
    """The default model."""
    loaded = qingyu.load(threads=1)
    yield loaded
    loaded.close()


@pytest.fixture
def index(model: qingyu.Model, tmp_path: Path) -> Index:
    """Five questions with their answers."""
    return model.build_index(FAQ, tmp_path / "faq.index", text="问题")


def test_terms_are_characters_pairs_and_whole_latin_words() -> None:
    """A Latin word is one term whatever its case; Chinese gives characters and neighbours."""
    assert set(terms("iPhone")) == set(terms("IPHONE"))
    assert sum(terms("iPhone12").values()) == 1
    assert sum(terms("退款").values()) == 3


def test_bm25_is_what_its_formula_says() -> None:
    """Of three rows of one length, the one with the rare word scores by idf and count alone."""
    found = post(["猫", "狗", "狗"]).scores("猫")
    idf = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    assert found.tolist() == pytest.approx([idf * (K1 + 1) / (1 + K1), 0, 0], rel=1e-5)
    assert not post(["猫"]).scores("鱼").any()


def test_a_question_finds_its_row_with_all_its_columns(model: qingyu.Model, index: Index) -> None:
    """A row is found by its words, keeps its number and carries its other columns."""
    found = model.search(index, "修改密码", top_k=2)
    assert found.hits[0].id == 0
    assert dict(found.hits[0].row) == FAQ[0]
    assert found.to_dict()["hits"][0]["row"]["答案"] == "在设置里改。"
    assert model.search(index.folder, "iphone12").hits[0].id == 4
    assert len(model.search(index, "退款", top_k=100, rerank=False).hits) == 5


def test_a_row_says_why_it_was_found(model: qingyu.Model, index: Index) -> None:
    """Shared words make a part of the score, and all of none where there are none; what means the
    same is told from what only comes nearest."""
    first, *rest = model.search(index, "怎样修改登录的密码").hits
    assert 0 < first.words <= first.score
    assert first.same is not None
    assert first.same > 0.5
    assert all(one.words < first.words for one in rest)
    assert max(hit.words for hit in model.search(index, "zzz").hits) == 0
    nothing = model.search(index, "今天天气真好").hits[0].same
    assert nothing is not None
    assert nothing < 0.5
    assert model.search(index, "退款", rerank=False).hits[0].same is None


def test_search_is_exact(model: qingyu.Model, index: Index) -> None:
    """The order by meaning alone is that of all cosines, computed here at once."""
    vectors = model.encode([row["问题"] for row in FAQ])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    query = model.encode(["zzz"])[0]  # no word of it is in the index
    best = [hit.place for hit in index.nearest("zzz", query, 5)]
    assert best == np.argsort(-(vectors.astype(np.float16).astype(np.float32) @ query)).tolist()


def test_rows_are_added_and_removed(model: qingyu.Model, index: Index) -> None:
    """Numbers stay what they were; a number that is gone is not found, nor given again."""
    index = searching.add_rows(model, index, [{"问题": "发票怎么开？", "答案": "在订单里。"}])
    assert model.search(index, "开发票").hits[0].id == 5
    assert removed(index, [1, 99]) == 1
    left = Index(index.folder)
    assert left.ids.tolist() == [0, 2, 3, 4, 5]
    assert model.search(left, "申请退款").hits[0].id != 1
    with pytest.raises(InputError, match="第 1 行没有「问题」"):
        searching.add_rows(model, left, [{"答案": "无"}])


def test_what_is_no_index_is_told(model: qingyu.Model, index: Index, tmp_path: Path) -> None:
    """A folder of another kind is neither read nor overwritten; an index of another model is
    refused; a cut one is noticed."""
    (tmp_path / "mine").mkdir()
    with pytest.raises(BundleError, match="不是检索索引"):
        Index(tmp_path / "mine")
    with pytest.raises(BundleError, match="不是索引"):
        model.build_index(["甲"], tmp_path / "mine")
    about = index.folder / ABOUT
    about.write_text(about.read_text("utf-8").replace(model.digest, "0" * 64), "utf-8")
    with pytest.raises(BundleError, match="另一个模型"):
        model.search(index.folder, "甲")
    rows = index.folder / "rows.jsonl"
    rows.write_bytes(rows.read_bytes()[:-5])
    with pytest.raises(BundleError, match="已损坏"):
        Index(index.folder)
    with pytest.raises(InputError, match="没有可以索引的行"):
        model.build_index([], tmp_path / "empty")
    with pytest.raises(InputError, match="top_k"):
        model.search(index, "甲", top_k=0)


def test_the_command_builds_searches_adds_and_removes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a table to an answer, as a person would type it."""
    table = tmp_path / "faq.tsv"
    table.write_text("问题\t答案\n怎么退款\t在订单里\n怎么开发票\t在订单里\n", "utf-8")
    out = str(tmp_path / "faq.index")
    assert run(["search", "build", str(table), "--text", "问题", "--out", out]) == 0
    assert run(["search", out, "开票", "--json", "-k", "1"]) == 0
    assert '"怎么开发票"' in capsys.readouterr().out
    assert run(["search", "add", out, str(table)]) == 0
    assert run(["search", "remove", out, "0", "1"]) == 0
    assert Index(out).ids.tolist() == [2, 3]
    assert run(["search", out, "退钱"]) == 0
    assert "答案：在订单里" in capsys.readouterr().out
    assert run(["search", "build", str(table)]) == 2
    assert run(["search", out]) == 2
