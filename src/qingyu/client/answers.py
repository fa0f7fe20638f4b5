"""What a service answered, as results and as errors."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from qingyu import errors
from qingyu.errors import InputError, OverloadedError, QingyuError, ServiceError
from qingyu.results import Result

R = TypeVar("R", bound=Result)


def results(kind: type[R], content: bytes) -> list[R]:
    """The results in an answer. Raises ServiceError where it is no answer of Qingyu."""
    try:
        return [result(kind, one) for one in json.loads(content)["results"]]
    except (ValueError, KeyError, TypeError) as error:
        raise strange() from error


def result(kind: type[R], values: Mapping[str, Any]) -> R:
    """A result from its JSON; fields that a newer service adds are left out."""
    hints = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
    return kind(
        **{
            field.name: _value(hints[field.name], values[field.name])
            for field in fields(kind)  # type: ignore[arg-type]  # all results are dataclasses
            if field.name in values
        }
    )


def error(status: int, content: bytes, headers: Mapping[str, str], before: int = 0) -> QingyuError:
    """A refusal as the error that the service raised, with its code, and `request_id` and `index`
    where it has them; `before` texts of the call went in other requests."""
    try:
        told = json.loads(content)["error"]
        zh, en, code = str(told["message"]), str(told["message_en"]), str(told["code"])
    except (ValueError, KeyError, TypeError):
        return strange(status)
    more: dict[str, Any] = {"code": code, "request_id": told.get("request_id")}
    if isinstance(told.get("index"), int):
        more["index"] = told["index"] + before
        zh = re.sub(r"^第 \d+ 条", f"第 {more['index'] + 1} 条", zh)
        en = re.sub(r"^Item \d+", f"Item {more['index'] + 1}", en)
    kind = _kinds().get(code) or _by_status(status)
    if issubclass(kind, OverloadedError):
        after = headers.get("retry-after", "")
        more["retry_after"] = float(after) if after.isdigit() else 1.0
    made = kind.__new__(kind, zh, en)
    made.__dict__.update(zh=zh, en=en, **more)
    return made


def strange(status: int | None = None) -> ServiceError:
    """Something answered that is not Qingyu, such as a proxy in between."""
    what = "" if status is None else f" ({status})"
    found = ServiceError(
        f"答复不是轻语服务的{what}，请检查地址和途中的代理。",
        f"The answer{what} is not one of Qingyu's service; check the address and proxies between.",
    )
    found.code = "unreadable_answer"
    return found


def unreachable(url: str, cause: Exception) -> ServiceError:
    what = str(cause) or type(cause).__name__
    found = ServiceError(
        f"连不上 {url}：{what}。服务可用 qingyu serve 启动。",
        f"Cannot reach {url}: {what}. Start a service with qingyu serve.",
    )
    found.code = "unreachable"
    return found


@cache
def _kinds() -> dict[str, type[QingyuError]]:
    """Errors by their codes."""
    return {
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, QingyuError)
    }


def _by_status(status: int) -> type[QingyuError]:
    """What a code that is only the service's means here."""
    if status == 429:
        return OverloadedError
    if status in (400, 413, 415, 422):
        return InputError
    return ServiceError if status >= 500 else QingyuError


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    """JSON as what a field of a result holds."""
    if is_dataclass(hint):
        return result(hint, value)  # type: ignore[arg-type, type-var]
    if value is not None and get_origin(hint) is tuple:
        pairs = value.items() if isinstance(value, dict) else value
        inner, *rest = get_args(hint)
        many = rest == [Ellipsis]
        return tuple(_value(inner, one) for one in pairs) if many else tuple(pairs)
    whole = [one for one in get_args(hint) if is_dataclass(one)]
    return _value(whole[0], value) if whole and isinstance(value, dict) else value
