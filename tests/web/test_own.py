"""Heads taught and indexes built over HTTP, asked by name in requests and in jobs, and removed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import qingyu
from qingyu.settings import Settings
from tests.support.serving import Running, serving

TEXTS = [
    "退款三天还没到账", "申请退货被驳回了", "钱什么时候退给我", "退货的邮费谁出", "只退一件可以吗",
    "发票抬头写错了", "怎么开电子发票", "发票没有发到邮箱", "能补开上个月的发票吗", "要专票怎么弄",
]  # fmt: skip
LABELS = ["退款"] * 5 + ["发票"] * 5
ROWS = [
    {"问题": "如何修改登录密码？", "答案": "在设置里改。"},
    {"问题": "怎样申请退款？", "答案": "在订单里点退款。"},
    {"问题": "会员怎么取消自动续费？", "答案": "在会员中心关闭。"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[Running]:
    """The embedded model, with folders for heads, indexes and jobs."""
    for name in ("heads", "indexes", "jobs"):
        (folder / name).mkdir()
    settings = Settings(
        port=0,
        heads=folder / "heads",
        indexes=folder / "indexes",
        jobs=folder / "jobs",
        log_level="error",
    )
    with serving(settings, None) as running:
        yield running


@pytest.fixture
def client(real: Running) -> Iterator[httpx.Client]:
    with real.client() as found:
        found.timeout = 60
        yield found


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def classified(client: httpx.Client, text: str, head: str) -> httpx.Response:
    return client.post("/v1/text-classification", json={"text": text, "head": head})


def answered(client: httpx.Client, job: dict[str, object], lines: str) -> str:
    """The output of a job over lines of text."""
    made = client.post("/v1/jobs", json=job)
    assert made.status_code == 201, made.text
    where = f"/v1/jobs/{made.json()['id']}"
    assert client.put(f"{where}/input", content=lines.encode()).status_code == 200
    ended = time.monotonic() + 60
    while (found := client.get(where).json())["state"] in ("uploading", "queued", "running"):
        assert time.monotonic() < ended, found
        time.sleep(0.05)
    assert found["state"] == "done", found
    return client.get(f"{where}/output").text


def test_a_head_is_taught_asked_and_removed(client: httpx.Client, folder: Path) -> None:
    """What is taught over HTTP answers as the same head does in Python, also in jobs."""
    body = {"name": "客服", "texts": TEXTS, "labels": LABELS}
    taught = client.post("/v1/heads", json=body)
    assert taught.status_code == 200, taught.text
    told = taught.json()
    assert told["labels"] == ["发票", "退款"]
    assert told["rows"] == 10
    assert 0 <= told["score"]["low"] <= told["score"]["accuracy"] <= told["score"]["high"] <= 1
    asked = "想开张发票"
    result = classified(client, asked, "客服").json()["results"][0]
    with qingyu.load(heads=[folder / "heads" / "客服"]) as model:
        assert result["scores"] == pytest.approx(model.classify(asked, head="客服").scores)
    assert result["label"] == "发票"
    listed = client.get("/v1/heads").json()
    assert [one["name"] for one in listed["heads"]] == ["客服"]
    job = {"task": "text-classification", "name": "a.txt", "options": {"head": "客服"}}
    assert "发票" in answered(client, {**job, "output": "csv"}, f"{asked}\n")
    more = client.post(
        "/v1/heads", json={**body, "texts": ["开票"], "labels": ["发票"], "add": True}
    )
    assert more.json()["rows"] == 11
    assert client.delete("/v1/heads/客服").status_code == 204
    assert classified(client, asked, "客服").status_code == 422


def test_an_index_is_built_searched_and_removed(client: httpx.Client) -> None:
    """Rows come back with their other columns, also in jobs."""
    built = client.put("/v1/indexes/faq", json={"rows": ROWS, "text": "问题"})
    assert built.status_code == 200, built.text
    assert built.json()["rows"] == 3
    found = client.post("/v1/search", json={"index": "faq", "text": ["改密码", "退钱"], "top_k": 2})
    assert found.status_code == 200, found.text
    first, second = found.json()["results"]
    assert first["hits"][0]["row"] == ROWS[0]
    assert second["hits"][0]["id"] == 1
    assert len(first["hits"]) == 2
    job = {"task": "search", "name": "a.txt", "output": "csv", "options": {"index": "faq"}}
    assert "在设置里改。" in answered(client, job, "改密码\n")
    assert client.get("/v1/indexes").json()["indexes"][0]["text"] == "问题"
    assert client.delete("/v1/indexes/faq").status_code == 204
    gone = client.post("/v1/search", json={"index": "faq", "text": "改密码"})
    assert code(gone) == (404, "index_not_found")
    assert code(client.post("/v1/jobs", json=job)) == (404, "index_not_found")


def test_what_changes_on_disk_is_opened_anew(client: httpx.Client, folder: Path) -> None:
    """An index that another process replaces is what the next request asks; a cache knows it."""
    body = {"index": "rows", "text": "退款", "top_k": 1}
    client.put("/v1/indexes/rows", json={"rows": ["甲"]})
    assert client.post("/v1/search", json=body).json()["results"][0]["hits"][0]["text"] == "甲"
    with qingyu.load() as model:
        model.build_index(["乙"], folder / "indexes" / "rows")
    assert client.post("/v1/search", json=body).json()["results"][0]["hits"][0]["text"] == "乙"
    (folder / "indexes" / "rows" / "ids.npy").write_bytes(b"no")
    shutil.copy(folder / "indexes" / "rows" / "index.json", folder / "copy")
    (folder / "copy").replace(folder / "indexes" / "rows" / "index.json")
    assert code(client.post("/v1/search", json=body)) == (503, "bundle_invalid")
    assert client.get("/v1/indexes").json()["indexes"][0]["problem"]


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/v1/heads", {"name": "../x", "texts": ["a"], "labels": ["b"]}, 422),
        ("POST", "/v1/heads", {"name": "x", "texts": ["a"], "labels": ["b", "c"]}, 422),
        ("POST", "/v1/heads", {"name": "x", "texts": ["a", "b"], "labels": ["c", "c"]}, 422),
        ("POST", "/v1/heads", {"name": "x", "texts": [], "labels": []}, 422),
        ("POST", "/v1/heads", {"name": "no", "texts": ["a"], "labels": ["b"], "add": True}, 404),
        ("POST", "/v1/heads", {"name": "x", "texts": ["a"] * 2, "labels": ["b" * 30_000] * 2}, 422),
        ("PUT", "/v1/indexes/.x", {"rows": ["a"]}, 422),
        ("PUT", "/v1/indexes/x", {"rows": [{"a": "b"}]}, 422),
        ("PUT", "/v1/indexes/x", {"rows": []}, 422),
        ("PUT", "/v1/indexes/x", {"rows": ["长" * 30_000]}, 422),
        ("POST", "/v1/search", {"index": "../heads", "text": "a"}, 422),
        ("DELETE", "/v1/indexes/none", None, 404),
        ("DELETE", "/v1/heads/none", None, 404),
    ],
)
def test_what_is_wrong_is_told(
    client: httpx.Client, method: str, path: str, body: object, expected: int
) -> None:
    """One clear error in two languages, and nothing is written."""
    answer = client.request(method, path, json=body)
    assert answer.status_code == expected, answer.text
    assert answer.json()["error"]["message_en"]
    assert not client.get("/v1/heads").json()["heads"]


def test_without_folders_nothing_is_kept() -> None:
    """A service without folders says which setting is missing."""
    with serving(Settings(port=0, log_level="error"), None) as running, running.client() as client:
        assert not client.get("/v1/heads").json()["enabled"]
        assert not client.get("/v1/indexes").json()["enabled"]
        put = client.put("/v1/indexes/x", json={"rows": ["a"]})
        assert code(put) == (404, "index_disabled")
        assert "QINGYU_INDEXES" in put.json()["error"]["message"]
        body = {"name": "x", "texts": ["a"], "labels": ["b"]}
        assert code(client.post("/v1/heads", json=body)) == (404, "head_disabled")
        assert code(client.post("/v1/search", json={"index": "x", "text": "a"}))[0] == 404
