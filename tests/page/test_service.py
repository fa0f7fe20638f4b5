"""The page and the real service together: the shapes agree, and the answers are the model's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from qingyu.bundle import find
from qingyu.errors import ModelNotFoundError
from qingyu.jobs.documents import read_document
from tests.support.process import served

from .conftest import Open
from .essay import essay

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The address of a service started as people start it."""
    try:
        find("qingyu-small-zh")
    except ModelNotFoundError:
        pytest.skip("the default bundle is not built")
    with served() as running:
        yield running.address


def test_what_it_is_all_about(page: Page, service: str) -> None:
    """The sentence of the README, typed: 「好」 leads, and clicking it completes the sentence."""
    page.goto(f"{service}#/fill-mask")
    page.get_by_role("textbox").fill("今天天气真[MASK]啊，适合出去玩。")
    first = page.locator("qy-bars li").first
    expect(first).to_contain_text("好")
    first.get_by_role("button").click()
    expect(page.get_by_role("textbox")).to_have_value("今天天气真好啊，适合出去玩。")


def test_words_and_whole_fillings(page: Page, service: str) -> None:
    """Two blanks become a word, and four become the idiom of the lexicon that fits."""
    page.goto(f"{service}#/fill-mask")
    page.get_by_role("button", name="[MASK][MASK]大学位于北京").click()
    expect(page.locator(".sentence")).to_have_text("北京大学位于北京。")
    page.get_by_role("button", name="真是个[MASK]").click()
    whole = page.get_by_role("list", name="整句填法").get_by_role("button")
    expect(whole.first).to_contain_text("的办法")
    page.get_by_role("textbox", name="带有").fill("春天真____啊，适合出去玩。")
    page.get_by_role("button", name="去掉“画蛇添足”").click()
    expect(page.locator(".sentence")).to_contain_text("适合出去玩")


def test_every_task_answers(page: Page, service: str) -> None:
    """Each view shows an answer of the default model to its own first example."""
    page.goto(f"{service}#/fill-mask")
    seen = {
        "zero-shot": ("qy-bars li", "体育"),
        "classify": ("qy-bars li", "正面"),
        "similarity": (".verdict", "意思相近"),
        "entities": ("mark.span", "王小明"),
        "score": (".suspects", "汽"),
        "models": (".model", "qingyu-small-zh"),
        "live": ("qy-chart", "请求"),
    }
    for view, (place, words) in seen.items():
        page.evaluate("view => { location.hash = `#/${view}` }", view)
        expect(page.locator(f"view-{view} {place}").first).to_contain_text(words)
    ranked = "#/similarity?many=true&text=退款多久到账&other=发票怎么开%0A钱什么时候退给我"
    page.evaluate("link => { location.hash = link }", ranked)
    expect(page.locator("qy-bars li").first).to_contain_text("钱什么时候退给我")


def test_a_file(page: Page, service: str) -> None:
    """A job of real length through the real admission control: every row has its answer."""
    page.goto(f"{service}#/files")
    rows = [f"第{i}次来这家店，{'味道很差' if i % 2 else '味道很好'}。" for i in range(300)]
    page.set_input_files(
        "input[type=file]",
        files=[{"name": "a.txt", "mimeType": "text/plain", "buffer": "\n".join(rows).encode()}],
    )
    page.get_by_role("combobox", name="任务").select_option("text-classification")
    page.get_by_role("button", name="开始处理").click()
    job = page.locator("qy-job")
    expect(job).to_contain_text("已完成", timeout=60_000)
    expect(job.get_by_text("行出错")).to_be_hidden()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载 CSV").click()
    lines = Path(waiting.value.path()).read_text("utf-8-sig").splitlines()[1:]
    right = [("负面" in line.split(",")[1]) == bool(i % 2) for i, line in enumerate(lines)]
    assert len(right) == 300
    assert sum(right) > 285


