"""LanguageTool's HTTP interface, for the editors and add-ons that take a server of one's own.

`POST /v2/check` and `GET /v2/languages` as LanguageTool 6 has them
(https://languagetool.org/http-api). They lie beside the paths of the Open Inference Protocol,
which are all `/v2`, `/v2/health/...` and `/v2/models/...`. Offsets are in UTF-16 code units, as
LanguageTool counts. A text is checked paragraph by paragraph, so what an editor sends again after a
keystroke is answered from the cache but for the paragraph that changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from starlette.responses import Response

from qingyu import __version__
from qingyu.errors import InputError
from qingyu.web.edge.errors import RequestError
from qingyu.web.state import state_of

from .exchange import FOREIGN_ERRORS, compute, json_response, received, shaped
from .validation import check_size
from .wire_check import CheckRequest

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 64
MAX_PARAGRAPHS = 200  # computed apart from each other; more are joined
LANGUAGES = ({"name": "Chinese", "code": "zh", "longCode": "zh-CN"},)
ACCEPTED = ("auto", "zh", "zh-cn", "zh-hans", "zh-hans-cn", "zh-sg", "zh-tw", "zh-hk", "zh-hant")
LEVELS = ("default", "picky")
# Of each reason: the rule, its category, and what people are told.
RULES: dict[str, tuple[str, str, str]] = {
    "同音": ("QINGYU_SAME_SOUND", "TYPOS", "同音错字"),
    "近音": ("QINGYU_NEAR_SOUND", "TYPOS", "近音错字"),
    "形近": ("QINGYU_SIMILAR_SHAPE", "TYPOS", "形近错字"),
    "的地得": ("QINGYU_DE", "GRAMMAR", "的、地、得"),
    "重复": ("QINGYU_DOUBLED", "GRAMMAR", "重复的字"),
    "缺字": ("QINGYU_MISSING", "GRAMMAR", "缺字"),
    "搭配": ("QINGYU_COLLOCATION", "GRAMMAR", "搭配不当"),
    "标点": ("QINGYU_PUNCTUATION", "PUNCTUATION", "标点"),
}
CATEGORIES = {"TYPOS": "错别字", "GRAMMAR": "语法", "PUNCTUATION": "标点"}
ISSUES = {"TYPOS": "misspelling", "GRAMMAR": "grammar", "PUNCTUATION": "typographical"}

router = APIRouter(prefix="/v2", tags=["languagetool"])


@dataclass(frozen=True)
class Wanted:
    """What a client asks.

    text:    with markup blanked out, so that places stay true
    picky:   hints too
    enabled: rules or categories that alone are wanted; None for all
    dicts:   names of word lists kept by the service (LanguageTool's "dictionaries")
    """

    text: str
    picky: bool
    enabled: frozenset[str] | None
    disabled: frozenset[str]
    dicts: tuple[str, ...] = ()

    def wants(self, rule: str, category: str) -> bool:
        """Whether the client wants to hear of a rule."""
        names = {rule, category}
        return not names & self.disabled and (self.enabled is None or bool(names & self.enabled))


@router.get("/languages", summary="语言 / languages")
async def languages() -> Response:
    return json_response(list(LANGUAGES))


@router.post(
    "/check",
    summary="查错别字（LanguageTool 的形式）/ check, in LanguageTool's shape",
    response_model=None,
    responses=FOREIGN_ERRORS,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                FORM: {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "text": {"type": "string", "example": "今天天汽真好。"},
                            "language": {"type": "string", "example": "zh-CN"},
                            "level": {"type": "string", "enum": list(LEVELS)},
                            "disabledRules": {"type": "string"},
                            "disabledCategories": {"type": "string"},
                            "dicts": {"type": "string", "description": "/v1/words"},
                        },
                        "required": ["text", "language"],
                    }
                }
            },
        }
    },
)
async def check(request: Request) -> Response:
    wanted = await received(request, asked, FORM)
    most = state_of(request).settings.max_characters
    if len(wanted.text) > most:
        raise RequestError(
            "text_too_long",
            f"一条文本最多 {most} 个字符，收到 {len(wanted.text)} 个。",
            f"A text has at most {most} characters, not {len(wanted.text)}.",
        )
    parts = list(paragraphs(wanted.text))
    if not parts:
        return json_response(response([]))
    asking = CheckRequest(
        text=[part for _, part in parts], check_punctuation=True, keep_lists=list(wanted.dicts)
    )
    calls = asking.calls()
    answers = await compute(request, None, calls)

    def made() -> object:
        suspects = [
            {**suspect, "start": suspect["start"] + start, "end": suspect["end"] + start}
            for (start, _), answer in zip(parts, answers, strict=True)
            for suspect in json.loads(answer.body)["suspects"]
        ]
        return response(matches(wanted, suspects))

    return await shaped(request, made)


def asked(body: bytes) -> Wanted:
    """Read a form. Raises InputError and RequestError."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise RequestError(
            "invalid_request",
            "请求体应是 UTF-8 的表单（text=...&language=zh-CN）。",
            "The body should be a form in UTF-8 (text=...&language=zh-CN).",
        ) from error
    fields = dict(pairs)
    language = fields.get("language", "").lower()
    if language not in ACCEPTED:
        raise InputError(
            f"language 应是 zh-CN 或 auto，收到 {language[:20] or '空'}。",
            f"language should be zh-CN or auto, not {language[:20] or 'nothing'}.",
        )
    level = fields.get("level", "default").lower()
    if level not in LEVELS:
        raise InputError(
            f"level 应是 default 或 picky，收到 {level[:20] or '空'}。",
            f"level should be default or picky, not {level[:20] or 'nothing'}.",
        )
    if "data" in fields:
        text = annotated(fields["data"])
    elif "text" in fields:
        text = fields["text"]
    else:
        raise InputError("缺少 text。", "text is missing.")

    def names(*of: str) -> frozenset[str]:
        return frozenset(
            name.strip() for one in of for name in fields.get(one, "").split(",") if name.strip()
        )

    only = fields.get("enabledOnly", "").lower() in ("true", "yes")
    enabled = names("enabledRules", "enabledCategories") if only else None
    disabled = names("disabledRules", "disabledCategories")
    return Wanted(text, level == "picky", enabled, disabled, tuple(sorted(names("dicts"))))


