r"""The flat "distribution" over the numbers above 0: density 1, not normalised.

.. math:: p(x) \propto 1, \qquad x > 0
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import Check
from nbinfer.distributions._function import density
from nbinfer.vectormath import where_valid

check = Check("half_flat")


@density
def logpdf(x: Any) -> Any:
    """Log density, 0 where :math:`x > 0`.

    Parameters
    ----------
    x : float or array
        Where; if not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid((x > 0.0) & (x < np.inf), 0.0)


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
    raise ValueError("half_flat: nothing can be drawn, since it is not normalised; draw from a proper prior instead")


def support() -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf
