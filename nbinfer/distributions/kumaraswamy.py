r"""The Kumaraswamy distribution, a relative of the beta distribution.

.. math:: p(x \mid a, b) = a b\, x^{a-1} (1 - x^a)^{b-1}, \qquad 0 < x < 1

At 0 the density is infinite for a < 1, finite for a = 1 and 0 for a > 1; at 1 likewise by b. Draws lie
strictly between.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import BETWEEN_0_AND_1, density, generator
from nbinfer.vectormath import log, log1mexp, select, where_valid

check = Check("kumaraswamy", a=POSITIVE, b=POSITIVE)


@density
def logpdf(x: Any, a: Any, b: Any) -> Any:
    r"""Log density, :math:`\log a + \log b + (a-1)\log x + (b-1)\log(1 - x^a)` where :math:`0 < x < 1`.

    Parameters
    ----------
    x : float or array
        Where; outside [0, 1] the result is ``-inf``.
    a, b : float or array
        Shapes; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (x > 0.0) & (x < 1.0)
    log_x = log(select(inside, x, 0.5))
    at_0, at_1 = x == 0.0, x == 1.0
    power = (a - 1.0) * select(inside, log_x, select(at_0 & (a < 1.0), -np.inf, 0.0))
    rest = (b - 1.0) * select(inside, log1mexp(a * log_x), select(at_1 & (b < 1.0), -np.inf, 0.0))
    logp = (log(a) + log(b)) + power + rest
    valid = inside | (at_0 & (a <= 1.0)) | (at_1 & (b <= 1.0))
    return where_valid(valid & (a > 0.0) & (b > 0.0), logp)


@density
def logcdf(x: Any, a: Any, b: Any) -> Any:
    """Log of the probability of values up to x.

    Parameters
    ----------
    x : float or array
        Where.
    a, b : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (x > 0.0) & (x < 1.0)
    logp = log1mexp(b * log1mexp(a * log(select(inside, x, 0.5))))
    return where_valid((x > 0.0) & (a > 0.0) & (b > 0.0), select(inside, logp, 0.0))


@density
def logsf(x: Any, a: Any, b: Any) -> Any:
    """Log of the probability of values beyond x.

    Parameters
    ----------
    x : float or array
        Where.
    a, b : float or array
        As for `logpdf`.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (x > 0.0) & (x < 1.0)
    logp = b * log1mexp(a * log(select(inside, x, 0.5)))
    return where_valid((x < 1.0) & (a > 0.0) & (b > 0.0), select(inside, logp, 0.0))


@generator(check, within=BETWEEN_0_AND_1)
def random(rng: np.random.Generator, a: Any, b: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    a, b : float or array
        Shapes; positive.
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
    return (-math.expm1(-rng.standard_exponential() / b)) ** (1.0 / a)


def support(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and 1."""
    return 0.0, 1.0
