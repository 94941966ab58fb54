"""What the log likelihood of a regression is: compiled for compiled code, NumPy for Python, one primitive in models."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.registry import HANDLERS
from nbinfer.compile import Kernel
from nbinfer.compile.forks import cached_property
from nbinfer.distributions._check import Condition

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


class Regression(Kernel[..., float]):
    """The log likelihood of a regression, a number.

    Parameters
    ----------
    function : callable
        ``function(y, X, beta, …, intercept=0.0, offset=0.0)``, what is compiled.
    terms : callable
        ``terms(y, predictor, …)``: the same for Python, one term for each row.
    outcomes : callable
        ``outcomes(beta, …)`` returns the condition on y.
    run : kernel
        What models run; see `nbinfer.distributions.glm._rule`.
    ndim : int
        Axes of beta.
    numbers_ndim : int
        Axes of the family's own parameters.
    """

    def __init__(
        self,
        function: Callable[..., float],
        terms: Callable[..., Any],
        outcomes: Callable[..., Condition],
        run: Kernel[..., Any],
        ndim: int,
        numbers_ndim: int,
    ) -> None:
        super().__init__(function, {})
        self._terms, self._outcomes, self._run = terms, outcomes, run
        self._ndim, self._numbers_ndim = ndim, numbers_ndim
        HANDLERS[function] = self._build

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.py_func)

    def _bound(self, args: Any, named: Any) -> dict[str, Any]:
        bound = self._signature.bind(*args, **named)
        bound.apply_defaults()
        return bound.arguments

    def _build(self, b: Frontend, *args: Any, **named: Any) -> Any:
        from nbinfer.distributions.glm._rule import apply

        try:
            values = self._bound(args, named)
        except TypeError as reason:
            raise b.error(f"{self!s}: {reason}") from None
        return apply(b, self.py_func.__name__, self._run, self._ndim, self._numbers_ndim, values)

    def __call__(self, *args: Any, **named: Any) -> float:
        values = self._bound(args, named)
        y, X, beta = np.asarray(values.pop("y")), values.pop("X"), np.asarray(values.pop("beta"))
        self._check_shapes(y, X, beta)
        shift = {name: np.asarray(values.pop(name)) for name in ("intercept", "offset") if name in values}
        for name, added in shift.items():
            self._check_shift(name, added, X.shape[:1] + beta.shape[1:])
        for key, value in values.items():
            if np.ndim(value) != self._numbers_ndim:
                raise ValueError(f"{self!s}: {key} must have {self._numbers_ndim} axes, got shape {np.shape(value)}")
        self._check_outcomes(y, self._outcomes(beta, *values.values()))
        with np.errstate(all="ignore"):
            total = np.sum(self._terms(y, X @ beta + sum(shift.values()), *values.values()))
        return float(total) if total == total else -np.inf

    def _check_shapes(self, y: np.ndarray, X: Any, beta: np.ndarray) -> None:
        """Refuse data of another shape, dtype or layout."""
        if not (isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype == np.float64 and X.flags.c_contiguous):
            got = f"{X.dtype} of shape {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
            raise ValueError(
                f"{self!s}: X must be an array of float64 with two axes, one row after the other in memory, got {got}; "
                "use np.ascontiguousarray(X, dtype=np.float64)"
            )
        for key, array, wanted in (("y", y, X.shape[:1]), ("beta", beta, X.shape[1:] + beta.shape[1 : self._ndim])):
            if array.shape != wanted or array.ndim != (self._ndim if key == "beta" else 1):
                along = "row" if key == "y" else "column"
                raise ValueError(
                    f"{self!s}: {key} must have one element for each {along} of X {X.shape}, got shape {array.shape}"
                )

    def _check_outcomes(self, y: np.ndarray, outcomes: Condition) -> None:
        ok = outcomes.test(y)
        if not np.all(ok):
            at = int(np.argmin(ok))
            raise ValueError(f"{self!s}: y must be {outcomes.wanted}, got {y[at]} at index {at}")

    def _check_shift(self, key: str, value: np.ndarray, size: tuple[int, ...]) -> None:
        try:
            fits = np.broadcast_shapes(value.shape, size) == size
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"{self!s}: {key} must be a number or fit to shape {size}, got {value.shape}")

    def __str__(self) -> str:
        return f"glm.{self.py_func.__name__}"

    def __repr__(self) -> str:
        return f"<regression {self!s}>"


def categories(count: int) -> Condition:
    """Return the condition on outcomes that are one of `count` categories."""
    return Condition(f"a whole number from 0 to {count - 1}", lambda y: (y >= 0) & (y < count) & (np.floor(y) == y))


def regression(
    terms: Callable[..., Any],
    outcomes: Callable[..., Condition],
    run: Kernel[..., Any],
    ndim: int = 1,
    numbers_ndim: int = 0,
) -> Callable[[Callable[..., float]], Regression]:
    """Mark the log likelihood of a regression; see `Regression`."""
    return lambda function: Regression(function, terms, outcomes, run, ndim, numbers_ndim)
