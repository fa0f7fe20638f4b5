"""Word lists kept by a service: proofreading leaves their words alone when they are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qingyu.settings import Settings
from tests.support.serving import Running, serving

WRONG = "今天天汽真好。"
RIGHT = "今天天气真好。"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("words")


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[Running]:
    """The embedded model, with a folder for word lists."""
    with serving(Settings(port=0, words=folder, log_level="error"), None) as running:
        yield running


@pytest.fixture
def client(real: Running) -> Iterator[httpx.Client]:
    with real.client() as found:
        yield found


def corrected(client: httpx.Client, *lists: str) -> str:
    answer = client.post("/v1/check", json={"text": WRONG, "keep_lists": list(lists)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["results"][0]["corrected"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_list_is_kept_named_and_removed(client: httpx.Client, folder: Path) -> None:
    """Its words are left alone by those who name it, and by nobody once it is gone."""
    assert corrected(client) == RIGHT
    put = client.put("/v1/words/公司", json={"words": ["天汽", " 轻语 ", "天汽"]})
    assert put.json() == {"name": "公司", "words": 2, "problem": None}
    assert (folder / "公司.txt").read_text("utf-8") == "天汽\n轻语\n"
    assert client.get("/v1/words/公司").json()["words"] == ["天汽", "轻语"]
    assert client.get("/v1/words").json()["enabled"]
    assert corrected(client, "公司") == WRONG
    assert corrected(client) == RIGHT
    assert client.delete("/v1/words/公司").status_code == 204
    asked = client.post("/v1/check", json={"text": WRONG, "keep_lists": ["公司"]})
    assert code(asked) == (404, "words_not_found")
    assert code(client.delete("/v1/words/公司")) == (404, "words_not_found")


def test_a_list_changed_on_disk_is_read_anew(client: httpx.Client, folder: Path) -> None:
    """In whatever encoding an editor wrote it."""
    (folder / "编辑部.txt").write_bytes("其他\n".encode("gbk"))
    assert corrected(client, "编辑部") == RIGHT
    (folder / "编辑部.txt").write_bytes("其他词语\n天汽\n".encode("gbk"))
    assert corrected(client, "编辑部") == WRONG


def test_documents_and_editors_name_lists_too(client: httpx.Client) -> None:
    """`?keep_lists=` of a document, `dicts` of LanguageTool's clients."""
    client.put("/v1/words/术语", json={"words": ["天汽"]})
    lines = client.post(
        "/v1/check/document?keep_lists=术语",
        content=WRONG.encode(),
        headers={"content-type": "text/plain"},
    )
    assert RIGHT not in lines.text
    for dicts, found in (("术语", 0), ("", 1)):
        form = {"text": WRONG, "language": "zh-CN", "dicts": dicts}
        assert len(client.post("/v2/check", data=form).json()["matches"]) == found


@pytest.mark.parametrize("name", [".hidden", "%2e%2e", "a%5cb", "长" * 40])
def test_no_path_is_built_from_a_name(client: httpx.Client, name: str) -> None:
    """A name can be nothing but that of a list in the folder."""
    refused = client.put(f"/v1/words/{name}", json={"words": ["词"]})
    assert refused.status_code in (404, 422)


@pytest.mark.parametrize("words", [[], ["  "], ["词"] * 10_001, "词", [1]])
def test_a_list_has_words(client: httpx.Client, words: object) -> None:
    """One at least, ten thousand at most, all text."""
    assert code(client.put("/v1/words/空", json={"words": words}))[0] == 422


def test_a_damaged_file_is_told(client: httpx.Client, folder: Path) -> None:
    """In the list of lists, and to whoever names it."""
    (folder / "坏.txt").write_bytes(b"")
    told = {one["name"]: one for one in client.get("/v1/words").json()["lists"]}["坏"]
    assert told["words"] is None
    assert told["problem"]
    asked = client.post("/v1/check", json={"text": WRONG, "keep_lists": ["坏"]})
    assert asked.status_code == 422


def test_jobs_name_no_lists(client: httpx.Client) -> None:
    """A batch of a file says its words itself."""
    job = {"task": "check", "name": "a.txt", "options": {"keep_lists": ["公司"]}}
    assert client.post("/v1/jobs", json=job).status_code in (404, 422)


def test_without_a_folder_there_are_none() -> None:
    """And that is said."""
    with serving(Settings(port=0, log_level="error"), None) as running, running.client() as client:
        assert client.get("/v1/words").json() == {"lists": [], "enabled": False}
        assert code(client.put("/v1/words/a", json={"words": ["词"]})) == (404, "words_disabled")
        asked = client.post("/v1/check", json={"text": WRONG, "keep_lists": ["a"]})
        assert code(asked) == (404, "words_disabled")
