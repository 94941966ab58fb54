r"""The half-t distribution: the absolute value of Student's t centred at 0.

.. math:: p(x \mid \nu, \sigma) = \frac{2\,\Gamma(\frac{\nu+1}2)}{\Gamma(\frac\nu2)\sqrt{\nu\pi}\,\sigma}
    \Big(1 + \frac{x^2}{\nu\sigma^2}\Big)^{-\frac{\nu+1}{2}}, \qquad x \ge 0
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions.student_t import logpdf as two_sided
from nbinfer.vectormath import where_valid

_LOG_2 = math.log(2.0)

check = Check("half_student_t", nu=POSITIVE, sigma=POSITIVE)


@density
def logpdf(x: Any, nu: Any, sigma: Any) -> Any:
    r"""Log density, that of `student_t` around 0, doubled, where :math:`x \ge 0`.

    Parameters
    ----------
    x : float or array
        Where; below 0, and where ``(x / sigma)**2`` overflows, the result is ``-inf``.
    nu : float or array
        Degrees of freedom; positive.
    sigma : float or array
        Scale; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    return where_valid(x >= 0.0, two_sided(x, nu, 0.0, sigma) + _LOG_2)


@generator(check, arrays=True)
def random(rng: np.random.Generator, nu: Any, sigma: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    nu : float or array
        Degrees of freedom; positive.
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
    return np.abs(sigma * rng.standard_t(nu, size))


def support(nu: Any, sigma: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and infinity."""
    return 0.0, math.inf
