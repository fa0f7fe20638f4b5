"""A file larger than the memory there is."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

ROWS = 96
CELL_BYTES = 4 << 20
ROOM = 256 << 20  # of addresses: Python, its libraries, and all that a job holds
JOB = """
import resource, sys
from pathlib import Path
from tests.support.jobs import done
resource.setrlimit(resource.RLIMIT_AS, ({room}, {room}))
print(done(Path({source!r}), Path({output!r})).rows)
"""


def test_a_file_larger_than_memory(tmp_path: Path) -> None:
    """Long cells that unpack to half as much again as the process may hold are read from gzip and
    written to gzip, every one of them kept."""
    cell = "远" * (CELL_BYTES // 3)
    source, output = tmp_path / "in.csv.gz", tmp_path / "out.jsonl.gz"
    with gzip.open(source, "wt", compresslevel=1, encoding="utf-8") as file:
        file.write("text,note\n")
        for number in range(ROWS):
            file.write(f"第{number}行,{cell}{number}\n")
    root = Path(__file__).parent.parent.parent
    code = JOB.format(room=ROOM, source=str(source), output=str(output))
    told = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert (told.stdout.strip(), told.stderr) == (str(ROWS), "")
    assert ROWS * CELL_BYTES > ROOM
    with gzip.open(output, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            assert row["note"] == f"{cell}{number}"
            assert row["result"]["perplexity"] == len(f"第{number}行")
    assert number == ROWS - 1
