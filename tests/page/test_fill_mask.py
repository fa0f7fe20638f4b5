"""The fill-mask view as a person uses it, in a real Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import PHONE, Open
from .standin import RefusalError, StandIn

pytestmark = pytest.mark.browser


def type_text(page: Page, text: str) -> None:
    page.get_by_role("textbox").fill(text)


def test_answers_as_one_types(page: Page, standin: StandIn) -> None:
    """Typing alone brings the bars: best first, with percentages, five of them."""
    page.goto(f"{standin.url}#/fill-mask")
    type_text(page, "春天真[MASK]")
    expect(page.locator(".sentence")).to_have_text("春天真好")
    rows = page.locator("qy-bars li")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("好")
    expect(rows.first).to_contain_text("62.0%")
    reach = "row => row.querySelector('.bar-fill').getBoundingClientRect().right"
    left = rows.first.evaluate("row => row.getBoundingClientRect().left")
    shares = [row.evaluate(reach) - left for row in rows.all()]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 1.9 * shares[1] > 0
    expect(page.locator(".status")).to_contain_text("3.1 ms")


def test_converted_text_is_told(page: Page, standin: StandIn) -> None:
    """Where the model read a traditional text by its simplified form, the page says so."""
    page.goto(f"{standin.url}#/fill-mask")
    type_text(page, "天氣真[MASK]")
    expect(page.get_by_text("繁体文本，按简体形式读取。")).to_be_visible()
    type_text(page, "天真[MASK]")
    expect(page.locator(".sentence")).to_have_text("天真好")
    expect(page.get_by_text("繁体文本，按简体形式读取。")).to_have_count(0)


def test_the_light_lies_behind_the_blank(page: Page, standin: StandIn) -> None:
    """The highlight and the text box share one place and one layout, whatever the text's length."""
    page.goto(f"{standin.url}#/fill-mask")
    for text in ("天[MASK]", "很长的一段话，" * 40 + "[MASK]", "一\n二[MASK]\n\n三\n" * 8):
        type_text(page, text)
        box, back = (page.locator(f"qy-editor {part}") for part in ("textarea", ".editor-back"))
        assert box.bounding_box() == back.bounding_box()
        assert box.evaluate("t => t.scrollHeight <= t.clientHeight")


def test_typing_quickly_asks_once(page: Page, standin: StandIn) -> None:
    """Keys in quick succession are one question, not one each."""
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("qy-bars li")).to_have_count(5)
    standin.asked.clear()
    page.get_by_role("textbox").press("End")
    page.get_by_role("textbox").press_sequentially("abcdefgh")
    expect(page.locator(".sentence")).to_contain_text("abcdefgh")
    assert len(standin.asked) < 8


def test_a_stale_answer_is_dropped(page: Page, standin: StandIn) -> None:
    """The answer to an older text never replaces the one to a newer text."""
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("qy-bars li")).to_have_count(5)
    standin.delay = 0.4
    type_text(page, "旧[MASK]")
    page.get_by_role("button", name="填一填").click()
    standin.delay = 0.0
    type_text(page, "新[MASK]")
    expect(page.locator(".sentence")).to_have_text("新好")
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    page.evaluate("() => new Promise((done) => setTimeout(done, 500))")
    expect(page.locator(".sentence")).to_have_text("新好")


def test_click_puts_a_candidate_in_and_undo_takes_it_back(page: Page, standin: StandIn) -> None:
    """Each blank is filled by a click; the last one leaves the whole sentence."""
    page.goto(f"{standin.url}#/fill-mask")
    type_text(page, "😀[MASK]和[MASK]")
    second = page.get_by_role("list", name="第 2 空")
    expect(page.get_by_role("list", name="整句填法").get_by_role("button")).to_have_count(2)
    second.get_by_role("button").nth(1).click()
    expect(page.get_by_role("textbox")).to_have_value("😀[MASK]和大")
    expect(page.locator(".mask-boxes qy-bars")).to_have_count(1)
    page.locator("qy-bars button").first.click()
    expect(page.get_by_role("textbox")).to_have_value("😀好和大")
    expect(page.locator(".answer")).to_contain_text("空都填好了")
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_role("textbox")).to_have_value("😀[MASK]和大")
    expect(page.locator("qy-bars li")).to_have_count(5)


def test_a_blank_as_people_draw_it(page: Page, standin: StandIn) -> None:
    """Underscores are a blank too; the service is told of the spelling, and only then."""
    page.goto(f"{standin.url}#/fill-mask")
    type_text(page, "春天真____啊")
    expect(page.locator(".sentence")).to_have_text("春天真好啊")
    expect(page.locator("qy-editor mark")).to_have_text("____")
    assert standin.asked[-1][1]["mask"] == ["___"]
    assert "mask" not in standin.asked[0][1]


def test_words_to_choose_from(page: Page, standin: StandIn) -> None:
    """A lexicon fills blanks side by side with one of its words, and a click takes it over."""
    page.goto(f"{standin.url}#/fill-mask")
    page.get_by_role("button", name="真是个[MASK]").click()
    whole = page.get_by_role("list", name="整句填法").get_by_role("button")
    expect(whole).to_have_count(4)
    words = page.get_by_role("textbox", name="只在这些词里选")
    words.fill("万无一失，")
    expect(whole).to_have_count(5)
    assert standin.asked[-1][1]["lexicon"][-1] == "万无一失"
    whole.nth(1).click()
    expect(page.get_by_role("textbox", name="带有")).to_have_value("真是个画蛇添足的办法。")


