"""How much each of several distributions is worth: weights by which their mixture comes closest to the posterior.

Candidates of all paths have importance weights against the equal mixture, which are smoothed as in [1]_. A path of its
own denominator, as [1]_ has it, counts a mode twice that two paths have found; the mixture in the denominator does not
[2]_. The weights of the mixture are those of population Monte Carlo [3]_: they make the Kullback-Leibler divergence of
the posterior from the mixture least, as far as the candidates tell. A path that ended where there is little mass loses
its weight.

References
----------
.. [1] L. Zhang, B. Carpenter, A. Gelman and A. Vehtari, "Pathfinder: parallel quasi-Newton variational inference", JMLR
   23 (2022), algorithm 2.
.. [2] E. Veach and L. J. Guibas, "Optimally combining sampling techniques for Monte Carlo rendering", SIGGRAPH (1995).
.. [3] O. Cappe, R. Douc, A. Guillin, J.-M. Marin and C. P. Robert, "Adaptive importance sampling in general mixture
   classes", Stat. Comput. 18 (2008).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.psis import psis
from nbinfer.random import Purpose, generator
from nbinfer.variational.families.pathfinder import Normal
from nbinfer.variational.scored import comparable

Floats = NDArray[np.float64]

_ROUNDS = 100
_TINY = np.finfo(float).tiny


def candidates(normals: Sequence[Normal], numbers: Sequence[int], key: np.ndarray, draws: int) -> Floats:
    """Return draws of each distribution, one after the other, shape (normals * draws, dim).

    Parameters
    ----------
    normals : sequence of Normal
    numbers : sequence of int
        Of the paths; each has noise of its own.
    key : ndarray
        Seed.
    draws : int
        Of each.
    """
    shape = draws, len(normals[0].mean)
    noise = (generator(key, 1, number, Purpose.NOISE).standard_normal(shape) for number in numbers)
    return np.concatenate([normal.draws(u) for normal, u in zip(normals, noise, strict=True)])


def weights_of(normals: Sequence[Normal], z: Floats, log_densities: Callable[[Floats], Floats]) -> Floats:
    """Return the weights of a mixture.

    Parameters
    ----------
    normals : sequence of Normal
    z : ndarray, shape (draws, dim)
        Candidates, as many of each.
    log_densities : callable
        Of the posterior, at positions.

    Returns
    -------
    weights : ndarray, shape (normals,)
        Their sum is 1.
    """
    count = len(normals)
    if count == 1:
        return np.ones(1)
    logq = np.array([normal.logq(z) for normal in normals])
    shares = np.exp(logq - logq.max(axis=0))
    log_mixture = logq.max(axis=0) + np.log(shares.mean(axis=0))
    importance = np.exp(psis(comparable(log_densities(z) - log_mixture)).log_weights)
    weights = np.full(count, 1.0 / count)
    for _ in range(_ROUNDS):
        mixed = weights[:, None] * shares
        weights = (mixed / np.maximum(mixed.sum(axis=0), _TINY)) @ importance
    found: Floats = weights / weights.sum()
    return found
