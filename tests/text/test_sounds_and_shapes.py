"""What sounds and looks alike, read from the table that comes with the package."""

from __future__ import annotations

import pytest

from qingyu.text.sounds_and_shapes import TABLE, SoundsAndShapes, neighbours


@pytest.fixture(scope="module")
def known() -> SoundsAndShapes:
    return SoundsAndShapes.read()


def test_what_sounds_the_same(known: SoundsAndShapes) -> None:
    """Sound is compared without its tone, over all readings of a character."""
    assert known.same_sound("在", "再")
    assert known.same_tone("在", "再")
    assert known.same_sound("妈", "马")
    assert not known.same_tone("妈", "马")
    assert known.same_sound("行", "航"), "a character may have several readings"
    assert not known.same_sound("在", "有")


def test_what_sounds_nearly_the_same(known: SoundsAndShapes) -> None:
    """Sounds that many speakers do not tell apart, also two at once; the same sound is not near."""
    for first, second in ("是四", "陈程", "南兰", "房黄", "真增"):
        assert known.near_sound(first, second), first + second
    assert "在" not in known.near("再")
    assert "shen" in neighbours("seng")
    assert "lan" not in neighbours("ban")


def test_what_looks_alike(known: SoundsAndShapes) -> None:
    """Glyphs that share most of their strokes, whichever of the two is asked about."""
    for first, second in ("未末", "己已", "拔拨", "晴睛", "人入"):
        assert known.looks_alike(first, second)
        assert known.looks_alike(second, first)
    assert not known.looks_alike("一", "龙")


def test_what_writers_confuse(known: SoundsAndShapes) -> None:
    """Pairs counted from people's mistakes lead the confusions, each character once."""
    assert known.often_confused("做", "作")
    found = known.confusions("的")
    assert set("地得") <= set(found[:3])
    assert len(found) == len(set(found))
    assert "的" not in found


def test_traditional_forms(known: SoundsAndShapes) -> None:
    """A traditional character is known by its simplified one; what is neither has no entry."""
    assert known.simplified["體"] == "体"
    assert known.traditional("体") == "體"
    assert "体" not in known.simplified
    assert known.traditional("人") == "人"
    assert known.confusions("🙂") == []


def test_the_table_is_small() -> None:
    """It travels in every installation, so it stays under 600 KB."""
    assert TABLE.stat().st_size <= 600_000
