"""Covariances by linear response: how the means of a fit at fixed noise move if the posterior is tilted.

If the log density is tilted by a multiple of a coordinate, the mean of a posterior moves by a covariance. So does that
of an approximation, which is fitted to it anew; and where the fit is a minimum of a function, how its parameters move
follows from the Hessian of that [1]_. Independent numbers, whose own variances are too small, have means that respond
to one another.

References
----------
.. [1] R. Giordano, T. Broderick and M. I. Jordan, "Covariances, robustness, and variational Bayes", JMLR 19 (2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of
from nbinfer.errors import ExplicitInferenceError, FitError
from nbinfer.variational.families.family import Family
from nbinfer.variational.fitting import Fitting
from nbinfer.variational.sample_average import SampleAverage, bound_at

Floats = NDArray[np.float64]

#: Of a difference, in units of each parameter.
_STEP = 1e-4
#: Curvature that counts as none, beside that of each parameter by itself: that of directions that turn into each other.
_NONE = 1e-6
#: Standard deviations from a minimum at which a fit has not arrived.
_FAR = 0.1


def covariance(fitting: Fitting) -> Floats:
    """Return the covariance of the unconstrained coordinates by linear response, shape (dim, dim).

    Parameters
    ----------
    fitting : Fitting
        At its minimum. Coordinates whose family does not move have zeros.

    Raises
    ------
    ExplicitInferenceError
        If the fit was not one at fixed noise, or a family's mean is no parameter.
    FitError
        If it is at no minimum.
    """
    if not isinstance(fitting.settings.rule, SampleAverage):
        raise ExplicitInferenceError("cov_lr comes of a fit by method='dadvi', in the process that has made it.")
    means, coordinates = _means(fitting)
    fitting.stop[0] = 0
    slope, hessian = _slope(fitting, fitting.fit.parameters[: fitting.n_moved].copy()), _hessian(fitting)
    scale = np.sqrt(np.abs(np.diag(hessian)))
    scale[scale == 0.0] = 1.0
    slope /= scale
    hessian /= np.outer(scale, scale)
    others = np.setdiff1d(np.arange(len(hessian)), means)
    across = hessian[np.ix_(means, others)]
    inner = np.linalg.pinv(hessian[np.ix_(others, others)], rcond=_NONE, hermitian=True)
    curvature = hessian[np.ix_(means, means)] - across @ inner @ across.T
    if not (np.linalg.eigvalsh(curvature) > 0.0).all():
        raise FitError(
            "cov_lr needs a minimum, and the loss curves downwards here. Fit on with refine, or raise n_draws."
        )
    response = np.linalg.inv(curvature)
    still_to_go = np.abs(response @ (slope[means] - across @ inner @ slope[others])) / np.sqrt(np.diag(response))
    if still_to_go.max() > _FAR:
        raise FitError(
            f"cov_lr needs a minimum, and a mean is still {still_to_go.max():.2g} standard deviations from it. Fit on "
            "with refine."
        )
    found = np.zeros((fitting.bound.dim, fitting.bound.dim))
    found[np.ix_(coordinates, coordinates)] = response / np.outer(scale[means], scale[means])
    return 0.5 * (found + found.T)


def _means(fitting: Fitting) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of the parameters that move are means, and of which coordinates."""
    means, coordinates, first = [], [], 0
    for group in fitting.groups:
        if first == fitting.n_moved:
            break
        if "mu" not in group.params_dict or type(group.family).mean is not Family.mean:
            raise ExplicitInferenceError(f"cov_lr needs means that are parameters, and {group.short_name} has none.")
        for name, shared in group.params_dict.items():
            if name == "mu":
                means.append(first + np.arange(shared.size))
                coordinates.append(group.coordinates)
            first += shared.size
    return np.concatenate(means), np.concatenate(coordinates)


def _hessian(fitting: Fitting) -> Floats:
    """Return minus the second derivatives of the bound by differences of gradients, one on each side of a parameter."""
    fit, n = fitting.fit, fitting.n_moved
    at = fit.parameters[:n].copy()
    units = [np.ravel(unit) for group in fitting.groups for unit in group.family.units(group.values).values()]
    widths = _STEP * np.concatenate(units)[:n]
    rows = np.zeros((n, n))
    try:
        for i in range(n):
            above, below = at.copy(), at.copy()
            above[i] += widths[i]
            below[i] -= widths[i]
            rows[i] = (_slope(fitting, below) - _slope(fitting, above)) / (above[i] - below[i])
    finally:
        fit.parameters[:n] = at
    return 0.5 * (rows + rows.T)


def _slope(fitting: Fitting, parameters: Floats) -> Floats:
    """Return the gradient of the bound."""
    slope = np.zeros(len(parameters))
    address = address_of(fitting.state)
    value = bound_at(len(parameters), address_of(parameters), address_of(slope), address)
    if fitting.fit.broken:
        raise fitting.raised()
    if not np.isfinite(value):
        raise FitError(f"a draw next to the minimum has no density: {fitting.bound.describe(fitting.fit.position)}.")
    return slope
