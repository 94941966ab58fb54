"""Do the chains agree? Rank-normalised split R-hat, and its nested form for superchains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import count
from nbinfer.diagnostics.measure import as_chains, measure, plain
from nbinfer.spelling import public


@public
def rhat(x: ArrayLike, *, superchains: int = 1) -> Any:
    """Compute the rank-normalised split R-hat.

    Every chain is cut in halves. Draws are replaced by normal scores of their ranks; R-hat is the larger of the value
    of these scores, which sees different locations, and of that of their distances from the median, which sees
    different scales [1]_. Values above 1.01 mean that the chains have not mixed.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws. One chain may come as shape (draw,).
    superchains : int
        How many superchains there are, each of equally many chains that follow each other. 1: none.

    Returns
    -------
    rhat : float or ndarray, shape (*shape)
        NaN for one chain, draws that are all equal, and draws that are not finite; without superchains for fewer than
        4 draws. Of superchains the halves of chains with 4 draws or more count as chains.

    Raises
    ------
    ValueError
        If superchains do not divide the chains, or hold one draw each.

    References
    ----------
    .. [1] A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Bürkner, "Rank-normalization, folding, and
       localization: an improved R-hat for assessing convergence of MCMC", Bayesian Analysis 16 (2021).
    .. [2] C. C. Margossian, M. D. Hoffman, P. Sountsov, L. Riou-Durand, A. Vehtari and A. Gelman, "Nested R-hat:
       assessing the convergence of Markov chain Monte Carlo when running many short chains", Bayesian Analysis (2024).

    Examples
    --------
    >>> import numpy as np
    >>> draws = np.random.default_rng(1).normal(size=(4, 1000))
    >>> bool(rhat(draws) < 1.01)
    True
    >>> draws[3] += 1
    >>> bool(rhat(draws) < 1.01)
    False
    """
    draws = as_chains(x)
    check_superchains(superchains, draws.shape[0])
    if superchains > 1 and draws.shape[0] == superchains and draws.shape[1] == 1:
        raise ValueError("superchains of one draw each have no variance within; pass fewer superchains.")
    return plain(largest_rhat(measure(draws, superchains=superchains)))


def check_superchains(superchains: Any, chains: int) -> None:
    """Require a number of superchains that so many chains can be divided into."""
    count("superchains", superchains, 1, 2**62)
    if chains % superchains:
        raise ValueError(f"superchains must divide the number of chains, {chains}, got {superchains}.")


def largest_rhat(records: np.ndarray) -> np.ndarray:
    """Return the larger R-hat of each `Measure` record."""
    # Folding may leave no variation at all (two values, equally often): then the other one stands alone.
    return np.asarray(np.fmax(records["rhat_bulk"], records["rhat_folded"]))
