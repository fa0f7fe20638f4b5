"""The cache of answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qingyu.service.cache import ENTRY_OVERHEAD, Cache, key_of
from qingyu.service.work import Answer, Call


def answer(size: int) -> Answer:
    return Answer(b"x" * size, 1)


def test_an_answer_comes_back_as_it_was_put() -> None:
    """The same key gives the same answer; the counts tell hits from misses."""
    cache = Cache(1 << 20)
    assert cache.get("a") is None
    kept = answer(10)
    cache.put("a", kept)
    assert cache.get("a") is kept
    assert (cache.hits, cache.misses) == (1, 1)


def test_the_least_recently_used_goes_first() -> None:
    """Reading an entry keeps it; the one nobody read makes room."""
    size = 200 + ENTRY_OVERHEAD
    cache = Cache(20 * size)
    for key in range(20):
        cache.put(key, answer(200))
    cache.get(0)
    cache.put(20, answer(200))
    assert cache.get(0) is not None
    assert cache.get(1) is None


def test_a_limit_of_zero_keeps_nothing() -> None:
    """Switched off means off."""
    cache = Cache(0)
    cache.put("a", answer(1))
    assert cache.get("a") is None
    assert cache.bytes == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2000)), max_size=200))
def test_the_bytes_stay_under_the_limit_and_are_counted_right(
    puts: list[tuple[int, int]],
) -> None:
    """After any sequence the sum is what the entries take, and never above the limit."""
    cache = Cache(20_000)
    sizes: dict[int, int] = {}
    for key, size in puts:
        cache.put(key, answer(size))
        sizes[key] = size
        assert cache.bytes <= cache.limit
    kept = [len(entry.body) for key in sizes if (entry := cache.get(key)) is not None]
    assert cache.bytes == sum(kept) + len(kept) * ENTRY_OVERHEAD
    assert len(cache) == len(kept)


def test_whatever_an_answer_depends_on_is_in_its_key() -> None:
    """Another model, task, text, parameter or type of a value is another key; the same is the
    same, half a character pair included."""
    calls = [
        Call("a", ("x",)),
        Call("b", ("x",)),
        Call("a", ("y",)),
        Call("a", ("x", "")),
        Call("a", ("x",), (("k", 1),)),
        Call("a", ("x",), (("k", True),)),
        Call("a", ("x",), (("k", 1.0),)),
        Call("a", ("x",), (("k", "1"),)),
        Call("a", (("x",),)),
        Call("a", ("\ud800",)),
    ]
    keys = {key_of(digest, call) for digest in ("one", "two") for call in calls}
    assert len(keys) == 2 * len(calls)
    assert key_of("one", Call("a", ("x",), (("k", 1),))) in keys
