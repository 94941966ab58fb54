r"""The Rice distribution: the length of a vector of two normals.

.. math:: p(x \mid \nu, \sigma) = \frac{x}{\sigma^2} \exp\Big(-\frac{x^2+\nu^2}{2\sigma^2}\Big)
    I_0\Big(\frac{x\nu}{\sigma^2}\Big), \qquad x > 0

SciPy: ``rice(nu / sigma, scale=sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import NONNEGATIVE, POSITIVE, Check
from nbinfer.distributions._function import ABOVE_0, density, generator
from nbinfer.vectormath import log, log_i0e, select, where_valid

check = Check("rice", nu=NONNEGATIVE, sigma=POSITIVE)


@density
def logpdf(x: Any, nu: Any, sigma: Any) -> Any:
    r"""Log density, :math:`\log\frac x{\sigma^2} - \frac12(\frac{x-\nu}\sigma)^2 + \log(e^{-t} I_0(t))`.

    Parameters
    ----------
    x : float or array
        Where; if not positive the result is ``-inf``.
    nu : float or array
        Length of the vector of means; not negative.
    sigma : float or array
        Standard deviation of each component; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = x > 0.0
    x = select(inside, x, 1.0)
    logp = log(x) - 2.0 * log(sigma) - 0.5 * ((x - nu) / sigma) ** 2 + log_i0e((x / sigma) * (nu / sigma))
    return where_valid(inside & (nu >= 0.0) & (sigma > 0.0), logp)


@generator(check, within=ABOVE_0)
def random(rng: np.random.Generator, nu: Any, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array
        Length of the vector of means; not negative.
    sigma : float or array
        Standard deviation of each component; positive.
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    x : float or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    across, along = sigma * rng.standard_normal(), nu + sigma * rng.standard_normal()
    largest = max(abs(across), abs(along))
    if 1e-150 < largest < 1e150:
        return math.sqrt(across * across + along * along)
    return math.hypot(across, along)


def support(nu: Any, sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf
