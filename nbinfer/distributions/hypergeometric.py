r"""The hypergeometric distribution: successes among draws without replacement.

.. math:: p(k \mid N, K, n) = \binom Kk \binom{N-K}{n-k} \Big/ \binom Nn

SciPy: ``hypergeom(N, K, n)``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, Check
from nbinfer.distributions._function import density, generator
from nbinfer.distributions._linalg import exact
from nbinfer.vectormath import is_whole, minus_deviance, select, stirling_rest_whole, where_valid

#: Below this population products of counts are int64, and inversion from the mode takes few steps.
_LARGE = 2**31

check = (
    Check("hypergeometric", N=COUNT, K=COUNT, n=COUNT)
    .also("K must not be above N", lambda N, K: K <= N)
    .also("n must not be above N", lambda N, n: n <= N)
)


@density
def logpmf(k: Any, N: Any, K: Any, n: Any) -> Any:
    r"""Log probability, :math:`\log\binom Kk + \log\binom{N-K}{n-k} - \log\binom Nn`.

    Parameters
    ----------
    k : int or array
        Where; what is impossible gives ``-inf``.
    N : int or array
        Size of the population; a whole number.
    K : int or array
        Number of successes in the population; a whole number, at most N.
    n : int or array
        Number of draws; a whole number, at most N.

    Returns
    -------
    logp : float or array
        One value for each element of the arguments' common shape.
    """
    whole = is_whole(k) & is_whole(N) & is_whole(K) & is_whole(n)
    rest = (N - K) - (n - k)
    possible = (k >= 0) & (k <= K) & (n - k >= 0) & (rest >= 0)
    # Two binomial probabilities of draws from the two parts, over that of all.
    p, q = n / select(N > 0, N, 1), (N - n) / select(N > 0, N, 1)
    logp = minus_deviance(k, p, K) + minus_deviance(K - k, q, K)
    logp += minus_deviance(n - k, p, N - K) + minus_deviance(rest, q, N - K)
    logp += stirling_rest_whole(K) + stirling_rest_whole(N - K) + stirling_rest_whole(n) + stirling_rest_whole(N - n)
    logp -= stirling_rest_whole(N) + stirling_rest_whole(k) + stirling_rest_whole(K - k)
    logp -= stirling_rest_whole(n - k) + stirling_rest_whole(rest)
    return where_valid(whole & possible, logp)


@exact
def _by_rejection(rng: Any, N: int, K: int, n: int) -> Any:
    """Draw by a ratio of uniforms (Stadlober 1989), of the rarer kind and of the smaller part."""
    rare, sample = min(K, N - K), min(n, N - n)
    share = rare / N
    middle = sample * share + 0.5
    spread = math.sqrt(sample * share * (1.0 - share) * ((N - sample) / (N - 1.0)) + 0.5)
    width = 1.7155277699214135 * spread + 0.8989161620588988
    most = min(rare, sample)
    at_mode = logpmf(min(math.floor((sample + 1.0) * ((rare + 1.0) / (N + 2.0))), most), N, rare, sample)
    end = min(most + 1.0, math.floor(middle + 16.0 * spread))
    while True:
        u = 1.0 - rng.random()
        x = middle + width * (rng.random() - 0.5) / u
        if 0.0 <= x < end:
            k = int(x)
            if 2.0 * math.log(u) <= logpmf(k, N, rare, sample) - at_mode:
                break
    k = k if rare == K else sample - k
    return k if n == sample else K - k


@generator(check, discrete=True)
def random(rng: np.random.Generator, N: Any, K: Any, n: Any, size: Any = None) -> Any:
    """Draw random numbers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    N : int or array
        Size of the population; a whole number.
    K : int or array
        Number of successes in the population; a whole number, at most N.
    n : int or array
        Number of draws; a whole number, at most N.
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
    # Inversion from the mode outwards, about as many steps as the standard deviation.
    N, K, n = int(N), int(K), int(n)
    if N >= _LARGE:
        return _by_rejection(rng, N, K, n)
    low, high = max(0, n + K - N), min(n, K)
    k = min(max(int((n + 1.0) * (K + 1.0) / (N + 2.0)), low), high)
    logp = math.lgamma(K + 1.0) - math.lgamma(k + 1.0) - math.lgamma(K - k + 1.0)
    logp += math.lgamma(N - K + 1.0) - math.lgamma(n - k + 1.0) - math.lgamma(N - K - n + k + 1.0)
    logp -= math.lgamma(N + 1.0) - math.lgamma(n + 1.0) - math.lgamma(N - n + 1.0)
    u = rng.random()
    left, right = int(k), int(k)
    below = above = math.exp(logp)
    u -= below
    while u >= 0.0 and (left > low or right < high):
        if right < high:
            above *= (K - right) * (n - right) / ((right + 1.0) * (N - K - n + right + 1.0))
            right += 1
            u -= above
            if u < 0.0:
                return right
        if left > low:
            below *= left * (N - K - n + left) / ((K - left + 1.0) * (n - left + 1.0))
            left -= 1
            u -= below
    return left if u < 0.0 else int(k)


def support(N: Any, K: Any, n: Any) -> tuple[Any, Any]:
    """Return the ends of the support: the smallest and the largest number that is possible."""
    return np.maximum(0, n + K - N), np.minimum(n, K)
