r"""The flat "distribution" over all real numbers: density 1, not normalised. As a prior it says nothing.

.. math:: p(x) \propto 1
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import Check
from nbinfer.distributions._function import density
from nbinfer.vectormath import where_valid

check = Check("flat")


@density
def logpdf(x: Any) -> Any:
    """Log density, 0.

    Parameters
    ----------
    x : float or array
        Where.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid((x > -np.inf) & (x < np.inf), 0.0)


def random(rng: np.random.Generator, size: Any = None) -> Any:
    """Refuse to draw: what is not normalised is no probability distribution.

    Parameters
    ----------
    rng : numpy.random.Generator
        Not used.
    size : int or tuple of int, optional
        Not used.

    Raises
    ------
    ValueError
        Always.
    """
    raise ValueError("flat: nothing can be drawn, since it is not normalised; draw from a proper prior instead")


def support() -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf
