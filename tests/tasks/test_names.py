"""Where names begin and end, and names that a user knows."""

from __future__ import annotations

import pytest

from qingyu.errors import InputError
from qingyu.results import Entity
from qingyu.tasks.parts.names import checked_gazetteer, edged, with_known


def entity(text: str, label: str, part: str) -> Entity:
    start = text.index(part)
    return Entity(label, part, start, start + len(part), 0.9)


@pytest.mark.parametrize(
    ("text", "parts", "found"),
    [
        ("我在😀北京，", ["😀北京，"], ["北京"]),
        ("买了iPhone手机", ["Pho"], ["iPhone"]),
        ("坐G1024次", ["102"], ["G1024"]),
        ("好👍👍", ["👍👍"], []),
        ("卡尔·马克思写的", ["卡尔", "马克思"], ["卡尔·马克思"]),
        ("看《红楼梦》", ["《红楼梦》"], ["《红楼梦》"]),
        ("去 New York 玩", ["New York"], ["New York"]),
        ("北京上海", ["北京", "上海"], ["北京", "上海"]),
    ],
)
def test_edges(text: str, parts: list[str], found: list[str]) -> None:
    """Symbols are cut off, Latin words made whole, foreign names joined, neighbours left apart."""
    result = edged(text, [entity(text, "X", part) for part in parts])
    assert [one.text for one in result] == found
    assert all(text[one.start : one.end] == one.text for one in result)


def test_a_gazetteer_joins_in() -> None:
    """The longest name wins, over what the model found; none is found inside a Latin word."""
    text = "轻语科技在北京，用AI做AIR"
    known = checked_gazetteer({"轻语科技": "公司", "轻语": "产品", "AI": "技术"})
    found = with_known(text, [entity(text, "LOC", "北京"), entity(text, "PER", "轻语")], known)
    assert [(one.text, one.label) for one in found] == [
        ("轻语科技", "公司"),
        ("北京", "LOC"),
        ("AI", "技术"),
    ]
    assert found[0].score == 1.0


@pytest.mark.parametrize("value", ["北京", [("北京",)], {"": "X"}, {"北京": 3}])
def test_a_gazetteer_that_is_none_is_refused(value: object) -> None:
    """Each with what it should be."""
    with pytest.raises(InputError, match="gazetteer"):
        checked_gazetteer(value)
