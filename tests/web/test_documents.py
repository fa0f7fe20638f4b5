"""Documents over HTTP: the file goes in, its paragraphs come back one by one."""

from __future__ import annotations

import base64
import io
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qingyu.client.answers import result
from qingyu.jobs.documents import read_document
from qingyu.jobs.exercise_sheet import sheet
from qingyu.jobs.word_document import new_document
from qingyu.results import ExerciseResult
from qingyu.settings import Settings
from qingyu.web.api.documents import WORD
from tests.support.serving import serving

ESSAY = "# 作文\n\n他的身体一直很建康。\n\n他因为感冒，所以今天没有来上课。\n"


@pytest.fixture(scope="module")
def embedded() -> Iterator[httpx.Client]:
    with serving(Settings(port=0, timeout=120), load=None) as running, running.client() as client:
        yield client


def test_a_document_is_answered_paragraph_by_paragraph(embedded: httpx.Client) -> None:
    """A line for each paragraph, in order, then the end; a word to keep is kept."""
    headers = {"content-type": "text/markdown; charset=utf-8"}
    for query, corrected in [("", "他的身体一直很健康。"), ("?keep=建康", "他的身体一直很建康。")]:
        url = f"/v1/check/document{query}"
        answer = embedded.post(url, content=ESSAY.encode(), headers=headers)
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert [line["index"] for line in lines[:-1]] == [0, 1, 2]
        assert lines[1]["result"]["corrected"] == corrected
        assert lines[-1]["done"]


@pytest.mark.parametrize(
    ("kind", "body", "query"),
    [
        ("application/pdf", b"x", ""),
        ("text/plain", b" \n", ""),
        ("text/plain", "好".encode(), "?threshold=high"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"x", ""),
    ],
)
def test_what_is_no_document_is_told(
    embedded: httpx.Client, kind: str, body: bytes, query: str
) -> None:
    """One clear error, whatever was sent."""
    url = f"/v1/check/document{query}"
    answer = embedded.post(url, content=body, headers={"content-type": kind})
    assert answer.status_code in (415, 422)
    assert answer.json()["error"]["message_en"]


def test_an_exercise_comes_as_a_document(embedded: httpx.Client, tmp_path: Path) -> None:
    """The lines of the document are those of the sheet of what /v1/exercise answers."""
    pytest.importorskip("lxml")
    body = {"text": ["家门口有一棵大树。", "他骑着一匹马。"]}
    answer = embedded.post("/v1/exercise/document", json=body)
    assert answer.status_code == 200, answer.text
    path = tmp_path / "a.docx"
    path.write_bytes(answer.content)
    results = embedded.post("/v1/exercise", json=body).json()["results"]
    lines = sheet([result(ExerciseResult, one) for one in results])
    assert "答案" in lines
    assert list(read_document(path).paragraphs.values()) == [line for line in lines if line]
    bad = embedded.post("/v1/exercise/document", json={"text": "好", "blanks": 0})
    assert bad.status_code == 422


def test_decided_changes_become_tracked_changes(embedded: httpx.Client, tmp_path: Path) -> None:
    """A text becomes a Word document, and that one in turn takes changes of its own."""
    pytest.importorskip("lxml")
    url, path = "/v1/check/document/changed", tmp_path / "a.docx"
    changes = [{"paragraph": 1, "start": 1, "end": 2, "text": "气"}]
    answer = embedded.post(url, json={"text": "天汽好。\n\n第二段", "changes": changes})
    assert answer.headers["content-type"].endswith("wordprocessingml.document")
    path.write_bytes(answer.content)
    assert read_document(path).paragraphs == {1: "天气好。", 3: "第二段"}
    changes = [{"paragraph": 3, "start": 3, "end": 3, "text": "完。"}]
    old = base64.b64encode(answer.content).decode()
    answer = embedded.post(url, json={"document": old, "changes": changes})
    path.write_bytes(answer.content)
    assert read_document(path).paragraphs == {1: "天气好。", 3: "第二段完。"}


def test_a_document_with_pictures_is_larger_than_other_requests(embedded: httpx.Client) -> None:
    """Three megabytes of a photograph are read past, and come back with the changes."""
    pytest.importorskip("lxml")
    url = "/v1/check/document"
    packed = io.BytesIO(new_document(["天汽好。"]))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("word/media/image1.jpeg", random.Random(0).randbytes(3 << 20))
    answer = embedded.post(url, content=packed.getvalue(), headers={"content-type": WORD})
    assert '"corrected":"天气好。"' in answer.text
    body = {
        "document": base64.b64encode(packed.getvalue()).decode(),
        "changes": [{"paragraph": 1, "start": 1, "end": 2, "text": "气"}],
    }
    assert len(embedded.post(f"{url}/changed", json=body).content) > 3 << 20
    refused = embedded.post(
        url, content=b"x" * ((16 << 20) + 1), headers={"content-type": "text/plain"}
    )
    assert refused.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "好", "document": ""},
        {"document": "?"},
        {"document": base64.b64encode(b"no zip").decode()},
        {"text": "好", "changes": [{"paragraph": 2, "start": 0, "end": 0, "text": ""}]},
        {"text": "好", "changes": [{"paragraph": 1, "start": 0, "end": 2, "text": ""}]},
    ],
)
def test_changes_that_cannot_be_made_are_told(embedded: httpx.Client, body: object) -> None:
    """One clear error in both languages."""
    answer = embedded.post("/v1/check/document/changed", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message_en"]
