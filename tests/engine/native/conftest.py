"""`make sanitize` has the tests run a library that is not the package's own."""

from __future__ import annotations

import os
from pathlib import Path

from qingyu.engine.native import library

if tested := os.environ.get("QINGYU_TESTED_LIBRARY"):
    library.PATH = Path(tested)
