"""Bodies as programs of other systems write them: with a mark, in UTF-16, GBK or Big5."""

from __future__ import annotations

import json

import httpx
import pytest

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("今天天气真[MASK]啊。", "utf-8-sig"),
        ("今天天气真[MASK]啊。", "gbk"),
        ("今天天气真[MASK]啊。", "utf-16"),
        ("今天天气真[MASK]啊。", "utf-16-be"),
        ("今天天氣真[MASK]啊，我們去公園吧。", "big5"),
    ],
)
def test_a_body_is_read_in_its_encoding(client: httpx.Client, text: str, encoding: str) -> None:
    """The answer is that of the same body in UTF-8, with the text as it was meant."""
    body = json.dumps({"text": text, "top_k": 1}, ensure_ascii=False, indent=1)
    plain = client.post("/v1/fill-mask", content=body.encode(), headers=JSON)
    other = client.post("/v1/fill-mask", content=body.encode(encoding), headers=JSON)
    assert other.status_code == 200, other.text
    assert other.json()["results"] == plain.json()["results"]
    assert other.json()["results"][0]["text"] == text


@pytest.mark.parametrize("marks", [2, 1000])
def test_one_mark_is_taken_off(client: httpx.Client, marks: int) -> None:
    """What goes on beginning with marks is no JSON, however many there are."""
    body = ("\ufeff" * marks + '{"text": "[MASK]啊"}').encode()
    answer = client.post("/v1/fill-mask", content=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed_json"
