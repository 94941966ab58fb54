"""Products with logarithms that are 0 where the factor is, as probabilities of 0 in 0 trials ask for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise
from nbinfer.vectormath.logarithm import log, log1p

_log = log.numbers
_log1p = log1p.numbers


@elementwise("xlogy", contract=True)
def xlogy(x: float, y: float) -> Any:
    """Return x * log(y), element by element; 0 where x is 0, unless y is NaN."""
    x, y = np.float64(x), np.float64(y)
    product = x * _log(y)
    return (0.0 if y == y else math.nan) if x == 0.0 else product


@elementwise("xlog1py", contract=True)
def xlog1py(x: float, y: float) -> Any:
    """Return x * log(1 + y), element by element; 0 where x is 0, unless y is NaN."""
    x, y = np.float64(x), np.float64(y)
    product = x * _log1p(y)
    return (0.0 if y == y else math.nan) if x == 0.0 else product
