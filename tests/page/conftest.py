"""One Chromium for all tests of this folder; a fresh context, and so fresh storage, for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from .standin import StandIn

DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 15_000  # ms; spent only where something is wrong, or the machine is very busy
expect.set_options(timeout=PATIENCE)


# Not for the whole session: while it lives its event loop counts as running, and later tests could
# not run one of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        if os.environ.get("QINGYU_REQUIRE_BROWSER") == "1":
            pytest.fail("QINGYU_REQUIRE_BROWSER=1, and there is no chromium on PATH")
        pytest.skip("no chromium on PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def standin_server() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.stop()


@pytest.fixture
def standin(standin_server: StandIn) -> StandIn:
    standin_server.clear()
    return standin_server


Open = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Open]:
    """Opens pages whose console must stay clean unless the test expects faults."""
    contexts, complaints = [], []

    def new(*, faults: bool = False, **options: Any) -> Page:
        options.setdefault("viewport", DESKTOP)
        options.setdefault("reduced_motion", "reduce")
        options.setdefault("locale", "zh-CN")
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if not faults:
            page.on(
                "console",
                lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None,
            )
        return page

    yield new
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(new_page: Open) -> Page:
    return new_page()
