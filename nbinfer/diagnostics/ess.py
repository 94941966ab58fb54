"""How much the draws are worth: effective sample sizes and Monte Carlo standard errors (Vehtari et al. 2021)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import between, choice
from nbinfer.diagnostics.measure import MIN_DRAWS, as_chains, measure, plain
from nbinfer.spelling import public


@public
def ess_bulk(x: ArrayLike) -> Any:
    """Compute the bulk effective sample size: how many independent draws the centre of the distribution is worth.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws. One chain may come as shape (draw,).

    Returns
    -------
    ess : float or ndarray, shape (*shape)
        NaN for fewer than 4 draws, draws that are all equal, and draws that are not finite.

    See Also
    --------
    ess_tail : The same for the tails.
    """
    return plain(measure(x)["ess_bulk"])


@public
def ess_tail(x: ArrayLike) -> Any:
    """Compute the tail effective sample size: the smaller of those of the 5 % and the 95 % quantile.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws. One chain may come as shape (draw,).

    Returns
    -------
    ess : float or ndarray, shape (*shape)
        NaN as in `ess_bulk`. Where a quantile is the largest draw, as happens with few distinct values, there is no
        tail beyond it and the other quantile decides; NaN if both are.
    """
    return plain(measure(x)["ess_tail"])


@public
def ess_mean(x: ArrayLike) -> Any:
    """Compute the effective sample size for the mean, without rank normalisation.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws of finite variance. One chain may come as shape (draw,).

    Returns
    -------
    ess : float or ndarray, shape (*shape)
        NaN as in `ess_bulk`.
    """
    return plain(measure(x, brief=True)["ess_mean"])


@public
def ess_quantile(x: ArrayLike, p: float) -> Any:
    """Compute the effective sample size for a quantile.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws. One chain may come as shape (draw,).
    p : float
        Probability, in (0, 1).

    Returns
    -------
    ess : float or ndarray, shape (*shape)
        NaN as in `ess_bulk`, and where the quantile is the largest draw.
    """
    draws = as_chains(x) + 0  # truth values are numbers here
    between("p", p, 0, 1)
    if draws.size == 0:
        return ess_mean(draws)
    with np.errstate(invalid="ignore"):
        below = draws <= np.quantile(draws, p, axis=(0, 1))
    return plain(_where_finite(draws, measure(below, brief=True)["ess_mean"]))


@public
def mcse_mean(x: ArrayLike) -> Any:
    """Compute the Monte Carlo standard error of the mean.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws of finite variance. One chain may come as shape (draw,).

    Returns
    -------
    mcse : float or ndarray, shape (*shape)
        ``sd / sqrt(ess_mean)``; NaN as in `ess_bulk`.
    """
    records = measure(x, brief=True)
    return plain(np.asarray(records["sd"] / np.sqrt(records["ess_mean"])))


@public
def mcse_sd(x: ArrayLike, method: Literal["delta", "posterior"] = "delta") -> Any:
    """Compute the Monte Carlo standard error of the standard deviation.

    The variance is the mean of ``v = (x - mean)**2``; the delta method carries the error of that mean over to its
    square root.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws with finite fourth moments. One chain may come as shape (draw,).
    method : {'delta', 'posterior'}
        Whose effective sample size enters: that of ``v``, or that of ``abs(x - mean)`` as in Stan and in the R
        package posterior.

    Returns
    -------
    mcse : float or ndarray, shape (*shape)
        NaN as in `ess_bulk`.
    """
    choice("method", method, ("delta", "posterior"))
    draws = as_chains(x)
    if draws.size == 0:
        return ess_mean(draws)
    draws = draws.astype(float)
    with np.errstate(all="ignore"):
        distance = np.abs(draws - draws.mean(axis=(0, 1)))
        v = distance**2
        ess = measure(v if method == "delta" else distance, brief=True)["ess_mean"]
        mcse = 0.5 * np.sqrt(v.var(axis=(0, 1)) / ess / v.mean(axis=(0, 1)))
    return plain(_where_finite(draws, np.asarray(mcse)))


@public
def mcse_quantile(x: ArrayLike, p: float) -> Any:
    """Compute the Monte Carlo standard error of a quantile.

    Half the distance between the order statistics that enclose the quantile with the probability of one standard
    error on either side.

    Parameters
    ----------
    x : array_like, shape (chain, draw, *shape)
        Draws. One chain may come as shape (draw,).
    p : float
        Probability, in (0, 1); 0.5 is the median.

    Returns
    -------
    mcse : float or ndarray, shape (*shape)
        NaN as in `ess_quantile`.
    """
    from scipy.special import betaincinv

    draws = as_chains(x) + 0
    ess = np.asarray(ess_quantile(draws, p))
    size = draws.shape[0] * draws.shape[1]
    ranked = np.sort(draws.reshape(size, *draws.shape[2:]), axis=0)
    mcse = np.full(ess.shape, np.nan)
    for place in np.ndindex(*ess.shape):
        if np.isfinite(ess[place]):
            n = ess[place]
            low, high = betaincinv(n * p + 1, n * (1 - p) + 1, [0.1586553, 0.8413447]) * size - 1
            column = ranked[(slice(None), *place)]
            first, last = int(np.floor(max(low, 0))), int(np.ceil(min(high, size - 1)))
            mcse[place] = (float(column[last]) - float(column[first])) / 2
    return plain(mcse)


def _where_finite(draws: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Replace by NaN what comes from too few draws or from draws that are not finite."""
    usable = np.isfinite(draws).all(axis=(0, 1)) if draws.shape[1] >= MIN_DRAWS else False
    return np.asarray(np.where(usable, values, np.nan))
