"""The files view: what people drop, what they get back, and what may go wrong on the way."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from . import workbook
from .conftest import Open
from .standin import RefusalError, StandIn

pytestmark = pytest.mark.browser


def drop(page: Page, name: str, data: bytes | str, task: str = "text-classification") -> None:
    """Gives the view a file and chooses the task."""
    content = data.encode() if isinstance(data, str) else data
    page.set_input_files(
        "input[type=file]",
        files=[{"name": name, "mimeType": "application/octet-stream", "buffer": content}],
    )
    page.get_by_role("combobox", name="任务").select_option(task)


def start(page: Page) -> Locator:
    page.get_by_role("button", name="开始处理").click()
    return page.locator("qy-job").first


def save(page: Page, form: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=f"下载 {form}").first.click()
    return Path(waiting.value.path()).read_bytes()


def rows_of(data: bytes) -> list[list[str]]:
    assert data.startswith(b"\xef\xbb\xbf"), "Excel needs the mark to know UTF-8"
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def worked(standin: StandIn) -> int:
    """Rows asked about by jobs; previews ask about five."""
    return sum(len(body["text"]) for _, body in standin.asked if len(body["text"]) > 5)


def test_five_thousand_rows(page: Page, standin: StandIn) -> None:
    """Every row is answered once, in its place, beside all its other columns."""
    lines = [f'{i},"第{i}条，味道{"差" if i % 3 else "好"}",备注{i}' for i in range(5000)]
    page.goto(f"{standin.url}#/files")
    drop(page, "评论.csv", "\n".join(["编号,评论,备注", *lines]))
    expect(page.locator(".table tbody tr")).to_have_count(5)
    expect(page.locator(".table tbody tr").nth(1)).to_contain_text("负面")
    standin.asked.clear()
    job = start(page)
    expect(job).to_contain_text("已完成", timeout=30_000)
    expect(job).to_contain_text(re.compile(r"5,000 / 5,000 行 · [\d,]+ 行/秒"))
    assert worked(standin) == 5000
    rows = rows_of(save(page, "CSV"))
    assert rows[0] == ["编号", "评论", "备注", "label", "score", "all", "error"]
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(5000)]
    assert all(row[3] == ("负面" if int(row[0]) % 3 else "正面") for row in rows[1:])


def test_cancelled_keeps_what_was_done(page: Page, standin: StandIn) -> None:
    """A cancelled job stops asking; the finished part can be saved, the rest is blank."""
    standin.delay = 0.05
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "\n".join(f"第{i}行" for i in range(2000)))
    job = start(page)
    expect(job).to_contain_text("剩余")
    job.get_by_role("button", name="取消").click()
    expect(job).to_contain_text("已取消")
    asked = len(standin.asked)
    rows = rows_of(save(page, "CSV"))
    done = sum(bool(row[1]) for row in rows[1:])
    assert 0 < done < 2000
    assert len(rows) == 2001
    assert len(standin.asked) == asked


def test_a_closed_page_finds_its_job(new_page: Open, standin: StandIn) -> None:
    """After the page is gone the job is still there, goes on where it was, and repeats nothing."""
    standin.delay = 0.05
    page = new_page()
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "\n".join(f"第{i}行" for i in range(3000)))
    standin.asked.clear()
    job = start(page)
    expect(job).to_contain_text("剩余")
    page.close()
    page = page.context.new_page()
    page.goto(f"{standin.url}#/files")
    job = page.locator("qy-job").first
    expect(job).to_contain_text("已暂停")
    standin.delay = 0.0
    job.get_by_role("button", name="继续").click()
    expect(job).to_contain_text("已完成")
    # At most the one chunk in flight when the page closed was asked twice.
    assert 3000 <= worked(standin) <= 3050
    assert len(rows_of(save(page, "CSV"))) == 3001


def test_pause_and_another_view(page: Page, standin: StandIn) -> None:
    """A paused job asks nothing; a running one goes on while another view is open."""
    standin.delay = 0.05
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "\n".join(f"第{i}行" for i in range(3000)))
    job = start(page)
    expect(job).to_contain_text("剩余")
    job.get_by_role("button", name="暂停").click()
    expect(job).to_contain_text("已暂停")
    done = worked(standin)
    job.get_by_role("button", name="继续").click()
    page.get_by_role("link", name="模型").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("模型")
    standin.delay = 0.0
    page.get_by_role("link", name="文件").click()
    expect(job).to_contain_text("已完成")
    assert done < 3000 <= worked(standin) <= 3050


def test_bad_rows_are_named_and_stop_nothing(new_page: Open, standin: StandIn) -> None:
    """A refused row and an empty one get their reason; their neighbours their answers."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/files")
    texts = [f"第{i}行" for i in range(120)]
    texts[7], texts[77], texts[100] = "坏的", "坏的", " "
    drop(page, "a.csv", "\n".join(["n,text", *(f"{i},{text}" for i, text in enumerate(texts))]))
    job = start(page)
    expect(job).to_contain_text("已完成")
    job.get_by_text("3 行出错").click()
    expect(job.locator(".error-list li")).to_have_count(3)
    expect(job.locator(".error-list li").nth(1)).to_contain_text("第 78 行")
    rows = rows_of(save(page, "CSV"))[1:]
    assert [i for i, row in enumerate(rows) if row[-1]] == [7, 77, 100]
    assert rows[7][-1] == "这段文本太长。"
    assert all(row[2] for i, row in enumerate(rows) if i not in (7, 77, 100))


