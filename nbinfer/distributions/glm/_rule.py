"""Regressions in models: one primitive whose value and derivatives come of one pass over the data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.ir import View
from nbinfer.autodiff.linalg import WholeArray
from nbinfer.autodiff.registry import HANDLERS
from nbinfer.autodiff.solvers import fast
from nbinfer.compile import Kernel

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend
    from nbinfer.autodiff.ir import Value

#: A view of some rows.
_ROWS = re.compile(r"\[[^,:]*:[^,:]*\]")


@fast
def add_kept(bar: Any, kept: Any, first: int, count: int, factor: float) -> None:
    """Add `factor` times `count` kept numbers from `first` on; each element of `bar` takes the sum of its share."""
    share = count // max(bar.shape[0], 1)
    for i in range(bar.shape[0]):
        total = 0.0
        for k in range(share):
            total += kept[first + i * share + k]
        bar[i] += factor * total


@fast
def add_kept_columns(bar: Any, kept: Any, first: int, factor: float) -> None:
    """Add `factor` times kept numbers from `first` on, which lie column by column."""
    rows, columns = bar.shape
    for j in range(columns):
        for i in range(rows):
            bar[i, j] += factor * kept[first + j * rows + i]


def primitive(name: str, run: Kernel[..., Any], ndim: int, shift_ndim: int) -> WholeArray:
    """Describe a family to models.

    Parameters
    ----------
    name : str
        Of the family.
    run : kernel
        Its pass, as `nbinfer.distributions.glm._passes.one_pass` describes it.
    ndim : int
        Axes of beta: 1, or 2 if each row has several predictors.
    shift_ndim : int
        Axes of what is added to the products.
    """
    by_beta = "_glm_add({bar2}, {kept}, {kept}.size - {bar2}.size, {bar2}.size, {bar})"
    by_shift = "_glm_add({bar4}, {kept}, 0, {0}.size, {bar})"
    if ndim == 2:
        by_beta = "_glm_add_columns({bar2}, {kept}, {kept}.size - {bar2}.size, {bar})"
        by_shift = "_glm_add({bar4}, {kept}, 0, {bar4}.size * {0}.size, {bar})"
    if shift_ndim == 2:
        by_shift = "_glm_add_columns({bar4}, {kept}, 0, {bar})"
    return WholeArray(
        name,
        f"_glm_{name}(arena, {{0}}, {{1}}, {{2}}, {{3}}, {{4}})",
        {2: by_beta, 3: "_glm_add({bar3}, {kept}, {0}.size, {bar3}.size, {bar})", 4: by_shift},
        {2: ("kept",), 3: ("kept", 0), 4: ("kept", 0)},
        {f"_glm_{name}": run, "_glm_add": add_kept, "_glm_add_columns": add_kept_columns},
        keeps=True,
    )


def apply(b: Frontend, name: str, run: Kernel[..., Any], ndim: int, numbers_ndim: int, values: dict[str, Any]) -> Value:
    """Build the log likelihood of a family into a program; `values` are its arguments by name."""
    given = {key: b.constant(x) if isinstance(x, float) else b.operand(x) for key, x in values.items()}
    shift = b.apply("add", given.pop("intercept", b.constant(0.0)), given.pop("offset"))
    numbers_of = [key for key in given if key not in ("y", "X", "beta")]
    ranks = {"y": 1, "X": 2, "beta": ndim, **dict.fromkeys(numbers_of, numbers_ndim)}
    for key, rank in ranks.items():
        if given[key].ndim != rank:
            raise b.error(f"glm.{name}: {key} must have {rank} axes, got {given[key].ndim}")
        if key in ("y", "X") and given[key].active:
            raise b.error(f"glm.{name}: {key} depends on parameters, but must be data; write the density of each row")
    if shift.ndim > ndim or (ndim == 2 and shift.ndim == 0 and shift.active):
        wanted = (
            "be numbers or have an axis of rows"
            if ndim == 1
            else "have an axis of categories, after one of rows or not"
        )
        raise b.error(f"glm.{name}: intercept and offset must {wanted}, got {shift.ndim} axes")
    y, X, beta = (b.stored(given[key], key) for key in ("y", "X", "beta"))
    y, X = _contiguous(b, y), _contiguous(b, X)
    numbers = [as_array(b, given[key], key) for key in numbers_of]
    numbers = numbers or [b.alloc([b.constant(0)], "f", "empty", "none", mutable=False)]
    shift = as_array(b, shift, "shift")
    b.check_equal(b.dim(y, 0), b.dim(X, 0))
    b.check_equal(b.dim(beta, 0), b.dim(X, 1))
    if b.dim(shift, 0).constant != 1:
        sizes = [b.dim(y, 0), *(b.dim(beta, axis) for axis in range(1, ndim))]
        for axis, size in enumerate(sizes[ndim - shift.ndim :]):
            b.check_equal(b.dim(shift, axis), size)
    return b.primitive(primitive(name, run, ndim, shift.ndim), [y, X, beta, *numbers, shift], [])


def _contiguous(b: Frontend, array: Value) -> Value:
    """Copy a part of an array unless it is one of whole rows, which lie one after the other."""
    lies_apart = isinstance(array.op, View) and not _ROWS.fullmatch(array.op.pattern)
    return b.stored(HANDLERS[np.copy](b, array)) if lies_apart else array


def as_array(b: Frontend, x: Any, hint: str) -> Value:
    """Compute a number or an array into memory."""
    return b.stored(x, hint) if x.ndim else b.pack((b.to_float(x),))
