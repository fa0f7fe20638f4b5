"""A job over files of a test, answered by arithmetic instead of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qingyu.errors import NoMaskError
from qingyu.jobs.paths import lay_out
from qingyu.jobs.runner import Compute, Job, Progress, locally, run
from qingyu.jobs.windows import Answering, Ask, Limits, Outcome, Texts

SMALL = Limits(rows=7, characters=200)


def length_of(texts: Texts) -> Outcome:
    """A `score` whose perplexity is the length of the text; 坏 cannot be answered."""
    if "坏" in texts[0]:
        return NoMaskError()
    return {"text": texts[0], "log_likelihood": 0.0, "perplexity": len(texts[0]), "tokens": []}


def lengths(inputs: Sequence[Texts]) -> list[Outcome]:
    return [length_of(texts) for texts in inputs]


def computing(ask: Ask = lengths, **options: Any) -> Compute:
    return locally(lambda inputs: Answering(ask, inputs, **options))


def job(source: Path | str, output: Path, **changes: Any) -> Job:
    reading = {name: changes.pop(name) for name in ("to", "encoding", "header") if name in changes}
    layout = lay_out(str(source), output, **reading)
    return Job(**{"task": "score", "layout": layout, "limits": SMALL, **changes})


def done(
    source: Path | str,
    output: Path,
    *,
    ask: Ask = lengths,
    report: Callable[[Progress], None] = lambda _: None,
    **changes: Any,
) -> Progress:
    return run(job(source, output, **changes), computing(ask), report=report)


def rows_of(path: Path) -> list[str]:
    return path.read_text("utf-8-sig").splitlines()