def test_a_busy_service_is_waited_for(new_page: Open, standin: StandIn) -> None:
    """429 with Retry-After delays the job and loses nothing."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "\n".join(f"第{i}行" for i in range(100)))
    expect(page.locator(".table")).to_contain_text("正面")
    busy = RefusalError(429, "overloaded", "服务繁忙。", "Busy.", Retry_After="1")
    standin.faults.extend([busy, busy])
    job = start(page)
    expect(job.get_by_role("status")).to_contain_text("服务繁忙。 稍后自动继续")
    expect(job).to_contain_text("已完成")
    assert all(row[1] for row in rows_of(save(page, "CSV")))


def test_a_service_that_goes_and_comes_back(new_page: Open, standin: StandIn) -> None:
    """A job outlives the service's restart without a touch."""
    standin.delay = 0.05
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "\n".join(f"第{i}行" for i in range(4000)))
    job = start(page)
    expect(job).to_contain_text("剩余")
    standin.stop()
    try:
        expect(job.get_by_role("status")).to_contain_text("连不上服务")
    finally:
        standin.delay = 0.0
        standin.start()
    expect(job).to_contain_text("已完成")
    assert len([row for row in rows_of(save(page, "CSV"))[1:] if row[1]]) == 4000


def test_a_service_that_wants_a_key(new_page: Open, standin: StandIn) -> None:
    """A job that is refused for want of a key pauses and says so, and goes on with one."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "一\n二\n三")
    expect(page.locator(".table")).to_contain_text("正面")
    standin.key = "k"
    job = start(page)
    expect(job).to_contain_text("已暂停")
    expect(job.get_by_role("status")).to_contain_text("需要访问密钥")
    page.get_by_role("button", name="访问密钥").click()
    page.locator("input[type=password]").fill("k")
    page.get_by_role("dialog").get_by_role("button", name="使用").click()
    job.get_by_role("button", name="继续").click()
    expect(job).to_contain_text("已完成")


def test_what_takes_too_long_is_sent_in_parts(new_page: Open, standin: StandIn) -> None:
    """Long rows share a request only up to a size, and one past its deadline is halved."""
    page = new_page(faults=True)
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "\n".join(f"{i}" + "很长的一行" * 100 for i in range(20)))
    expect(page.locator(".table tbody tr").nth(4)).to_contain_text("正面")
    page.wait_for_load_state("networkidle")  # the preview may be asked for once more
    standin.asked.clear()
    late = RefusalError(503, "deadline_exceeded", "超时。", "Late.")
    standin.faults.append(late)
    expect(start(page)).to_contain_text("已完成")
    sizes = [len(body["text"]) for _, body in standin.asked]
    assert sizes == [7, 3, 4, 7, 6]
    assert all(row[1] for row in rows_of(save(page, "CSV")))


def test_formulas_are_disarmed(page: Page, standin: StandIn) -> None:
    """No cell of the CSV starts a formula, whichever column it is in; numbers stay numbers."""
    cells = ['=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(A1)", "\tx", "-3.5", "+86", "1,2"]
    source = io.StringIO()
    csv.writer(source).writerows([["=header", "text"], *([cell, "好"] for cell in cells)])
    page.goto(f"{standin.url}#/files")
    drop(page, "a.csv", source.getvalue())
    expect(start(page)).to_contain_text("已完成")
    rows = rows_of(save(page, "CSV"))
    assert rows[0][0] == "'=header"
    assert [row[0] for row in rows[1:]] == [*(f"'{cell}" for cell in cells[:5]), *cells[5:]]


def test_encodings(page: Page, standin: StandIn) -> None:
    """The encodings Chinese files come in are recognised, and the header has no mark in it; Big5 is
    told from GB18030 by the characters that come out."""
    page.goto(f"{standin.url}#/files")
    known = {"utf-8": "UTF-8", "utf-8-sig": "BOM", "gb18030": "GB18030", "utf-16": "UTF-16"}
    for encoding, named in known.items():
        drop(page, f"{encoding}.csv", "评论,城\n味道很好，下次再来,北京\n".encode(encoding))
        card = page.get_by_role("region", name=f"{encoding}.csv")
        expect(card.get_by_text("1 行 · 2 列")).to_contain_text(named)
        expect(card.get_by_role("columnheader").first).to_have_text("评论")
        expect(card.get_by_role("cell").first).to_have_text("味道很好，下次再来")
    drop(page, "big5.csv", "id,評論\n1,這家餐廳的菜很好吃，下次還會再來！\n".encode("big5"))
    card = page.get_by_role("region", name="big5.csv")
    expect(card.get_by_text("1 行 · 2 列")).to_contain_text("Big5")
    expect(card.get_by_role("cell").nth(1)).to_have_text("這家餐廳的菜很好吃，下次還會再來！")


@pytest.mark.parametrize(
    ("name", "data", "counted", "cell"),
    [
        ("屏幕.tsv", 'text\tn\n5"的屏幕\t1\n"很好\t2\n6"也行\t3\n', "3 行 · 2 列", '5"的屏幕'),
        ("表.csv", "sep=;\ntext;n\n一,二;1\n", "1 行 · 2 列", "一,二"),
        ("数组.json", '[{"text": "一", "n": 1},\n {"text": "二"}]', "2 行 · 2 列", "一"),
        ("行.json", '{"text": "一"}\n{"text": "二"}\n', "2 行 · 1 列", "一"),
    ],
)
def test_tables_as_they_are(
    page: Page, standin: StandIn, name: str, data: str, counted: str, cell: str
) -> None:
    """Quotes of TSV are characters, sep= names the separator, and JSON may be an array."""
    page.goto(f"{standin.url}#/files")
    drop(page, name, data)
    card = page.get_by_role("region", name=name)
    expect(card.get_by_text(counted)).to_be_visible()
    expect(card.get_by_role("cell").first).to_have_text(cell)


def test_xlsx_in_and_out(page: Page, standin: StandIn) -> None:
    """Sheets, gaps, numbers and dates of a workbook are read; the saved one is all text."""
    page.goto(f"{standin.url}#/files")
    sheets: dict[str, list[list[workbook.Cell]]] = {
        "封面": [["说明"], ["无"]],
        "评论": [
            ["日期", "空列", "评论", "分"],
            [45231, None, "味道<很>差&贵", 4.5],
            [45232.5, None, "=好", 3],
        ],
    }
    drop(page, "a.xlsx", workbook.make(sheets, date_columns=(0,)))
    page.get_by_role("combobox", name="工作表").select_option("评论")
    expect(page.get_by_role("columnheader").nth(2)).to_have_text("评论")
    page.get_by_role("combobox", name="任务").select_option("text-classification")
    expect(start(page)).to_contain_text("已完成")
    rows = workbook.read(save(page, "XLSX"))
    assert rows[1][:5] == ["2023-11-01", "", "味道<很>差&贵", "4.5", "负面"]
    assert rows[2][:4] == ["2023-11-02 12:00:00", "", "=好", "3"]


def test_jsonl_in_and_out(page: Page, standin: StandIn) -> None:
    """Objects with differing fields become one table and go back with the whole answer."""
    page.goto(f"{standin.url}#/files")
    lines = [{"id": 1, "text": "去北京"}, {"text": "去深圳", "tags": ["a"]}]
    drop(page, "a.jsonl", "\n".join(map(json.dumps, lines)), "token-classification")
    expect(start(page)).to_contain_text("已完成")
    out = [json.loads(line) for line in save(page, "JSONL").decode().splitlines()]
    assert [item["result"]["entities"][0]["text"] for item in out] == ["北京", "深圳"]
    assert out[1]["tags"] == '["a"]'


BROKEN = [
    ("a.csv", b"", "没有数据行"),
    ("a.csv", b"text\n", "没有数据行"),
    ("a.csv", 'text\n好\n"没有收尾\n'.encode(), "第 3 行的引号没有闭合"),
    ("a.jsonl", b'{"text": "a"}\n{oops\n', "第 2 行不是 JSON 对象"),
    ("a.bin", b"\x00\x01\x02text\x00", "不是文本文件"),
    ("a.txt", b"\xff\xff\xff\xff", "认不出这个文件的编码"),
    ("a.xlsx", b"PK\x03\x04 and no more", "已损坏"),
    ("a.xlsx", workbook.make({"s": [["t"], ["x"]]})[:-60], "已损坏"),
    ("a.xlsx", b"PK\x05\x06" + b"\0" * 18, "没有可读的工作表"),
]


def test_broken_files(page: Page, standin: StandIn) -> None:
    """What cannot be read is refused in one sentence, and the next file is welcome."""
    page.goto(f"{standin.url}#/files")
    for name, data, words in BROKEN:
        broken = {"name": name, "mimeType": "text/plain", "buffer": data}
        page.set_input_files("input[type=file]", files=[broken])
        expect(page.get_by_role("alert")).to_contain_text(words)
        drop(page, "b.txt", "好的")
        expect(page.locator(".table")).to_contain_text("正面")


def test_pairs_of_columns(page: Page, standin: StandIn) -> None:
    """Similarity reads two columns of each row, and sends them as two lists of one length."""
    page.goto(f"{standin.url}#/files")
    rows = ["问,答,n", *(f"怎么退款{i},如何退钱{i},{i}" for i in range(60))]
    drop(page, "a.csv", "\n".join(rows), "sentence-similarity")
    expect(page.get_by_role("combobox", name="第二句所在的列")).to_have_value("1")
    expect(page.locator(".table tbody tr").first).to_contain_text("0.8700")
    expect(start(page)).to_contain_text("已完成")
    body = standin.asked[-1][1]
    assert (body["text"][-1], body["text_pair"][-1]) == ("怎么退款59", "如何退钱59")
    assert rows_of(save(page, "CSV"))[60][:5] == [
        "怎么退款59",
        "如何退钱59",
        "59",
        "相似",
        "0.8700",
    ]


def test_the_task_is_guessed(page: Page, standin: StandIn) -> None:
    """A column with blanks is offered fill-mask, another one classification; the choice stays."""
    page.goto(f"{standin.url}#/files")
    page.set_input_files(
        "input[type=file]",
        files=[{"name": "a.txt", "mimeType": "text/plain", "buffer": "天[MASK]好".encode()}],
    )
    task = page.get_by_role("combobox", name="任务")
    expect(task).to_have_value("fill-mask")
    expect(page.locator(".table tbody tr")).to_contain_text("天好好")
    task.select_option("score")
    plain = {"name": "b.txt", "mimeType": "text/plain", "buffer": "天好".encode()}
    page.set_input_files("input[type=file]", files=[plain])
    expect(page.get_by_role("region", name="b.txt")).to_be_visible()
    expect(task).to_have_value("score")
    page.reload()
    page.set_input_files("input[type=file]", files=[plain])
    expect(task).to_have_value("text-classification")


def test_zero_shot_needs_its_labels_first(page: Page, standin: StandIn) -> None:
    """Without labels nothing starts; with them the preview answers, and the job carries them."""
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "好评如潮\n差评如潮", "zero-shot-classification")
    expect(page.get_by_role("button", name="开始处理")).to_be_disabled()
    labels = page.get_by_role("textbox", name="标签")
    labels.fill("好评，差评，")
    expect(page.locator(".table tbody tr").nth(1)).to_contain_text("差评 0.5000; 好评 0.2500")
    expect(start(page)).to_contain_text("已完成")
    body = standin.asked[-1][1]
    assert body["candidate_labels"] == ["好评", "差评"]
    assert body["text"] == ["好评如潮", "差评如潮"]


def test_a_deleted_job_is_gone(page: Page, standin: StandIn) -> None:
    """Deleting takes the rows out of the browser's storage too."""
    page.goto(f"{standin.url}#/files")
    drop(page, "a.txt", "一\n二")
    job = start(page)
    expect(job).to_contain_text("已完成")
    job.get_by_role("button", name="删除任务及其数据").click()
    expect(page.locator("qy-job")).to_have_count(0)
    counts = page.evaluate(
        """async () => {
            const open = indexedDB.open("qingyu");
            await new Promise((done) => { open.onsuccess = done; });
            const read = open.result.transaction(["jobs", "chunks"]);
            const size = (name) => new Promise((done) => {
                const request = read.objectStore(name).count();
                request.onsuccess = () => done(request.result);
            });
            return [await size("jobs"), await size("chunks")];
        }"""
    )
    assert counts == [0, 0]
