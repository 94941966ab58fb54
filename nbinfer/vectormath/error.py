"""The error function and what belongs to the normal distribution."""

from __future__ import annotations

import math

from nbinfer.compile import elementwise


@elementwise("erf")
def erf(x: float) -> float:
    """Return the error function, element by element."""
    return math.erf(x)


@elementwise("erfc")
def erfc(x: float) -> float:
    """Return 1 - erf(x) without cancellation, element by element."""
    return math.erfc(x)
