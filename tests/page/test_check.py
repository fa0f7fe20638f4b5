"""Proofreading on the page: underlines where they belong, accepting, ignoring, files in and out."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from qingyu.jobs.documents import read_document
from qingyu.jobs.word_document import new_document

from .conftest import PHONE, Open
from .standin import RefusalError, StandIn

pytestmark = pytest.mark.browser
PASTE = "(box, text) => { box.value = text; box.dispatchEvent(new InputEvent('input')) }"
# The middle of the first underline; at once, since the underlines are drawn anew with each answer.
MARK = """() => {
    const box = document.querySelector(".editor-back mark")?.getBoundingClientRect();
    return box && [box.x + box.width / 2, box.y + box.height / 2];
}"""


def write(page: Page, standin: StandIn, text: str) -> None:
    """Goes to the view and puts a text there."""
    page.goto(f"{standin.url}#/check?text={quote(text)}")
    expect(page.locator("view-check:not([aria-busy]) .status")).to_contain_text("读完")


def test_accept_ignore_and_undo(page: Page, standin: StandIn) -> None:
    """A suggestion goes where its suspect stands and the others stay; undo takes it back."""
    write(page, standin, "天汽好，汽车多。\n\n汽水甜。")
    marks = page.locator(".editor-back mark.typo")
    expect(marks).to_have_count(3)
    items = page.locator(".finding")
    expect(items.first).to_contain_text("同音")
    items.first.get_by_role("button", name="改成“气”").click()
    box = page.get_by_role("textbox", name="要检查的文章")
    expect(box).to_have_value("天气好，汽车多。\n\n汽水甜。")
    expect(marks).to_have_count(2)
    items.first.get_by_role("button", name="忽略").click()
    expect(marks).to_have_count(1)
    page.get_by_role("button", name="撤销").click()
    expect(box).to_have_value("天汽好，汽车多。\n\n汽水甜。")
    expect(marks).to_have_count(2)  # what was ignored stays ignored


def test_all_above_a_bar(page: Page, standin: StandIn) -> None:
    """Accept all takes what reaches the bar and leaves the rest underlined as hints."""
    write(page, standin, "天汽好，在说一遍。")
    expect(page.locator(".editor-back mark.typo")).to_have_count(1)
    expect(page.locator(".editor-back mark.doubt")).to_have_count(1)
    page.get_by_role("button", name="全部采纳（1）").click()
    box = page.get_by_role("textbox", name="要检查的文章")
    expect(box).to_have_value("天气好，在说一遍。")
    page.get_by_role("radio", name="20% 以上").check(force=True)
    page.get_by_role("button", name="全部采纳（1）").click()
    expect(box).to_have_value("天气好，再说一遍。")
    expect(page.get_by_text("没有发现可疑的字")).to_be_visible()
    page.get_by_text("改动前后对照").click()
    expect(page.locator(".compared ins")).to_have_text(["气", "再"])


def test_an_answer_belongs_to_the_text_that_stands_there(page: Page, standin: StandIn) -> None:
    """Lines that change lose their underlines at once; only they are asked for again."""
    write(page, standin, "天汽好。\n汽车多。")
    asked = len(standin.asked)
    standin.delay = 0.3
    page.get_by_role("textbox", name="要检查的文章").fill("新的一行\n天汽好。\n汽车很多。")
    marks = page.locator(".editor-back mark")
    page.wait_for_function("() => document.querySelectorAll('.editor-back mark').length === 1")
    expect(marks).to_have_count(2)
    assert [body["text"] for _, body in standin.asked[asked:]] == [["新的一行", "汽车很多。"]]


def test_keyboard_and_click_open_the_box(page: Page, standin: StandIn) -> None:
    """Alt+Down walks through the suspects, Alt+Enter goes into the box, Escape leaves it."""
    write(page, standin, "天汽好，汽车多。")
    box = page.get_by_role("textbox", name="要检查的文章")
    box.focus()
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Alt+ArrowUp")
    pop = page.get_by_role("dialog", name="“汽”可疑")
    expect(pop).to_be_visible()
    page.keyboard.press("Alt+Enter")
    page.keyboard.press("Escape")
    expect(pop).to_be_hidden()
    expect(box).to_be_focused()
    page.keyboard.press("Alt+Enter")
    pop.get_by_role("button", name="改成“气”").focus()
    page.keyboard.press("Enter")
    expect(box).to_have_value(re.compile("气"))
    expect(page.locator(".editor-back mark")).to_have_count(1)
    page.mouse.click(*page.wait_for_function(MARK).json_value())
    expect(pop).to_be_visible()


def test_ones_own_dictionary(page: Page, standin: StandIn) -> None:
    """A word kept is sent with each request, stays over a reload, and can be given up."""
    write(page, standin, "汽车多。")
    page.get_by_role("textbox", name="要检查的文章").focus()
    page.keyboard.press("Alt+ArrowDown")
    pop = page.get_by_role("dialog", name="“汽”可疑")
    expect(pop.get_by_role("textbox")).to_have_value("汽车")
    pop.get_by_role("button", name="以后不查这个词").click()
    expect(page.locator(".editor-back mark")).to_have_count(0)
    page.reload()
    write(page, standin, "汽车多，天汽好。")
    expect(page.locator(".editor-back mark")).to_have_count(1)
    assert standin.asked[-1][1]["keep"] == ["汽车"]
    page.get_by_role("button", name="去掉“汽车”").click()
    expect(page.locator(".editor-back mark")).to_have_count(2)


def test_a_word_document_in_and_out(page: Page, standin: StandIn, tmp_path: Path) -> None:
    """What is opened is read; what was accepted goes to the service as changes of its paragraphs,
    and what comes back is saved under the old name."""
    data = new_document(["标题", "", "天汽好。"])
    page.goto(f"{standin.url}#/check")
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    upload = {"name": "作文.docx", "mimeType": kind, "buffer": data}
    page.set_input_files("input[type=file]", files=[upload])
    expect(page.get_by_role("textbox", name="要检查的文章")).to_have_value("标题\n\n天汽好。")
    page.get_by_role("button", name="改成“气”").click()
    page.get_by_text("改动前后对照").click()
    expect(page.locator(".compared del")).to_have_text("汽")
    expect(page.locator(".compared ins")).to_have_text("气")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载 Word").click()
    assert waiting.value.suggested_filename == "作文.docx"
    path = tmp_path / "out.docx"
    waiting.value.save_as(path)
    assert read_document(path).paragraphs == {1: "标题", 3: "天气好。"}
    changes = [{"paragraph": 3, "start": 1, "end": 2, "text": "气"}]
    [sent] = [body for task, body in standin.asked if task == "check/document/changed"]
    assert sent["changes"] == changes
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载 TXT").click()
    assert Path(waiting.value.path()).read_text("utf-8") == "标题\n\n天气好。"


def test_files_that_cannot_be_read_are_told(page: Page, standin: StandIn) -> None:
    """A damaged document is a sentence, and the text stays."""
    write(page, standin, "天汽好。")
    for name in ("a.docx", "b.txt"):
        upload = {"name": name, "mimeType": "text/plain", "buffer": b"PK\x00\xff\xfe\x81"}
        page.set_input_files("input[type=file]", files=[upload])
        expect(page.locator(".ask .notice")).to_be_visible()
    expect(page.get_by_role("textbox", name="要检查的文章")).to_have_value("天汽好。")


def test_code_of_markdown_is_passed_over(page: Page, standin: StandIn) -> None:
    """Fenced lines of a .md file are not sent."""
    page.goto(f"{standin.url}#/check")
    text = "# 天汽\n```\n汽 = 1\n```\n完"
    upload = {"name": "a.md", "mimeType": "text/markdown", "buffer": text.encode()}
    page.set_input_files("input[type=file]", files=[upload])
    expect(page.get_by_role("textbox", name="要检查的文章")).to_have_value(text)
    expect(page.locator("view-check:not([aria-busy]) .status")).to_contain_text("读完 2 段")
    expect(page.locator(".editor-back mark")).to_have_count(1)
    assert standin.asked[-1][1]["text"] == ["# 天汽", "完"]


def test_refusals_are_told_and_healed(new_page: Open, standin: StandIn) -> None:
    """A busy service is asked again by itself; the text stays as it is."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/check")
    expect(page.locator("view-check:not([aria-busy]) .status")).to_contain_text("读完")
    busy = RefusalError(429, "overloaded", "忙。", "Busy.", Retry_After="2")
    standin.faults.append(busy)
    page.get_by_role("textbox", name="要检查的文章").fill("天汽好。")
    expect(page.get_by_role("alert")).to_contain_text("忙。")
    expect(page.locator(".editor-back mark")).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_long_text(page: Page, standin: StandIn) -> None:
    """Twenty thousand characters are read paragraph by paragraph; beyond them it says so."""
    page.goto(f"{standin.url}#/check")
    line = "今天天汽真好，我们一起去公园玩，大家都很高兴。"
    text = "\n".join(f"{i}{line}" for i in range(900))
    box = page.get_by_role("textbox", name="要检查的文章")
    whole = text[:20_000].count("\n")
    box.evaluate(PASTE, text)
    expect(page.locator("view-check:not([aria-busy]) .status")).to_contain_text(f"读完 {whole} 段")
    expect(page.locator(".answer")).to_contain_text("只读前 20000 个字符")
    assert len(standin.asked[-1][1]["text"]) == whole


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_on_a_phone(new_page: Open, standin: StandIn, lang: str) -> None:
    """Nothing sticks out sideways, the box fits, and what is tapped is big enough to tap."""
    page = new_page(viewport=PHONE, has_touch=True)
    page.goto(f"{standin.url}#/check?text=我们今天出门的时候天汽")
    if lang == "en":
        page.get_by_role("button", name="Switch to English").click()
    expect(page.locator(".editor-back mark")).to_have_count(1)
    page.touchscreen.tap(*page.wait_for_function(MARK).json_value())
    pop = page.locator(".pop").bounding_box()
    assert pop is not None
    assert pop["x"] >= 0
    assert pop["x"] + pop["width"] <= PHONE["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    tapped = page.locator(".pop .suggestion").first.bounding_box()
    assert tapped is not None
    assert tapped["height"] >= 40
