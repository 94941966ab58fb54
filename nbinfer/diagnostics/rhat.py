"""Do the chains agree? Rank-normalised split R-hat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.diagnostics.measure import measure, plain
from nbinfer.spelling import public


@public
def rhat(x: ArrayLike) -> Any:
    """Compute the rank-normalised split R-hat.

    Every chain is cut in halves. Draws are replaced by normal scores of their ranks; R-hat is the larger of the value
    of these scores, which sees different locations, and of that of their distances from the median, which sees
    different scales [1]_. Values above 1.01 mean that the chains have not mixed.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws. One chain may come as shape (draw,).

    Returns
    -------
    rhat : float or ndarray, shape (*shape)
        NaN for one chain, fewer than 4 draws, draws that are all equal, and draws that are not finite.

    References
    ----------
    .. [1] A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Bürkner, "Rank-normalization, folding, and
       localization: an improved R-hat for assessing convergence of MCMC", Bayesian Analysis 16 (2021).

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
    return plain(largest_rhat(measure(x)))


def largest_rhat(records: np.ndarray) -> np.ndarray:
    """Return the larger R-hat of each `Measure` record."""
    # Folding may leave no variation at all (two values, equally often): then the other one stands alone.
    return np.asarray(np.fmax(records["rhat_bulk"], records["rhat_folded"]))