def test_examples_and_the_button(page: Page, standin: StandIn) -> None:
    """An example is one click away; Ctrl+Enter and the button ask."""
    page.goto(f"{standin.url}#/fill-mask")
    page.get_by_role("button", name="她[MASK]天早上").click()
    expect(page.locator(".mask-boxes qy-bars")).to_have_count(2)
    standin.asked.clear()
    page.get_by_role("button", name="填一填").click()
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    page.get_by_role("textbox").press("Control+Enter")
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    assert len(standin.asked) == 2


def test_no_mask_is_a_hint_not_an_error(page: Page, standin: StandIn) -> None:
    """A text without a blank asks nothing and says what to do; a button helps."""
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("qy-bars li")).to_have_count(5)
    standin.asked.clear()
    type_text(page, "没有空")
    expect(page.locator(".answer .notice")).to_contain_text("放一个 [MASK]")
    assert standin.asked == []
    page.get_by_role("button", name="插入 [MASK]").click()
    expect(page.get_by_role("textbox")).to_have_value("没有空[MASK]")
    expect(page.locator("qy-bars li")).to_have_count(5)


def test_a_refusal_is_told_kindly(new_page: Open, standin: StandIn) -> None:
    """What the service refuses is said in its words, in the language of the page, and retried."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/fill-mask")
    type_text(page, "坏[MASK]")
    expect(page.get_by_role("alert")).to_contain_text("这段文本太长。")
    page.get_by_role("button", name="Switch to English").click()
    expect(page.get_by_role("alert")).to_contain_text("The text is too long.")
    type_text(page, "好[MASK]")
    expect(page.locator("qy-bars li")).to_have_count(5)


def test_a_busy_service(new_page: Open, standin: StandIn) -> None:
    """429 is shown as a wait; the retry button asks at once, and the page by itself in time."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("qy-bars li")).to_have_count(5)
    standin.faults.append(RefusalError(429, "overloaded", "服务繁忙。", "Busy.", Retry_After="60"))
    page.get_by_role("button", name="填一填").click()
    expect(page.get_by_role("alert")).to_contain_text("服务繁忙。")
    page.get_by_role("button", name="再试一次").click()
    expect(page.locator("qy-bars li")).to_have_count(5)
    standin.faults.append(RefusalError(429, "overloaded", "服务繁忙。", "Busy.", Retry_After="1"))
    page.get_by_role("button", name="填一填").click()
    expect(page.get_by_role("alert")).to_be_attached()
    expect(page.locator("qy-bars li")).to_have_count(5)


def test_a_service_that_goes_and_comes_back(new_page: Open, standin: StandIn) -> None:
    """The page says that the service is gone, and goes on by itself when it is back."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("qy-bars li")).to_have_count(5)
    standin.stop()
    try:
        type_text(page, "等[MASK]")
        expect(page.get_by_role("alert")).to_contain_text("连不上服务")
        expect(page.locator("#banner")).to_contain_text("等它恢复")
    finally:
        standin.start()
    expect(page.locator(".sentence")).to_have_text("等好")
    expect(page.locator("#banner")).to_be_empty()


def test_the_key_box(new_page: Open, standin: StandIn) -> None:
    """Where a key is wanted the page asks for it, uses it, and does not show it in the snippets."""
    standin.key = "s3cret"
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/fill-mask")
    page.locator("input[type=password]").fill("s3cret")
    page.get_by_role("button", name="使用").click()
    expect(page.locator("qy-bars li")).to_have_count(5)
    page.get_by_text("接口调用").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("$QINGYU_KEY")
    assert "s3cret" not in page.content()


def test_code_to_copy(page: Page, standin: StandIn) -> None:
    """curl, Python and JSON of the very request on the screen; quotes survive the shell."""
    page.goto(f"{standin.url}#/fill-mask?text=it's[MASK]")
    expect(page.locator("qy-bars li")).to_have_count(5)
    page.get_by_text("接口调用").click()
    panel = page.get_by_role("tabpanel")
    expect(panel).to_contain_text("""-d '{"text":"it'\\''s[MASK]","top_k":5}'""")
    page.get_by_role("tab", name="curl").press("ArrowRight")
    expect(panel).to_contain_text("requests.post(")
    page.get_by_role("tab", name="JSON").click()
    expect(panel).to_contain_text('"token": "好"')


def test_english_and_its_memory(page: Page, standin: StandIn) -> None:
    """One switch turns the page English, and it stays so."""
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.get_by_role("button", name="Switch to English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fill in the blank")
    page.reload()
    expect(page.get_by_role("button", name="Fill in")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_link_restores_the_state(page: Page, standin: StandIn) -> None:
    """The address carries text and options, and nothing of them reaches the server's log."""
    page.goto(f"{standin.url}#/fill-mask")
    type_text(page, "山高水[MASK]")
    page.get_by_role("radio", name="10").check()
    expect(page.locator("qy-bars li")).to_have_count(10)
    link = page.url
    assert "#" in link
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_role("textbox")).to_have_value("山高水[MASK]")
    expect(page.locator("qy-bars li")).to_have_count(10)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone(new_page: Open, standin: StandIn, scheme: str) -> None:
    """On a phone nothing sticks out sideways, and what is tapped is big enough to tap."""
    page = new_page(viewport=PHONE, color_scheme=scheme, has_touch=True)
    page.goto(f"{standin.url}#/fill-mask")
    type_text(page, "她[MASK]天早上七点起床，" * 12 + "[MASK]步去学校。")
    expect(page.locator(".mask-boxes qy-bars")).to_have_count(13)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = page.locator("qy-bars button").first.bounding_box()
    assert box is not None
    assert box["height"] >= 40
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(re.findall(r"\d+", paper)[0])
    assert (red < 60) == (scheme == "dark")
