"""How well Hamiltonian trajectories explore energies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import numbers
from nbinfer.diagnostics.measure import MIN_DRAWS
from nbinfer.spelling import public


@public
def bfmi(energy: ArrayLike) -> np.ndarray:
    """Compute the estimated Bayesian fraction of missing information (E-BFMI) of each chain.

    The mean squared step of the energy over its variance [1]_: independent energies give 2, a random walk 0. Below
    0.3 the momenta drawn are too weak to visit the tails.

    Parameters
    ----------
    energy : array_like, shape (chain, draw)
        Hamiltonian at each draw. One chain may come as shape (draw,).

    Returns
    -------
    bfmi : ndarray, shape (chain,)
        NaN for fewer than 4 draws, energies that are all equal, and energies that are not finite.

    References
    ----------
    .. [1] M. Betancourt, "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo",
       arXiv:1604.00695 (2016).
    """
    energy = np.atleast_2d(numbers("energy", energy))
    if energy.ndim != 2:
        raise ValueError(f"energy must have shape (chain, draw) or (draw,), got {energy.shape}.")
    if energy.shape[1] < MIN_DRAWS:
        return np.full(len(energy), np.nan)
    with np.errstate(all="ignore"):
        variance = energy.var(axis=1, ddof=1)
        ratio = np.square(np.diff(energy, axis=1)).mean(axis=1) / variance
    return np.where(np.ptp(energy, axis=1) > 0, ratio, np.nan)
