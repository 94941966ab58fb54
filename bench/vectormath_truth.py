"""What functions of `nbinfer.vectormath` are by mpmath, and where they are tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath
import numpy as np

from nbinfer import vectormath
from nbinfer.vectormath import Elementwise

#: Bits that mpmath works with: 1 + exp(x) must keep something of the second where that counts.
PRECISION = 140
_TINY, _HUGE = 5e-324, 1.79e308


class Range(NamedTuple):
    """Random arguments ``around + sign * x``: x uniform, or uniform in the logarithm; sign 0 for either."""

    low: float
    high: float
    log: bool = False
    around: float = 0.0
    sign: int = 1

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return random points."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        x = rng.uniform(low, high, count)
        sign = rng.choice([-1.0, 1.0], count) if self.sign == 0 else self.sign
        return self.around + sign * (np.exp(x) if self.log else x)


class Case(NamedTuple):
    """A function.

    Attributes
    ----------
    truth : callable or None
        Of numbers of mpmath; None if nobody has said what it is.
    ranges : sequence of Range
        Where it is tried; every argument has the same ones.
    usual : (float, float)
        Where time is measured.
    domain : (float, float)
        Ends of an open interval, inside which the neighbours of powers of two and the like are tried too.
    bound : float
        Largest error allowed, in ulp.
    counts_arguments : bool
        Whether an ulp is that of the result or of the largest argument, whichever is larger: results near 0 cancel.
    least : float
        An ulp of a smaller result is an ulp of this.
    """

    truth: Callable[..., Any] | None
    ranges: Sequence[Range] = (Range(0.1, 10.0),)
    usual: tuple[float, float] = (0.1, 10.0)
    domain: tuple[float, float] = (-math.inf, math.inf)
    bound: float = 2.0
    counts_arguments: bool = False
    least: float = 0.0


#: What is made of several functions adds up their errors.
_COMPOSED = 2.5


def _log1mexp(x: Any) -> Any:
    return mpmath.log(-mpmath.expm1(x)) if x > -1 else mpmath.log1p(-mpmath.exp(x))


_SMALL = Range(_TINY, 1.0, log=True, sign=0)
_NEAR = (Range(-40.0, 40.0), Range(-1.5, 1.5), _SMALL)
_EXPONENTS = (Range(-745.2, 709.9), *_NEAR)
_MIDDLE = (-5.0, 5.0)
_POSITIVE = (
    Range(_TINY, _HUGE, log=True),
    Range(0.0, 10.0),
    Range(0.5, 2.0),
    Range(1e-16, 0.4, log=True, around=1.0, sign=0),
)
_ABOVE_MINUS_ONE = (
    Range(_TINY, _HUGE, log=True),
    Range(-1.0, 2.0),
    _SMALL,
    Range(1e-16, 1.0, log=True, around=-1.0),
)
_PROBABILITIES = (
    Range(_TINY, 1.0, log=True),
    Range(0.0, 1.0),
    Range(1e-16, 0.5, log=True, around=0.5, sign=0),
)
_NEGATIVE = (Range(-745.0, 0.0), Range(-40.0, 0.0), Range(-2.0, 0.0), Range(_TINY, 1.0, log=True, sign=-1))
_ABOVE_ZERO = (0.0, math.inf)

CASES: dict[str, Case] = {
    "exp": Case(mpmath.exp, _EXPONENTS, _MIDDLE),
    "exp2": Case(lambda x: mpmath.mpf(2) ** x, (Range(-1075.0, 1024.1), *_NEAR), _MIDDLE),
    "expm1": Case(mpmath.expm1, _EXPONENTS, _MIDDLE),
    "sinh": Case(mpmath.sinh, (Range(-711.0, 711.0), *_NEAR), _MIDDLE, bound=_COMPOSED),
    "cosh": Case(mpmath.cosh, (Range(-711.0, 711.0), *_NEAR), _MIDDLE),
    "tanh": Case(mpmath.tanh, _NEAR, _MIDDLE, bound=_COMPOSED),
    "log": Case(mpmath.log, _POSITIVE, domain=_ABOVE_ZERO),
    "log2": Case(lambda x: mpmath.log(x) / mpmath.ln2, _POSITIVE, domain=_ABOVE_ZERO),
    "log10": Case(lambda x: mpmath.log(x) / mpmath.ln10, _POSITIVE, domain=_ABOVE_ZERO),
    "log1p": Case(mpmath.log1p, _ABOVE_MINUS_ONE, domain=(-1.0, math.inf)),
    "expit": Case(lambda x: 1 / (1 + mpmath.exp(-x)), _EXPONENTS, _MIDDLE, bound=_COMPOSED),
    "log_expit": Case(lambda x: -mpmath.log1p(mpmath.exp(-x)), _EXPONENTS, _MIDDLE),
    "log1pexp": Case(lambda x: mpmath.log1p(mpmath.exp(x)), _EXPONENTS, _MIDDLE),
    "logit": Case(lambda p: mpmath.log(p / (1 - p)), _PROBABILITIES, (0.01, 0.99), (0.0, 1.0), _COMPOSED),
    "log1mexp": Case(_log1mexp, _NEGATIVE, (-5.0, -0.01), (-math.inf, 0.0), 1.5),
    "logaddexp": Case(
        lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
        (Range(-3.0, 3.0), Range(-50.0, 50.0), Range(-1e4, 1e4)),
        _MIDDLE,
        bound=_COMPOSED,
        counts_arguments=True,
    ),
}


def functions() -> dict[str, Elementwise]:
    """Return every function of numbers in `vectormath` by name."""
    found = [f for f in vars(vectormath).values() if isinstance(f, Elementwise) and not any(f.cores)]
    return {f.py_func.__name__: f for f in found}


def case_of(name: str) -> Case:
    """Return the case of a function; one that is not entered is measured between 0.1 and 10 and has no truth."""
    from bench.vectormath_special import SPECIAL  # it builds on this module

    return CASES.get(name) or SPECIAL.get(name) or Case(None)


def arity(function: Elementwise) -> int:
    """Return the number of arguments."""
    return function.py_func.__code__.co_argcount


def points(name: str, function: Elementwise, count: int, seed: int = 1) -> np.ndarray:
    """Return `count` random points and some of `edges`, one in a row."""
    rng = np.random.default_rng(seed)
    case, n = case_of(name), arity(function)
    share = -(-count // len(case.ranges))
    x = np.concatenate([[r.draw(rng, share) for _ in range(n)] for r in case.ranges], axis=1).T
    if n > 1:
        return x
    some = edges(*case.domain)
    return np.concatenate([x, rng.choice(some, min(some.size, count // 4), replace=False)[:, None]])


def edges(low: float, high: float) -> np.ndarray:
    """Return numbers in an open interval where something changes: powers of two, halves of log(2), their neighbours."""
    powers = np.ldexp(1.0, np.arange(-1074, 1024))
    x = np.concatenate([powers, np.arange(2200) * (0.5 * math.log(2.0)), powers[950:1150] * math.sqrt(2.0)])
    x = np.concatenate([x, np.nextafter(x, 0.0), np.nextafter(x, np.inf)])
    x = np.concatenate([x, -x])
    return np.unique(x[(x > low) & (x < high)])


def errors(name: str, x: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return the errors of results at points, in ulp; infinite where one is finite and the other is not.

    Parameters
    ----------
    name : str
        The function.
    x : ndarray, shape (points, arguments)
        Where.
    found : ndarray, shape (points,)
        The results.
    """
    case = case_of(name)
    assert case.truth is not None
    high, low = np.empty(found.size), np.zeros(found.size)
    with mpmath.workprec(PRECISION):
        for i, row in enumerate(x.tolist()):
            exact = case.truth(*map(mpmath.mpf, row))
            high[i] = float(exact)
            if math.isfinite(high[i]):
                low[i] = float(exact - high[i])
    size = np.maximum(abs(high), abs(x).max(axis=1)) if case.counts_arguments else np.maximum(abs(high), case.least)
    with np.errstate(invalid="ignore"):
        wrong = np.where(found == high, 0.0, np.inf)
        ulp = np.spacing(np.minimum(size, _HUGE))
        return np.where(np.isfinite(high) & np.isfinite(found), abs((found - high) - low) / ulp, wrong)
