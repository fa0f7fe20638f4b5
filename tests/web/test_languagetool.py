"""LanguageTool's interface: what its clients send, and what they read."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from qingyu.errors import InputError
from qingyu.settings import Settings
from qingyu.web.api.languagetool import FORM, annotated, asked, matches, paragraphs
from qingyu.web.edge.errors import RequestError
from tests.support.serving import Running, serving

TYPO = "🙂他的身体一直很建康。"


@pytest.fixture(scope="module")
def embedded() -> Iterator[Running]:
    with serving(Settings(port=0, timeout=120), load=None) as running:
        yield running


def suspect(**fields: Any) -> dict[str, Any]:
    """A suspect as /v1/check tells it."""
    one = {"text": "建", "start": 8, "end": 9, "reason": "同音", "confidence": 0.9}
    return {**one, "changed": True, "candidates": [{"token": "健"}], **fields}


def test_a_real_client_checks_and_corrects(embedded: Running) -> None:
    """language_tool_python, pointed at this server, finds the mistake and puts it right."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("language_tool_python")
        tool = module.LanguageTool("zh-CN", remote_server=f"http://127.0.0.1:{embedded.port}")
        try:
            [found] = tool.check("🙂今天天汽真好。")
            assert (found.replacements[0], found.rule_id) == ("气", "QINGYU_SAME_SOUND")
            assert tool.correct("🙂今天天汽真好。") == "🙂今天天气真好。"
            assert tool.check("他因为感冒，所以今天没有来上课。") == []
        finally:
            tool.close()


def test_places_are_in_utf16_units() -> None:
    """An emoji counts twice, as in Java and JavaScript; the context is counted likewise."""
    body = asked(f"text={TYPO}&language=zh-CN".encode())
    [found] = matches(body, [suspect()])
    units = TYPO.encode("utf-16-le")
    start, end = 2 * found["offset"], 2 * (found["offset"] + found["length"])
    assert units[start:end].decode("utf-16-le") == "建"
    assert found["context"]["offset"] == found["offset"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("", ["TYPOS", "PUNCTUATION"]),
        ("&level=picky", ["TYPOS", "GRAMMAR", "PUNCTUATION"]),
        ("&disabledCategories=PUNCTUATION", ["TYPOS"]),
        ("&disabledRules=QINGYU_SAME_SOUND", ["PUNCTUATION"]),
        ("&enabledOnly=true&enabledCategories=TYPOS", ["TYPOS"]),
    ],
)
def test_what_a_client_wants_to_hear(fields: str, told: list[str]) -> None:
    """Hints go to the picky, and rules can be switched off one by one or all but some."""
    wanted = asked(f"text=他的身体一直是很建康,好。&language=auto{fields}".encode())
    found = [
        suspect(),
        suspect(reason="的地得", changed=False, start=1, end=2),
        suspect(reason="标点", start=10, end=11),
    ]
    assert [one["rule"]["category"]["id"] for one in matches(wanted, found)] == told


def test_markup_is_skipped_and_places_stay() -> None:
    """`data` with annotations becomes text in which markup is blank."""
    data = {"annotation": [{"markup": "<b>"}, {"text": "好"}, {"markup": "\n"}]}
    assert annotated(json.dumps(data)) == "   好\n"
    with pytest.raises(InputError, match="annotation"):
        annotated("[1]")


def test_paragraphs_of_a_long_text() -> None:
    """Blank ones are skipped; thousands are joined, and none is lost."""
    assert list(paragraphs("一\n\n二")) == [(0, "一\n"), (3, "二")]
    long = "".join(f"{i}\n" for i in range(3000))
    found = list(paragraphs(long))
    assert len(found) <= 200
    assert all(long[start:].startswith(part) for start, part in found)
    assert sum(len(part) for _, part in found) == len(long)


@pytest.mark.parametrize(
    "body",
    [b"", b"text=x", b"text=x&language=xx", b"language=zh-CN", b"text=x&language=auto&level=all"],
)
def test_bad_forms_are_told(body: bytes) -> None:
    """What is missing or not supported is one clear error."""
    with pytest.raises((InputError, RequestError)):
        asked(body)


def test_it_lies_beside_the_inference_protocol(client: httpx.Client) -> None:
    """/v2 stays the Open Inference Protocol's, and errors have its shape."""
    assert client.get("/v2").json()["name"] == "qingyu"
    assert client.get("/v2/languages").json()[0]["longCode"] == "zh-CN"
    answer = client.post("/v2/check", content="text=x", headers={"content-type": FORM})
    assert answer.status_code == 422
    assert "language" in answer.json()["error"]
    assert client.post("/v2/check", json={"text": "x"}).status_code in (415, 422)
