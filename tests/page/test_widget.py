"""The client and the widget on another site's page, under a policy as strict as can be."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from qingyu.tasks.registry import TASKS
from qingyu.web.edge.security import hash_key
from tests.support.process import served
from tests.support.serving import fake_settings, serving

from .conftest import Open

pytestmark = pytest.mark.browser

FAQ = [
    {"问题": "怎么退款？", "答案": "在订单里点“申请退款”，三天内到账。"},
    {"问题": "怎么开发票？", "答案": "在“我的订单”里点“开发票”。"},
    {"问题": "可以上门取件吗？", "答案": "可以，下单时选“上门取件”。"},
    {"问题": "会员怎么取消？", "答案": "在“账户”里点“取消续费”。"},
]


class Site:
    """A site of somebody else: `show` says what its page holds."""

    def __init__(self) -> None:
        site = self
        self.body, self.policy = "", ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = f'<!doctype html><html lang="zh"><title>站</title><body>{site.body}</body>'
                self.send_response(200 if self.path == "/" else 204)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", site.policy)
                self.end_headers()
                self.wfile.write(page.encode() if self.path == "/" else b"")

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def show(self, service: str, body: str) -> None:
        """The page may load scripts from `service` and ask it, and nothing else."""
        self.policy = f"default-src 'none'; script-src {service}; connect-src {service}"
        self.body = body


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


@pytest.fixture(scope="module")
def service(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that the site's pages may use, by the name 127.0.0.1 and no other."""
    indexes = tmp_path_factory.mktemp("indexes")
    origin = f"http://127.0.0.1:{site.port}"
    with served("--cors-origins", origin, "--indexes", str(indexes)) as running:
        body = {"rows": FAQ, "text": "问题"}
        httpx.put(f"{running.address}/v1/indexes/faq", json=body).raise_for_status()
        yield running.address


def tag(service: str, **data: str) -> str:
    given = " ".join(f'data-{name}="{value}"' for name, value in data.items())
    return f'<script src="{service}/widget.js" {given}></script>'


@pytest.mark.slow
def test_blanks_are_filled(page: Page, site: Site, service: str) -> None:
    """One tag in the page puts a box there, and the box answers."""
    site.show(service, tag(service, task="fill-mask", value="今天天气真___啊，适合出去玩。"))
    page.goto(f"http://127.0.0.1:{site.port}/")
    page.get_by_role("button", name="填一填").click()
    expect(page.get_by_role("status")).to_contain_text("今天天气真好啊，适合出去玩。")
    expect(page.get_by_role("listitem").first).to_contain_text("好")


@pytest.mark.slow
def test_a_text_is_corrected(page: Page, site: Site, service: str) -> None:
    """The mistake is shown where it stands, counted in characters, and accepted by a click."""
    site.show(service, tag(service, task="check"))
    page.goto(f"http://127.0.0.1:{site.port}/")
    box = page.get_by_role("textbox", name="改错别字")
    box.fill("\U0001f600今天天汽真好，适合出去玩。")
    page.get_by_role("button", name="检查").click()
    expect(page.locator("del")).to_have_text("汽")
    expect(page.locator("ins")).to_have_text("气")
    page.get_by_role("button", name="全部采纳").click()
    expect(box).to_have_value("\U0001f600今天天气真好，适合出去玩。")
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_role("status")).to_have_text("没有发现错别字。")


@pytest.mark.slow
def test_a_library_of_answers_is_asked(page: Page, site: Site, service: str) -> None:
    """The question in other words finds its row and the answer beside it."""
    site.show(service, tag(service, task="search", index="faq"))
    page.goto(f"http://127.0.0.1:{site.port}/")
    page.get_by_role("textbox", name="找答案").fill("我要把钱退回来")
    page.get_by_role("button", name="找一找").click()
    expect(page.get_by_role("listitem").first).to_contain_text("申请退款")
    expect(page.get_by_role("listitem")).to_have_count(3)


