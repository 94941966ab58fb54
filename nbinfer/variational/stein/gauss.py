r"""The Gaussian kernel by the dozen: :math:`e^{-r^2 / (2h)} = 2^{-r^2 \log_2 e / (2h)}`, in float64 and float32.

An exponent is rounded to an integer by adding and subtracting a large number, whose last bits then hold it; a
polynomial has the rest r, which is a half at most: :math:`2^r = 1 + r p(r)`, where p meets :math:`(2^r - 1) / r` at
Chebyshev's points. Errors are 6e-16, or 1e-8 before rounding. There is no branch, so that LLVM makes vector
instructions of the loop. What is below the smallest number becomes that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import entry, floats_at, fragment, record_at, singles_at
from nbinfer.variational.stein.state import Tile

_LOG2_E = 1.4426950408889634
#: Their sum with a number of less than half of them is rounded to an integer.
_ROUND, _ROUND_SINGLE = 6755399441055744.0, np.float32(12582912.0)
_LEAST, _LEAST_SINGLE = -1022.0, np.float32(-126.0)
_SHIFT_SINGLE = np.int32(23)
#: Of the polynomials, from the constant on.
_C1, _C2, _C3, _C4 = 0.6931471805599462, 0.24022650695910075, 0.05550410866465167, 0.009618129107618665
_C5, _C6, _C7 = 0.0013333558200794592, 0.00015403530424776529, 1.5252672924850737e-05
_C8, _C9, _C10 = 1.3215451633221434e-06, 1.0205905413765595e-07, 7.070977866508139e-09
_ONE, _S1, _S2, _S3 = np.float32(1.0), np.float32(0.69314718), np.float32(0.24022651), np.float32(0.05550357)
_S4, _S5, _S6 = np.float32(0.009618083), np.float32(0.0013390863), np.float32(0.00015453163)


@fragment
def _power(x: float) -> Any:
    """Return 2**x for x of 0 at most."""
    x = _LEAST if x < _LEAST else x
    shifted = x + _ROUND
    r = x - (shifted - _ROUND)
    r2 = r * r
    r4 = r2 * r2
    low, middle = (1.0 + _C1 * r) + r2 * (_C2 + _C3 * r), (_C4 + _C5 * r) + r2 * (_C6 + _C7 * r)
    high = (_C8 + _C9 * r) + r2 * _C10
    y = low + r4 * (middle + r4 * high)
    return np.int64(np.float64(y).view(np.int64) + (np.float64(shifted).view(np.int64) << 52)).view(np.float64)


@fragment
def _power_single(x: np.float32) -> Any:
    """Return 2**x for x of 0 at most."""
    x = _LEAST_SINGLE if x < _LEAST_SINGLE else x
    shifted = np.float32(x + _ROUND_SINGLE)
    r = np.float32(x - np.float32(shifted - _ROUND_SINGLE))
    r2 = np.float32(r * r)
    low, high = _ONE + r * _S1, (_S2 + r * _S3) + r2 * ((_S4 + r * _S5) + r2 * _S6)
    y = np.float32(low + r2 * high)
    return np.int32(y.view(np.int32) + (shifted.view(np.int32) << _SHIFT_SINGLE)).view(np.float32)


@entry("int64(intp, intp)")
def weigh_doubles(tile_address: int, own_address: int) -> int:
    """Write values over squared distances."""
    tile = record_at(tile_address, Tile)
    numbers, factor = floats_at(tile.distances, tile.n), -0.5 * _LOG2_E / tile.bandwidth
    for i in range(tile.n):
        numbers[i] = _power(factor * numbers[i])
    return 0


@entry("int64(intp, intp)")
def weigh_singles(tile_address: int, own_address: int) -> int:
    """Write values over squared distances."""
    tile = record_at(tile_address, Tile)
    numbers, factor = singles_at(tile.distances, tile.n), np.float32(-0.5 * _LOG2_E / tile.bandwidth)
    for i in range(tile.n):
        numbers[i] = _power_single(factor * numbers[i])
    return 0