def annotated(data: str) -> str:
    """The text of LanguageTool's `data`: annotations of text and of markup, which becomes blanks
    of the same length. Raises InputError and RequestError."""
    check_size(data.encode("utf-8", "replace"))
    try:
        parts: Sequence[Mapping[str, Any]] = json.loads(data)["annotation"]
        pieces = [
            str(part["text"]) if "text" in part else blanked(str(part["markup"])) for part in parts
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            'data 应是 {"annotation": [{"text": ...}, {"markup": ...}]}。',
            'data should be {"annotation": [{"text": ...}, {"markup": ...}]}.',
        ) from error
    return "".join(pieces)


def blanked(markup: str) -> str:
    """White space of the same length, line ends kept."""
    return "".join(char if char == "\n" else " " for char in markup)


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Where each paragraph that has something in it begins, and the paragraph."""
    lines = text.splitlines(keepends=True)
    together = -(-len(lines) // MAX_PARAGRAPHS) or 1
    start = 0
    for at in range(0, len(lines), together):
        part = "".join(lines[at : at + together])
        if part.strip():
            yield start, part
        start += len(part)


def matches(wanted: Wanted, suspects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Suspects as LanguageTool tells them; hints only to those who are picky."""
    text = wanted.text
    units = [0]
    for char in text:
        units.append(units[-1] + (2 if ord(char) > 0xFFFF else 1))
    told = []
    for suspect in suspects:
        rule, category, short = RULES[suspect["reason"]]
        hint = not suspect["changed"] and suspect["reason"] != "标点"
        if not wanted.wants(rule, category) or (hint and not wanted.picky):
            continue
        start, end = suspect["start"], suspect["end"]
        left, right = max(0, start - 20), min(len(text), end + 20)
        values = [{"value": one["token"]} for one in suspect["candidates"]]
        best = f"，是否应为「{values[0]['value']}」？" if values else "。"
        told.append(
            {
                "message": f"{short}：「{suspect['text']}」{best}",
                "shortMessage": short,
                "replacements": values,
                "offset": units[start],
                "length": units[end] - units[start],
                "context": {
                    "text": text[left:right],
                    "offset": units[start] - units[left],
                    "length": units[end] - units[start],
                },
                "sentence": text[left:right],
                "type": {"typeName": "UnknownWord" if category == "TYPOS" else "Other"},
                "rule": {
                    "id": rule,
                    "description": short,
                    "issueType": ISSUES[category],
                    "category": {"id": category, "name": CATEGORIES[category]},
                    "confidence": suspect["confidence"],
                },
                "ignoreForIncompleteSentence": False,
                "contextForSureMatch": 0,
            }
        )
    return told


def response(matches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The body around matches."""
    language = {"name": "Chinese", "code": "zh-CN"}
    return {
        "software": {
            "name": "Qingyu",
            "version": __version__,
            "buildDate": "",
            "apiVersion": 1,
            "premium": False,
            "status": "",
        },
        "warnings": {"incompleteResults": False},
        "language": {**language, "detectedLanguage": {**language, "confidence": 1.0}},
        "matches": list(matches),
    }
