"""How much of a batch job's CPU time is the model's, and how many lines a core answers a second.

    python -m bench.batch_share --lines 3000

Distinct short lines, one thread, by CPU time, so that other work on the machine hardly matters. The
rest is reading, tokenising, ranking candidates, and writing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path

import qingyu
from bench.batch import write_lines
from qingyu.engine.batch import Feeds
from qingyu.engine.session import Session
from qingyu.jobs.local import asking
from qingyu.jobs.paths import lay_out
from qingyu.jobs.runner import Job, locally, run
from qingyu.jobs.windows import Answering
from qingyu.numbers import FloatArray

TASKS = {"fill-mask": {}, "zero-shot-classification": {"candidate_labels": "天气,出行,购物"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=3000)
    lines = parser.parse_args().lines
    spent = 0.0
    plain = Session.run

    def timed(session: Session, feeds: Feeds) -> FloatArray:
        nonlocal spent
        began = time.thread_time()
        found = plain(session, feeds)
        spent += time.thread_time() - began
        return found

    Session.run = timed  # type: ignore[method-assign, assignment]
    model = qingyu.load(threads=1)
    for task, parameters in TASKS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_lines(folder / "in.csv", lines, lines, masked=task == "fill-mask")
            job = Job(task, lay_out(str(folder / "in.csv"), folder / "out.csv"))
            ask = asking(model, task, parameters)
            spent, began = 0.0, time.process_time()
            run(job, locally(partial(Answering, ask)))
            cpu = time.process_time() - began
        told = {"lines": lines, "lines_per_cpu_second": round(lines / cpu)}
        print(json.dumps({"task": task, **told, "model_share": round(spent / cpu, 3)}))


if __name__ == "__main__":
    main()
