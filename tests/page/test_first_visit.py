"""The first visit: what is sent for it, and in which language the page greets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.serving import fake_settings, serving

from .conftest import Open
from .standin import StandIn

pytestmark = pytest.mark.browser


def test_what_the_first_visit_takes(new_page: Open, tmp_path: Path) -> None:
    """Until the start page stands there, at most 120,000 bytes have come over the network, heads of
    the answers included; the views themselves come when they are opened."""
    with serving(fake_settings(tmp_path)) as running:
        page = new_page()
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        sizes: list[int] = []
        network.on(
            "Network.loadingFinished", lambda one: sizes.append(int(one["encodedDataLength"]))
        )
        paths: list[str] = []
        page.on("response", lambda answer: paths.append(answer.url.removeprefix(running.address)))
        page.goto(running.address)
        expect(page.locator(".purpose")).not_to_have_count(0)
        page.wait_for_load_state("networkidle")
        print(f"{len(sizes)} answers, {sum(sizes):,} bytes")
        assert len(sizes) >= 20
        assert sum(sizes) <= 120_000
        opened = [path for path in paths if path.startswith("/js/views/")]
        assert sorted(opened) == ["/js/views/index.js", "/js/views/start.js"]
        page.context.close()


@pytest.mark.parametrize(
    ("locale", "greeting"),
    [
        ("en-US", "What would you like to do?"),
        ("de-DE", "What would you like to do?"),
        ("zh-TW", "想做什么？"),
    ],
)
def test_the_browsers_language(
    new_page: Open, standin: StandIn, locale: str, greeting: str
) -> None:
    """A browser is greeted in its own language if that is Chinese, and in English otherwise; what
    one chooses by hand is kept."""
    page = new_page(locale=locale)
    page.goto(standin.url)
    title: Any = page.get_by_role("heading", level=1)
    expect(title).to_have_text(greeting)
    other = "Switch to English" if locale.startswith("zh") else "切换为中文"
    page.get_by_role("button", name=other).click()
    expect(title).not_to_have_text(greeting)
    page.reload()
    expect(title).not_to_have_text(greeting)
    expect(page.locator("html")).to_have_attribute(
        "lang", "en" if locale.startswith("zh") else "zh-CN"
    )
