"""Supports: the sets that parameters live in, and the transforms from unconstrained coordinates to them.

A continuous support maps ``size`` real numbers to a value of ``shape``; samplers see the numbers, the user's functions
see the value. Discrete supports have no coordinates: their values move by steps of their own. Bounds may be functions
of the parameters that a model declares before; their derivatives are found like those of the density.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import MOST
from nbinfer.errors import ModelError
from nbinfer.model.support.bounds import common_shape, fill, read, write_bounded, write_call
from nbinfer.model.support.checks import NO_END
from nbinfer.model.support.support import Support
from nbinfer.spelling import public

Shape: TypeAlias = int | tuple[int, ...]
Function: TypeAlias = Callable[[Any, Any], Any]


@public
def real(shape: Shape = ()) -> Support:
    """All real numbers.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the value; () is a number.

    Returns
    -------
    support : Support
    """
    return _free("real", shape)


@public
def positive(shape: Shape = ()) -> Support:
    r"""Numbers above zero: :math:`x = e^u`.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the value; () is a number.

    Returns
    -------
    support : Support
    """
    return _free("positive", shape)


@public
def lower(a: ArrayLike | Function, shape: Shape | None = None) -> Support:
    r"""Numbers above a bound: :math:`x = a + e^u`.

    Parameters
    ----------
    a : float, array_like or callable
        The bound; or a function ``f(p, d)`` that returns it, where ``p`` holds the parameters declared before this one
        and ``d`` the data. The log density is -inf where the function returns NaN or infinity.
    shape : int or tuple of int, optional
        Shape of the value, to which the bound is broadcast. Default: that of the bound if it is a number or an array;
        () if it is a function.

    Returns
    -------
    support : Support
        With a function for its bound, it has values within a model only.

    Raises
    ------
    ValueError
        If the bound is not finite or does not fit `shape`. What a function returns is checked when the model is first
        used: `Model.initial_point`, `sample`.

    See Also
    --------
    interval : Two bounds.
    ordered : Increasing numbers, without any function.

    Examples
    --------
    >>> import nbinfer as nb
    >>> def start(p, d):
    ...     return p.start
    >>> def logp(p, d):
    ...     return -(p.start**2) - (p.end - p.start)
    >>> model = nb.Model({"start": nb.real(), "end": nb.lower(start)}, logp=logp)
    >>> model.constrain([3.0, 0.0])
    {'start': 3.0, 'end': 4.0}
    """
    return _bounded("lower", {"a": a}, shape)


@public
def upper(b: ArrayLike | Function, shape: Shape | None = None) -> Support:
    r"""Numbers below a bound: :math:`x = b - e^u`.

    Parameters
    ----------
    b : float, array_like or callable
        The bound; or a function ``f(p, d)`` that returns it, where ``p`` holds the parameters declared before this one
        and ``d`` the data. The log density is -inf where the function returns NaN or infinity.
    shape : int or tuple of int, optional
        Shape of the value, to which the bound is broadcast. Default: that of the bound if it is a number or an array;
        () if it is a function.

    Returns
    -------
    support : Support
        With a function for its bound, it has values within a model only.

    Raises
    ------
    ValueError
        If the bound is not finite or does not fit `shape`. What a function returns is checked when the model is first
        used: `Model.initial_point`, `sample`.

    See Also
    --------
    interval : Two bounds.

    Examples
    --------
    Three numbers below the least of the data:

    >>> import nbinfer as nb
    >>> def least(p, d):
    ...     return d.y.min()
    >>> def logp(p, d):
    ...     return 0.0
    >>> model = nb.Model({"x": nb.upper(least, shape=3)}, logp=logp, data={"y": [2.0, 5.0]})
    >>> model.initial_point()["x"].tolist()
    [1.0, 1.0, 1.0]
    """
    return _bounded("upper", {"b": b}, shape)


@public
def interval(a: ArrayLike | Function, b: ArrayLike | Function, shape: Shape | None = None) -> Support:
    r"""Numbers between two bounds: :math:`x = a + (b-a)/(1+e^{-u})`.

    Parameters
    ----------
    a, b : float, array_like or callable
        The bounds, ``a < b`` everywhere; each may be a function ``f(p, d)`` that returns it, where ``p`` holds the
        parameters declared before this one and ``d`` the data. The log density is -inf where functions return bounds
        with nothing between them, NaN or infinity.
    shape : int or tuple of int, optional
        Shape of the value, to which the bounds are broadcast. Default: the common shape of those that are numbers or
        arrays; () if both are functions.

    Returns
    -------
    support : Support
        With a function among its bounds, it has values within a model only.

    Raises
    ------
    ValueError
        If bounds are not finite, ``a < b`` does not hold, or they do not fit `shape`. What functions return is checked
        when the model is first used: `Model.initial_point`, `sample`.

    See Also
    --------
    lower, upper : One bound.

    Examples
    --------
    A point of the triangle ``0 < y < x < 1``, uniformly; transforms and their Jacobians are the engine's business:

    >>> import nbinfer as nb
    >>> def below(p, d):
    ...     return p.x
    >>> def logp(p, d):
    ...     return 0.0
    >>> model = nb.Model({"x": nb.unit(), "y": nb.interval(0.0, below)}, logp=logp)
    >>> model.initial_point()
    {'x': 0.5, 'y': 0.25}
    >>> model.unconstrain({"x": 0.5, "y": 0.25}).tolist()
    [0.0, 0.0]
    """
    return _bounded("interval", {"a": a, "b": b}, shape)


@public
def unit(shape: Shape = ()) -> Support:
    r"""Numbers between 0 and 1: :math:`x = 1/(1+e^{-u})`.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the value; () is a number.

    Returns
    -------
    support : Support
    """
    full = _shape(shape, "unit")
    return dataclasses.replace(interval(0.0, 1.0, full), name="unit", typed=write_call("unit", full))


@public
def simplex(k: int, shape: Shape = ()) -> Support:
    """Vectors of ``k`` positive numbers that sum to one; coordinates by the isometric log-ratio transform.

    Parameters
    ----------
    k : int
        Length of a vector, at least 2; it becomes the last dimension of the value.
    shape : int or tuple of int
        Dimensions before the last, for several vectors.

    Returns
    -------
    support : Support
    """
    return _structured("simplex", k, shape, 2, lambda k: k - 1)


@public
def ordered(k: int, shape: Shape = ()) -> Support:
    """Vectors of ``k`` increasing numbers.

    Parameters
    ----------
    k : int
        Length of a vector, at least 1; it becomes the last dimension of the value.
    shape : int or tuple of int
        Dimensions before the last, for several vectors.

    Returns
    -------
    support : Support
    """
    return _structured("ordered", k, shape, 1, lambda k: k)


@public
def positive_ordered(k: int, shape: Shape = ()) -> Support:
    """Vectors of ``k`` increasing positive numbers.

    Parameters
    ----------
    k : int
        Length of a vector, at least 1; it becomes the last dimension of the value.
    shape : int or tuple of int
        Dimensions before the last, for several vectors.

    Returns
    -------
    support : Support
    """
    return _structured("positive_ordered", k, shape, 1, lambda k: k)


@public
def unit_vector(k: int, shape: Shape = ()) -> Support:
    """Vectors of ``k`` numbers of Euclidean length one; uniform on the sphere under a constant density.

    The ``k`` coordinates have one degree of freedom too many; their length is given a standard normal's density.

    Parameters
    ----------
    k : int
        Length of a vector, at least 2; it becomes the last dimension of the value.
    shape : int or tuple of int
        Dimensions before the last, for several vectors.

    Returns
    -------
    support : Support
    """
    return _structured("unit_vector", k, shape, 2, lambda k: k)


@public
def cholesky_corr(k: int, shape: Shape = ()) -> Support:
    """Cholesky factors of correlation matrices: lower triangular, positive diagonal, rows of length one.

    Parameters
    ----------
    k : int
        Number of rows, at least 2; the last two dimensions of the value are (k, k).
    shape : int or tuple of int
        Dimensions before, for several matrices.

    Returns
    -------
    support : Support
    """
    return _structured("cholesky_corr", k, shape, 2, lambda k: k * (k - 1) // 2, matrix=True)


@public
def covariance(k: int, shape: Shape = ()) -> Support:
    """Symmetric positive definite matrices.

    Parameters
    ----------
    k : int
        Number of rows, at least 2; the last two dimensions of the value are (k, k).
    shape : int or tuple of int
        Dimensions before, for several matrices.

    Returns
    -------
    support : Support
    """
    return _structured("covariance", k, shape, 2, lambda k: k * (k + 1) // 2, matrix=True)


@public
def binary(shape: Shape = ()) -> Support:
    """0 or 1.

    Parameters
    ----------
    shape : int or tuple of int
        Shape of the value; () is an integer.

    Returns
    -------
    support : Support
    """
    full = _shape(shape, "binary")
    return _discrete("binary", 0, 1, full, write_call("binary", full))


@public
def categorical(k: int, shape: Shape = ()) -> Support:
    """0, 1, ..., k - 1.

    Parameters
    ----------
    k : int
        Number of categories, at least 2.
    shape : int or tuple of int
        Shape of the value; () is an integer.

    Returns
    -------
    support : Support
    """
    full = _shape(shape, "categorical")
    k = _integer(k, "categorical", "k", 2)
    return _discrete("categorical", 0, k - 1, full, write_call("categorical", full, k))


@public
def integer(lo: int, hi: int | float | None = None, shape: Shape = ()) -> Support:
    """Integers from ``lo`` to ``hi``, both included, or without an upper end: ``integer(0)`` are counts.

    Parameters
    ----------
    lo : int
        Lowest value.
    hi : int, optional
        Highest value, ``lo < hi``. Default: there is none, but that float64 holds integers up to 2**53.
    shape : int or tuple of int
        Shape of the value; () is an integer.

    Returns
    -------
    support : Support
    """
    full = _shape(shape, "integer")
    if isinstance(hi, tuple | list):
        raise ModelError(f"integer: hi must be an integer, got {hi!r}; a shape goes by name, shape={hi!r}")
    highest = NO_END if hi is None or (isinstance(hi, float) and hi == np.inf) else hi
    lo, highest = _integer(lo, "integer", "lo", -NO_END), _integer(highest, "integer", "hi", -NO_END)
    if not lo < highest <= NO_END:
        raise ModelError(f"integer needs lo < hi <= 2**53, got lo = {lo} and hi = {highest}")
    named = (lo,) if highest == NO_END else (lo, highest)
    return _discrete("integer", lo, highest, full, write_call("integer", full, *named))


def _bounded(name: str, given: dict[str, Any], shape: Shape | None) -> Support:
    bounds = {argument: read(value, name, argument) for argument, value in given.items()}
    full = common_shape(name, bounds, None if shape is None else _shape(shape, name))
    parts = list(bounds.values())
    typed = write_bounded(name, parts, full)
    support = Support(name, full, math.prod(full), False, fill(parts, full), name, typed, tuple(bounds.items()))
    return support if any(map(callable, parts)) else support.at(bounds)


def _free(name: str, shape: Shape) -> Support:
    full = _shape(shape, name)
    return Support(name, full, math.prod(full), False, np.empty(0), name, write_call(name, full))


def _structured(
    name: str, k: int, shape: Shape, least: int, size: Callable[[int], int], *, matrix: bool = False
) -> Support:
    k = _integer(k, name, "k", least)
    outer = _shape(shape, name)
    count = math.prod(outer)
    inner = (k, k) if matrix else (k,)
    constants = np.array([k, count], np.float64)
    return Support(name, outer + inner, count * size(k), False, constants, name, write_call(name, outer, k))


def _discrete(name: str, lowest: int, highest: int, shape: tuple[int, ...], typed: str) -> Support:
    count = math.prod(shape)
    return Support(name, shape, 0, True, np.repeat([lowest, highest], count).astype(float), "discrete", typed)


def _integer(value: Any, name: str, argument: str, least: int) -> int:
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ModelError(f"{name}: {argument} must be an integer, got {value!r}") from None
    if number < least:
        raise ModelError(f"{name}: {argument} must be at least {least}, got {number}")
    return number


def _shape(shape: Any, name: str) -> tuple[int, ...]:
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    checked = tuple(_integer(length, name, "each length in shape", 1) for length in lengths)
    if math.prod(checked) > MOST:
        raise ModelError(f"{name}: a shape must hold at most 2**48 numbers, got {shape!r}")
    return checked
