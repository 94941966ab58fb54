"""Weights of models, from what each of their observations says.

References
----------
.. [1] Y. Yao, A. Vehtari, D. Simpson and A. Gelman, "Using stacking to average Bayesian predictive distributions",
   Bayesian Analysis 13 (2018).
.. [2] S. Boyd and L. Vandenberghe, "Convex Optimization" (2004), section 11.3.
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.diagnostics.pointwise import Floats

#: The barrier: from what share of the curvature to what, and by which factor at a time.
_FIRST, _LAST, _FACTOR = 1.0, 1e-13, 0.25
_NEWTON_STEPS = 60
_RESAMPLES = 1000


def stacking(pointwise: Floats) -> Floats:
    """Return the weights whose mixture of predictive densities expects the largest log density (section 3.1 of [1]_).

    The sum of logarithms is concave in the weights. They are kept positive by a logarithmic barrier, which is lowered
    step by step [2]_; of models that predict the same, each gets as much.

    Parameters
    ----------
    pointwise : ndarray, shape (observations, models)
        Expected log predictive densities.

    Returns
    -------
    weights : ndarray, shape (models,)
        From 0 on; their sum is 1.
    """
    # Densities relative to the best model's, less 1: those of models that are nearly equal keep all their digits.
    excess = np.expm1(pointwise - pointwise.max(axis=1, keepdims=True))
    weights = np.full(pointwise.shape[1], 1.0 / pointwise.shape[1])
    curvature = float(np.sum(np.ptp(excess, axis=1) ** 2))
    barrier = _FIRST * curvature
    while barrier > _LAST * curvature:
        barrier *= _FACTOR
        weights = _centre(excess, weights, barrier)
    return weights


def _centre(excess: Floats, weights: Floats, barrier: float) -> Floats:
    """Return the weights with the largest sum of log densities and of `barrier` times their own logarithms."""
    for _ in range(_NEWTON_STEPS):
        mixed = excess @ weights
        scores = (excess - mixed[:, None]) / (1.0 + mixed[:, None]) * weights  # by logarithms of weights
        slope = scores.sum(axis=0) + barrier
        curvature = scores.T @ scores + barrier * np.eye(len(weights))
        scale = float(curvature.diagonal().max())
        # The sum of the weights stays: one more equation, one more unknown.
        system = np.block([[curvature / scale, weights[:, None]], [weights[None, :], np.zeros((1, 1))]])
        step = np.linalg.solve(system, np.append(slope / scale, 0.0))[:-1]
        decrement = math.sqrt(max(float(step @ curvature @ step), 0.0) / min(barrier, 1.0))
        # The damped step of a self-concordant function: it neither leaves the positive numbers nor goes downhill.
        weights = weights * (1.0 + step * (1.0 if decrement < 0.25 else 1.0 / (1.0 + decrement)))
        weights /= weights.sum()
        if decrement < 1e-6:
            break
    return weights


def pseudo_bma(pointwise: Floats) -> Floats:
    """Return weights in proportion to exponentials of the expected log predictive densities (section 3.4 of [1]_)."""
    return _shares(pointwise.sum(axis=0))


def pseudo_bma_plus(pointwise: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the means of such weights over Bayesian bootstraps of the observations (section 3.4 of [1]_).

    Returns
    -------
    weights, se : ndarray, shape (models,)
        And the standard deviations of the expected log predictive densities over the bootstraps.
    """
    n, models = pointwise.shape
    weights, sums = np.empty((_RESAMPLES, models)), np.empty((_RESAMPLES, models))
    for i in range(_RESAMPLES):
        share = np.asarray(rng.standard_exponential(n))
        sums[i] = (share @ pointwise) * (n / share.sum())
        weights[i] = _shares(sums[i])
    return weights.mean(axis=0), sums.std(axis=0)


def _shares(log_weights: Floats) -> Floats:
    relative = np.exp(log_weights - log_weights.max())
    found: Floats = relative / relative.sum()
    return found
