"""Validation of parameters, with errors that say what was expected in both languages."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any, SupportsIndex, cast, get_args

from qingyu.errors import EmptyTextError, InputError


def checked_text(text: object, name: str = "text") -> str:
    """`text` if it is a string with something in it; raises InputError otherwise."""
    if not isinstance(text, str):
        raise wrong(name, "字符串", "a string", type(text).__name__)
    if not text.strip():
        raise EmptyTextError
    return text


def checked_count(value: object, name: str, least: int, most: int) -> int:
    """`value` if it is a whole number from `least` to `most`; raises InputError otherwise."""
    try:
        number = index(cast(SupportsIndex, value))  # a whole number of NumPy's is one, too
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        raise wrong(
            name, f"{least} 到 {most} 的整数", f"a whole number from {least} to {most}", repr(value)
        )
    return number


def checked_flag(value: object, name: str) -> bool:
    """`value` if it is true or false; raises InputError otherwise."""
    if not isinstance(value, bool):
        raise wrong(name, "布尔值", "true or false", repr(value)[:60])
    return value


def checked_choice(value: object, name: str, choices: Any) -> None:
    """Raises InputError unless `value` is one of the strings of a Literal."""
    names = get_args(choices)
    if value not in names:
        listed = ", ".join(names)
        raise wrong(name, f"{listed} 之一", f"one of {listed}", repr(value))


def checked_strings(values: object, name: str) -> list[str]:
    """Strings, at least one and none of them blank, in a list or an array; raises InputError
    otherwise."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise wrong(name, "非空的字符串列表", "a list of strings, not empty", repr(values)[:60])
    for value in values:
        if not isinstance(value, str) or not value.strip():
            raise wrong(
                f"{name} 的每一项 (each of {name})", "非空字符串", "a string, not empty",
                repr(value)[:60],
            )  # fmt: skip
    return list(values)


def wrong(name: str, zh: str, en: str, found: str) -> InputError:
    return InputError(f"{name} 应是{zh}，收到 {found}。", f"{name} should be {en}, not {found}.")
