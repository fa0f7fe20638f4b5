"""What holds for every view: no barrier axe-core knows, no overflow, both languages, small."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from playwright.sync_api import Page, expect

from .conftest import DESKTOP, PHONE, Open
from .standin import STATIC, StandIn

VIEWS = {
    "start": "start",
    "exercise": "exercise?text=门口有一棵树。",
    "fill-mask": "fill-mask?text=她[MASK]天起床，[MASK]步去学校。",
    "check": "check?text=天汽好，在说一遍。",
    "zero-shot": "zero-shot?text=体育新闻",
    "classify": "classify?text=味道很差",
    "teach": "teach",
    "library": "library?text=怎么改密码",
    "similarity": "similarity?text=退款到账&many=true&other=如何取消%0A退款何时到账",
    "entities": "entities?text=王小明去了北京",
    "score": "score?text=天汽好",
    "generate": "generate?text=甲乙",
    "files": "files",
    "models": "models",
    "live": "live",
}
AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
RUN_AXE = """() => axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    .then(r => r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).join("\\n")}`))"""


def follow(page: Page, view: str, link: str) -> None:
    """Goes to a view and waits for its answer."""
    page.evaluate("link => { location.hash = `#/${link}` }", link)
    page.wait_for_function("view => document.querySelector(`view-${view}`)", arg=view)
    page.wait_for_function(
        "() => !document.querySelector('[aria-busy]')"
        " && document.querySelectorAll('#nav a').length > 5"
        " && ['.status:not(:empty)', '.notice', '.model', '.shelf', '.chart-value', '.drop',"
        " '.purpose']"
        ".some(mark => document.querySelector(mark))"
    )


@pytest.mark.browser
@pytest.mark.parametrize("screen", ["desktop light zh", "phone dark en"])
def test_axe_finds_nothing(new_page: Open, standin: StandIn, screen: str) -> None:
    """WCAG 2.2 A and AA as far as axe-core can tell, on every view, folds and dialogs open."""
    size, scheme, lang = screen.split()
    viewport = PHONE if size == "phone" else DESKTOP
    page = new_page(viewport=viewport, color_scheme=scheme)
    page.goto(standin.url)
    if lang == "en":
        page.get_by_role("button", name="Switch to English").click()
    page.evaluate(AXE)
    found = {}
    for view, link in VIEWS.items():
        follow(page, view, link)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        found[view] = page.evaluate(RUN_AXE)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= viewport["width"], f"{view} sticks out sideways"
    name = {"zh": "最近的输入", "en": "Recent inputs"}[lang]
    page.get_by_role("button", name=name).click()
    found["history"] = page.evaluate(RUN_AXE)
    assert {view: faults for view, faults in found.items() if faults} == {}


@pytest.mark.browser
def test_keyboard_alone(page: Page, standin: StandIn) -> None:
    """From the address bar to a filled blank without a pointer: skip link, text, candidate."""
    page.goto(f"{standin.url}#/fill-mask")
    expect(page.locator("qy-bars li")).to_have_count(5)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到内容")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") in ("", "#/fill-mask")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "bar":
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox")).to_have_value("今天天气真的啊，适合出去玩。")


@pytest.mark.browser
def test_no_text_is_missing(new_page: Open, standin: StandIn) -> None:
    """No view shows the name of a text in place of the text, in either language."""
    for lang in ("zh", "en"):
        page = new_page()
        page.goto(standin.url)
        page.evaluate("lang => localStorage.setItem('qingyu.lang', lang)", lang)
        page.reload()
        for view, link in VIEWS.items():
            follow(page, view, link)
            shown = page.inner_text("body") + page.evaluate(
                "[...document.querySelectorAll('[aria-label],[placeholder],[title]')]"
                ".flatMap(n => [n.ariaLabel, n.placeholder, n.title]).join(' ')"
            )
            assert re.findall(rf"\b(?:{'|'.join(VIEWS)})\.[a-z]+", shown) == [], (lang, view)


def names(lang: str) -> list[str]:
    text = (STATIC / "js" / "lang" / f"{lang}.js").read_text("utf-8")
    return re.findall(r'^  "?([\w.-]+)"?:', text, re.MULTILINE)


def test_the_two_languages_have_the_same_texts() -> None:
    """A text added in one language is there in the other, once."""
    assert names("zh") == names("en")
    assert len(set(names("zh"))) == len(names("zh"))


def test_every_text_asked_for_exists_and_is_used() -> None:
    """Literal names in the code are in the tables; the tables hold nothing nobody asks for."""
    code = "\n".join(
        path.read_text("utf-8")
        for path in (STATIC / "js").rglob("*.js")
        if path.parent.name != "lang"
    )
    asked = set(re.findall(r'\bt\("([^"]+)"', code)) | set(re.findall(r'"(file\.\w+)"', code))
    assert asked - set(names("zh")) == set()
    # Families of names that are put together at run time.
    families = set(re.findall(r"\bt\(`([^`$]*)\$\{", code))
    tails = set(re.findall(r"\$\{\w+(?:\.\w+)*\}(\.[\w.]+)`", code))
    unused = {
        name
        for name in set(names("zh")) - asked
        if f'"{name}"' not in code
        and not any(family and name.startswith(family) for family in families)
        and not any(name.endswith(tail) for tail in tails)
    }
    assert unused == set()


def test_nothing_comes_from_elsewhere() -> None:
    """No address but namespaces, no markup from strings, nothing inline for the CSP to stop."""
    for path in STATIC.rglob("*"):
        if path.suffix not in {".js", ".css", ".html", ".svg"} or "docs" in path.parts:
            continue
        text = path.read_text("utf-8")
        addresses = re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}", text)
        known = ("http://www.w3.org", "http://schemas.openxmlformats.org")
        assert [a for a in addresses if a not in known] == [], path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script>", page)
