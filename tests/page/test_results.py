"""Answers of a file to work with: counted, filtered, changed, compared, given to others; and a
file that the service works through by itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from qingyu.bundle import find
from qingyu.errors import ModelNotFoundError
from tests.support.process import served

from .conftest import DESKTOP, PHONE, Open
from .standin import StandIn
from .test_access import AXE, RUN_AXE

pytestmark = pytest.mark.browser
SLOW = 60_000  # ms
SCREENS: list[dict[str, Any]] = [
    {"viewport": DESKTOP, "locale": "zh-CN"},
    {"viewport": PHONE, "locale": "en-US"},
]
CITIES = ["杭州", "北京", "深圳"]
ROWS = [
    (f"第{i}条，味道{'差' if i % 4 == 0 else '好'}", CITIES[i % 3],
     "正面" if i % 5 else "负面")
    for i in range(120)
]  # fmt: skip


def upload(page: Page, name: str, lines: list[str]) -> None:
    file = {"name": name, "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}
    page.set_input_files("input[type=file]", files=[file])  # type: ignore[arg-type]


def answered(page: Page, standin: StandIn) -> Locator:
    """The answers of a job over ROWS, opened."""
    page.goto(f"{standin.url}#/files")
    upload(page, "评论.csv", ["评论,城市,人工", *(",".join(f'"{x}"' for x in row) for row in ROWS)])
    page.locator("qy-draft select").nth(1).select_option("text-classification")
    page.locator("qy-draft .btn.primary").click()
    expect(page.locator("qy-job .tag.done")).to_be_visible()
    page.locator("qy-job .btn.primary").click()
    return page.locator("qy-results")


def save(page: Page, words: str) -> Any:
    with page.expect_download() as waiting:
        page.locator("qy-job .btn", has_text=words).click()
    return Path(waiting.value.path()).read_text("utf-8-sig")


@pytest.mark.parametrize("screen", SCREENS, ids=["desktop-zh", "phone-en"])
def test_a_summary_and_its_filters(
    new_page: Open, standin: StandIn, screen: dict[str, Any]
) -> None:
    """Labels are counted, a click shows only these; by a second column; the surest first."""
    page = new_page(**screen)
    results = answered(page, standin)
    counts = results.locator(".tally b")
    expect(counts).to_have_text(["90", "30"])
    expect(results.locator("tbody tr")).to_have_count(50)
    results.locator(".tally").nth(1).click()
    expect(results.locator("[role=status]")).to_contain_text("30")
    expect(results.locator("tbody tr")).to_have_count(30)
    expect(results.locator("tbody tr").first.locator(".cell").first).to_have_text("负面")
    results.locator(".tally").nth(1).click()
    results.locator("select").first.select_option("1")
    grid = results.locator(".grid")
    expect(grid.locator("thead th")).to_have_text(["城市", "北京", "杭州", "深圳"])
    expect(grid.locator("tbody tr").first).to_have_text("正面303030")
    expect(grid.locator("tbody tr").last).to_have_text("负面101010")
    results.locator("select").nth(1).select_option("2")
    expect(results.locator(".figure")).to_have_text("65.0%")
    page.evaluate(AXE)
    assert page.evaluate(RUN_AXE) == []
    results.locator("select").nth(2).select_option("0.9")
    expect(results.locator("[role=status]")).to_contain_text("0")
    assert page.evaluate("document.documentElement.scrollWidth") <= screen["viewport"]["width"]


def test_right_answers_beside(page: Page, standin: StandIn) -> None:
    """A column of right answers gives the share that agrees, its bounds and the confusions."""
    results = answered(page, standin)
    results.get_by_role("combobox", name="正确答案所在的列").select_option("2")
    told = ["负面" if i % 4 == 0 else "正面" for i in range(120)]
    agree = sum(one == row[2] for one, row in zip(told, ROWS, strict=True))
    expect(results.locator(".figure")).to_have_text(f"{agree / 1.2:.1f}%")
    expect(results.locator(".verdict")).to_contain_text(f"120 行中 {agree} 行")
    expect(results.locator(".verdict")).to_contain_text("在 56% 到 73% 之间")
    matrix = results.locator(".grid tbody tr")
    expect(matrix.nth(0)).to_have_text("正面7224")
    expect(matrix.nth(1)).to_have_text("负面186")


def test_answers_are_written_over(page: Page, standin: StandIn) -> None:
    """A changed cell is marked, counted, kept over a reload, taken along in every format, and
    becomes a row to teach with; the comparison goes by what was answered."""
    results = answered(page, standin)
    cell = results.get_by_role("textbox", name="第 2 行，标签")
    expect(cell).to_have_text("正面")
    cell.fill("中性")
    cell.press("Enter")
    expect(results.locator("td.edited")).to_have_count(1)
    expect(results.locator(".tally b")).to_have_text(["89", "30", "1"])
    page.reload()
    page.locator("qy-job .btn.primary").click()
    expect(results.locator("td.edited")).to_have_text("中性")
    rows = list(csv.DictReader(save(page, "CSV").splitlines()))
    assert [row["label"] for row in rows[:3]] == ["负面", "中性", "正面"]
    second = json.loads(save(page, "JSONL").splitlines()[1])
    assert second["edited"] == {"label": "中性"}
    assert second["result"]["label"] == "正面"
    results.get_by_role("combobox", name="正确答案所在的列").select_option("2")
    expect(results.locator(".figure")).to_have_text("65.0%")
    results.get_by_role("button", name="用改过的 1 条教它").click()
    expect(page.locator(".tally")).to_have_text(["中性1太少，最好 5 条以上"])


def test_tasks_for_label_studio(page: Page, standin: StandIn) -> None:
    """Labels are choices, entities spans in UTF-16 units, what was changed an annotation; the
    configuration names the same controls and all labels."""
    results = answered(page, standin)
    cell = results.get_by_role("textbox", name="第 1 行，标签")
    cell.fill("中性")
    cell.press("Enter")
    expect(results.locator("td.edited")).to_have_count(1)
    tasks = json.loads(save(page, "Label Studio"))
    assert len(tasks) == 120
    choice = {"from_name": "label", "to_name": "text", "type": "choices"}
    assert tasks[0]["annotations"] == [{"result": [{**choice, "value": {"choices": ["中性"]}}]}]
    assert tasks[1]["data"] == {
        "评论": ROWS[1][0],
        "城市": "北京",
        "人工": "正面",
        "text": ROWS[1][0],
    }
    assert tasks[1]["predictions"][0]["result"] == [{**choice, "value": {"choices": ["正面"]}}]
    assert tasks[1]["predictions"][0]["score"] == 0.93
    assert "annotations" not in tasks[1]
    config = page.locator("qy-job pre")
    for label in ("正面", "负面", "中性"):
        expect(config).to_contain_text(f'<Choice value="{label}"/>')
    upload(page, "人.txt", ["𠮷野家在北京", "王小明"])
    page.locator("qy-draft select").nth(1).select_option("token-classification")
    page.locator("qy-draft .btn.primary").click()
    expect(page.locator("qy-job .tag.done")).to_have_count(2)
    with page.expect_download() as waiting:
        page.locator("qy-job").first.locator(".btn", has_text="Label Studio").click()
    first = json.loads(Path(waiting.value.path()).read_text("utf-8"))[0]
    (span,) = first["predictions"][0]["result"]
    assert span["value"] == {"start": 5, "end": 7, "text": "北京", "labels": ["LOC"]}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    try:
        find("qingyu-small-zh")
    except ModelNotFoundError:
        pytest.skip("the default bundle is not built")
    with served("--jobs", str(tmp_path / "jobs")) as running:
        yield running.address


@pytest.mark.slow
def test_what_the_page_cannot_hold_goes_to_the_service(service: str, page: Page) -> None:
    """Of a file too large for the page the beginning is looked at; the service gets all of it."""

    def smaller(route: Route) -> None:
        answer = route.fetch()
        text = answer.text().replace("LARGEST = 64e6", "LARGEST = 3e3").replace("1e6;", "1e3;")
        route.fulfill(response=answer, body=text)

    page.route("**/js/files/table.js", smaller)
    page.goto(f"{service}/#/files")
    expect(page.locator("view-files .drop")).to_be_visible()
    page.wait_for_load_state("networkidle")
    upload(page, "大.csv", ["编号,评论", *(f"{i},第{i}次来，味道很好" for i in range(300))])
    expect(page.locator("qy-draft")).to_contain_text("文件很大，只看了前")
    expect(page.locator("qy-draft")).to_contain_text("可以关掉页面")
    page.locator("qy-draft select").nth(1).select_option("text-classification")
    page.get_by_role("button", name="交给服务处理").click()
    expect(page.locator("qy-server-job .tag.done")).to_be_visible(timeout=SLOW)
    expect(page.locator("qy-server-job")).to_contain_text("300 行")


@pytest.mark.slow
def test_the_service_works_while_nobody_looks(service: str, new_page: Open) -> None:
    """A small file is the page's own, a large one the service's, and the page says which; closed
    and opened again, the page finds the job done, saves its answers and removes it."""
    page = new_page()
    page.goto(f"{service}/#/files")
    expect(page.locator(".drop")).to_be_visible()
    upload(page, "少.csv", ["评论", "味道很好"])
    expect(page.locator("qy-draft")).to_contain_text("关掉页面会暂停")
    lines = [f"{i},第{i}次来，{'味道很差' if i % 2 else '味道很好'}" for i in range(5001)]
    upload(page, "多.csv", ["编号,评论", *lines])
    expect(page.locator("qy-draft")).to_contain_text("可以关掉页面")
    upload(page, "一些.csv", ["编号,评论", *lines[:400]])
    expect(page.locator("qy-draft")).to_contain_text("关掉页面会暂停")
    page.locator("qy-draft select").nth(1).select_option("text-classification")
    page.get_by_role("radio", name="服务").check()
    expect(page.locator("qy-draft")).to_contain_text("可以关掉页面")
    page.locator("qy-draft .btn.primary").click()
    expect(page.locator("qy-server-job")).to_contain_text("在服务上")
    page.close()
    page = page.context.new_page()
    page.goto(f"{service}/#/files")
    job = page.locator("qy-server-job")
    expect(job.locator(".tag.done")).to_be_visible(timeout=SLOW)
    expect(job).to_contain_text("400 行")
    with page.expect_download() as waiting:
        job.get_by_role("button", name="下载 CSV").click()
    assert waiting.value.suggested_filename == "一些-text-classification.csv"
    rows = list(csv.DictReader(Path(waiting.value.path()).read_text("utf-8-sig").splitlines()))
    right = sum((row["label"] == "负面") == (int(row["编号"]) % 2 == 1) for row in rows)
    assert len(rows) == 400
    assert right >= 380
    job.get_by_role("button", name="删除任务及其数据").click()
    expect(job).to_have_count(0)
    page.reload()
    expect(page.locator(".drop")).to_be_visible()
    expect(job).to_have_count(0)
