r"""The mechanism of distributions: how their functions are marked, and what the marks add.

A family is a module. It has

``logpdf(x, …)`` or ``logpmf(k, …)``, marked `density`
    An elementwise expression of arithmetic and of functions of `nbinfer.vectormath`, which loops vectorise and CUDA
    knows, written once. The mark adds the rest: Python runs it on arrays, where shapes that do not broadcast are
    refused; compiled code runs it on numbers, in loops over broadcast arrays; models read its source and derive it. It
    is ``-inf`` outside the support, where a parameter is invalid and where anything is NaN, and never raises for
    values. Two functions see to that::

        inside = (x > 0.0) & (x < np.inf)
        x = select(inside, x, 1.0)  # a point within: no derivative below divides by 0 outside the support
        return where_valid(inside & (sigma > 0.0), -log(x) - log(sigma) - …)

    `select` guards arguments where the formula or its derivative would be singular outside the support (nothing is
    needed for ``-rate * x``); `where_valid` guards the result, also against NaN. Neither jumps, so loops vectorise.
    What depends on scalar parameters alone is computed once: keep it together, as in ``(log(sigma) + CONSTANT)``.
    Terms of the data alone, such as log k!, are computed with each gradient; vectorised, they cost a few ns an element.
``logcdf(x, …)`` and ``logsf(x, …)``, marked `density` too
    Logarithms of the probabilities of values up to x and beyond x, where there is a closed form.
``check = Check("family", mu=REAL, sigma=POSITIVE)``
    See `nbinfer.distributions._check`.
``random(rng, …, size=None)``, marked ``generator(check)``
    The draw of one number from numbers. The mark adds arrays, `size` and the check of the parameters, in Python and in
    compiled code, where the same Generator gives the same numbers: elements are drawn one after the other in C order.
    Use `math` and methods of the Generator, and nothing that raises in Python where compiled code gives infinity. A
    draw that overflows or underflows is rounded into `within`, by default to a finite number: it has a density. Where
    the body does for arrays what the loop would do, as in ``rng.normal(mu, sigma, size)``, ``arrays=True`` has Python
    call it once, with the whole shape for size. Draws of discrete families are int64: ``discrete=True``.
``support(…)``
    The ends of the support.

A parameter whose last axes belong together, such as the probabilities of categories, is told by the `core` of its
condition and by ``density(cores=…)``. The body then takes arrays, too: of that many axes where compiled code calls it.
A draw that is itself an array has its shape told by ``generator(check, element=…)``; see `_multivariate` for the rest.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from nbinfer.compile import Elementwise, Kernel
from nbinfer.compile.forks import cached_property
from nbinfer.distributions._check import Check, as_numbers, broadcast_shape, check_rng

_LARGEST = float(np.finfo(np.float64).max)
_SMALLEST = 2.3e-308

#: Where draws are rounded to.
FINITE = (-_LARGEST, _LARGEST)
ABOVE_0 = (_SMALLEST, _LARGEST)
BETWEEN_0_AND_1 = (_SMALLEST, 1.0 - 2.0**-53)


class Density(Elementwise):
    """A log density. Its formula is elementwise and silent: numbers that make no sense come out as -inf."""

    def __init__(self, function: Callable[..., Any], cores: Sequence[int] = ()) -> None:
        super().__init__(function, function, cores=cores)

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.py_func)

    def __call__(self, *args: Any, **named: Any) -> Any:
        # NumPy's numbers, unlike Python's, do not raise when divided by zero.
        bound = self._signature.bind(*args, **named).arguments
        numbers = [as_numbers(_name(self), name, value) for name, value in bound.items()]
        broadcast_shape(_name(self), self.names, numbers, self.cores)
        with np.errstate(all="ignore"):
            return self.py_func(*numbers)

    def __repr__(self) -> str:
        return f"<density {_name(self)}>"


class Generator(Kernel[..., Any]):
    """A random generator: of one number in its source, of arrays by its mark.

    Attributes
    ----------
    check : Check
        Of the parameters.
    dtype : str
        Of the draws.
    element : str
        Shape of one draw that is no number, written with the parameters' names.
    within : tuple of float or None
        The smallest and the largest draw; None if draws are not rounded.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        check: Check,
        arrays: bool,
        discrete: bool,
        element: str = "",
        within: tuple[float, float] = FINITE,
    ) -> None:
        super().__init__(function, {})
        self.check = check
        self.dtype = "int64" if discrete else "float64"
        self.element = element
        self.within = None if discrete or element else within
        self._arrays = arrays

    @cached_property
    def _signature(self) -> inspect.Signature:
        return inspect.signature(self.py_func)

    @cached_property
    def _numba_type_(self) -> Any:
        from nbinfer.compile.generator_lowered import generator

        return generator(self)

    def __call__(self, rng: np.random.Generator, *args: Any, **named: Any) -> Any:
        bound = self._signature.bind(rng, *args, **named).arguments
        check_rng(_name(self), rng)
        size = bound.pop("size", None)
        parameters = [as_numbers(_name(self), name, x) for name, x in bound.items() if name in self.check.names]
        self.check(*parameters)
        shape = broadcast_shape(_name(self), self.check.names, parameters, self.check.cores, size)
        alone = shape == () and size is None
        if self._arrays:
            with np.errstate(all="ignore"):
                return self._rounded(self.py_func(rng, *parameters, None if alone else shape))
        if alone:
            return self._rounded(self.py_func(rng, *(_plain(p) for p in parameters)))
        draws = np.empty(shape + self._element(parameters), self.dtype)
        spread = [
            np.broadcast_to(p, shape + np.shape(p)[np.ndim(p) - core :])
            for p, core in zip(parameters, self.check.cores, strict=True)
        ]
        for index in np.ndindex(shape):
            draws[index] = self.py_func(rng, *(_plain(p[index]) for p in spread))
        return self._rounded(draws)

    def _rounded(self, draws: Any) -> Any:
        return _plain(draws if self.within is None else np.clip(draws, *self.within))

    def _element(self, parameters: Sequence[Any]) -> tuple[int, ...]:
        shape: tuple[int, ...] = eval(f"({self.element})", {}, dict(zip(self.check.names, parameters, strict=True)))
        return shape

    def __repr__(self) -> str:
        return f"<generator {_name(self)}>"


