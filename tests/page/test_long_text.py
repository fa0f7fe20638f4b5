"""Long texts: the editor and the answer scroll, and what one presses and reads stays in sight."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import DESKTOP, PHONE, Open
from .standin import RefusalError, StandIn

pytestmark = pytest.mark.browser
LONG = "".join(f"第{i}句说的是今天天气很好，大家都出去玩了。" for i in range(200))
screens = pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])


@screens
def test_the_button_stays_in_sight(
    new_page: Open, standin: StandIn, viewport: dict[str, Any]
) -> None:
    """Four thousand characters leave the button where it was; the text scrolls behind it."""
    page = new_page(viewport=viewport)
    page.goto(f"{standin.url}#/entities")
    page.get_by_role("textbox").fill(f"{LONG}王小明在北京。")
    button = page.get_by_role("button", name="找出来")
    expect(button).to_be_in_viewport(ratio=1)
    tall, seen = page.evaluate(
        "(() => { const e = document.querySelector('qy-editor');"
        " return [e.scrollHeight, e.clientHeight] })()"
    )
    assert tall > 3 * seen
    button.click()
    expect(page.locator("mark.span").first).to_be_attached()
    height = page.locator(".answer > .stack").bounding_box()
    assert height is not None
    assert height["height"] < viewport["height"]


@screens
def test_errors_stay_in_sight(new_page: Open, standin: StandIn, viewport: dict[str, Any]) -> None:
    """What went wrong with a long text is read without looking for it."""
    page = new_page(viewport=viewport, faults=True)
    page.goto(f"{standin.url}#/score")
    page.get_by_role("textbox").fill(LONG)
    refusal = RefusalError(422, "text_too_long", "这段文本太长。", "Too long.")
    # The example, what is typed and the button may each ask; the button's question is refused too.
    standin.faults.extend([refusal] * 3)
    page.get_by_role("button", name="打分").click()
    expect(page.get_by_role("alert").get_by_text("这段文本太长。")).to_be_in_viewport(ratio=1)


@screens
def test_no_line_of_the_heat_begins_with_a_comma(
    new_page: Open, standin: StandIn, viewport: dict[str, Any]
) -> None:
    """Closing marks stay with the character before them, opening ones with the one after."""
    page = new_page(viewport=viewport)
    page.goto(f"{standin.url}#/score?text={'他说，“好”。（是）' * 12}")
    expect(page.locator(".heat").first).to_be_visible()
    lines = page.evaluate(
        """() => {
            const lines = [];
            let top = -100;
            for (const cell of document.querySelectorAll(".heat")) {
                const box = cell.getBoundingClientRect();
                if (box.top > top + 10) lines.push("");
                top = box.top;
                lines[lines.length - 1] += cell.textContent;
            }
            return lines;
        }"""
    )
    assert len(lines) > 3
    assert [line for line in lines if line[0] in "，。”）"] == []
    assert [line for line in lines if line[-1] in "“（"] == []


def test_a_suspect_far_below_is_found(page: Page, standin: StandIn) -> None:
    """A click in the list scrolls the text to its place."""
    page.goto(f"{standin.url}#/check")
    page.get_by_role("textbox").first.fill("\n".join(["好的。"] * 60 + ["天汽好。"]))
    page.locator(".finding-place").first.click()
    expect(page.locator(".editor-back mark")).to_be_in_viewport()
