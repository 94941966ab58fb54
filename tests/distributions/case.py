"""How a family is described for its tests: a reference in many digits, and arguments where it is tried."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import pytest

#: Enough for references that are slow with many digits.
FEW_DIGITS = 60


class Function(NamedTuple):
    """A function of a family.

    Attributes
    ----------
    reference : callable
        The same in mpmath's numbers, written from the textbook.
    points : sequence of tuple
        Arguments where it is finite, extreme ones among them.
    outside : sequence of tuple
        Valid parameters, values without density: -inf, and no derivative is NaN.
    invalid : sequence of tuple
        Where a parameter is invalid: -inf.
    infinite : sequence of tuple
        Where the density is infinite.
    size : callable
        How large the terms are that the value is the sum of: rounding is relative to them.
    whole : tuple of int
        Places of arguments that are whole numbers, which have no derivative.
    digits : int
        With how many the reference is computed; by default enough for 1 - 1e-300, and for a derivative at 0 of what
        lives on a scale of 1e-300.
    rtol, grad_rtol : float
        Tolerance of values, relative to their size, and of derivatives, relative to the larger of them and 1.
    plain_rtol : float
        Tolerance of values in plain Python, if SciPy, which then computes special functions, is not as accurate.
    """

    reference: Callable[..., Any]
    points: Sequence[tuple[Any, ...]]
    outside: Sequence[tuple[Any, ...]] = ()
    invalid: Sequence[tuple[Any, ...]] = ()
    infinite: Sequence[tuple[Any, ...]] = ()
    size: Callable[..., float] = lambda *args: 1.0
    whole: tuple[int, ...] = ()
    digits: int = 700
    rtol: float = 4e-15
    grad_rtol: float = 1e-13
    plain_rtol: float = 0.0

    def near(self, args: tuple[Any, ...], expected: float, plain: bool = False) -> Any:
        """Return what equals a value that is near enough."""
        rtol = max(self.rtol, self.plain_rtol) if plain else self.rtol
        return pytest.approx(expected, rel=rtol, abs=rtol * self.size(*args))


class Family(NamedTuple):
    """A family.

    Attributes
    ----------
    module : module
        Of the family.
    functions : dict
        `Function` by name; the first is the density by the parameters that `check` and `random` take.
    scipy : callable or None
        SciPy's frozen distribution from the parameters; None if SciPy has none.
    draws : tuple
        Parameters to draw from.
    more_draws : sequence of tuple
        Others, where the generator goes other ways.
    """

    module: ModuleType
    functions: dict[str, Function]
    scipy: Callable[..., Any] | None = None
    draws: tuple[Any, ...] = ()
    more_draws: Sequence[tuple[Any, ...]] = ()

    @property
    def discrete(self) -> bool:
        """Whether values are whole numbers."""
        return "logpmf" in self.functions
