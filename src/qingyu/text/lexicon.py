"""Which words may fill a blank: a list of words, a pattern, a length, allowed characters, banned
words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np

from qingyu.errors import InputError
from qingyu.numbers import IntArray
from qingyu.text.encodings import lines_of
from qingyu.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Lexicon:
    """A filter of words; every part that is given must hold.

    words:   the only words there are; none given, any word
    pattern: a regular expression the whole word matches
    length:  characters of the word
    allowed: the only characters it is written with
    banned:  strings that occur nowhere in it
    """

    words: frozenset[str] = frozenset()
    pattern: str = ""
    length: int | None = None
    allowed: str = ""
    banned: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises InputError where a part cannot be used."""
        for name in ("words", "banned"):
            given = getattr(self, name)
            if isinstance(given, str) or not all(isinstance(word, str) and word for word in given):
                raise _wrong(name, "非空字符串的列表", "a list of strings, none empty")
            object.__setattr__(self, name, frozenset(given))
        if not isinstance(self.allowed, str):
            raise _wrong("allowed", "字符串", "a string")
        if self.length is not None and (type(self.length) is not int or self.length < 1):
            raise _wrong("length", "正整数", "a positive whole number")
        try:
            re.compile(self.pattern)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            raise _wrong(
                "pattern", f"正则表达式（{error}）", f"a regular expression ({error})"
            ) from error

    @classmethod
    def of(cls, values: object) -> Lexicon:
        """A lexicon from itself, from its fields as a mapping, or from a list of words.

        Raises InputError.
        """
        if isinstance(values, cls):
            return values
        if isinstance(values, Mapping):
            names = {field.name for field in fields(cls)}
            if unknown := sorted(str(name) for name in values if name not in names):
                known = ", ".join(sorted(names))
                raise InputError(
                    f"lexicon 没有字段 {'、'.join(unknown)}；可用：{known}。",
                    f"A lexicon has no field {', '.join(unknown)}; there are: {known}.",
                )
            return cls(**values)
        if isinstance(values, Iterable) and not isinstance(values, str):
            words = tuple(values)
            if all(isinstance(word, str) for word in words):
                return _of_words(words)
            return cls.of({"words": words})
        raise InputError(
            "lexicon 应是词语列表，或含 words、pattern、length、allowed、banned 的对象。",
            "lexicon should be a list of words, or have words, pattern, length, allowed, banned.",
        )

    @classmethod
    def read(cls, path: str | Path) -> Lexicon:
        """The words of a text file: the first column of each line, blank and # lines left out.

        Raises InputError where the file cannot be read or holds no word.
        """
        lines = lines_of(Path(path))
        words = frozenset(
            line.split("\t")[0].strip() for line in lines if line.strip() and line[0] != "#"
        )
        if not words:
            raise InputError(f"词表 {path} 中没有词语。", f"No word in the list {path}.")
        return cls(words=words)

    def spelt_as(self, change: Callable[[str], str]) -> Lexicon:
        """The same filter of words that are spelt otherwise, character by character."""
        return Lexicon(
            frozenset(map(change, self.words)), change(self.pattern), self.length,
            change(self.allowed), frozenset(map(change, self.banned)),
        )  # fmt: skip

    def admits(self, word: str) -> bool:
        """Whether a word passes."""
        return (
            (not self.words or word in self.words)
            and (self.length is None or len(word) == self.length)
            and (not self.pattern or self._regex.fullmatch(word) is not None)
            and self.admits_part(word)
        )

    def admits_part(self, piece: str) -> bool:
        """Whether a word with this piece in it could pass: characters and bans alone are asked."""
        return (not self.allowed or self._characters.issuperset(piece)) and not any(
            banned in piece for banned in self.banned
        )

    def spelt(self, tokenizer: Tokenizer, tokens: int) -> IntArray:
        """Those of `words` that pass and take so many tokens: ids, int64 [words, tokens]."""
        by_length = self._spelt.get(tokenizer)
        if by_length is None:
            grouped: dict[int, list[list[int]]] = {}
            for word in sorted(filter(self.admits, self.words)):
                ids = tokenizer.tokens(word).ids
                if tokenizer.unk_id not in ids:
                    grouped.setdefault(len(ids), []).append(ids)
            by_length = {length: np.array(rows, np.int64) for length, rows in grouped.items()}
            self._spelt[tokenizer] = by_length
        return by_length.get(tokens, np.empty((0, tokens), np.int64))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @cached_property
    def _characters(self) -> frozenset[str]:
        return frozenset(self.allowed)

    @cached_property
    def _spelt(self) -> WeakKeyDictionary[Tokenizer, dict[int, IntArray]]:
        return WeakKeyDictionary()


@lru_cache(maxsize=4)
def _of_words(words: tuple[str, ...]) -> Lexicon:
    """One object for one list: of many texts asked about with it, it is spelt in tokens once."""
    return Lexicon(words=frozenset(words))


def _wrong(name: str, zh: str, en: str) -> InputError:
    return InputError(f"lexicon 的 {name} 应是{zh}。", f"{name} of the lexicon should be {en}.")