@pytest.fixture
def dictionaries(tmp_path: Path) -> Iterator[str]:
    """The address of a service that keeps word lists; before `page`, as `teachable` is."""
    with served("--words", str(tmp_path)) as running:
        yield running.address


def test_a_dictionary_is_shared(dictionaries: str, new_page: Open) -> None:
    """One's own words are kept on the service; a colleague turns the list on, and they are left
    alone there too."""
    mine = opened(new_page, dictionaries)
    mine.get_by_role("textbox", name="我的词典").fill("天汽")
    mine.keyboard.press("Enter")
    expect(mine.locator(".editor-back mark")).to_have_count(0)
    mine.get_by_role("textbox", name="词表的名字").fill("公司")
    mine.get_by_role("button", name="把我的词典存进去").click()
    expect(mine.get_by_role("switch", name="公司")).to_be_attached()
    theirs = opened(new_page, dictionaries)
    theirs.get_by_text("公司", exact=True).click()
    expect(theirs.locator(".editor-back mark")).to_have_count(0)
    theirs.get_by_text("公司", exact=True).click()
    expect(theirs.locator(".editor-back mark")).to_have_count(1)


def opened(new_page: Open, address: str) -> Page:
    """Proofreading in a browser of its own, a mistake found and the dictionary open."""
    page = new_page()
    page.goto(f"{address}#/check")
    page.get_by_role("textbox", name="要检查的文章").fill("天汽真好。")
    expect(page.locator(".editor-back mark")).to_have_count(1)
    page.get_by_text("我的词典", exact=True).click()
    return page


@pytest.fixture
def teachable(tmp_path: Path) -> Iterator[str]:
    """The address of a service that keeps phrases. Asked for before `page`, so that the page is
    closed first: one still asking when the service goes would complain of a refused connection.
    """
    with served("--phrases", str(tmp_path)) as running:
        yield running.address


def test_a_pasted_document_is_known_at_once(teachable: str, page: Page) -> None:
    """Teach it a text in the box, and the next answer has its word and says that it remembers."""
    page.goto(f"{teachable}#/fill-mask")
    page.get_by_text("教它你的词句").click()
    box = page.get_by_role("textbox", name="教它你的词句")
    box.fill("灵犀云枢启动以后，右上角的指示灯会变成绿色。\n请先关闭灵犀云枢，再拔掉电源线。")
    page.get_by_role("button", name="记住").click()
    expect(page.get_by_role("switch", name="我的词句")).to_be_checked()
    page.get_by_role("textbox", name="带有").fill("请先关闭灵犀云[MASK]，再拔掉电源线。")
    first = page.locator("qy-bars li").first
    expect(first).to_contain_text("枢")
    expect(first).to_contain_text("记得")
    page.get_by_role("button", name="忘掉").click()
    expect(page.get_by_role("switch", name="我的词句")).to_have_count(0)
    expect(first).not_to_contain_text("记得")


def test_an_essay_is_proofread(page: Page, service: str, tmp_path: Path) -> None:
    """Two thousand characters with twenty mistakes, opened as a file: most are mended at once,
    nothing else is touched, and the Word document that is saved says the same."""
    pytest.importorskip("lxml")
    written, meant = essay()
    page.goto(f"{service}#/check")
    upload = {"name": "作文.txt", "mimeType": "text/plain", "buffer": written.encode()}
    page.set_input_files("input[type=file]", files=[upload])
    status = page.locator("view-check:not([aria-busy]) .status")
    expect(status).to_contain_text(f"读完 {written.count(chr(10)) + 1} 段", timeout=60_000)
    page.get_by_role("button", name="全部采纳").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载 Word").click()
    assert waiting.value.suggested_filename == "作文.docx"
    path = tmp_path / "out.docx"
    waiting.value.save_as(path)
    found = list(read_document(path).paragraphs.values())
    lines = list(zip(written.split("\n"), meant.split("\n"), found, strict=True))
    assert sum(wrong != right == now for wrong, right, now in lines) >= 14
    assert [now for wrong, right, now in lines if wrong == right != now] == []
