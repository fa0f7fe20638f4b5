"""What a masked language model makes of the words at masks: the one place where its logits become
probabilities, for every task about words."""

from __future__ import annotations

from dataclasses import dataclass

from qingyu.numbers import FloatArray, log_softmax, softmax
from qingyu.query import Query, Steps


@dataclass(frozen=True, eq=False)
class Words:
    """The words at the masks of one query: `logits` is float32 [masks, vocabulary]."""

    logits: FloatArray

    def probabilities(self) -> FloatArray:
        """float32 [masks, vocabulary]; each row adds up to 1."""
        return softmax(self.logits)

    def log_probabilities(self) -> FloatArray:
        """float32 [masks, vocabulary], natural logarithms."""
        return log_softmax(self.logits)


def ask_words(queries: list[Query]) -> Steps[list[Words]]:
    """Ask a masked language model, and what it says of each query's masks."""
    answers = yield queries
    return [Words(logits) for logits in answers]
