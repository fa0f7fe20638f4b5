"""The model as tasks see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from qingyu.bundle import EmbeddingInfo, HeadInfo
from qingyu.errors import TaskNotSupportedError
from qingyu.query import Query
from qingyu.tasks.parts.rows import Rows
from qingyu.taught import Taught
from qingyu.text.phrases import Phrases
from qingyu.text.scripts import scripts
from qingyu.text.tokenizer import Tokenizer

Fits: TypeAlias = Callable[[HeadInfo], bool]


@dataclass(frozen=True)
class Context:
    """A model as tasks see it: its tokenizer, its heads, and how many tokens it reads.

    `taught` are heads of a user's own, by name; they stand before heads of the same name. `indexes`
    are rows that can be searched, by name.
    `embedding` says how vectors are made. `phrases` are its memories of phrases, all of the
    tokenizer's vocabulary. `simplified`: it knows simplified characters alone.
    """

    name: str
    tokenizer: Tokenizer
    heads: Mapping[str, HeadInfo]
    max_tokens: int
    taught: dict[str, Taught] = field(default_factory=dict)
    indexes: Mapping[str, Rows] = field(default_factory=dict)
    embedding: EmbeddingInfo = field(default_factory=EmbeddingInfo)
    phrases: tuple[Phrases, ...] = ()
    simplified: bool = False

    @property
    def room(self) -> int:
        """Tokens of one text, without the special ones around them."""
        return self.max_tokens - self.tokenizer.frame.size

    @property
    def pair_room(self) -> int:
        """Tokens of two texts together."""
        return self.max_tokens - self.tokenizer.pair_frame.size

    def readable(self, text: str) -> str:
        """The text as the model reads it, as long as it is: a traditional one in simplified
        characters, where the model knows those alone."""
        if self.simplified and scripts().is_traditional(text):
            return scripts().to_simplified(text)
        return text

    def head(
        self, task: str, fits: Fits, name: str | None = None, named: Fits | None = None
    ) -> str:
        """The first head that `fits`, or the one called `name` if it is `named` (else `fits`).

        Raises TaskNotSupportedError where there is none.
        """
        if name is None:
            fitting = next((key for key, head in self.heads.items() if fits(head)), None)
        else:
            head = self.heads.get(name)
            fitting = name if head is not None and (named or fits)(head) else None
        if fitting is not None:
            return fitting
        wanted = f"（{name}）" if name else ""
        listed = "、".join(self.heads) or "无 (none)"
        raise TaskNotSupportedError(
            f"模型 {self.name} 不能做 {task}{wanted}；它的头：{listed}。",
            f"The model {self.name} cannot do {task}{f' ({name})' if name else ''}; "
            f"its heads: {listed}.",
        )

    def query(self, ids: Sequence[int], positions: Sequence[int], head: str) -> Query:
        """A framed query that asks at `positions` of `ids` (before framing)."""
        input_ids, token_type_ids = self.tokenizer.framed(ids)
        first = len(self.tokenizer.frame.before[0])
        asked = np.asarray(positions, np.int64) + first
        return Query(input_ids, token_type_ids, asked, head)

    def whole(self, ids: Sequence[int], head: str, pair: Sequence[int] | None = None) -> Query:
        """A framed query that asks a sequence classifier about one text or two."""
        framed = (
            self.tokenizer.framed(ids) if pair is None else self.tokenizer.framed_pair(ids, pair)
        )
        return Query(*framed, np.zeros(1, np.int64), head)
