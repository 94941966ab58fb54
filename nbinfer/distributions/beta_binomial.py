r"""The beta-binomial distribution: binomial with a probability from a beta distribution.

.. math::

    p(k \mid n, a, b) = \binom nk \frac{\mathrm{B}(k + a, n - k + b)}{\mathrm{B}(a, b)}, \qquad k = 0, \dots, n

SciPy: ``betabinom(n, a, b)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, POSITIVE, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import is_whole, log_polya, log_polya_rest, select, where_valid

check = Check("beta_binomial", n=COUNT, a=POSITIVE, b=POSITIVE)


@density
def logpmf(k: Any, n: Any, a: Any, b: Any) -> Any:
    r"""Log probability, :math:`\log\binom nk + \log\mathrm{B}(k + a, n - k + b) - \log\mathrm{B}(a, b)`.

    Parameters
    ----------
    k : int or array
        Where; what is not a whole number from 0 to n gives ``-inf``.
    n : int or array
        Number of trials; a whole number that is not negative.
    a, b : float or array
        Shapes of the beta distribution; positive.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    inside = (k >= 0) & (k <= n)
    hits, misses = select(inside, k, 0), select(inside, n - k, 0)
    logp = log_polya(hits, a, n, a + b) + log_polya(misses, b, n, a + b) + log_polya_rest(n, a + b)
    return where_valid(inside & is_whole(k) & is_whole(n) & (a > 0.0) & (b > 0.0), logp)


@generator(check, discrete=True)
def random(rng: np.random.Generator, n: Any, a: Any, b: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    n : int or array
        Number of trials; a whole number that is not negative.
    a, b : float or array
        Shapes of the beta distribution; positive.
    size : int or tuple of int, optional
        Shape of the result. Default: the parameters' common shape.

    Returns
    -------
    k : int or array
        The draws.

    Raises
    ------
    ValueError
        If `check` says that a parameter is invalid, or if shapes do not broadcast.
    """
    return rng.binomial(int(n), rng.beta(a, b))


def support(n: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Return the ends of the support: 0 and n."""
    return 0, n
