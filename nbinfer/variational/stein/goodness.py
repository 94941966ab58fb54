"""A test of whether draws are those of the posterior, by their kernel Stein discrepancy.

References
----------
.. [1] K. Chwialkowski, H. Strathmann and A. Gretton, "A kernel test of goodness of fit", ICML (2016), sec. 2.2.
"""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, is_number
from nbinfer.diagnostics import ess_mean
from nbinfer.errors import NbinferWarning, calls_above, unseen
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.random import Purpose, generator, key_of, seed_sequences
from nbinfer.spelling import public
from nbinfer.variational.stein.discrepancy import Pairs, checked, in_metric
from nbinfer.variational.stein.drawn import Drawn, drawn
from nbinfer.variational.stein.kernels import imq

Floats = NDArray[np.float64]

#: Draws below which a test says little.
_FEW = 50
#: How often a sign changes, of draws that are independent, and of others after they were thinned.
_INDEPENDENT, _DEPENDENT = 0.5, 0.1
_ROUNDING = 1e-9


class KSDTest(NamedTuple):
    """What `ksd_test` has found.

    Attributes
    ----------
    statistic : float
        Squared discrepancy of the draws that were used, a mean over all pairs.
    p_value : float
        How often it is as large, if these are draws of the posterior.
    n : int
        Draws that were used.
    thin : int
        One out of how many of each chain.
    flip : float
        How often signs change from one draw to the next.
    """

    statistic: float
    p_value: float
    n: int
    thin: int
    flip: float


@public
def ksd_test(
    draws: Any,
    model: Model | None = None,
    *,
    kernel: Any = imq,
    metric: Any = "diag",
    thin: int | None = None,
    flip: float | None = None,
    replicates: int = 1000,
    random_seed: Any = None,
    cores: int | None = None,
) -> KSDTest:
    """Test whether draws are those of the posterior, by their kernel Stein discrepancy and a wild bootstrap [1]_ [2]_.

    The statistic is the mean of the Stein kernel over all pairs. Signs of draws, drawn at random, say how large it is
    by chance. Draws of a chain depend on each other: of each chain one out of `thin` is used, and signs change with
    probability `flip` from one to the next, so that what still depends on each other mostly has the same sign.

    Parameters
    ----------
    draws : Trace, mapping of str to array_like, shape (chain, draw, ...), or array_like, shape (n, dim)
        Of all parameters; an array has unconstrained positions, of one chain.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    kernel : RadialKernel
        Default: `IMQ` with the documents' bandwidth.
    metric : {'diag', 'dense'} or array_like, optional
        See `ksd`.
    thin : int, optional
        Default: draws over the effective size of the slowest coordinate, or gradient, rounded up.
    flip : float, optional
        From 0 to .5, which is for independent draws. Default: .5 if `thin` is 1, else .1, as in [1]_.
    replicates : int
        Of the bootstrap; p-values are multiples of one over that plus one.
    random_seed : None, int, SeedSequence or Generator
        Of the signs.
    cores : int, optional
        Threads; default: all.

    Returns
    -------
    found : KSDTest

    Raises
    ------
    ModelError, TypeError, ValueError
        As `ksd`.

    Warns
    -----
    NbinferWarning
        If fewer than 50 draws are left.

    Notes
    -----
    Take some hundred to some thousand draws: with very many, a test finds every bias of a sampler, however small. What
    the test does not see are modes without draws that lie far away, as nothing that looks at draws alone does.

    References
    ----------
    .. [1] K. Chwialkowski, H. Strathmann and A. Gretton, "A kernel test of goodness of fit", ICML (2016).
    .. [2] Q. Liu, J. Lee and M. Jordan, "A kernelized Stein discrepancy for goodness-of-fit tests", ICML (2016).

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real(1)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    >>> draws = np.random.default_rng(1).normal(0.5, 1.0, size=(200, 1))
    >>> nb.ksd_test(draws, model, random_seed=1).p_value < 0.01
    True
    """
    workers = checked(kernel, cores)
    count("replicates", replicates, 20, MOST)
    if thin is not None:
        count("thin", thin, 1, MOST)
    if flip is not None and not (is_number(flip) and 0.0 < flip <= 0.5):
        raise ValueError(f"flip must be above 0 and .5 at most, got {flip!r}.")
    found = drawn(draws, the_model(model), workers)
    thin = thin or _thin(found)
    flip = flip or (_INDEPENDENT if thin == 1 else _DEPENDENT)
    found = _thinned(found, thin)
    n = len(found.points)
    if n < _FEW:
        with unseen():
            which = f", one out of {thin} of each chain," if thin > 1 else ""
            few = f"a test by {n} draws{which} sees little; take more draws, {_FEW} at least."
            warnings.warn(few, NbinferWarning, calls_above())
    rng = generator(key_of(seed_sequences(random_seed, 1)[0]), purpose=Purpose.CHOICE)
    signs = _signs(found.chain, flip, replicates, rng)
    total, by_chance = 0.0, np.zeros(replicates)
    for first, rows in Pairs(in_metric(found, kernel, metric), kernel, workers):
        total += float(rows.sum())
        by_chance += np.einsum("ib,ib->b", signs[first : first + len(rows)], rows @ signs)
    # Signs that are all equal make the statistic itself, but for rounding.
    p_value = (1 + int((by_chance >= total * (1.0 - _ROUNDING)).sum())) / (replicates + 1)
    return KSDTest(total / n**2, p_value, n, thin, float(flip))


def _thin(found: Drawn) -> int:
    """Return how many draws of a chain are worth one, by the slowest coordinate or gradient; 1 if nothing is known."""
    lengths = np.bincount(found.chain)
    lengths = lengths[lengths > 0]
    length = int(lengths.min())
    starts = np.cumsum(lengths) - lengths
    values = np.hstack([found.points, found.scores])
    chains = np.stack([values[start : start + length] for start in starts])
    sizes = np.array([ess_mean(np.ascontiguousarray(chains[:, :, c])) for c in range(chains.shape[2])])
    sizes = sizes[np.isfinite(sizes) & (sizes > 0.0)]
    if not sizes.size:
        return 1
    # An effective size is itself an estimate: that of independent draws is often a little less than their number.
    return max(1, round(float(chains.shape[0] * length / sizes.min())))


def _thinned(found: Drawn, thin: int) -> Drawn:
    """Return one out of so many draws of each chain."""
    rank = np.zeros(len(found.chain), np.int64)
    for c in np.unique(found.chain):
        mine = found.chain == c
        rank[mine] = np.arange(mine.sum())
    kept = rank % thin == 0
    if kept.sum() < 2:
        raise ValueError(f"thin={thin} leaves {int(kept.sum())} draw; take fewer, or more draws.")
    return Drawn(*(array[kept] for array in found))


def _signs(chain: NDArray[np.int64], flip: float, replicates: int, rng: np.random.Generator) -> Floats:
    """Return signs, shape (n, replicates), that change with a probability within a chain, and are new in each."""
    begins = np.flatnonzero(np.diff(chain, prepend=-1))
    steps = np.where(rng.random((len(chain), replicates)) < flip, -1.0, 1.0)
    steps[begins] = np.where(rng.random((len(begins), replicates)) < 0.5, -1.0, 1.0)
    return np.asarray(np.cumprod(steps, axis=0), np.float64)
