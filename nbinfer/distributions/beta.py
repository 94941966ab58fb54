r"""The beta distribution.

.. math:: p(x \mid a, b) = \frac{x^{a-1} (1-x)^{b-1}}{\mathrm{B}(a, b)}, \qquad 0 < x < 1

SciPy: ``beta(a, b)``. At 0 the density is infinite for a < 1, finite for a = 1 and 0 for a > 1; at 1 likewise by b.
Draws lie strictly between.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import BETWEEN_0_AND_1, density, generator
from nbinfer.vectormath import log, log_betainc, log_betaincc, minus_deviance, select, stirling_rest, where_valid

_NOTHING, _SMALLEST = 1e-100, 2.3e-308

check = Check("beta", a=POSITIVE, b=POSITIVE)


@density
def logpdf(x: Any, a: Any, b: Any) -> Any:
    r"""Log density, :math:`(a-1)\log x + (b-1)\log(1-x) - \log\mathrm{B}(a, b)`.

    Parameters
    ----------
    x : float or array
        Where; outside [0, 1] the result is ``-inf``.
    a, b : float or array
        Shapes; positive. The mean is ``a / (a + b)``.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    # Next to the ends the density is what it is there, unless that is infinite.
    y, rest = np.maximum(x, _SMALLEST), np.maximum(1.0 - x, _SMALLEST)
    total = a + b
    low, high = np.maximum(a, _NOTHING), np.maximum(b, _NOTHING)  # a quotient by less might overflow
    constant = log(total) + log(a / low) + log(b / high) + (stirling_rest(total) - stirling_rest(a) - stirling_rest(b))
    logp = minus_deviance(a, total, y) - log((total / low) * y) + constant
    logp += minus_deviance(b, total, rest) - log((total / high) * rest)
    above, below = (x > 0.0) | ((x == 0.0) & (a <= 1.0)), (x < 1.0) | ((x == 1.0) & (b <= 1.0))
    infinite = ((x == 0.0) & (a < 1.0)) | ((x == 1.0) & (b < 1.0))
    return where_valid(above & below & (a > 0.0) & (b > 0.0), select(infinite, np.inf, logp))


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
    logp = log_betainc(a, b, select(inside, x, 0.5))
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
    logp = log_betaincc(a, b, select(inside, x, 0.5))
    return where_valid((x < 1.0) & (a > 0.0) & (b > 0.0), select(inside, logp, 0.0))


@generator(check, arrays=True, within=BETWEEN_0_AND_1)
def random(rng: np.random.Generator, a: Any, b: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    a, b : float or array
        Shapes; positive. The mean is ``a / (a + b)``.
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
    return rng.beta(a, b, size)


def support(a: Any, b: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and 1."""
    return 0.0, 1.0
