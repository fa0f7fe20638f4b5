"""What a task may know of the model that will answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from qingyu.bundle import HeadInfo, HeadKind
from qingyu.errors import EmptyTextError, InputError, TaskNotSupportedError
from qingyu.text.tokenizer import Tokenizer
from qingyu.types import Query


@dataclass(frozen=True)
class Context:
    """A model as tasks see it: its tokenizer, its heads, and how many tokens it reads."""

    name: str
    tokenizer: Tokenizer
    heads: Mapping[str, HeadInfo]
    max_tokens: int

    def head(self, kind: HeadKind, task: str, name: str | None = None) -> str:
        """The name of a head of this kind: the one asked for, or else the first.

        Raises TaskNotSupportedError where the model has none.
        """
        names = [key for key, head in self.heads.items() if head.kind == kind]
        if name is None and names:
            return names[0]
        if name in names:
            return str(name)
        found = "、".join(names) or "无 (none)"
        raise TaskNotSupportedError(
            f"模型 {self.name} 不能做 {task}{f'（{name}）' if name else ''}；同类的头：{found}。",
            f"The model {self.name} cannot do {task}{f' ({name})' if name else ''}; "
            f"heads of that kind: {found}.",
        )

    def query(self, ids: Sequence[int], positions: Sequence[int], head: str) -> Query:
        """A framed query that asks at `positions` of `ids` (before framing)."""
        input_ids, token_type_ids = self.tokenizer.framed(ids)
        first = len(self.tokenizer.frame.before[0])
        asked = np.asarray(positions, np.int64) + first
        return Query(input_ids, token_type_ids, asked, head)


def checked_text(text: object, name: str = "text") -> str:
    """`text` if it is a string with something in it; raises InputError otherwise."""
    if not isinstance(text, str):
        raise InputError(
            f"{name} 应是字符串，收到 {type(text).__name__}。",
            f"{name} should be a string, not {type(text).__name__}.",
        )
    if not text.strip():
        raise EmptyTextError
    return text
