"""Every view but fill-mask and files: what goes in, what is asked, what is seen."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Open
from .standin import MODEL, StandIn

pytestmark = pytest.mark.browser


def last(standin: StandIn, task: str) -> dict[str, object]:
    """The body of the last request for a task."""
    return next(body for asked, body in reversed(standin.asked) if asked == task)


def test_zero_shot(page: Page, standin: StandIn) -> None:
    """Labels are chips, made and removed by keyboard; template and way reach the request."""
    page.goto(f"{standin.url}#/zero-shot")
    page.get_by_role("textbox", name="要归类的文本").fill("一条快递差评")
    labels = page.get_by_role("textbox", name="标签")
    labels.fill("快递，差评、")
    labels.press("Backspace")
    expect(page.locator(".chip")).to_have_count(6)
    page.get_by_role("button", name="去掉“体育”").click()
    expect(page.locator("qy-bars li").first).to_contain_text("快递")
    page.get_by_role("radio", name="可以多个").check()
    page.get_by_role("combobox").select_option(label="自己写句式（用 {} 代表标签）")
    page.get_by_role("textbox", name="自己写句式").fill("这是{}。")
    expect(page.locator("qy-code")).to_be_visible()
    page.wait_for_function("() => location.hash.includes('template')")
    page.get_by_role("button", name="归类").click()
    expect(page.locator("qy-bars li")).to_have_count(5)
    body = last(standin, "zero-shot-classification")
    assert body["candidate_labels"] == ["财经", "科技", "娱乐", "教育", "快递"]
    assert body["hypothesis_template"] == "这是{}。"
    assert body["multi_label"] is True
    assert body["method"] == "entailment"


def test_zero_shot_in_one_look(page: Page, standin: StandIn) -> None:
    """The quick way asks for a cloze, except of a single label, which has nothing to beat."""
    page.goto(f"{standin.url}#/zero-shot?text=好&labels=[%22甲%22,%22乙%22]&way=quick")
    expect(page.locator("qy-bars li")).to_have_count(2)
    body = last(standin, "zero-shot-classification")
    assert (body["method"], body["multi_label"]) == ("cloze", False)
    page.get_by_role("button", name="去掉“甲”").click()
    expect(page.locator("qy-bars li")).to_have_count(1)
    assert last(standin, "zero-shot-classification")["method"] == "entailment"


def test_a_template_of_ones_own_survives_a_link(page: Page, standin: StandIn) -> None:
    """A restored state shows and sends the template it was shared with."""
    page.goto(f"{standin.url}#/zero-shot?text=好&labels=[%22甲%22]&template=它是{{}}。")
    expect(page.get_by_role("textbox", name="自己写句式")).to_have_value("它是{}。")
    expect(page.locator("qy-bars li")).to_have_count(1)
    assert last(standin, "zero-shot-classification")["hypothesis_template"] == "它是{}。"


def test_classification(page: Page, standin: StandIn) -> None:
    """The best label leads."""
    page.goto(f"{standin.url}#/classify")
    page.get_by_role("button", name="等了一个小时").click()
    expect(page.locator("qy-bars li").first).to_contain_text("负面")
    expect(page.locator("qy-bars li").first).to_contain_text("93.0%")


def test_similarity_of_two(page: Page, standin: StandIn) -> None:
    """Two sentences give one figure and a word for it."""
    page.goto(f"{standin.url}#/similarity")
    page.get_by_role("button", name="怎么修改登录密码").click()
    expect(page.locator(".figure")).to_have_text("87.0%")
    expect(page.locator(".verdict")).to_contain_text("意思相近")


def test_similarity_one_against_many(page: Page, standin: StandIn) -> None:
    """Candidates come one a line and go back ranked."""
    page.goto(f"{standin.url}#/similarity")
    page.get_by_role("textbox", name="第一句").fill("退款到账")
    page.get_by_role("radio", name="一句对多句").check()
    page.get_by_role("textbox", name="候选").fill("如何取消\n\n退款何时到账\n")
    expect(page.locator("qy-bars li").first).to_contain_text("退款何时到账")
    expect(page.locator("qy-bars li")).to_have_count(2)
    assert last(standin, "sentence-similarity")["texts"] == ["如何取消", "退款何时到账"]


def test_entities(page: Page, standin: StandIn) -> None:
    """Spans are coloured in place, also behind an emoji, and the legend hides a kind."""
    page.goto(f"{standin.url}#/entities")
    page.get_by_role("textbox").fill("😀王小明去了北京和深圳")
    spans = page.locator("mark.span")
    expect(spans).to_have_count(3)
    expect(spans.first).to_contain_text("王小明")
    expect(page.locator(".spans")).to_contain_text("😀")
    colours = spans.evaluate_all("nodes => nodes.map(n => getComputedStyle(n).backgroundColor)")
    assert colours[1] == colours[2] != colours[0]
    page.get_by_role("button", name="地名 2").click()
    expect(spans).to_have_count(1)
    page.get_by_role("button", name="地名 2").press("Enter")
    expect(spans).to_have_count(3)


def test_entities_copied_as_json(new_page: Open, standin: StandIn) -> None:
    """The list on the clipboard is the service's own."""
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{standin.url}#/entities?text=去北京")
    page.get_by_role("button", name="复制 JSON").click()
    expect(page.get_by_text("已复制")).to_be_visible()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied == [{"label": "LOC", "text": "北京", "start": 1, "end": 3, "score": 0.97}]


