"""Callbacks: what looks at a fit while it runs, and may end it.

A callback is called as ``callback(approx, losses, i)`` after iteration i, counted from 1. One with an attribute `every`
is called when i is a multiple of it, and only then does the fit come up to Python. One that remembers something may
have two methods, ``state()``, which returns it as numbers, words and arrays, and lists and mappings of them, and
``restore(state)``: fits that go on in another process have it remember that, see `nbinfer.resume`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import MOST, choice, count, function, positive, several
from nbinfer.engine.written import kept
from nbinfer.spelling import public

Floats = NDArray[np.float64]

_SMALLEST = 1e-6  # what a parameter counts as at least, where changes are relative


def _relative(now: Floats, before: Floats) -> Floats:
    found: Floats = (np.abs(now - before) + _SMALLEST) / (np.abs(before) + _SMALLEST)
    return found


def _absolute(now: Floats, before: Floats) -> Floats:
    return np.abs(now - before)


_DIFFERENCES: dict[str, Callable[[Floats, Floats], Floats]] = {"relative": _relative, "absolute": _absolute}


@public
@kept
class CheckParametersConvergence:
    """End a fit when its parameters change little.

    Parameters
    ----------
    every : int
        Iterations from one look to the next.
    tolerance : float
        What the norm of the changes must fall below.
    diff : {'relative', 'absolute'}
        What a change is: relative to the parameter before, or not.
    ord : float or str
        Which norm, as `numpy.linalg.norm` has it; inf: the largest change counts.

    Attributes
    ----------
    converged : bool
        Whether it has ended the last fit.
    """

    def __init__(self, every: int = 100, tolerance: float = 1e-3, diff: str = "relative", ord: Any = np.inf) -> None:
        count("every", every, 1, MOST)
        positive("tolerance", tolerance)
        choice("diff", diff, _DIFFERENCES)
        self.every, self.tolerance, self.diff, self.ord = every, tolerance, diff, ord
        self.before: Floats | None = None
        self.converged = False

    @property
    def made_of(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What it was made of."""
        return (self.every, self.tolerance, self.diff, self.ord), {}

    def state(self) -> dict[str, Any]:
        """Return the parameters at the last look, and whether they had changed little."""
        return {"before": self.before, "converged": self.converged}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` has returned."""
        self.before, self.converged = state["before"], bool(state["converged"])

    def __call__(self, approx: Any, losses: ArrayLike | None, i: int) -> None:
        """Look at the parameters; raise StopIteration if they have changed little."""
        self.converged = False
        now = np.concatenate([np.ravel(shared.get_value()) for shared in approx.params])
        before, self.before = self.before, now
        if before is None or len(before) != len(now) or i < self.every:
            return
        change = float(np.linalg.norm(_DIFFERENCES[self.diff](now, before), self.ord))
        if change < self.tolerance:
            self.converged = True
            raise StopIteration(f"Convergence achieved at {i}")


@public
@kept
class Tracker:
    """Keep what functions give, each time the tracker is called.

    Parameters
    ----------
    every : int
        Iterations from one call to the next.
    **functions : callable
        ``f()`` or ``f(approx, losses, i)``, by the name that its values are kept under.

    Attributes
    ----------
    hist : dict of str to list
        The values.

    Examples
    --------
    >>> tracker = Tracker(twice=lambda approx, losses, i: 2 * i)
    >>> tracker(None, None, 1), tracker(None, None, 2)
    (None, None)
    >>> tracker["twice"]
    [2, 4]
    """

    def __init__(self, every: int = 1, **functions: Callable[..., Any]) -> None:
        count("every", every, 1, MOST)
        for name, f in functions.items():
            function(name, f)
        self.every = every
        self._functions = {name: _with_arguments(f) for name, f in functions.items()}
        self.made_of = (every,), functions
        self.hist: dict[str, list[Any]] = {name: [] for name in functions}

    def __call__(self, approx: Any, losses: ArrayLike | None, i: int) -> None:
        """Call the functions."""
        for name, f in self._functions.items():
            self.hist[name].append(f(approx, losses, i))

    def __getitem__(self, name: str) -> list[Any]:
        return self.hist[name]

    def state(self) -> dict[str, list[Any]]:
        """Return the values, of which files keep numbers, words and arrays."""
        return self.hist

    def restore(self, state: Mapping[str, list[Any]]) -> None:
        """Have these values."""
        self.hist = {name: list(state.get(name, ())) for name in self._functions}

    def clear(self) -> None:
        """Forget all values."""
        for values in self.hist.values():
            values.clear()


def _with_arguments(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of (approx, losses, i), whether `f` takes these or nothing."""
    import inspect

    try:
        inspect.signature(f).bind()
    except TypeError:
        return f
    except ValueError:  # it does not say
        return f
    return lambda approx, losses, i: f()


def listed(callbacks: Any) -> list[Callable[..., Any]]:
    """Return the callbacks of a fit, checked."""
    if callbacks is None:
        return []
    found = [callbacks] if callable(callbacks) else several("callbacks", callbacks, "a sequence of functions")
    for k, callback in enumerate(found):
        function(f"callbacks[{k}]", callback)
        if isinstance(callback, type):
            raise TypeError(f"callbacks[{k}] is the class {callback.__name__}; pass one that is made, with ().")
        count(f"callbacks[{k}].every", getattr(callback, "every", 1), 1, MOST)
    return found
