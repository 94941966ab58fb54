"""The logarithm of the gamma function and its derivatives."""

from __future__ import annotations

import math
from typing import Any

from nbinfer.compile import elementwise


def _trigamma(x: Any) -> Any:
    from scipy.special import polygamma

    return polygamma(1, x)


@elementwise("gammaln")
def lgamma(x: float) -> float:
    """Return the logarithm of the absolute value of the gamma function, element by element."""
    return math.lgamma(x)


@elementwise("digamma")
def digamma(x: float) -> float:
    """Return the derivative of `lgamma`: recurrence up to 10, then the asymptotic series (DLMF 5.11.2)."""
    shift = 0.0
    if x <= 0.0:
        if x == math.floor(x):
            return math.nan
        shift = -math.pi / math.tan(math.pi * x)
        x = 1.0 - x
    if not x < math.inf:
        return x
    while x < 10.0:
        shift -= 1.0 / x
        x += 1.0
    f = 1.0 / (x * x)
    series = 1.0 / 240.0 - f * (1.0 / 132.0 - f * (691.0 / 32760.0 - f / 12.0))
    return shift + math.log(x) - 0.5 / x - f * (1.0 / 12.0 - f * (1.0 / 120.0 - f * (1.0 / 252.0 - f * series)))


@elementwise(_trigamma)
def trigamma(x: float) -> float:
    """Return the derivative of `digamma` (DLMF 5.15.8), element by element."""
    shift, sign = 0.0, 1.0
    if x <= 0.0:
        if x == math.floor(x):
            return math.inf
        sine = math.sin(math.pi * x)
        shift, sign = (math.pi / sine) ** 2, -1.0
        x = 1.0 - x
    total = 0.0
    while x < 10.0:
        total += 1.0 / (x * x)
        x += 1.0
    f = 1.0 / (x * x)
    series = 1.0 / 30.0 - f * (5.0 / 66.0 - f * (691.0 / 2730.0 - f * 7.0 / 6.0))
    total += 1.0 / x + 0.5 * f + f / x * (1.0 / 6.0 - f * (1.0 / 30.0 - f * (1.0 / 42.0 - f * series)))
    return shift + sign * total
