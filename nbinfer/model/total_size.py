"""How many observations a term of the density stands for, and by what factor it is scaled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import EllipsisType
from typing import Any

import numpy as np

from nbinfer.arguments import is_number
from nbinfer.errors import ModelError
from nbinfer.streaming.axes import spread

#: A number of observations; or one for each leading axis, None for an axis that is whole, and an Ellipsis.
Total = float | tuple[float | EllipsisType | None, ...]


def checked(
    total_size: Any,
    terms: Mapping[str, Any],
    likelihood: Mapping[str, Any] | None = None,
    parameters: Collection[str] = (),
) -> dict[str, Total]:
    """Return total sizes by term of prior and likelihood.

    Parameters
    ----------
    total_size : object
        As `Model` takes it; a size alone is that of the only likelihood term.
    terms : mapping
        All that may have one, by name.
    likelihood : mapping, optional
        Those of the likelihood. Default: all.
    parameters : collection of str
        Names of parameters, whose priors may be named.

    Raises
    ------
    ModelError
        If it names no term, or a size is not positive.
    TypeError
        If a size is no number.
    """
    if total_size is None:
        return {}
    if not isinstance(total_size, Mapping):
        likelihood = terms if likelihood is None else likelihood
        if len(likelihood) != 1:
            raise ModelError("total_size must map names of likelihood terms to numbers: total_size={'y': 10000}")
        total_size = {next(iter(likelihood)): total_size}
    found: dict[str, Total] = {}
    for name, size in total_size.items():
        if name not in terms:
            known = ", ".join(terms) or "none"
            remedy = f"; name its prior, prior={{{name!r}: f, ...}}" if name in parameters else ""
            raise ModelError(
                f"total_size names {name!r}, which is no term of likelihood or prior; terms: {known}{remedy}"
            )
        label = f"total_size[{name!r}]"
        if isinstance(size, list | tuple):
            found[name] = tuple(e if e is None or e is Ellipsis else _number(label, e) for e in size)
            if found[name].count(Ellipsis) > 1:  # type: ignore[union-attr]
                raise ModelError(f"{label} may have one Ellipsis, got {size!r}; write None for each whole axis")
        else:
            found[name] = _number(label, size)
    return found


def _number(label: str, size: Any) -> float:
    if not is_number(size):
        raise TypeError(f"{label} must be a number, or a list of numbers, None and one Ellipsis, got {size!r}")
    if not 0 < size < np.inf:
        raise ModelError(f"{label} must be a positive number, got {size!r}")
    return float(size)


def factor(name: str, total: Total, shape: tuple[int, ...], of: tuple[int, ...] | None = None) -> float:
    """Return by what a likelihood term is multiplied.

    Parameters
    ----------
    name : str
        Of the term, for messages.
    total : float or tuple
        A number is that of rows.
    shape : tuple of int
        Of the term's observations; () is one of them.
    of : tuple of int, optional
        Shape of what these are drawn from, with replacement: fewer than they are, perhaps.

    Returns
    -------
    factor : float
        The product of total over length along each axis that has a total.

    Raises
    ------
    ModelError
        If there are more totals than axes, or one is smaller than the length, and than that of what is drawn from.
    """
    label = f"total_size[{name!r}]"
    if not isinstance(total, tuple):
        total, shape, of = (total,), shape[:1] or (1,), of and of[:1]
    try:
        totals = spread(label, total, len(shape), None)
    except ValueError as error:
        raise ModelError(str(error)) from None
    result = 1.0
    for size, length, there_are in zip(totals, shape, of or shape, strict=True):
        if size is not None and size < min(length, there_are):
            raise ModelError(
                f"{label} must be at least the number of observations that there are, {min(length, there_are)}, got "
                f"{size:g}"
            )
        if size is not None and length:
            result *= size / length
    return result
