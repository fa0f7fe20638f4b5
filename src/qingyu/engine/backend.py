"""What an engine is: whatever computes the rows that heads answer, for one loaded bundle.

`Network` cuts queries into batches, packs them, and takes the answers apart; an engine sees one
packed batch at a time and knows neither texts nor tasks. `engine/choice.py` says which one runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qingyu.engine.batch import PackedBatch
from qingyu.numbers import FloatArray

CPU_BATCH_TOKENS = 512  # from 64 on a token costs the same (measured)


class Engine(Protocol):
    """A bundle ready to run. `run` may be called from many threads at once.

    An answer depends on its own sequence alone: on a CPU to the last bit the same in any batch.
    """

    @property
    def name(self) -> str:
        """What QINGYU_ENGINE calls it."""
        ...

    @property
    def memory_bytes(self) -> int:
        """What it keeps resident, estimated: weights as it holds them, and what it works in."""
        ...

    @property
    def batch_tokens(self) -> int:
        """Tokens of a batch where nobody waits: more of them make none cheaper."""
        ...

    def run(self, batch: PackedBatch) -> list[FloatArray]:
        """For each group of the batch, in order, float32 [rows asked for, outputs of its head]."""
        ...

    def close(self) -> None:
        """Give memory back; nothing is run afterwards."""
        ...


@dataclass(frozen=True)
class Refusal:
    """Why an engine cannot run a bundle here, in both languages, as the end of a sentence."""

    zh: str
    en: str
