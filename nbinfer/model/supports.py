"""Supports: the sets that parameters live in, and the transforms from unconstrained coordinates to them.

A continuous support maps ``size`` real numbers to a value of ``shape``; samplers see the numbers, the user's functions
see the value. Discrete supports have no coordinates: their values move by steps of their own.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.errors import ModelError
from nbinfer.model.checks import where
from nbinfer.model.support import Support

Shape: TypeAlias = int | tuple[int, ...]


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
    return _elementwise("real", {}, _shape(shape, "real"))


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
    return _elementwise("positive", {}, _shape(shape, "positive"))


def lower(a: ArrayLike, shape: Shape | None = None) -> Support:
    r"""Numbers above a bound: :math:`x = a + e^u`.

    Parameters
    ----------
    a : float or array_like
        The bound.
    shape : int or tuple of int, optional
        Shape of the value, to which the bound is broadcast. Default: that of the bound.

    Returns
    -------
    support : Support
    """
    bounds = {"a": _bound(a, "lower", "a")}
    return _elementwise("lower", bounds, _bounded_shape(bounds, shape, "lower"))


def upper(b: ArrayLike, shape: Shape | None = None) -> Support:
    r"""Numbers below a bound: :math:`x = b - e^u`.

    Parameters
    ----------
    b : float or array_like
        The bound.
    shape : int or tuple of int, optional
        Shape of the value, to which the bound is broadcast. Default: that of the bound.

    Returns
    -------
    support : Support
    """
    bounds = {"b": _bound(b, "upper", "b")}
    return _elementwise("upper", bounds, _bounded_shape(bounds, shape, "upper"))


def interval(a: ArrayLike, b: ArrayLike, shape: Shape | None = None) -> Support:
    r"""Numbers between two bounds: :math:`x = a + (b-a)/(1+e^{-u})`.

    Parameters
    ----------
    a, b : float or array_like
        The bounds, ``a < b`` everywhere.
    shape : int or tuple of int, optional
        Shape of the value, to which the bounds are broadcast. Default: the bounds' common shape.

    Returns
    -------
    support : Support
    """
    bounds = {"a": _bound(a, "interval", "a"), "b": _bound(b, "interval", "b")}
    return _elementwise("interval", bounds, _bounded_shape(bounds, shape, "interval"))


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
    between = _elementwise("interval", {"a": np.zeros(()), "b": np.ones(())}, full)
    return dataclasses.replace(between, name="unit", typed=_call("unit", full))


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
    return _discrete("binary", 0, 1, full, _call("binary", full))


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
    return _discrete("categorical", 0, k - 1, full, _call("categorical", full, k))


def integer(lo: int, hi: int, shape: Shape = ()) -> Support:
    """Integers from ``lo`` to ``hi``, both included.

    Parameters
    ----------
    lo, hi : int
        Lowest and highest value, ``lo < hi``.
    shape : int or tuple of int
        Shape of the value; () is an integer.

    Returns
    -------
    support : Support
    """
    full = _shape(shape, "integer")
    lo, hi = _integer(lo, "integer", "lo", -_LARGEST), _integer(hi, "integer", "hi", -_LARGEST)
    if not lo < hi <= _LARGEST:
        raise ModelError(f"integer needs lo < hi <= 2**53, got lo = {lo} and hi = {hi}")
    return _discrete("integer", lo, hi, full, _call("integer", full, lo, hi))


#: Beyond it float64 does not hold every integer.
_LARGEST = 1 << 53


def _elementwise(name: str, bounds: dict[str, NDArray[np.float64]], shape: tuple[int, ...]) -> Support:
    parts = [np.broadcast_to(bound, shape).ravel() for bound in bounds.values()]
    if len(parts) == 2:
        with np.errstate(over="ignore"):
            width = parts[1] - parts[0]
        if not np.all(np.isfinite(width) & (width > 0.0)):
            at = ~(np.isfinite(width) & (width > 0.0)).reshape(shape)
            first = int(np.argmax(at))
            raise ModelError(
                f"{name} needs a < b, and b - a finite, but a = {parts[0][first]} and b = {parts[1][first]}{where(at)}"
            )
        parts.append(np.array([np.log(width).sum()]))
    constants = np.concatenate(parts) if parts else np.empty(0)
    typed_shape = () if np.broadcast_shapes(*(b.shape for b in bounds.values())) == shape else shape
    typed = _call(name, typed_shape, *bounds.values())
    return Support(name, shape, math.prod(shape), False, constants, name, typed)


def _structured(
    name: str, k: int, shape: Shape, least: int, size: Callable[[int], int], *, matrix: bool = False
) -> Support:
    k = _integer(k, name, "k", least)
    outer = _shape(shape, name)
    count = math.prod(outer)
    inner = (k, k) if matrix else (k,)
    constants = np.array([k, count], np.float64)
    return Support(name, outer + inner, count * size(k), False, constants, name, _call(name, outer, k))


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
    return tuple(_integer(length, name, "each length in shape", 1) for length in lengths)


def _bound(value: Any, name: str, argument: str) -> NDArray[np.float64]:
    if callable(value):
        raise ModelError(
            f"{name}: bounds that depend on parameters need derived gradients, which this version does not have; "
            "pass a number or an array"
        )
    try:
        bound = np.array(value, np.float64)
    except (TypeError, ValueError):
        raise ModelError(f"{name}: {argument} must be a number or an array of numbers, got {value!r}") from None
    if not np.all(np.isfinite(bound)):
        bad = ~np.isfinite(bound)
        raise ModelError(f"{name}: {argument} must be finite, got {bound[bad][0]}{where(bad)}; use a wider support")
    if bound.size == 0:
        raise ModelError(f"{name}: {argument} is empty")
    return bound


def _bounded_shape(bounds: dict[str, NDArray[np.float64]], shape: Any, name: str) -> tuple[int, ...]:
    shapes = {argument: bound.shape for argument, bound in bounds.items()}
    try:
        common = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ModelError(f"{name}: the bounds' shapes do not fit each other: {shapes}") from None
    if shape is None:
        return common
    wanted = _shape(shape, name)
    try:
        fits = np.broadcast_shapes(common, wanted) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise ModelError(f"{name}: bounds of shape {common} do not fit a value of shape {wanted}")
    return wanted


def _call(name: str, shape: tuple[int, ...], *arguments: Any) -> str:
    written = [_write(argument) for argument in arguments]
    if shape:
        written.append(f"shape={shape[0] if len(shape) == 1 else shape}")
    if len(written) == 1 and shape and not arguments:
        written = [str(shape[0] if len(shape) == 1 else shape)]
    return f"{name}({', '.join(written)})"


def _write(argument: Any) -> str:
    if np.ndim(argument) == 0:
        number = float(argument)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    if argument.size > 12:
        return f"<array of shape {argument.shape}>"
    return f"[{', '.join(_write(part) for part in argument)}]"
