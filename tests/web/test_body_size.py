"""How many values a body may hold is told before it is parsed, whatever they are."""

from __future__ import annotations

import json

import pytest

from qingyu.web.api.validation import MAX_FIELDS, MAX_VALUES, check_size
from qingyu.web.edge.errors import RequestError

AROUND = 2  # the object and the list are values, too


@pytest.mark.parametrize("value", ["", "好", 'a"b\\', "a,b:[{", 1, [], {}])
def test_values_are_counted(value: object) -> None:
    """As many as may be are let through, one more is not; strings are not looked into."""
    most = MAX_VALUES - AROUND + 1
    if isinstance(value, list | dict):
        most //= 2  # a comma and a bracket each
    check_size(json.dumps({"text": [value] * most}).encode())
    with pytest.raises(RequestError, match="in parts"):
        check_size(json.dumps({"text": [value] * (most + 1)}).encode())


def test_fields_are_counted() -> None:
    """Names of fields have a bound of their own."""
    check_size(json.dumps({str(n): "a" for n in range(MAX_FIELDS)}).encode())
    with pytest.raises(RequestError, match="in parts"):
        check_size(json.dumps({str(n): "a" for n in range(MAX_FIELDS + 1)}).encode())


def test_the_most_strings_with_the_most_fields() -> None:
    """Both bounds may be reached at once, so no count of quotes alone refuses too much."""
    lists = {str(n): ["a"] * 23 for n in range(MAX_FIELDS)}
    check_size(json.dumps(lists).encode())
