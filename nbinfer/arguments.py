"""Checks of arguments that every room shares: each names the argument, what is wanted and what came."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.spelling import meant, shown

#: Whether to show progress, or what to call with it.
Progressbar = bool | Callable[[Any], Any]

#: What a count may be at most: more draws than any memory holds, and far from where int64 ends.
MOST = 2**48


def flag(name: str, value: Any) -> bool:
    """Require True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}.")
    return bool(value)


def shows(name: str, value: Any) -> Any:
    """Require True, False, or a function that is told of progress."""
    if not callable(value) and not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, or a function that is told of progress, got {shown(value)}.")
    return value


def mapping(name: str, value: Any) -> Mapping[Any, Any]:
    """Require a mapping; None counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a mapping, got {type(value).__name__}.")
    return value


def words(name: str, value: Any, wanted: str = "a str or several of them") -> list[str]:
    """Require a str or several of them; return a list."""
    if isinstance(value, str):
        return [str(value)]
    items = several(name, value, wanted)
    if not all(isinstance(item, str) for item in items):
        raise TypeError(f"{name} must be {wanted}, got {shown(value)}.")
    return [str(item) for item in items]


def of_all(name: str, value: Any, known: Iterable[str], wanted: str = "a str or several of them") -> list[str]:
    """Return names as they come; those of ``"~mu"`` and its like are what is `known` but these. All of it for None."""
    if value is None:
        return list(known)
    names, left_out = words(name, value, wanted), list(known)
    if not names or not all(word.startswith("~") for word in names):
        return names
    without = [word[1:] for word in names]
    return [word for word in without if word not in left_out] or [word for word in left_out if word not in without]


def several(name: str, value: Any, wanted: str = "a sequence") -> list[Any]:
    """Require a sequence of something; return a list."""
    if not isinstance(value, Iterable) or isinstance(value, str | bytes) or getattr(value, "shape", None) == ():
        raise TypeError(f"{name} must be {wanted}, got {shown(value)}.")
    return list(value)


def choice(name: str, value: Any, choices: Collection[str]) -> None:
    """Require one of several words."""
    if not isinstance(value, str) or value not in choices:
        near = meant(value, choices) if isinstance(value, str) else ""
        raise ValueError(f"unknown {name} {shown(value)}; choose {', '.join(map(repr, choices))}.{near}")


def dtype_of(name: str, value: Any, choices: Collection[str]) -> str:
    """Require one of several dtypes, by its name or as what NumPy knows as such: ``np.float32``; return its name."""
    found = value
    if isinstance(value, type | np.dtype):
        with contextlib.suppress(TypeError):  # a class that NumPy does not know
            found = np.dtype(value).name
    choice(name, found, choices)
    return str(found)


def numbers(name: str, value: Any) -> NDArray[np.float64]:
    """Return numbers, of any shape, as float64."""
    try:
        return as_floats(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must be numbers, got {shown(value)}.") from None


def as_floats(value: Any) -> NDArray[np.float64]:
    """Return a copy of numbers as float64; of a text, which NumPy would read, raise what it raises of others."""
    array = np.asarray(value)
    texts = array.dtype.kind in "USO" and any(isinstance(item, str | bytes) for item in array.ravel().tolist())
    if texts:
        raise ValueError("texts are no numbers")
    return np.array(array, np.float64)


def array(name: str, value: Any) -> NDArray[Any]:
    """Return an array of whatever comes, or say that none can be made of it."""
    try:
        return np.asanyarray(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array, got {shown(value)}.") from None


def memory_of_the_machine() -> int:
    """Return how many bytes of memory there are, used or not; 0 if nobody knows."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def fits(needed: float, what: str, remedy: str) -> None:
    """Require that bytes, which may be fewer than it will take, are no more than the memory of the machine.

    Raises
    ------
    MemoryError
        If they are.
    """
    there = memory_of_the_machine()
    if 0 < there < needed:
        raise MemoryError(
            f"{what} take at least {needed / 2**30:,.0f} GiB of memory, and this machine has {there / 2**30:.0f}; "
            f"{remedy}."
        )


def between(name: str, value: Any, low: float, high: float) -> None:
    """Require a number in an open interval."""
    if not is_number(value) or not low < value < high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {shown(value)}.")


def is_number(value: Any) -> bool:
    """Tell whether a value is a real number and no bool."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def positive(name: str, value: Any, finite: bool = True) -> None:
    """Require a positive number."""
    if not is_number(value) or not value > 0 or (finite and value == np.inf):
        raise ValueError(f"{name} must be positive{' and finite' if finite else ''}, got {shown(value)}.")


def from_zero(name: str, value: Any) -> None:
    """Require a finite number that is not negative."""
    if not is_number(value) or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a finite number from 0 on, got {shown(value)}.")


def count(name: str, value: Any, least: int, most: int) -> None:
    """Require an int within limits."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} must be an int from {least} to {most}, got {shown(value)}.")


def instance(name: str, value: Any, kinds: type | tuple[type, ...], wanted: str) -> Any:
    """Require an object of some class."""
    if not isinstance(value, kinds):
        raise TypeError(f"{name} must be {wanted}, got {type(value).__name__}.")
    return value


def path_of(name: str, value: Any) -> Path:
    """Require the name of a file."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or not os.fspath(value):
        raise TypeError(f"{name} must be the name of a file, a str or a PathLike, got {shown(value)}.")
    return Path(value)


def function(name: str, value: Any) -> None:
    """Require something that can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, got {shown(value)}.")
