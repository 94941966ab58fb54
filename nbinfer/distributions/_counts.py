"""Draws of counts, which are int64: those beyond it are its largest number, in Python as in compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._linalg import exact
from nbinfer.vectormath import select

LARGEST = 2**63 - 1
#: From this mean on a Poisson draw is beyond int64, or nearly so: NumPy draws up to it.
_LARGEST_MEAN = 9.223372006484771e18


@exact
def poisson_counts(rng: Any, mu: Any, size: Any) -> Any:
    """Draw Poisson numbers of an int64; of a mean beyond it, its largest number."""
    return select(mu < _LARGEST_MEAN, rng.poisson(np.minimum(mu, _LARGEST_MEAN), size), LARGEST)


@exact
def geometric_counts(rng: Any, p: Any, size: Any) -> Any:
    """Draw geometric numbers of an int64; beyond it compiled code gets a negative one."""
    k = rng.geometric(p, size)
    return select(k > 0, k, LARGEST)
