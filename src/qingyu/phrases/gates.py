"""Gates of memories that nobody fitted, measured once with the default model.

`whole` is for small texts of which all contexts were kept, so that many agree where a text is
known; `thinned` for large ones, where each place kept the contexts that say most of it; `listed`
for short phrases of lists as wholes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np

from qingyu.numbers import FloatArray

FILE = Path(__file__).with_name("gates.json")


def preset(name: Literal["whole", "thinned", "listed"]) -> FloatArray:
    """float32 [REACH, TRUSTS, FEATURES]."""
    return np.array(json.loads(FILE.read_text("utf-8"))[name], np.float32)
