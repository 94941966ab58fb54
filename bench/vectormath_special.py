"""What special functions of `nbinfer.vectormath` are by mpmath, and where they are tried."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import scipy.special

from bench.vectormath_truth import Case, Range

_TINY, _HUGE = 5e-324, 1.79e308
_ABOVE_ZERO = (0.0, math.inf)
_SMALL = Range(_TINY, 1.0, log=True, sign=0)
_NORMAL = (Range(-6.0, 6.0), Range(-38.6, 9.0), Range(-1.0, 1.0), _SMALL)
_PROBABILITIES = (
    Range(_TINY, 1.0, log=True),
    Range(0.0, 1.0),
    Range(1e-16, 0.5, log=True, around=0.5, sign=0),
    Range(1e-16, 0.5, log=True, around=1.0, sign=-1),
)


def _positive(*zeros: float) -> tuple[Range, ...]:
    """Return ranges of positive numbers, those around zeros and around the switch at 8 among them."""
    near = [Range(1e-16, 0.2, log=True, around=zero, sign=0) for zero in (*zeros, 8.0)]
    return Range(_TINY, _HUGE, log=True), Range(0.0, 12.0), Range(0.5, 3.0), *near


def _erfc(x: Any) -> Any:
    return mpmath.erfc(max(min(x, 1e4), -1e4))  # beyond it mpmath fails


def _ndtr(x: Any) -> Any:
    return _erfc(-x / mpmath.sqrt(2)) / 2


def _log_ndtr(x: Any) -> Any:
    if x < -1e3:
        return -x * x / 2 - mpmath.log(-x * mpmath.sqrt(2 * mpmath.pi)) - mpmath.log1p(1 / (x * x))
    return mpmath.log(_ndtr(x)) if x < 0 else mpmath.log1p(-_ndtr(-x))


def _ndtri(p: Any) -> Any:
    """Solve for the quantile, from SciPy's."""
    x, tail = abs(mpmath.mpf(scipy.special.ndtri(float(p)))), min(p, 1 - p)
    for _ in range(4):
        found = _ndtr(-x)
        x += mpmath.log(found / tail) * found / mpmath.npdf(x)
    return x if p > 0.5 else -x


def _log_i0e(x: Any) -> Any:
    return mpmath.log(mpmath.besseli(0, x)) - abs(x)


def _lbeta(a: Any, b: Any) -> Any:
    with mpmath.extraprec(100):
        return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def _log_binomial(n: Any, k: Any) -> Any:
    return -mpmath.log1p(n) - _lbeta(n - k + 1, k + 1) if 0 <= k <= n else -mpmath.inf


_BESSEL = (Range(-20.0, 20.0), Range(1e-30, 1e5, log=True), Range(1e-6, 1.0, log=True, around=8.0, sign=0))
_SHAPES = (Range(1e-5, 1e6, log=True), Range(0.0, 16.0), Range(0.0, 1e5), Range(1e-12, 1.0, log=True))
#: Where the incomplete functions are timed; tests/vectormath say what they are.
_MIDDLE = Case(None, usual=(0.1, 0.9))

SPECIAL: dict[str, Case] = {
    "erf": Case(mpmath.erf, _NORMAL, (-3.0, 3.0)),
    "erfc": Case(_erfc, (Range(-6.0, 27.3), Range(-1.0, 3.0), _SMALL), (-3.0, 3.0)),
    "ndtr": Case(_ndtr, _NORMAL, (-3.0, 3.0)),
    "log_ndtr": Case(_log_ndtr, (*_NORMAL, Range(1.0, 1e150, log=True, sign=-1)), (-3.0, 3.0)),
    "ndtri": Case(_ndtri, _PROBABILITIES, (0.01, 0.99), (0.0, 1.0)),
    "lgamma": Case(mpmath.loggamma, _positive(1.0, 2.0), (0.1, 20.0), _ABOVE_ZERO, bound=2.5),
    "lgamma_positive": Case(mpmath.loggamma, _positive(1.0, 2.0), (0.1, 20.0), _ABOVE_ZERO, bound=2.5),
    "digamma": Case(mpmath.digamma, _positive(1.4616321449683623), (0.1, 20.0), _ABOVE_ZERO),
    "digamma_positive": Case(mpmath.digamma, _positive(1.4616321449683623), (0.1, 20.0), _ABOVE_ZERO),
    "trigamma": Case(lambda x: mpmath.psi(1, x), _positive(), (0.1, 20.0), _ABOVE_ZERO),
    "log_i0e": Case(_log_i0e, _BESSEL, (0.1, 20.0), (-1e5, 1e5)),
    "i1_over_i0": Case(lambda x: mpmath.besseli(1, x) / mpmath.besseli(0, x), _BESSEL, (0.1, 20.0), (-1e5, 1e5)),
    "lbeta": Case(_lbeta, _SHAPES, (0.1, 20.0), least=1.0),
    "log_binomial": Case(_log_binomial, _SHAPES, (0.1, 20.0), least=8.0),
    "xlogy": Case(lambda x, y: x * mpmath.log(y), (Range(1e-300, 1e150, log=True), Range(0.0, 3.0)), bound=2.0),
    "xlog1py": Case(lambda x, y: x * mpmath.log1p(y), (Range(1e-150, 1e150, log=True), Range(-1.0, 3.0)), bound=2.0),
    **dict.fromkeys(("gammainc", "gammaincc", "log_gammainc", "log_gammaincc"), _MIDDLE),
    **dict.fromkeys(("betainc", "betaincc", "log_betainc", "log_betaincc"), _MIDDLE),
}
