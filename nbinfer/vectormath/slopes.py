"""Derivatives of elementary functions, where the textbook's formula divides by 0 or multiplies it by infinity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import fragment


@fragment
def power_slope(x: float, a: float) -> Any:
    """Return the derivative of x**a with respect to x; 0 where it is infinite and the power is not."""
    x = np.float64(x)
    if a == 0 or abs(a) == math.inf or (x == 0.0 and 0 < a < 1):
        return 0.0
    power = x ** (a - 1)
    return a * power if power != 0.0 else 0.0


@fragment
def angle_slope(x: float, y: float) -> Any:
    """Return x / (x * x + y * y), which atan2(x, y) and atan2(y, x) change by; 0 at the origin and at infinity."""
    x, y = np.float64(x), np.float64(y)
    scale = max(abs(x), abs(y))
    if scale == 0.0 or scale == math.inf:
        return 0.0
    u, v = x / scale, y / scale
    return u / (u * u + v * v) / scale
