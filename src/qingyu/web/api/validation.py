"""From bytes to a checked request, or one clear error in both languages."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from qingyu.errors import InputError
from qingyu.text.encodings import decoded
from qingyu.web.edge.errors import RequestError

M = TypeVar("M", bound=BaseModel)

# pydantic's error types that clients meet, with what to say; {..} is filled from its context.
WORDS = {
    "missing": ("缺少此字段", "is missing"),
    "extra_forbidden": ("没有这个字段", "is not a field"),
    "string_type": ("应为字符串", "should be a string"),
    "int_type": ("应为整数", "should be a whole number"),
    "int_from_float": ("应为整数", "should be a whole number"),
    "int_parsing_size": ("数字过大", "is too large a number"),
    "float_type": ("应为数字", "should be a number"),
    "finite_number": ("应为有限的数字", "should be a finite number"),
    "bool_type": ("应为 true 或 false", "should be true or false"),
    "text_or_list": ("应为字符串或字符串列表", "should be a string or a list of strings"),
    "list_type": ("应为列表", "should be a list"),
    "dict_type": ("应为对象", "should be an object"),
    "model_type": ("应为 JSON 对象", "should be a JSON object"),
    "model_attributes_type": ("应为 JSON 对象", "should be a JSON object"),
    "literal_error": ("应为 {expected} 之一", "should be one of {expected}"),
    "greater_than": ("应大于 {gt}", "should be greater than {gt}"),
    "greater_than_equal": ("应不小于 {ge}", "should be at least {ge}"),
    "less_than": ("应小于 {lt}", "should be less than {lt}"),
    "less_than_equal": ("应不大于 {le}", "should be at most {le}"),
    "too_short": ("至少 {min_length} 项", "should have at least {min_length} items"),
    "too_long": ("至多 {max_length} 项", "should have at most {max_length} items"),
    "string_too_short": (
        "至少 {min_length} 个字符",
        "needs {min_length} characters or more",
    ),
    "string_too_long": ("至多 {max_length} 个字符", "takes {max_length} characters or fewer"),
    "string_unicode": ("不是有效的文字", "is not valid text"),
}
SHOWN = 3

# What a parser makes of a body is bounded before it is made: a megabyte can hold half a million
# values, which takes a second to read and as long to complain about.
SMALL_BYTES = 4096
MAX_VALUES = 25_000  # ten thousand words or texts, and what is around them
MAX_FIELDS = 1_000


def check_size(body: bytes) -> None:
    """Raises RequestError (invalid_request) where a body of JSON holds too many values.

    What is between the strings is counted: commas, brackets and colons. Up to the first fault of
    a body that is no JSON the count is right, and no parser goes on from there.
    """
    if len(body) <= SMALL_BYTES:
        return
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    strings = plain.count(b'"') // 2
    # Half a million empty strings are told from their quotes: to cut the body at each would hold
    # the interpreter for 100 ms.
    too_many = strings > MAX_VALUES + MAX_FIELDS
    if not too_many:
        between = b"".join(plain.split(b'"')[::2])
        values = between.count(b",") + between.count(b"[") + between.count(b"{")
        too_many = values > MAX_VALUES or between.count(b":") > MAX_FIELDS
    if too_many:
        raise RequestError(
            "invalid_request",
            f"请求体中最多 {MAX_VALUES} 个值、{MAX_FIELDS} 个字段，请分批发送。",
            f"A body has at most {MAX_VALUES} values and {MAX_FIELDS} fields; send it in parts.",
        )


def parse(model: type[M], body: bytes) -> M:
    """JSON in UTF-8, or in whatever else a file of a job may be in: with a byte order mark, UTF-16,
    GB18030, Big5. Raises RequestError: malformed_json and not_utf8 (400), invalid_request (422)."""
    try:
        return _checked(model, body)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid":
            raise _readable(error) from None
        known = _as_utf8(body)
    try:
        return _checked(model, known)
    except ValidationError as error:
        raise _readable(error) from None


def _checked(model: type[M], body: bytes) -> M:
    check_size(body)
    try:
        return model.model_validate_json(body)
    except RecursionError:
        raise _malformed("nested too deeply") from None


def _as_utf8(body: bytes) -> bytes:
    """A body that is no JSON as it stands, in UTF-8 without a mark. Raises RequestError
    (not_utf8)."""
    try:
        return decoded(body).encode()
    except (InputError, UnicodeEncodeError):
        raise RequestError(
            "not_utf8",
            "请求体不是 UTF-8，也看不出是什么编码。",
            "The body is not encoded in UTF-8, nor in what can be told.",
        ) from None


def parse_value(model: type[M], value: object) -> M:
    """The same for what is JSON already."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _readable(error) from None


def _readable(error: ValidationError) -> RequestError:
    problems = error.errors(include_url=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        return _malformed(str(problems[0].get("ctx", {}).get("error", "")))
    return unprocessable([dict(problem) for problem in problems])


def unprocessable(problems: list[dict[str, Any]]) -> RequestError:
    """The first few problems, each with its field."""
    zh, en = [], []
    for problem in _distinct(problems)[:SHOWN]:
        place = _place(problem["loc"])
        context = problem.get("ctx", {})
        words = WORDS.get(problem["type"], (problem["msg"], problem["msg"]))
        if problem["type"] == "value_error":  # our own, in both languages
            told = str(context["error"]).partition(" / ")
            words, context = (told[0], told[2]), {}
        zh.append(f"{place}{words[0].format(**context)}")
        en.append(f"{place}{words[1].format(**context)}")
    return RequestError("invalid_request", "；".join(zh) + "。", "; ".join(en) + ".")


def _distinct(problems: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One problem a place: the branches of a union complain together."""
    places: dict[str, dict[str, Any]] = {}
    for problem in problems:
        place = _place(problem["loc"])
        both = {problem["type"], places.get(place, problem)["type"]}
        if both == {"string_type", "list_type"}:
            problem = {**problem, "type": "text_or_list"}
        places[place] = problem
    return list(places.values())


def _place(loc: tuple[int | str, ...]) -> str:
    """`("text", "list[str]", 3)` -> "text[3] ": names of union branches are ours, not theirs."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part in {"str", "list[str]", "body"}:
            continue
        else:
            text += f".{part[:40]}" if text else part[:40]
    return f"{text} " if text else ""


def _malformed(detail: str) -> RequestError:
    return RequestError(
        "malformed_json",
        f"请求体不是有效的 JSON：{detail}。",
        f"The body is not valid JSON: {detail}.",
    )
