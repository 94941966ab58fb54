"""Leave-one-out cross-validation and WAIC, from log likelihoods of single observations.

References
----------
.. [1] A. Vehtari, A. Gelman and J. Gabry, "Practical Bayesian model evaluation using leave-one-out cross-validation and
   WAIC", Statistics and Computing 27 (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import numbers
from nbinfer.diagnostics.elpd import ELPD
from nbinfer.diagnostics.measure import Workspace
from nbinfer.diagnostics.pointwise import Floats, as_pointwise, blocks, log_mean, log_sum
from nbinfer.diagnostics.psis import leave_one_out


def loo(
    log_likelihood: Any,
    reff: ArrayLike | None = None,
    *,
    name: str = "y",
    observed: NDArray[Any] | None = None,
    chain_ids: Sequence[int] | None = None,
) -> ELPD:
    """Estimate the expected log predictive density by leave-one-out cross-validation with smoothed weights.

    Parameters
    ----------
    log_likelihood : array_like, shape (chain, draw, *shape)
        Of every observation at every draw.
    reff : float or array_like, shape (*shape), optional
        Effective draws per draw. Default: those of the likelihood of each observation.
    name : str
        The observed variable.
    observed : ndarray, shape (*shape), optional
        Its values.
    chain_ids : sequence of int, optional
        What the chains are called.

    Returns
    -------
    found : ELPD
    """
    values = as_pointwise(name, log_likelihood, chain_ids)
    shape = values.shape[2:]
    given = None if reff is None else _relative(reff, shape)
    space = Workspace(*values.shape[:2])
    pointwise, p, k = (np.empty(shape) for _ in range(3))
    for start, block in blocks(values):
        part = slice(start, start + len(block))
        each = relative_efficiency(block, values.shape[:2], space) if given is None else given[part]
        for i, (draws, r) in enumerate(zip(block, each, strict=True), start):
            k.reshape(-1)[i], weights = leave_one_out(draws, float(r))
            pointwise.reshape(-1)[i] = log_sum(weights + draws)
        p.reshape(-1)[part] = log_mean(block) - pointwise.reshape(-1)[part]
    return ELPD("loo", name, pointwise, p, values.shape[0] * values.shape[1], k, observed)


def waic(
    log_likelihood: Any,
    *,
    name: str = "y",
    observed: NDArray[Any] | None = None,
    chain_ids: Sequence[int] | None = None,
) -> ELPD:
    """Estimate the expected log predictive density by the widely applicable information criterion.

    Parameters
    ----------
    log_likelihood : array_like, shape (chain, draw, *shape)
        Of every observation at every draw.
    name : str
        The observed variable.
    observed : ndarray, shape (*shape), optional
        Its values.
    chain_ids : sequence of int, optional
        What the chains are called.

    Returns
    -------
    found : ELPD
    """
    values = as_pointwise(name, log_likelihood, chain_ids)
    draws = values.shape[0] * values.shape[1]
    if draws < 2:
        raise ValueError(f"WAIC of {name} needs two or more draws, got one: it is made of variances over draws.")
    pointwise, p = np.empty(values.shape[2:]), np.empty(values.shape[2:])
    for start, block in blocks(values):
        part = slice(start, start + len(block))
        p.reshape(-1)[part] = block.var(axis=1, ddof=1)
        pointwise.reshape(-1)[part] = log_mean(block) - p.reshape(-1)[part]
    return ELPD("waic", name, pointwise, p, draws, None, observed)


def relative_efficiency(block: Floats, shape: tuple[int, ...], space: Workspace | None = None) -> Floats:
    """Return effective draws per draw of likelihoods, for means over all chains.

    Parameters
    ----------
    block : ndarray, shape (observations, draws)
        Log likelihoods, chain after chain.
    shape : tuple of int
        Numbers of chains and of draws of each.
    space : Workspace, optional
        For chains of this shape.

    Returns
    -------
    reff : ndarray, shape (observations,)
        1 where it cannot be told: for likelihoods that do not vary, and chains of less than four draws.
    """
    likelihood = np.exp(block - block.max(axis=1, keepdims=True)).reshape(len(block), *shape)
    ess = (space or Workspace(*shape)).measure(np.moveaxis(likelihood, 0, 2), brief=True)["ess_mean"]
    reff = ess / block.shape[1]
    return np.where(np.isfinite(reff) & (reff > 0.0), reff, 1.0)


def _relative(reff: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """Return given efficiencies, one an observation."""
    given = numbers("reff", reff)
    if given.ndim and given.shape != shape:
        raise ValueError(
            f"reff must be a number or have the shape of the observed variable, {shape}; got {given.shape}."
        )
    if not (np.isfinite(given) & (given > 0.0)).all():
        raise ValueError("reff must be positive and finite: effective draws per draw.")
    return np.broadcast_to(given, shape).reshape(-1)
