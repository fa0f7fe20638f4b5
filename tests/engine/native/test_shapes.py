"""Random shapes and models, by selftest.c: in the suite some hundred, by hand as many as wanted.

QINGYU_ROUNDS=5000 gives 10,000 products and encoders in minutes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from qingyu.engine.native import library

SOURCE = Path(__file__).with_name("selftest.c")


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
@pytest.mark.skipif(not library.PATH.exists(), reason="the native engine is not compiled")
def test_random_shapes(tmp_path: Path) -> None:
    """Products are exact; answers the same alone, in company, by any number of threads and callers;
    instruction sets agree."""
    program = tmp_path / "selftest"
    sanitized = ["-fsanitize=address,undefined"] if "address" in str(library.PATH) else []
    compiler = ["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", *sanitized]
    made = [str(SOURCE), str(library.PATH), "-o", str(program), "-lm", "-lpthread"]
    subprocess.run([*compiler, *made], check=True)
    rounds = os.environ.get("QINGYU_ROUNDS", "60")
    done = subprocess.run([program, rounds, "7"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-1] == "plain"