def test_score_and_correction(page: Page, standin: StandIn) -> None:
    """The odd character is hot, arrows walk the line, and a click corrects the sentence."""
    page.goto(f"{standin.url}#/score?text=天汽好")
    cells = page.locator(".heat")
    expect(cells).to_have_count(3)
    heats = cells.evaluate_all("nodes => nodes.map(n => +n.style.getPropertyValue('--heat'))")
    assert heats[1] > 5 * heats[0]
    cells.first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".detail")).to_contain_text("“汽”在这里的概率是 0.2%")
    page.get_by_role("button", name="换成 气").click()
    expect(page.get_by_role("textbox")).to_have_value("天气好")
    expect(page.locator(".clean")).to_be_visible()


def test_a_long_text_to_score_waits_for_the_button(page: Page, standin: StandIn) -> None:
    """Scoring visits the model for every character: a long text is not scored at each key."""
    page.goto(f"{standin.url}#/score")
    expect(page.locator(".heat").first).to_be_visible()
    standin.asked.clear()
    page.get_by_role("textbox").fill("长" * 161)
    page.wait_for_function("() => location.hash.length > 400")
    page.evaluate("() => new Promise((done) => setTimeout(done, 400))")
    assert standin.asked == []
    page.get_by_role("button", name="打分").click()
    expect(page.locator(".heat")).to_have_count(161)


def test_text_to_text_waits_for_the_button(page: Page, standin: StandIn) -> None:
    """Writing is dear: nothing is asked until the button is pressed."""
    page.goto(f"{standin.url}#/generate")
    page.get_by_role("textbox").fill("甲乙丙")
    page.wait_for_function("() => location.hash.includes('text')")
    assert not [task for task, _ in standin.asked if task == "text2text-generation"]
    page.get_by_role("button", name="写", exact=True).click()
    expect(page.locator(".answer .sentence")).to_have_text("丙乙甲")


def test_only_what_models_offer_is_shown(page: Page, standin: StandIn) -> None:
    """A task no model has is neither in the navigation nor behind its link."""
    standin.models = [{**MODEL, "tasks": ["fill-mask", "score"]}]
    page.goto(f"{standin.url}#/entities")
    expect(page.get_by_role("heading", level=1)).to_have_text("想做什么？")
    links = page.get_by_role("navigation").get_by_role("link")
    expect(links).to_have_text(["开始", "填空", "通顺与纠错", "文件", "模型", "实时"])


def test_the_last_link_wins(page: Page, standin: StandIn) -> None:
    """A view that arrives after one has gone on to another does not take its place."""
    held: list[Route] = []
    page.route("**/views/zero-shot.js", lambda route: held.append(route))
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("qy-bars li")).to_have_count(5)
    with page.expect_request("**/views/zero-shot.js"):
        page.get_by_role("link", name="零样本分类").click()
    page.get_by_role("link", name="文本分类").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("文本分类")
    held[0].continue_()
    page.evaluate("() => customElements.whenDefined('view-zero-shot').then(() => {})")
    expect(page.get_by_role("heading", level=1)).to_have_text("文本分类")
    expect(page.get_by_role("link", name="文本分类")).to_have_attribute("aria-current", "page")


def test_a_choice_of_models(page: Page, standin: StandIn) -> None:
    """With several models for a task one may be chosen, and the request names it."""
    standin.models = [dict(MODEL), {**MODEL, "name": "other"}]
    page.goto(f"{standin.url}#/fill-mask")
    page.get_by_role("combobox", name="模型").select_option("other")
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    expect(page.locator("qy-bars li")).to_have_count(5)
    assert last(standin, "fill-mask")["model"] == "other"


