"""Memories of phrases over HTTP: taught, listed, named in requests, changed on disk, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from qingyu.settings import Settings
from tests.support.serving import Running, serving

DOCUMENT = "灵犀云枢启动后指示灯变绿。\n请先关闭灵犀云枢，再拔电源。"
ASKED = "请先关闭灵犀云[MASK]，再拔电源。"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phrases")


@pytest.fixture(scope="module")
def real(folder: Path) -> Iterator[Running]:
    """The embedded model, with a folder for memories of at most 200 kB."""
    settings = Settings(port=0, phrases=folder, max_phrases=200_000, log_level="error")
    with serving(settings, None) as running:
        yield running


@pytest.fixture
def client(real: Running) -> Iterator[httpx.Client]:
    with real.client() as found:
        yield found


def best(client: httpx.Client, *names: str) -> tuple[str, bool]:
    body = {"text": ASKED, "phrases": list(names)}
    answer = client.post("/v1/fill-mask", json=body)
    assert answer.status_code == 200, answer.text
    first = answer.json()["results"][0]["masks"][0]["candidates"][0]
    return first["token"], first["remembered"]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_text_is_taught_named_and_removed(client: httpx.Client, folder: Path) -> None:
    """The next answer knows it, others do not, and once it is gone nobody does."""
    before = best(client)
    put = client.put("/v1/phrases/手册", json={"text": DOCUMENT})
    assert put.status_code == 200, put.text
    assert put.json()["entries"] > 50
    assert (folder / "手册.phrases").is_file()
    assert best(client, "手册") == ("枢", True)
    assert best(client) == before
    listed = client.get("/v1/phrases").json()
    assert listed["enabled"]
    assert [(one["name"], one["loaded"]) for one in listed["phrases"]] == [("手册", True)]
    assert client.delete("/v1/phrases/手册").status_code == 204
    gone = client.post("/v1/fill-mask", json={"text": ASKED, "phrases": ["手册"]})
    assert code(gone) == (404, "phrases_not_found")
    assert code(client.delete("/v1/phrases/手册")) == (404, "phrases_not_found")


def test_a_memory_that_changes_is_read_anew(client: httpx.Client) -> None:
    """A cached answer of the old one is not given for the new one."""
    client.put("/v1/phrases/a", json={"list": "灵犀云枢\n请先关闭灵犀云枢"})
    assert best(client, "a")[0] == "枢"
    client.put("/v1/phrases/a", json={"list": "请先关闭灵犀云豹\n灵犀云豹"})
    assert best(client, "a")[0] == "豹"
    client.delete("/v1/phrases/a")


def test_a_file_is_taken_too(client: httpx.Client, folder: Path) -> None:
    """What the command line made is sent as it is; anything else is refused and not kept."""
    client.put("/v1/phrases/made", json={"text": DOCUMENT})
    data = (folder / "made.phrases").read_bytes()
    octets = {"content-type": "application/octet-stream"}
    assert client.put("/v1/phrases/sent", content=data, headers=octets).status_code == 200
    assert best(client, "sent") == ("枢", True)
    for bad in (b"", b"no memory", data[:-100], data[:40]):
        refused = client.put("/v1/phrases/bad", content=bad, headers=octets)
        assert code(refused) == (422, "invalid_input")
    big = client.put("/v1/phrases/bad", content=data + b"x" * 200_000, headers=octets)
    assert code(big) == (413, "body_too_large")
    assert {path.name for path in folder.iterdir()} == {"made.phrases", "sent.phrases"}
    for name in ("made", "sent"):
        client.delete(f"/v1/phrases/{name}")


@pytest.mark.parametrize("name", ["..", ".hidden", "a%2Fb", "a%5Cb", "x" * 101, "%00", "%0a"])
def test_a_name_is_a_file_of_the_folder(client: httpx.Client, folder: Path, name: str) -> None:
    """No name reaches outside, is hidden, or cannot be printed."""
    answer = client.put(f"/v1/phrases/{name}", json={"text": DOCUMENT})
    assert answer.status_code in (404, 405, 422), answer.text
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"\x00", (400, "malformed_json")),
        (b"\xff", (400, "not_utf8")),
        (b'{"text": 1}', (422, "invalid_request")),
        (b'{"words": "a"}', (422, "invalid_request")),
    ],
)
def test_a_body_that_is_none_is_told(
    client: httpx.Client, body: bytes, told: tuple[int, str]
) -> None:
    """Bytes that are no JSON, and fields that there are not, are the client's mistake."""
    answer = client.put("/v1/phrases/a", content=body, headers={"content-type": "application/json"})
    assert code(answer) == told


def test_a_damaged_file_in_the_folder_is_told(client: httpx.Client, folder: Path) -> None:
    """It is listed with its problem, and refused by one error that says which."""
    (folder / "broken.phrases").write_bytes(b"QYPHRASE" + b"\xff" * 100)
    (listed,) = client.get("/v1/phrases").json()["phrases"]
    assert (listed["entries"], listed["name"]) == (None, "broken")
    assert "damaged" in listed["problem"]
    answer = client.post("/v1/fill-mask", json={"text": ASKED, "phrases": ["broken"]})
    assert code(answer) == (503, "phrases_invalid")
    (folder / "broken.phrases").unlink()


def test_streams_score_check_and_many_names(client: httpx.Client) -> None:
    """Every task about words takes names, streamed too; more than eight are refused."""
    client.put("/v1/phrases/a", json={"text": DOCUMENT})
    text = "请先关闭灵犀云枢，再拔电源。"
    plain = client.post("/v1/score", json={"text": text}).json()["results"][0]["perplexity"]
    known = client.post("/v1/score", json={"text": text, "phrases": ["a"]}).json()
    assert known["results"][0]["perplexity"] < plain / 2
    lines = client.post(
        "/v1/fill-mask",
        json={"text": [ASKED, ASKED], "phrases": ["a"]},
        headers={"accept": "application/x-ndjson"},
    )
    assert lines.text.count('"remembered":true') >= 2
    many = client.post("/v1/fill-mask", json={"text": ASKED, "phrases": ["a"] * 9})
    assert many.status_code == 422
    client.delete("/v1/phrases/a")


def test_without_a_folder_there_are_none(running: Running) -> None:
    """A service that was given no folder says so, and keeps nothing."""
    with running.client() as client:
        assert client.get("/v1/phrases").json() == {"phrases": [], "enabled": False}
        named = client.post("/v1/fill-mask", json={"text": ASKED, "phrases": ["a"]})
        assert code(named) == (404, "phrases_disabled")
        sent = client.put(
            "/v1/phrases/a", content=b"x", headers={"content-type": "application/octet-stream"}
        )
        assert code(sent) == (404, "phrases_disabled")
