"""A job over one file in a process of its own, whose memory and time are limited.

`worked(path)` runs the readers, windows and writers of a job, answered by arithmetic. Whatever the
file holds, the process must end by itself, within `SECONDS`, with rows or with one error of ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOM = 640 << 20  # of addresses: Python, pyarrow, and all that a job may hold
SECONDS = 60  # generous: the machine is shared
ROOT = Path(__file__).parent.parent.parent
JOB = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({room}, {room}))
from pathlib import Path
from qingyu.errors import QingyuError
from tests.support.jobs import done
for source, output, options in json.load(sys.stdin):
    try:
        found = done(Path(source), Path(output), **options)
        told = {{"rows": found.rows, "failed": found.failed}}
    except QingyuError as error:
        told = {{"code": error.code, "message": error.en}}
    status = Path("/proc/self/status").read_text("ascii", "replace")
    told["peak"] = int(status.partition("VmHWM:")[2].split()[0]) << 10
    print(json.dumps(told))
"""


@dataclass(frozen=True)
class Worked:
    """Rows read and refused, or the code and message of the error; the most memory, in bytes,
    that the process has taken until then."""

    rows: int = 0
    failed: int = 0
    code: str = ""
    message: str = ""
    peak: int = 0


def worked(source: Path, output: Path, room: int = ROOM, **options: Any) -> Worked:
    return all_worked([(source, output, options)], room)[0]


def all_worked(jobs: Sequence[tuple[Path, Path, dict[str, Any]]], room: int = ROOM) -> list[Worked]:
    """Several jobs, one after the other in the same process."""
    told = subprocess.run(
        [sys.executable, "-B", "-c", JOB.format(room=room)],
        input=json.dumps([(str(source), str(output), more) for source, output, more in jobs]),
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert told.returncode == 0, f"{told.returncode}: {told.stderr[-3000:]}"
    assert not told.stderr, told.stderr[-3000:]
    return [Worked(**json.loads(line)) for line in told.stdout.splitlines()]
