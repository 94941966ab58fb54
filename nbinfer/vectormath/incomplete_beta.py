r"""The regularised incomplete beta function I(a, b, x), its complement 1 - I(a, b, x), and their logarithms.

The continued fraction (DLMF 8.17.22) gives the logarithm of the one of the two in whose tail x lies; the other follows
from it. Derivatives with respect to a and b are those of each step. The number of steps grows with the square root of
the larger of a and b where x is near a / (a + b): up to 1e8 they suffice, beyond the result may be NaN.

Errors of the logarithms and of their derivatives are a few 1e-15, relative to the largest of 1, the result, and
the logarithm of the density; a logarithm near 0 is as good as the other's value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.vectormath.beta import digamma_difference, lbeta
from nbinfer.vectormath.exponential import exp, expm1
from nbinfer.vectormath.gamma import HALF_LOG_2PI, stirling_error
from nbinfer.vectormath.incomplete_gamma import log_less, outlined
from nbinfer.vectormath.logarithm import log, log1p
from nbinfer.vectormath.logistic import log1mexp

_exp = exp.numbers
_expm1 = expm1.numbers
_log = log.numbers
_log1mexp = log1mexp.numbers
_log1p = log1p.numbers
_lbeta = lbeta.numbers

_EPSILON = 2.0**-53
#: Steps of the fraction, each two of its terms.
_MOST_STEPS = 100_000


@fragment
def _log_front(a: float, b: float, x: float) -> Any:
    """Return log(x**a * (1 - x)**b / beta(a, b))."""
    y = 1.0 - x
    if not (a >= 8.0 and b >= 8.0):
        return a * _log(x) + b * _log1p(-x) - _lbeta(a, b)
    # By the distance from the mode, where large terms would cancel.
    total = a + b
    apart = x * b - y * a
    errors = stirling_error(total) - stirling_error(a) - stirling_error(b)
    value = a * log_less(x * (total / a), apart / a) + b * log_less(y * (total / b), -apart / b)
    return value + (0.5 * _log(a * (b / total)) - HALF_LOG_2PI + errors)


@fragment
def _step(numerator: Any, state: Any) -> Any:
    """Take a step of Lentz's algorithm, by which the fraction grows c * d times; also derivatives by two numbers."""
    n, n_a, n_b = numerator
    c, c_a, c_b, d, d_a, d_b, by_a, by_b = state
    c_a = (n_a - n * (c_a / c)) / c
    c_b = (n_b - n * (c_b / c)) / c
    c = 1.0 + n / c
    d_a = n_a * d + n * d_a
    d_b = n_b * d + n * d_b
    d = 1.0 / (1.0 + n * d)
    d_a *= -d * d
    d_b *= -d * d
    return c, c_a, c_b, d, d_a, d_b, by_a + (c_a / c + d_a / d), by_b + (c_b / c + d_b / d)


@fragment
def _fraction(a: float, b: float, x: float, sloping: bool) -> tuple[Any, Any, Any]:
    """Return 1 / (1 + d_1 / (1 + d_2 / …)) and, if asked, the derivatives of its logarithm with respect to a and b."""
    value = 1.0
    state = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    for m in range(_MOST_STEPS):
        at, total = a + 2.0 * m, a + b + m
        n = -(a + m) * total * x / (at * (at + 1.0))
        n_b = -(a + m) * x / (at * (at + 1.0))
        n_a = n * (1.0 / (a + m) - 1.0 / at - 1.0 / (at + 1.0)) + n_b
        first = _step((n, n_a, n_b), state)
        value *= first[0] * first[3]
        k = m + 1.0
        n_b = k * x / ((at + 1.0) * (at + 2.0))
        n = (b - k) * n_b
        n_a = -n * (1.0 / (at + 1.0) + 1.0 / (at + 2.0))
        second = _step((n, n_a, n_b), first)
        growth = second[0] * second[3]
        value *= growth
        change_a, change_b = second[6] - state[6], second[7] - state[7]
        state = second
        is_close = abs(growth - 1.0) <= 2.0 * _EPSILON
        if sloping:
            is_close &= abs(change_a) <= 4.0 * _EPSILON * abs(state[6])
            is_close &= abs(change_b) <= 4.0 * _EPSILON * abs(state[7])
        if is_close or growth != growth:
            return 1.0 / value, -state[6], -state[7]
    return math.nan, math.nan, math.nan


