"""The shortest interval that holds a given probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import between
from nbinfer.diagnostics.measure import measure
from nbinfer.spelling import public


@public
def hdi(x: ArrayLike, prob: float = 0.95) -> np.ndarray:
    """Compute the shortest interval that holds a fraction `prob` of the draws of all chains.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws. One chain may come as shape (draw,).
    prob : float
        Probability, in (0, 1).

    Returns
    -------
    interval : ndarray, shape (*shape, 2)
        Lower and upper end; the lowest interval if several are equally short. NaN if a draw is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> hdi(np.arange(100.0) ** 2, 0.5)
    array([   0., 2500.])
    """
    between("prob", prob, 0, 1)
    records = measure(x, prob)
    return np.stack([records["hdi_low"], records["hdi_high"]], axis=-1)
