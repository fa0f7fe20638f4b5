"""The page begins with what people come for, and every example that it gives there is right."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import qingyu
from qingyu.jobs.documents import read_document

from .conftest import DESKTOP, PHONE, Open
from .standin import MODEL, StandIn

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_each_purpose_leads_to_its_example(
    new_page: Open, standin: StandIn, viewport: dict[str, int]
) -> None:
    """Ten cards; each opens the view with the text it shows."""
    page = new_page(viewport=viewport)
    page.goto(standin.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("想做什么？")
    cards = page.locator(".purpose")
    expect(cards.locator("h2")).to_have_text(
        ["改错别字", "填空", "出填空题", "看评论好坏", "给留言分类", "找相似问题", "标人名地名",
         "做一个问答知识库", "教它我的分类", "处理一个表格"]
    )  # fmt: skip
    page.get_by_role("link", name="看评论好坏").click()
    expect(page.get_by_role("textbox").first).to_have_value(
        "房间很干净，前台也热情，下次还住这里。"
    )
    expect(page.locator("qy-bars li").first).to_contain_text("正面")
    page.go_back()
    page.get_by_role("link", name="找相似问题").click()
    expect(page.locator("qy-bars li").first).to_contain_text("退款")
    page.go_back()
    page.get_by_role("link", name="处理一个表格").click()
    expect(page.locator(".drop")).to_be_visible()


def test_in_english(new_page: Open, standin: StandIn) -> None:
    """Purposes and buttons speak the language of the page."""
    page = new_page()
    page.goto(standin.url)
    page.get_by_role("button", name="Switch to English").click()
    page.get_by_role("link", name="Sort messages").click()
    expect(page.get_by_role("button", name="Sort", exact=True)).to_be_visible()


def test_what_no_model_does_is_not_offered(page: Page, standin: StandIn) -> None:
    """A model of fewer tasks has fewer purposes; a table can always be worked through."""
    standin.models = [{**MODEL, "tasks": ["fill-mask"]}]
    page.goto(standin.url)
    expect(page.locator(".purpose h2")).to_have_text(["填空", "处理一个表格"])


def answer(model: qingyu.Model, view: str, given: dict[str, str]) -> str:
    """What the model says to the example of a view."""
    text = given["text"]
    match view:
        case "check":
            return model.check(text).corrected
        case "fill-mask":
            return model.fill_mask(text).sequence
        case "exercise":
            return model.exercise(text).blanked
        case "classify":
            return model.classify(text).label
        case "zero-shot":
            return model.zero_shot(text, json.loads(given["labels"])).label
        case "similarity":
            return model.rank(text, given["other"].splitlines()).ranking[0].text
    return "、".join(one.text for one in model.ner(text).entities)


def test_every_example_is_right(page: Page, standin: StandIn) -> None:
    """The model in the package answers each as the page says."""
    page.goto(standin.url)
    shown = page.evaluate("import('./js/purposes.js').then((m) => m.PURPOSES)")
    asked = [one for one in shown if "params" in one]
    assert len(asked) == 7
    with qingyu.load() as model:
        for one in asked:
            assert answer(model, one["id"], one["params"]) == one["gives"]


def test_an_exercise_is_made(page: Page, standin: StandIn) -> None:
    """What is chosen reaches the request; the key hides; paper shows the sheet alone."""
    page.goto(f"{standin.url}#/exercise?text=门口有一棵树。")
    sheet = page.locator(".sheet-print")
    expect(sheet.locator(".sentence")).to_have_text("门口有一（1）____树。")
    expect(sheet).to_contain_text("A. 张")
    expect(sheet.locator(".key")).to_contain_text("B 棵")
    expect(sheet.locator("ol").first).to_have_css("list-style-type", "decimal")
    page.get_by_role("switch", name="显示答案").uncheck()
    expect(sheet.locator(".key")).to_be_hidden()
    page.get_by_role("switch", name="成语", exact=True).uncheck()
    page.get_by_role("textbox", name="自己要考的词").fill("苹果、香蕉")
    page.get_by_role("combobox", name="选项数").select_option("2")
    page.get_by_role("button", name="出题").click()
    expect(sheet).not_to_contain_text("条")
    body = next(body for asked, body in reversed(standin.asked) if asked == "exercise")
    assert body["kinds"] == ["measures", "conjunctions"]
    assert (body["words"], body["choices"]) == (["苹果", "香蕉"], 2)
    page.emulate_media(media="print")
    expect(sheet).to_be_visible()
    expect(page.locator(".ask")).to_be_hidden()


def test_an_exercise_as_a_word_document(page: Page, standin: StandIn, tmp_path: Path) -> None:
    """The sheet of the page, as a document whose key begins a page of its own."""
    pytest.importorskip("lxml")
    page.goto(f"{standin.url}#/exercise?text=门口有一棵树。")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载 Word").click()
    assert waiting.value.suggested_filename == "出填空题.docx"
    path = tmp_path / "a.docx"
    waiting.value.save_as(path)
    assert list(read_document(path).paragraphs.values()) == [
        "填空", "门口有一（1）____树。", "选项", "1. A. 张  B. 棵  C. 条  D. 匹", "答案", "1. B 棵"
    ]  # fmt: skip
    main = zipfile.ZipFile(path).read("word/document.xml").decode()
    assert main.count("<w:pageBreakBefore/>") == 1
    assert main.index("<w:pageBreakBefore/>") > main.index("选项")


def test_nothing_to_blank_is_told(page: Page, standin: StandIn) -> None:
    """A text without such words says so instead of an empty sheet."""
    page.goto(f"{standin.url}#/exercise?text=天气很好。")
    expect(page.locator(".answer")).to_contain_text("没有找到可以出题的词")
