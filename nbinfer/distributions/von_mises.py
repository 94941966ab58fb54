r"""The von Mises distribution of angles.

.. math:: p(x \mid \mu, \kappa) = \frac{e^{\kappa\cos(x-\mu)}}{2\pi I_0(\kappa)}, \qquad -\pi \le x \le \pi

SciPy: ``vonmises(kappa, mu)``, which repeats itself outside of the circle.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import NONNEGATIVE, REAL, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import log_i0e, where_valid

_LOG_2PI = math.log(2.0 * math.pi)

check = Check("von_mises", mu=REAL, kappa=NONNEGATIVE)


@density
def logpdf(x: Any, mu: Any, kappa: Any) -> Any:
    r"""Log density, :math:`\kappa(\cos(x-\mu) - 1) - \log(e^{-\kappa} I_0(\kappa)) - \log 2\pi`.

    Parameters
    ----------
    x : float or array
        Where, in radians; outside ``[-pi, pi]`` the result is ``-inf``.
    mu : float or array
        Mean direction, in radians; any number.
    kappa : float or array
        Concentration; not negative. About one over the variance if large.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    # cos(x) - 1 is -2 sin(x / 2)**2, without cancellation
    logp = -2.0 * kappa * (np.sin(0.5 * (x - mu))) ** 2 - (log_i0e(kappa) + _LOG_2PI)
    return where_valid((abs(x) <= math.pi) & (kappa >= 0.0), logp)


@generator(check)
def random(rng: np.random.Generator, mu: Any, kappa: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    mu : float or array
        Mean direction, in radians; any number.
    kappa : float or array
        Concentration; not negative. About one over the variance if large.
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
    # Best and Fisher (1979): rejection from a wrapped Cauchy distribution; at the extremes uniform, or a normal.
    if kappa < 1e-300:
        return 2.0 * math.pi * rng.random() - math.pi
    if kappa > 1e6:
        turn = rng.standard_normal() / math.sqrt(kappa)
    else:
        tau = 1.0 + math.sqrt(1.0 + 4.0 * kappa * kappa)
        rho = 2.0 * kappa / (tau + math.sqrt(2.0 * tau))
        r = (1.0 + rho * rho) / (2.0 * rho)
        while True:
            z = math.cos(math.pi * rng.random())
            cosine = (1.0 + r * z) / (r + z)
            c = kappa * (r - cosine)
            u = rng.random()
            if u < c * (2.0 - c) or u <= c * math.exp(1.0 - c):
                break
        turn = math.acos(min(max(cosine, -1.0), 1.0))
        if rng.random() < 0.5:
            turn = -turn
    angle = mu + turn
    angle -= 2.0 * math.pi * math.floor(angle / (2.0 * math.pi) + 0.5)
    return min(max(angle, -math.pi), math.pi)


def support(mu: Any, kappa: Any) -> tuple[Any, Any]:
    """Return the ends of the support: -pi and pi."""
    return -math.pi, math.pi