def test_models_load_and_unload(page: Page, standin: StandIn) -> None:
    """Size, memory, version and agreement of each model, and its card; a button unloads it after a
    question, and loads it, unless the service keeps it: the default and what is pinned."""
    standin.models = [
        dict(MODEL), {**MODEL, "name": "other"}, {**MODEL, "name": "fixed", "pinned": True}
    ]  # fmt: skip
    page.goto(f"{standin.url}#/models")
    card = page.get_by_role("article", name="other")
    expect(card).to_contain_text("33.5 MB")
    expect(card).to_contain_text("Apache-2.0")
    expect(card).to_contain_text(str(MODEL["digest"])[:12])
    card.get_by_role("button", name="模型卡").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="怎么来的")).to_be_visible()
    expect(dialog.get_by_role("cell", name="0.9")).to_be_visible()
    expect(dialog.locator("code")).to_have_text("qingyu build")
    expect(dialog.locator("img")).to_have_count(0)
    page.keyboard.press("Escape")
    card.get_by_text("一致程度").click()
    expect(card.get_by_role("row", name="fill-mask")).to_contain_text("96.9%")
    card.get_by_role("button", name="卸载").click()
    page.get_by_role("dialog").get_by_role("button", name="不了").click()
    expect(card).to_contain_text("已载入")
    card.get_by_role("button", name="卸载").click()
    page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(card.get_by_role("button", name="载入")).to_be_visible()
    expect(card).to_contain_text("未载入")
    for kept in ("fixed", "qingyu-small-zh"):
        expect(page.get_by_role("article", name=kept).get_by_role("button")).to_have_count(1)


def test_live_tells_idle_from_not_yet(page: Page, standin: StandIn) -> None:
    """While nobody asks anything, what cannot be measured is idle, not still to come."""
    counters = standin.metrics()
    page.route("**/metrics", lambda route: route.fulfill(body=counters))
    page.clock.install(time=1_000)
    page.clock.pause_at(2_000)
    page.goto(f"{standin.url}#/live")
    latency = page.locator(".chart-value").nth(1)
    expect(latency).to_have_text("收集中……")
    page.clock.run_for(2000)
    expect(latency).to_have_text("空闲")
    expect(page.locator(".chart-value").first).to_have_text("0 次/秒")


def test_words_for_people(page: Page, standin: StandIn) -> None:
    """No view speaks of tokens, perplexity or nats before something is unfolded."""
    for view in ("fill-mask", "score?text=天汽好", "classify", "files", "live", "models", "check"):
        page.goto(f"{standin.url}#/{view}")
        page.wait_for_function("() => !document.querySelector('[aria-busy]')")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert not re.search("词元|困惑度|奈特", page.inner_text("body")), view


def test_live_figures(page: Page, standin: StandIn) -> None:
    """Two readings make rates, quantiles and shares; the page does not count itself."""
    page.clock.install(time=1_000)
    page.clock.pause_at(2_000)  # from here on time passes only as the test says
    page.goto(f"{standin.url}#/live")
    expect(page.locator(".chart-value").first).to_have_text("收集中……")
    figures = page.locator("qy-chart")
    page.clock.run_for(2000)
    expect(figures.nth(1)).to_contain_text("6.7 ms")
    page.clock.run_for(2000)
    expect(figures.first).to_contain_text("40 次/秒")
    expect(figures.nth(1)).to_contain_text("P50 4.0 ms")
    expect(figures.nth(3)).to_contain_text("24")
    expect(figures.nth(4)).to_contain_text("25%")
    expect(figures.nth(3)).to_contain_text("装满 125%")
    expect(figures.nth(5)).to_contain_text("上限 8,192")
    expect(figures.nth(7)).to_contain_text("150 MB")


def test_history(page: Page, standin: StandIn) -> None:
    """What was asked can be found again, removed, cleared, and not kept at all."""
    page.clock.install()
    page.goto(f"{standin.url}#/fill-mask")
    for text in ("山[MASK]", "水[MASK]"):
        page.get_by_role("textbox").fill(text)
        page.clock.run_for(400)
        expect(page.locator(".sentence")).to_have_text(text.replace("[MASK]", "好"))
        page.clock.run_for(1600)
    page.get_by_role("button", name="最近的输入").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".past-entry")).to_have_count(2)
    dialog.get_by_role("button", name="山[MASK]").click()
    expect(page.get_by_role("textbox")).to_have_value("山[MASK]")
    page.get_by_role("button", name="最近的输入").click()
    dialog.get_by_role("button", name="全部清除").click()
    expect(dialog).to_contain_text("还没有记录")
    dialog.get_by_role("switch", name="记录新的输入").uncheck()
    page.keyboard.press("Escape")
    page.get_by_role("textbox").fill("火[MASK]")
    page.clock.run_for(400)
    expect(page.locator(".sentence")).to_have_text("火好")
    page.clock.run_for(1600)
    assert page.evaluate("localStorage.getItem('qingyu.history')") is None


def test_text_is_never_markup(page: Page, standin: StandIn) -> None:
    """What looks like HTML, sent and come back, stays text."""
    bad = "<img src=x onerror=alert(1)>[MASK]"
    page.goto(f"{standin.url}#/fill-mask")
    page.get_by_role("textbox").fill(bad)
    expect(page.locator(".sentence")).to_have_text(bad.replace("[MASK]", "好"))
    assert page.locator("main img").count() == 0