def _plain(number: Any) -> Any:
    return number.item() if isinstance(number, np.generic) else number


def _name(function: Kernel[..., Any]) -> str:
    return f"{function.py_func.__module__.rpartition('.')[2]}.{function.py_func.__name__}"


@overload
def density(function: Callable[..., Any], *, cores: Sequence[int] = ()) -> Density: ...


@overload
def density(*, cores: Sequence[int]) -> Callable[[Callable[..., Any]], Density]: ...


def density(function: Callable[..., Any] | None = None, *, cores: Sequence[int] = ()) -> Any:
    """Mark a log density, or another function of its kind.

    Parameters
    ----------
    function : callable
        An elementwise expression.
    cores : sequence of int, optional
        How many axes of each argument, the last ones, belong to an element. Default: none.
    """
    return functools.partial(density, cores=cores) if function is None else Density(function, cores)


def generator(
    check: Check,
    *,
    arrays: bool = False,
    discrete: bool = False,
    element: str = "",
    within: tuple[float, float] = FINITE,
) -> Callable[[Callable[..., Any]], Generator]:
    """Mark a function that draws one number: its arguments are a NumPy Generator, the parameters, and `size`.

    Parameters
    ----------
    check : Check
        Of the parameters.
    arrays : bool
        Whether the body itself takes arrays and a shape, and draws in the order of a loop. Its `size` is None for one
        number, and always if this is false.
    discrete : bool
        Whether it draws integers.
    element : str
        If it draws an array instead of a number, the shape of that, as in ``"p.shape[-1],"``: names are those of
        parameters. Such axes come last.
    within : tuple of float
        The smallest and the largest draw of a continuous family; what is rounded past them becomes them.
    """
    return lambda function: Generator(function, check, arrays, discrete, element, within)
