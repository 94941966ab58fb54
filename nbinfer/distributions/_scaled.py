"""Numbers in units of a scale."""

from __future__ import annotations

from typing import Any

from nbinfer.distributions._function import density
from nbinfer.vectormath import log, select


@density
def log_ratio(x: Any, scale: Any) -> Any:
    """Return log(x / scale), also where the quotient is beyond floats."""
    z = x / scale
    out = (z < 1e-300) | (z > 1e300)
    return log(select(out, x, z)) - select(out, log(scale), 0.0)
