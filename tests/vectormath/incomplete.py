"""Incomplete gamma and beta functions by mpmath: logarithms of both tails, and their derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

#: From here on parameters are large, and tails are integrated: not far ones, whose pieces would have to be smaller.
LARGE = 1000.0
#: Distances, in standard deviations, between which an integral is taken piece by piece.
_PIECES = [mpf(s) for s in (0, 1, 2, 3, 4, 6, 8, 10, 13, 17)]


class Family(NamedTuple):
    """A distribution by functions of its parameters and x.

    Attributes
    ----------
    log_density : callable
        The logarithm of the density.
    slopes : callable
        Its derivatives with respect to the parameters.
    lower, upper : callable
        The probabilities below and above x, without cancellation.
    end : mpf
        The end of the support, which begins at 0.
    centre : callable
        Mean and standard deviation, of the parameters alone.
    """

    log_density: Callable[..., Any]
    slopes: Callable[..., Sequence[Any]]
    lower: Callable[..., Any]
    upper: Callable[..., Any]
    end: Any
    centre: Callable[..., tuple[Any, Any]]


loggamma, digamma = functools.cache(mpmath.loggamma), functools.cache(mpmath.digamma)


GAMMA = Family(
    lambda a, x: (a - 1) * mpmath.log(x) - x - loggamma(a),
    lambda a, x: [mpmath.log(x) - digamma(a)],
    lambda a, x: mpmath.gammainc(a, 0, x, regularized=True),
    lambda a, x: mpmath.gammainc(a, x, mpmath.inf, regularized=True),
    mpmath.inf,
    lambda a: (a, mpmath.sqrt(a)),
)
BETA = Family(
    lambda a, b, x: (a - 1) * mpmath.log(x) + (b - 1) * mpmath.log1p(-x) - loggamma(a) - loggamma(b) + loggamma(a + b),
    lambda a, b, x: [
        mpmath.log(x) - digamma(a) + digamma(a + b),
        mpmath.log1p(-x) - digamma(b) + digamma(a + b),
    ],
    lambda a, b, x: mpmath.betainc(a, b, 0, x, regularized=True),
    lambda a, b, x: mpmath.betainc(b, a, 0, 1 - x, regularized=True),
    mpf(1),
    lambda a, b: (a / (a + b), mpmath.sqrt(a * b / (a + b + 1)) / (a + b)),
)


def truth(family: Family, parameters: Sequence[float], x: float) -> tuple[list[Any], list[Any]]:
    """Return the logarithm of P and its derivatives with respect to the parameters and x, and the same of 1 - P."""
    with mpmath.workdps(60):
        p, y = [mpf(v) for v in parameters], mpf(x)
        if min(parameters) >= LARGE:
            value, slopes, is_lower = _integrals(family, p, y)
        else:
            value, slopes, is_lower = _differences(family, p, y)
        density = mpmath.exp(family.log_density(*p, y))
        changes = [*slopes, density if is_lower else -density]
        small = [mpmath.log(value), *(s / value for s in changes)]
        large = [mpmath.log1p(-value), *(-s / (1 - value) for s in changes)]
        return (small, large) if is_lower else (large, small)


def _differences(family: Family, p: list[Any], x: Any) -> tuple[Any, list[Any], bool]:
    """Return the smaller of P and 1 - P, its derivatives by differences, and whether it is P."""
    is_lower = family.lower(*p, x) < 0.5
    tail = family.lower if is_lower else family.upper
    slopes = []
    for k, v in enumerate(p):
        h = v * mpf(10) ** -20
        slopes.append((tail(*p[:k], v + h, *p[k + 1 :], x) - tail(*p[:k], v - h, *p[k + 1 :], x)) / (2 * h))
    return tail(*p, x), slopes, is_lower


def _integrals(family: Family, p: list[Any], x: Any) -> tuple[Any, list[Any], bool]:
    """Return the tail on whose side of the mean x lies, its derivatives by integrals, and whether it is P."""
    with mpmath.workdps(40):
        mean, deviation = family.centre(*p)
        sign = -1 if x < mean else 1
        points = [x + sign * s * deviation for s in _PIECES]
        points = sorted(t for t in points if 0 <= t <= family.end)

        def integral(weight: Callable[[Any], Any]) -> Any:
            return mpmath.quad(lambda t: mpmath.exp(family.log_density(*p, t)) * weight(t), points)

        slopes = [integral(lambda t, k=k: family.slopes(*p, t)[k]) for k in range(len(p))]
        return integral(lambda t: 1), slopes, sign < 0


def assert_tails(module: Any, family: Family, parameters: Sequence[float], x: float, tolerance: float) -> None:
    """Assert that the logarithms of both tails, and their derivatives, are right as plain Python.

    The tolerance is relative, and grows with the logarithm of the smaller tail: that is rounded.
    """
    name = "gamma" if family is GAMMA else "beta"
    letters = ("a", "x") if family is GAMMA else ("a", "b", "x")
    functions = [module.log_tail, *(getattr(module, f"{name}_tail_by_{letter}") for letter in letters)]
    exact = truth(family, parameters, x)
    scale = max(1.0, -min(exact[0][0], exact[1][0]))
    for lower, expected in zip((True, False), exact, strict=True):
        with np.errstate(all="ignore"):
            found = [function.py_func(*parameters, x, lower) for function in functions]
        for what, value, true in zip(("log", *letters), found, expected, strict=True):
            assert abs(value - true) <= tolerance * scale * abs(true) + 1e-307, (lower, what, value, true)
