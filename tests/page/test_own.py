"""What people bring themselves, with the real service: a sheet that is asked, labels that are
taught and used on a file, answers put right where they stand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from qingyu.bundle import find
from qingyu.errors import ModelNotFoundError
from tests.support.process import served

from . import workbook
from .conftest import DESKTOP, PHONE, Open
from .own_rows import ASKED, FAQ, TAUGHT
from .standin import StandIn
from .test_access import AXE, RUN_AXE

pytestmark = pytest.mark.browser
SLOW = 60_000  # ms; what builds and teaches may take on a busy machine
SCREENS: list[dict[str, Any]] = [
    {"viewport": DESKTOP, "locale": "zh-CN"},
    {"viewport": PHONE, "locale": "en-US"},
]
WORDS = {
    "zh-CN": {"answers": "答案所在的列", "ready": "建好了，60 条", "others": "不太有把握"},
    "en-US": {
        "answers": "Column of answers",
        "ready": "ready with 60 rows",
        "others": "not so sure",
    },
}
on_screens = pytest.mark.parametrize("screen", SCREENS, ids=["desktop-zh", "phone-en"])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """The address of a service that keeps what it is taught. Asked for before a page, so that the
    page is closed first."""
    try:
        find("qingyu-small-zh")
    except ModelNotFoundError:
        pytest.skip("the default bundle is not built")
    with served("--heads", str(tmp_path / "heads"), "--indexes", str(tmp_path / "indexes")) as one:
        yield one.address


def put(page: Page, name: str, data: bytes) -> None:
    """Choose a file in the view."""
    upload = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    page.set_input_files("input[type=file]", files=[upload])  # type: ignore[arg-type]


@pytest.mark.slow
@on_screens
def test_a_sheet_of_questions_is_asked(
    service: str, new_page: Open, screen: dict[str, Any]
) -> None:
    """Sixty rows of a workbook: columns are guessed, three answers come with their reasons, many
    questions make a table that can be kept, and the call can be copied."""
    words = WORDS[screen["locale"]]
    page = new_page(**screen)
    page.goto(service)
    page.locator(".purpose", has=page.locator("use[href$='#library']")).click()
    rows: list[list[workbook.Cell]] = [
        [i, question, answer] for i, (question, answer) in enumerate(FAQ, 1)
    ]
    put(page, "售后问答.xlsx", workbook.make({"问答": [["编号", "问题", "答案"], *rows]}))
    columns = page.locator("qy-columns")
    expect(columns.get_by_role("combobox").first).to_have_value("1")
    expect(columns.get_by_role("combobox", name=words["answers"])).to_have_value("2")
    expect(columns.locator("tbody tr").first).to_have_text("".join(FAQ[0]))
    page.locator(".ask-line .btn.primary").click()
    expect(page.locator("view-library .clean")).to_contain_text(words["ready"], timeout=SLOW)
    page.keyboard.type("密码不记得了")  # the box to ask in has the focus
    page.keyboard.press("Enter")
    hits = page.locator(".hit")
    expect(hits).to_have_count(3)
    expect(hits.first.locator(".hit-text")).to_have_text("忘记密码了怎么找回？")
    expect(hits.first.locator(".hit-answer")).to_contain_text("用手机号验证")
    expect(hits.first.locator("mark.shared")).to_have_text(["密码"])
    expect(hits.first.locator(".reason")).to_contain_text("%")
    page.locator("qy-code summary").click()
    expect(page.locator("qy-code pre")).to_contain_text('"index":"售后问答"')
    page.locator("qy-many textarea").fill("退款要几天才能到账\n发票抬头错了\n明天会下雨吗")
    page.locator("qy-many .btn").first.click()
    table = page.locator("qy-many tbody tr")
    expect(table).to_have_count(3)
    expect(table.nth(0)).to_contain_text("退款几天到账？")
    expect(table.nth(1)).to_contain_text("在发票详情里申请重开。")
    expect(table.nth(2)).to_have_class("unsure")
    expect(page.locator("qy-many [role=status]")).to_contain_text(words["others"])
    with page.expect_download() as waiting:
        page.locator("qy-many .btn", has_text="CSV").click()
    kept = list(csv.reader(Path(waiting.value.path()).read_text("utf-8-sig").splitlines()))
    assert [row[0] for row in kept[1:]] == ["退款要几天才能到账", "发票抬头错了", "明天会下雨吗"]
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["viewport"]["width"]


@pytest.mark.slow
@on_screens
def test_two_hundred_rows_are_taught_and_used(
    service: str, new_page: Open, screen: dict[str, Any], tmp_path: Path
) -> None:
    """A table with labels, and what is too few of one is said; the score has its bounds; the head
    is tried at once and answers a file of two hundred rows it has not seen."""
    page = new_page(**screen)
    page.goto(f"{service}/#/teach")
    expect(page.locator("view-teach:not([aria-busy])")).to_be_attached()
    lines = ["留言,标签,编号", *(f"{text},{label},{i}" for i, (text, label) in enumerate(TAUGHT))]
    put(page, "留言.csv", "\n".join(lines).encode("gb18030"))
    expect(page.locator("qy-columns").get_by_role("combobox").nth(1)).to_have_value("1")
    page.locator(".inset .btn.primary").click()
    expect(page.locator(".tally")).to_have_count(4)
    expect(page.locator(".tally .cut")).to_have_count(0)
    page.get_by_role("textbox").first.fill("你们招人吗，其他\n地址在哪\t其他")
    page.locator(
        ".btn", has_text={"zh-CN": "加进来", "en-US": "Add them"}[screen["locale"]]
    ).click()
    expect(page.locator(".tally").last).to_contain_text("其他")
    expect(page.locator(".tally .cut")).to_have_count(1)
    page.locator(".ask-line .btn.primary").first.click()
    verdict = page.locator(".verdict")
    expect(verdict.locator(".figure")).to_contain_text("%", timeout=SLOW)
    expect(verdict).to_contain_text("202")
    expect(page.locator(".range")).to_be_attached()
    expect(page.locator(".bullets").last).to_contain_text("其他")
    page.evaluate(AXE)
    assert page.evaluate(RUN_AXE) == []
    box = page.locator("form.ask-line input")
    box.fill("想开一张发票")
    box.press("Enter")
    expect(page.locator("qy-bars li").first).to_contain_text("发票")
    page.locator("a.btn").first.click()
    expect(page.locator("view-files .drop")).to_be_visible()
    put(page, "新留言.txt", "\n".join(text for text, _ in ASKED).encode())
    mine = {"zh-CN": "我的分类", "en-US": "my labels"}[screen["locale"]]
    expect(page.locator("qy-draft select").last).to_have_value(mine)
    expect(page.locator("qy-draft td.new").first).to_have_text("退款")
    page.locator("qy-draft .btn.primary").click()
    expect(page.locator("qy-job .tag.done")).to_be_visible(timeout=SLOW)
    with page.expect_download() as waiting:
        page.locator("qy-job .btn", has_text="CSV").click()
    path = tmp_path / "out.csv"
    waiting.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        told = [row["label"] for row in csv.DictReader(file)]
    assert len(told) == 200
    right = sum(one == label for one, (_, label) in zip(told, ASKED, strict=True))
    assert right >= 180


def test_a_wrong_answer_is_put_right(page: Page, standin: StandIn) -> None:
    """A correction under an answer is a row to teach with, and its label can still be changed."""
    page.goto(f"{standin.url}#/classify?text=送来已经凉了")
    page.locator("view-classify").get_by_text("不对？改成").click()
    page.locator(".correction").get_by_role("button", name="负面").click()
    expect(page.locator("view-classify [role=status]").first).to_contain_text(
        "记下了“负面”，共 1 条"
    )
    page.evaluate("location.hash = '#/zero-shot?text=体育新闻'")
    page.locator("view-zero-shot").get_by_text("不对？改成").click()
    own = page.get_by_role("textbox", name="别的标签")
    own.fill("快讯")
    own.press("Enter")
    page.get_by_role("link", name="去教它").click()
    expect(page.locator(".tally")).to_have_count(2)
    page.get_by_text("查看和修改").click()
    label = page.get_by_role("combobox", name="“送来已经凉了”的标签")
    label.fill("快讯")
    label.press("Enter")
    expect(page.locator(".tally")).to_have_count(1)
    expect(page.get_by_role("button", name="用 2 条教它")).to_be_disabled()
    page.reload()
    page.get_by_text("查看和修改").click()
    page.get_by_role("button", name="去掉“体育新闻”").click()
    expect(page.locator("qy-rows tr")).to_have_count(1)
    page.get_by_role("button", name="全部清除").click()
    page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(page.locator("qy-rows")).to_be_empty()


def test_removing_asks_first(page: Page, standin: StandIn) -> None:
    """A library is removed only after a yes."""
    gone: list[str] = []
    page.route(
        "**/v1/indexes/*",
        lambda route: (gone.append(route.request.method), route.fulfill(status=204)),
    )
    page.goto(f"{standin.url}#/library")
    page.get_by_role("button", name="删除“常见问题”").click()
    page.get_by_role("dialog").get_by_role("button", name="不了").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert gone == []
    page.get_by_role("button", name="删除“常见问题”").click()
    with page.expect_response("**/v1/indexes/*"):
        page.get_by_role("dialog").get_by_role("button", name="确定").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".shelf")).to_be_visible()
    assert gone == ["DELETE"]


def test_a_service_that_keeps_nothing_says_so(page: Page, standin: StandIn) -> None:
    """Without a folder for them, the views tell how to start the service with one."""
    page.route("**/v1/indexes", lambda route: route.fulfill(json={"indexes": [], "enabled": False}))
    page.route("**/v1/heads", lambda route: route.fulfill(json={"heads": [], "enabled": False}))
    page.goto(f"{standin.url}#/library")
    expect(page.locator("view-library .notice")).to_contain_text("--data")
    expect(page.locator("view-library .drop")).to_be_hidden()
    page.evaluate("location.hash = '#/teach'")
    expect(page.locator("view-teach .notice")).to_contain_text("--data")
