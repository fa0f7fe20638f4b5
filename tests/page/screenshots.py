"""Pictures of the page with the real service and model, for the READMEs and the manual.

python -m tests.page.screenshots docs/images
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.process import served

from .conftest import DESKTOP, FLAGS, PHONE
from .own_rows import FAQ, TAUGHT

ENTITIES = "鲁迅1881年生于浙江绍兴，后来在北京大学任教，1936年在上海逝世。"
MASKS = "她每[MASK]早上七点起床，步[MASK]去学校。"
RANKING = "退款多久能到账&many=true&other=" + "%0A".join(
    ["申请退款后几天到账？", "钱什么时候退给我", "如何取消订单", "发票怎么开", "运费由谁承担"]
)
# name -> (address of the view, options of the browser)
DARK = {"color_scheme": "dark"}
SMALL = {"viewport": PHONE, "device_scale_factor": 2}
TALL = {"viewport": {"width": 1280, "height": 1130}}
SHOTS: dict[str, tuple[str, dict[str, object]]] = {
    "start": ("start", {}),
    "library": ("library", TALL),  # type: ignore[dict-item]
    "teach": ("teach", TALL),  # type: ignore[dict-item]
    "page": ("fill-mask", {}),
    "page.en": ("fill-mask", {"locale": "en"}),
    "fill-mask-dark": (f"fill-mask?text={MASKS}", DARK),  # type: ignore[dict-item]
    "check": ("check", {}),
    "zero-shot": ("zero-shot", {}),
    "classify": ("classify", {}),
    "similarity": (f"similarity?text={RANKING}", {}),
    "entities": (f"entities?text={ENTITIES}", {}),
    "entities.en-dark": (f"entities?text={ENTITIES}", {**DARK, "locale": "en"}),
    "score": ("score", {}),
    "files": ("files", TALL),  # type: ignore[dict-item]
    "results": ("files", TALL),  # type: ignore[dict-item]
    "models": ("models", {}),
    "live": ("live", {}),
    "phone": (f"fill-mask?text={MASKS}", SMALL),
    "phone-dark": (f"entities?text={ENTITIES}", {**SMALL, **DARK}),
    "phone.en": ("score", {**SMALL, "locale": "en"}),
}
REVIEWS = [
    "房间很干净，前台也热情，下次还住这里。",
    "隔音太差，一夜没睡好。",
    "早餐种类多，味道也不错。",
    "等了半个小时才办好入住，失望。",
    "位置方便，出门就是地铁站。",
]
CITIES = ["杭州", "北京", "深圳"]
LIVE_SECONDS = 40


def settle(page: Page) -> None:
    page.wait_for_selector("#view h1")
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")
    page.wait_for_timeout(700)


def files(page: Page) -> None:
    """A job that is done, and a file about to start."""
    for n, name in enumerate(["酒店评论.csv", "三月评论.csv"]):
        rows = [
            "编号,评论,城市",
            *(f"{i},第 {i} 晚。{REVIEWS[i % 5]},{CITIES[i % 7 % 3]}" for i in range(400 - 150 * n)),
        ]
        upload = {"name": name, "mimeType": "text/csv", "buffer": "\n".join(rows).encode("gb18030")}
        page.set_input_files("input[type=file]", files=[upload])
        page.get_by_role("combobox", name="任务").select_option("text-classification")
        page.wait_for_selector(".table td.new >> text=面")
        if n == 0:
            page.get_by_role("button", name="开始处理").click()
            page.wait_for_selector(".tag.done", timeout=120_000)


def results(page: Page) -> None:
    """The answers of a job, counted by a second column."""
    files(page)
    page.get_by_role("button", name="关闭").click()
    page.get_by_role("button", name="查看结果").click()
    page.locator("qy-results select").first.select_option(label="城市")


def library(page: Page) -> None:
    """A question asked of a FAQ of sixty rows."""
    sheet = "\n".join(["问题,答案", *(f'"{question}","{answer}"' for question, answer in FAQ)])
    upload = {"name": "售后问答.csv", "mimeType": "text/csv", "buffer": sheet.encode()}
    page.set_input_files("input[type=file]", files=[upload])  # type: ignore[arg-type]
    page.get_by_role("button", name="建好知识库").click()
    page.wait_for_selector("view-library .clean", timeout=120_000)
    page.get_by_role("textbox", name="问“售后问答”").fill("密码不记得了")
    page.get_by_role("button", name="问", exact=True).click()
    page.wait_for_selector(".hit")


def teach(page: Page) -> None:
    """Two hundred rows taught, with what the lesson scored."""
    page.get_by_role("textbox", name="或者粘贴").fill("\n".join(map(",".join, TAUGHT)))
    page.get_by_role("button", name="加进来").click()
    page.get_by_role("button", name="用 200 条教它").click()
    page.wait_for_selector(".verdict", timeout=120_000)


SCENES = {"files": files, "results": results, "library": library, "teach": teach}


@contextmanager
def users(address: str) -> Iterator[None]:
    """Two people typing, so that the live figures have something to show."""
    over = threading.Event()

    def ask(seed: int) -> None:
        with httpx.Client(base_url=address) as client:
            n = seed
            while not over.wait(0.02 + 0.08 * (n % 7 == 0)):
                n += 1
                text = REVIEWS[n % 5][: 6 + n % 11] + f"[MASK]{n % 40}"
                client.post("/v1/fill-mask", json={"text": text})

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def shoot(browser: Browser, address: str, name: str, folder: Path) -> None:
    link, options = SHOTS[name]
    options = {"viewport": DESKTOP, "reduced_motion": "reduce", **options}
    context = browser.new_context(**{"locale": "zh-CN", **options})  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{address}/#/{link}")
    settle(page)
    if name in SCENES:
        SCENES[name](page)
        settle(page)
    if name == "live":
        with users(address):
            page.wait_for_timeout(LIVE_SECONDS * 1000)
    if name == "models":
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    page.mouse.move(0, 0)
    settle(page)
    page.screenshot(path=folder / f"{name}.png")
    context.close()


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with (
        tempfile.TemporaryDirectory() as kept,
        served("--heads", f"{kept}/heads", "--indexes", f"{kept}/indexes") as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name in names or SHOTS:
            shoot(browser, service.address, name, folder)
            print(folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
