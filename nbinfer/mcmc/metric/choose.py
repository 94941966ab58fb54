"""The metric that a scaling means."""

from __future__ import annotations

from typing import Any

from nbinfer.arguments import flag, numbers
from nbinfer.mcmc.metric.definite import positive_diagonal, symmetric_and_positive
from nbinfer.mcmc.metric.functional import QuadPotentialSparse
from nbinfer.mcmc.metric.potential import QuadPotential, QuadPotentialDiag, QuadPotentialFull, QuadPotentialFullInv
from nbinfer.spelling import public


@public
def quad_potential(C: Any, is_cov: bool) -> QuadPotential:
    """Return the metric that a scaling means.

    Parameters
    ----------
    C : array_like, shape (n,) or (n, n), or sparse matrix
        Diagonal or matrix, symmetric and positive definite.
    is_cov : bool
        True: `C` is the inverse mass, a covariance. False: `C` is the mass, a precision.

    Returns
    -------
    potential : QuadPotential

    Raises
    ------
    ValueError
        If `C` has another shape, or is a sparse mass.
    PositiveDefiniteError
        If it is not positive definite; it names the entries.

    Examples
    --------
    >>> import numpy as np
    >>> from nbinfer.mcmc import quad_potential
    >>> quad_potential([1.0, 4.0], is_cov=True).velocity([1.0, 1.0])
    array([1., 4.])
    >>> quad_potential([1.0, 4.0], is_cov=False).velocity([1.0, 1.0])
    array([1.  , 0.25])
    """
    return potential_of("C", C, is_cov)


def potential_of(name: str, C: Any, is_cov: bool) -> QuadPotential:
    """Return what `quad_potential` does; errors name the scaling as the user calls it."""
    flag("is_cov", is_cov)
    if hasattr(C, "tocsr"):
        if not is_cov:
            raise ValueError(
                f"{name}: a sparse scaling must be a covariance; pass is_cov=True, or {name}.toarray() for a mass."
            )
        return QuadPotentialSparse(C)
    array = numbers(name, C)
    if array.ndim == 1:
        diagonal = positive_diagonal(name, array)
        return QuadPotentialDiag(diagonal if is_cov else 1.0 / diagonal)
    if array.ndim == 2:
        symmetric_and_positive(name, array)
        return QuadPotentialFull(array) if is_cov else QuadPotentialFullInv(array)
    raise ValueError(f"{name} must be a vector or a matrix, got shape {array.shape}.")
