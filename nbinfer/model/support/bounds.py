"""Bounds of `lower`, `upper` and `interval`: numbers, arrays, and functions of the parameters declared before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import as_floats
from nbinfer.compile.python_functions import python_function
from nbinfer.errors import ModelError
from nbinfer.model.evaluate import call, check_arguments, check_term
from nbinfer.model.support.checks import where
from nbinfer.model.transforms.elementwise import Floats
from nbinfer.spelling import shown

Bound: TypeAlias = NDArray[np.float64] | Callable[..., Any]

#: What messages call a bound, by the argument through which it came.
SIDES = {"a": "lower bound", "b": "upper bound"}


class BoundsError(ModelError, ArithmeticError):
    """Nothing lies between bounds, or they are not finite: of bounds that are functions, at one point."""


def read(value: Any, name: str, argument: str) -> Bound:
    """Check what a user gives for a bound: a function, or numbers, which are copied."""
    if callable(value):
        check_arguments(value, f"{name}: {argument}", ("p", "d"), called="f")
        return value  # type: ignore[no-any-return]
    try:
        bound = as_floats(value)
    except (TypeError, ValueError):
        raise ModelError(
            f"{name}: {argument} must be a number, an array of numbers or a function f(p, d), got {shown(value)}"
        ) from None
    if not np.all(np.isfinite(bound)):
        bad = ~np.isfinite(bound)
        raise ModelError(f"{name}: {argument} must be finite, got {bound[bad][0]}{where(bad)}; use a wider support")
    if bound.size == 0:
        raise ModelError(f"{name}: {argument} is empty")
    return bound


def common_shape(name: str, bounds: Mapping[str, Bound], wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the shape of a value between bounds: the one that is wanted, or that of the bounds that are arrays."""
    shapes = {argument: np.shape(bound) for argument, bound in bounds.items() if not callable(bound)}
    try:
        common = np.broadcast_shapes(*shapes.values())
    except ValueError:
        raise ModelError(f"{name}: the bounds' shapes do not fit each other: {shapes}") from None
    if wanted is None:
        return common
    if not _fits(common, wanted):
        raise ModelError(f"{name}: bounds of shape {common} do not fit a value of shape {wanted}")
    return wanted


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False


def fill(bounds: Sequence[Bound], shape: tuple[int, ...]) -> Floats:
    """Lay out bounds as the constants of a transform; what functions and ``settle`` leave there is NaN."""
    parts = [np.full(shape, np.nan) if callable(b) else np.broadcast_to(b, shape) for b in bounds]
    after = np.full(len(bounds) // 2, np.nan)  # of two bounds, what the transform keeps of their difference
    return np.concatenate([*(part.ravel() for part in parts), after]).astype(np.float64)


def trouble(name: str, bounds: Sequence[NDArray[np.float64]], shape: tuple[int, ...]) -> str:
    """Say why no value lies between bounds."""
    full = [np.broadcast_to(bound, shape) for bound in bounds]
    if len(full) == 1:
        bad = ~np.isfinite(full[0])
        return f"{name} needs a finite bound, got {full[0][bad][0]}{where(bad)}"
    with np.errstate(all="ignore"):
        width = full[1] - full[0]
    bad = ~(np.isfinite(width) & (width > 0.0))
    a, b = (bound[bad][0] for bound in full)
    return f"{name} needs a < b, and b - a finite, but a = {a} and b = {b}{where(bad)}"


def called(argument: str, parameter: str) -> str:
    """Return how messages call a bound that a function gives."""
    return f"{SIDES[argument]} of {parameter!r}"


def evaluate(
    parameter: str, bounds: Mapping[str, Bound], shape: tuple[int, ...], p: Any, d: Any, known: Collection[str]
) -> dict[str, Any]:
    """Evaluate the bounds of a parameter in plain Python.

    Parameters
    ----------
    parameter : str
        Whose bounds they are.
    bounds : mapping
        By argument.
    shape : tuple of int
        Of the parameter's value.
    p, d : named tuple
        The parameters declared before, and the data.
    known : collection of str
        Names of all parameters, for messages.

    Returns
    -------
    values : dict
        What the functions returned, which may be any number or array that broadcasts to `shape`.
    """
    values: dict[str, Any] = {}
    fields: Sequence[str] = p._fields
    for argument, bound in bounds.items():
        what = called(argument, parameter)
        try:
            values[argument] = call(bound, p, d) if callable(bound) else bound
        except AttributeError as error:
            if error.obj is not p:
                raise
            raise ModelError(_missing(what, error.name or "", parameter, fields, known)) from None
        check_term(values[argument], f"the {what}")
        got = np.shape(values[argument])
        if not _fits(got, shape):
            remedy = f"pass shape={got} to its support" if not shape else "return a number or what broadcasts to it"
            raise ModelError(f"the {what} must fit its shape {shape}, got an array of shape {got}; {remedy}")
    return values


def _missing(what: str, name: str, parameter: str, before: Sequence[str], known: Collection[str]) -> str:
    if name == parameter:
        remedy = "a parameter cannot bound itself"
    elif name in known:
        remedy = f"declare {name!r} before {parameter!r}"
    else:
        remedy = f"no parameter is called {name!r}"
    there = f"only the parameters declared before {parameter!r}: {', '.join(before)}" if before else "no parameters"
    return f"the {what} asks for p.{name}, but its p holds {there}; {remedy}"


def write(argument: Any) -> str:
    """Write an argument of a support as it was typed, more or less."""
    if callable(argument):
        return str(getattr(python_function(argument), "__name__", "?"))
    if np.ndim(argument) == 0:
        number = float(argument)
        return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    if argument.size > 12:
        return f"<array of shape {argument.shape}>"
    return f"[{', '.join(write(part) for part in argument)}]"


def write_call(name: str, shape: tuple[int, ...], *arguments: Any) -> str:
    """Write the call that makes a support."""
    written = [write(argument) for argument in arguments]
    if shape:
        written.append(f"shape={shape[0] if len(shape) == 1 else shape}")
    if len(written) == 1 and shape and not arguments:
        written = [str(shape[0] if len(shape) == 1 else shape)]
    return f"{name}({', '.join(written)})"


def write_bounded(name: str, bounds: Sequence[Any], shape: tuple[int, ...]) -> str:
    """Write the call that makes a support with bounds; its shape only if the bounds do not tell it."""
    told = np.broadcast_shapes(*(() if callable(bound) else np.shape(bound) for bound in bounds))
    return write_call(name, () if told == shape else shape, *bounds)