@fragment
def _parts(a: float, b: float, x: float, sloping: bool) -> tuple[Any, Any, Any, Any]:
    """Return the logarithm of I or of 1 - I, if asked its derivatives by a and b, and whether it is that of I."""
    if not (a > 0.0 and a < math.inf and b > 0.0 and b < math.inf and x >= 0.0 and x <= 1.0):
        return math.nan, math.nan, math.nan, True
    if x == 0.0 or x == 1.0:
        return -math.inf, 0.0, 0.0, x == 0.0
    front = _log_front(a, b, x)
    front_a = _log(x) - digamma_difference(a, b) if sloping else 0.0
    front_b = _log1p(-x) - digamma_difference(b, a) if sloping else 0.0
    if x < (a + 1.0) / (a + b + 2.0):
        value, by_a, by_b = _fraction(a, b, x, sloping)
        return front + _log(value / a), front_a - 1.0 / a + by_a, front_b + by_b, True
    value, by_b, by_a = _fraction(b, a, 1.0 - x, sloping)
    return front + _log(value / b), front_a + by_a, front_b - 1.0 / b + by_b, False


@outlined
def _value(a: float, b: float, x: float) -> tuple[Any, Any]:
    value, _, _, is_lower = _parts(a, b, x, False)
    return min(value, 0.0), is_lower


@outlined
def _value_and_slopes(a: float, b: float, x: float) -> tuple[Any, Any, Any, Any]:
    value, by_a, by_b, is_lower = _parts(a, b, x, True)
    return min(value, 0.0), by_a, by_b, is_lower


@fragment
def _log_tail(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the logarithm of I or of 1 - I."""
    value, is_lower = _value(np.float64(a), np.float64(b), np.float64(x))
    return value if is_lower == lower else _log1mexp(value)


@fragment
def beta_tail_by_a(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the derivative of `_log_tail` with respect to a."""
    value, slope, _, is_lower = _value_and_slopes(np.float64(a), np.float64(b), np.float64(x))
    return slope if is_lower == lower else -slope / _expm1(-value)


@fragment
def beta_tail_by_b(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the derivative of `_log_tail` with respect to b."""
    value, _, slope, is_lower = _value_and_slopes(np.float64(a), np.float64(b), np.float64(x))
    return slope if is_lower == lower else -slope / _expm1(-value)


@fragment
def beta_density(a: float, b: float, x: float) -> Any:
    """Return the derivative of I(a, b, x) with respect to x; 0 at the ends."""
    a, b, x = np.float64(a), np.float64(b), np.float64(x)
    return _exp(_log_front(a, b, x)) / (x * (1.0 - x)) if x > 0.0 and x < 1.0 else 0.0


@fragment
def beta_tail_by_x(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the derivative of `_log_tail` with respect to x; 0 at the ends."""
    a, b, x = np.float64(a), np.float64(b), np.float64(x)
    if not (x > 0.0 and x < 1.0):
        return 0.0
    hazard = _exp(_log_front(a, b, x) - _log_tail(a, b, x, lower)) / (x * (1.0 - x))
    return hazard if lower else -hazard


@elementwise("betainc", contract=True)
def betainc(a: float, b: float, x: float) -> Any:
    """Return I(a, b, x), the regularised incomplete beta function, element by element."""
    return _exp(_log_tail(a, b, x, True))


@elementwise("betaincc", contract=True)
def betaincc(a: float, b: float, x: float) -> Any:
    """Return 1 - I(a, b, x) without cancellation, element by element."""
    return _exp(_log_tail(a, b, x, False))


def _log_betainc(a: Any, b: Any, x: Any) -> Any:
    return np.vectorize(log_betainc.py_func, otypes=[float])(a, b, x)[()]


@elementwise(_log_betainc, contract=True)
def log_betainc(a: float, b: float, x: float) -> Any:
    """Return the logarithm of `betainc`, element by element, however small that is."""
    return _log_tail(a, b, x, True)


def _log_betaincc(a: Any, b: Any, x: Any) -> Any:
    return np.vectorize(log_betaincc.py_func, otypes=[float])(a, b, x)[()]


@elementwise(_log_betaincc, contract=True)
def log_betaincc(a: float, b: float, x: float) -> Any:
    """Return the logarithm of `betaincc`, element by element, however small that is."""
    return _log_tail(a, b, x, False)
