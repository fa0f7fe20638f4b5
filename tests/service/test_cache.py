"""The cache of answers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qingyu.service.cache import ENTRY_OVERHEAD, Cache, keys_of
from qingyu.service.calls import Answer, Call


def answer(size: int) -> Answer:
    return Answer(b"x" * size, 1)


def test_an_answer_comes_back_as_it_was_put() -> None:
    """The same key gives the same answer; the counts tell hits from misses."""
    cache = Cache(1 << 20)
    assert cache.get("a") is None
    kept = answer(10)
    cache.put("a", kept)
    assert cache.get("a") == kept
    assert (cache.hits, cache.misses) == (1, 1)


def test_what_is_read_stays_and_the_oldest_goes() -> None:
    """Many times the ring is written over; what is asked for now and then is there all the time,
    and what nobody read is gone."""
    cache = Cache(64_000)
    cache.put("used", answer(200))
    cache.put("unused", answer(200))
    for key in range(2000):
        cache.put(key, answer(100 + key % 500))
        if key % 20 == 0:
            assert cache.get("used") == answer(200)
    assert cache.get("unused") is None
    assert cache.get(1999) == answer(100 + 1999 % 500)


def test_a_limit_of_zero_keeps_nothing() -> None:
    """Switched off means off."""
    cache = Cache(0)
    cache.put("a", answer(1))
    assert cache.get("a") is None
    assert cache.bytes == 0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 2000), st.booleans()), max_size=200))
def test_every_answer_is_the_one_put_last_and_the_bytes_are_counted_right(
    steps: list[tuple[int, int, bool]],
) -> None:
    """Whatever is put and read in whatever order: an answer is the last one put under its key or
    none, the sum is what the entries take, and it is never above the limit."""
    cache = Cache(40_000)
    last: dict[int, Answer] = {}
    for number, (key, size, read) in enumerate(steps):
        if read:
            assert cache.get(key) in (None, last.get(key))
            continue
        last[key] = Answer(bytes([number % 256]) * size, number)
        cache.put(key, last[key])
        assert cache.get(key) == last[key]
        assert cache.bytes <= cache.limit
    kept = [found for key in last if (found := cache.get(key)) is not None]
    assert all(found in last.values() for found in kept)
    assert cache.bytes == sum(len(found.body) + ENTRY_OVERHEAD for found in kept)
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
    keys = {key for digest in ("one", "two") for key in keys_of(digest, calls)}
    assert len(keys) == 2 * len(calls)
    assert set(keys_of("one", [Call("a", ("x",), (("k", 1),))])) < keys