@pytest.mark.slow
def test_the_manuals_examples_print_what_it_says(new_page: Open, site: Site, service: str) -> None:
    """Both of them, one after the other, in a page of the site."""
    page = new_page(faults=True)
    manual = (Path(__file__).parents[2] / "docs" / "widget.md").read_text("utf-8")
    found = re.findall(r"^```js\n(.*?)^```\n\n```text\n(.*?)^```$", manual, re.M | re.S)
    (load, first), (second,) = found[0][0].split("\n\n", 1), found[1:2]
    assert load == 'import { Qingyu } from "http://127.0.0.1:8000/client.js";'
    module = 'const { Qingyu } = await import("http://127.0.0.1:8000/client.js");'
    code = f"{module}\n{first}\n{second[0]}".replace("http://127.0.0.1:8000", service)
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.text}\n"))
    site.show(service, "")
    page.goto(f"http://127.0.0.1:{site.port}/")
    with page.expect_console_message(lambda message: message.text == second[1].strip()):
        page.evaluate(f"async () => {{ {code} }}")
    refused = "Failed to load resource"  # the browser's own word on a 422
    assert [one for one in said if refused not in one] == [found[0][1], second[1]]


@pytest.mark.slow
def test_a_site_that_was_not_named_is_told_so(new_page: Open, site: Site, service: str) -> None:
    """Once, in words that say what the operator can do; and a service that is gone is another
    thing."""
    page = new_page(faults=True)
    site.show(service, tag(service, task="check", value="今天天汽真好。"))
    page.goto(f"http://localhost:{site.port}/")
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_role("alert")).to_have_count(1)
    told = f"--cors-origins http://localhost:{site.port}"
    expect(page.get_by_role("alert")).to_contain_text(told)


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[str]:
    """The address of a service that allows no other site. Asked for before `page`, which is closed
    first: one that still asks when the service goes would complain."""
    with serving(fake_settings(tmp_path)) as running:
        yield running.address


def test_boxes_say_what_they_lack(plain: str, page: Page, site: Site) -> None:
    """A task that there is none of, and a search without an index; two boxes on one page."""
    boxes = '<qingyu-box task="sing"></qingyu-box><qingyu-box task="search"></qingyu-box>'
    site.show(plain, boxes + f'<script src="{plain}/widget.js"></script>')
    page.goto(f"http://127.0.0.1:{site.port}/")
    expect(page.get_by_role("alert")).to_have_count(2)
    expect(page.get_by_role("alert").first).to_contain_text("sing")
    expect(page.get_by_role("alert").last).to_contain_text("data-index")


def test_the_client_throws_what_the_service_says(
    new_page: Open, site: Site, tmp_path: Path
) -> None:
    """Codes, which text, the request's number; a missing key; an answer that does not come."""
    page = new_page(faults=True)
    origin = f"http://127.0.0.1:{site.port}"
    settings = fake_settings(tmp_path, api_keys=f"a:{hash_key('k')}", cors_origins=origin)
    tries = """async ([url, options, method, ...given]) => {
      const { Qingyu } = await import(`${url}/client.js`);
      try {
        return await new Qingyu(url, { language: "en", ...options })[method](...given);
      } catch (error) {
        const { name, code, status, index, message } = error;
        return { name, code, status, index, message };
      }
    }"""
    with serving(settings) as running:
        site.show(f"{running.address} http://127.0.0.1:9", "")
        page.goto(origin)

        def ask(*given: Any, url: str = running.address, **options: Any) -> Any:
            return page.evaluate(tries, [running.address, options, *given])

        key = {"key": "k"}
        assert ask("fillMask", "真[MASK]", {"top_k": 1}, **key)["sequence"] == "真好"
        assert [one["text"] for one in ask("fillMask", ["[MASK]", "好[MASK]"], **key)] == [
            "[MASK]",
            "好[MASK]",
        ]
        refused = ask("fillMask", ["[MASK]", "好"], **key)
        assert (refused["name"], refused["code"], refused["status"], refused["index"]) == (
            "QingyuError", "no_mask", 422, 1,
        )  # fmt: skip
        assert refused["message"].startswith("Item 2")
        assert ask("fillMask", "[MASK]")["code"] == "unauthorized"
        assert ask("models", **key)[0]["name"] == "fake"
        running.model.gate.clear()
        assert ask("fillMask", "慢[MASK]", **key, timeout=50)["code"] == "timeout"
        running.model.gate.set()
    assert ask("models")["code"] == "unreachable"


def test_the_client_has_the_methods_of_the_python_client(plain: str, page: Page) -> None:
    """Every task of the registry, as JavaScript writes names."""
    page.goto(plain)
    names = page.evaluate(
        "import('/client.js').then((m) => Object.getOwnPropertyNames(m.Qingyu.prototype))"
    )

    def camel(name: str) -> str:
        first, *others = name.split("_")
        return first + "".join(map(str.title, others))

    assert {camel(task.method) for task in TASKS.values()} <= set(names)
    assert {"ner", "encode", "models"} <= set(names)
