"""Whether a value lies inside a support: each check returns None, or why not ("must …")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.model.transforms.elementwise import Floats

#: The highest value of integers that have no upper end: beyond it float64 does not hold every integer.
NO_END = 1 << 53

#: How far sums, lengths and symmetry may be off; coordinates forget the difference.
TOLERANCE = 1e-8


def where(bad: NDArray[np.bool_]) -> str:
    """Say where the first True stands, unless there is only one element."""
    return f" at index {tuple(int(i) for i in np.argwhere(bad)[0])}" if np.ndim(bad) else ""


def _first(array: Any, bad: NDArray[np.bool_], wanted: str) -> str | None:
    """Name the first bad element, if there is any."""
    bad = np.asarray(bad)
    if not bad.any():
        return None
    return f"must {wanted}, got {np.asarray(array)[bad][0]}{where(bad)}"


def _real(x: Floats, constants: Floats) -> str | None:
    return None


def _positive(x: Floats, constants: Floats) -> str | None:
    return _first(x, x <= 0.0, "be positive")


def _lower(x: Floats, constants: Floats) -> str | None:
    return _first(x, x <= constants.reshape(x.shape), "lie above its bound")


def _upper(x: Floats, constants: Floats) -> str | None:
    return _first(x, x >= constants.reshape(x.shape), "lie below its bound")


def _interval(x: Floats, constants: Floats) -> str | None:
    a, b = constants[:-1].reshape((2, *x.shape))
    return _first(x, (x <= a) | (x >= b), "lie strictly between its bounds")


def _simplex(x: Floats, constants: Floats) -> str | None:
    total = x.sum(axis=-1)
    return _first(x, x <= 0.0, "be positive") or _first(total, abs(total - 1.0) > TOLERANCE, "sum to 1")


def _ordered(x: Floats, constants: Floats) -> str | None:
    step = np.diff(x, axis=-1)
    bad = np.concatenate([np.zeros_like(x[..., :1], bool), step <= 0.0], axis=-1)
    return _first(x, bad, "increase strictly")


def _positive_ordered(x: Floats, constants: Floats) -> str | None:
    return _first(x, x <= 0.0, "be positive") or _ordered(x, constants)


def _unit_vector(x: Floats, constants: Floats) -> str | None:
    length = np.sqrt((x * x).sum(axis=-1))
    return _first(length, abs(length - 1.0) > TOLERANCE, "have length 1")


def _cholesky_corr(x: Floats, constants: Floats) -> str | None:
    length = np.sqrt((x * x).sum(axis=-1))
    diagonal = np.diagonal(x, axis1=-2, axis2=-1)
    return (
        _first(x, np.triu(x, 1) != 0.0, "be lower triangular")
        or _first(diagonal, diagonal <= 0.0, "have a positive diagonal")
        or _first(length, abs(length - 1.0) > TOLERANCE, "have rows of length 1")
    )


def _covariance(x: Floats, constants: Floats) -> str | None:
    asymmetry = abs(x - np.swapaxes(x, -1, -2))
    uneven = _first(x, asymmetry > TOLERANCE * abs(x).max(), "be symmetric")
    if uneven:
        return uneven
    try:
        np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        return f"must be positive definite, got smallest eigenvalue {np.linalg.eigvalsh(x).min():g}"
    return None


def _discrete(x: Floats, constants: Floats) -> str | None:
    lowest, highest = constants.reshape((2, *x.shape))
    least, most = lowest.min(), highest.max()
    wanted = f"be {least:.0f} or more" if most == NO_END else f"lie in {least:.0f} ... {most:.0f}"
    return _first(x, x != np.round(x), "be whole") or _first(x, (x < lowest) | (x > highest), wanted)


CHECKS: dict[str, Callable[[Floats, Floats], str | None]] = {
    "real": _real,
    "positive": _positive,
    "lower": _lower,
    "upper": _upper,
    "interval": _interval,
    "simplex": _simplex,
    "ordered": _ordered,
    "positive_ordered": _positive_ordered,
    "unit_vector": _unit_vector,
    "cholesky_corr": _cholesky_corr,
    "covariance": _covariance,
    "discrete": _discrete,
}
