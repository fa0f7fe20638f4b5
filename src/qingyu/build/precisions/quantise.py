"""Symmetric INT8 quantisation of weights, one scale an output channel or a table row.

Round to nearest, scale = max |w| / 127, zero point 0: the scheme of Jacob et al. 2018
(arXiv:1712.05877), symmetric as Wu et al. 2020 (arXiv:2004.09602) recommend for weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INT8_LIMIT = 127
UINT8_LIMIT = 255
INT7_LIMIT = 63  # two products with an unsigned byte still fit 16 bits: 2 * 255 * 63 < 2 ** 15
MARGIN = 1.1  # samples do not show the largest number there will ever be
SMALLEST_SHARE = 0.25  # finer steps than this share of the widest channel's only strain the weights


def int8_rows(
    matrix: NDArray[np.float32], limit: int = INT8_LIMIT
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise each row of `matrix` [rows, columns] by itself, to steps from -limit to limit.

    Returns int8 [rows, columns] and its scales, float32 [rows]; a row of zeros has scale 1.
    """
    scale = np.abs(matrix).max(axis=1).astype(np.float32) / limit
    scale[scale == 0] = 1
    quantised = np.rint(matrix / scale[:, None])
    return np.clip(quantised, -limit, limit).astype(np.int8), scale


def channel_steps(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fixed quantisation step of each channel, float32 [channels], from the largest magnitudes
    that samples showed; wider numbers saturate.

    A step a channel moves what is hard to quantise from activations into weights, as SmoothQuant
    does (Xiao et al. 2022, arXiv:2211.10438).
    """
    wide = np.maximum(largest, SMALLEST_SHARE * largest.max()) * MARGIN
    return np.asarray(np.maximum(wide, np.finfo(np.float32).tiny) / INT8_LIMIT, np.float32)
