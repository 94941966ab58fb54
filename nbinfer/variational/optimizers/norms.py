"""Constraints on norms: of parameters, and of all gradients together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import flag, numbers, positive, several
from nbinfer.compile import floats_at, kernel
from nbinfer.spelling import public

#: Beside a norm in a denominator.
EPSILON = 1e-7


@kernel
def shrink(address: int, n: int, largest: float) -> float:
    """Scale numbers so that their norm is `largest` at most; return what it was."""
    x = floats_at(address, n)
    norm = 0.0
    for i in range(n):
        norm += x[i] * x[i]
    norm = math.sqrt(norm)
    scale = min(norm, largest) / (1e-7 + norm)
    for i in range(n):
        x[i] *= scale
    return norm


@public
def norm_constraint(
    tensor_var: ArrayLike, max_norm: float, norm_axes: int | Sequence[int] | None = None, epsilon: float = EPSILON
) -> NDArray[np.float64]:
    """Scale the parts of an array whose norm is too large.

    Parameters
    ----------
    tensor_var : array_like
        Numbers, or an `nb.shared` value.
    max_norm : float
        Norm that no part exceeds.
    norm_axes : int or sequence of int, optional
        Axes that a norm is taken over. Default: of a matrix axis 0, of arrays of 3 to 5 axes all but the first.
    epsilon : float
        Added to the norms that are divided by.

    Returns
    -------
    constrained : ndarray
        ``x * min(norm, max_norm) / (epsilon + norm)``.

    Raises
    ------
    ValueError
        If `norm_axes` must be given and is not, or a number is not positive.

    Examples
    --------
    >>> norm_constraint([[3.0, 0.3], [4.0, 0.4]], 1.0).round(3)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    x = numbers("tensor_var", tensor_var)
    positive("max_norm", max_norm)
    positive("epsilon", epsilon)
    if norm_axes is not None:
        axes = _checked_axes(norm_axes, x.ndim)
    elif x.ndim == 2:
        axes = (0,)
    elif 3 <= x.ndim <= 5:
        axes = tuple(range(1, x.ndim))
    else:
        raise ValueError(f"norm_axes must be given for a tensor_var of {x.ndim} axes; it is guessed for 2 to 5.")
    norm = np.sqrt(np.sum(x**2, axis=axes, keepdims=True))
    constrained: NDArray[np.float64] = x * (np.clip(norm, 0.0, max_norm) / (epsilon + norm))
    return constrained


def _checked_axes(norm_axes: Any, ndim: int) -> tuple[int, ...]:
    """Return axes as a tuple; raise an error if one of them is none."""
    axes = [norm_axes] if isinstance(norm_axes, int | np.integer) else several("norm_axes", norm_axes, "axes")
    for axis in axes:
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer) or not -ndim <= axis < ndim:
            raise ValueError(f"norm_axes must be axes of an array of {ndim}, got {axis!r}.")
    return tuple(int(axis) for axis in axes)


@public
def total_norm_constraint(
    tensor_vars: Sequence[ArrayLike], max_norm: float, epsilon: float = EPSILON, return_norm: bool = False
) -> Any:
    """Scale several arrays so that the norm of all their numbers together is not too large.

    Parameters
    ----------
    tensor_vars : sequence of array_like
        Gradients, as a rule.
    max_norm : float
        The largest norm.
    epsilon : float
        Added to the norm that is divided by.
    return_norm : bool
        Whether to return the norm as well.

    Returns
    -------
    constrained : list of ndarray
        Each times ``min(norm, max_norm) / (epsilon + norm)``.
    norm : float
        What it was; only with `return_norm`.

    Examples
    --------
    >>> scaled, norm = total_norm_constraint([[3.0], [4.0]], 1.0, return_norm=True)
    >>> norm, [float(x[0].round(3)) for x in scaled]
    (5.0, [0.6, 0.8])
    """
    arrays = [numbers(f"tensor_vars[{k}]", x) for k, x in enumerate(several("tensor_vars", tensor_vars))]
    positive("max_norm", max_norm)
    positive("epsilon", epsilon)
    norm = math.sqrt(sum(float(np.sum(x**2)) for x in arrays))
    constrained = [x * (min(norm, max_norm) / (epsilon + norm)) for x in arrays]
    return (constrained, norm) if flag("return_norm", return_norm) else constrained
