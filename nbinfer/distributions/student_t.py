r"""Student's t distribution with location and scale.

.. math:: p(x \mid \nu, \mu, \sigma) = \frac{\Gamma(\frac{\nu+1}2)}{\Gamma(\frac\nu2)\sqrt{\nu\pi}\,\sigma}
    \Big(1 + \frac{z^2}{\nu}\Big)^{-\frac{\nu+1}{2}}, \qquad z = \frac{x-\mu}{\sigma}

SciPy: ``t(nu, mu, sigma)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import lbeta, log, log1p, where_valid

check = Check("student_t", nu=POSITIVE, mu=REAL, sigma=POSITIVE)


@density
def logpdf(x: Any, nu: Any, mu: Any, sigma: Any) -> Any:
    r"""Log density, :math:`-\frac{\nu+1}2\log(1 + z^2/\nu) - \log(\mathrm{B}(\frac12, \frac\nu2)\sqrt\nu\sigma)`.

    Parameters
    ----------
    x : float or array
        Where; if ``((x - mu) / sigma)**2`` overflows the result is ``-inf``.
    nu : float or array
        Degrees of freedom; positive.
    mu : float or array
        Median and mode.
    sigma : float or array
        Scale; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    constant = lbeta(0.5, 0.5 * nu) + 0.5 * log(nu) + log(sigma)
    logp = -0.5 * (nu + 1.0) * log1p(((x - mu) / sigma) ** 2 / nu) - constant
    return where_valid((nu > 0.0) & (nu < np.inf) & (sigma > 0.0), logp)


@generator(check, arrays=True)
def random(rng: np.random.Generator, nu: Any, mu: Any, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array
        Degrees of freedom; positive.
    mu : float or array
        Median and mode.
    sigma : float or array
        Scale; positive.
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
    return mu + sigma * rng.standard_t(nu, size)


def support(nu: Any, mu: Any, sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: all real numbers."""
    return -math.inf, math.inf
