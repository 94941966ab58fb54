r"""The regularised incomplete beta function I(a, b, x), its complement 1 - I(a, b, x), and their logarithms.

A continued fraction gives the logarithm of the one of the two in whose tail x lies; the other follows from it.
Derivatives with respect to a and b are those of each step. The number of steps grows with the square root of the larger
of a and b where x is near a / (a + b): there, if both are large, it is Temme's uniform expansion (DLMF 8.18.9) instead,
whose first terms leave an error of 1e-14, of derivatives 1e-9, and less the larger they are.

Errors of the logarithms and of their derivatives are otherwise a few 1e-15, relative to the largest of 1, the result,
and the logarithm of the density; a logarithm near 0 is as good as the other's value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.vectormath.beta import digamma_difference, lbeta_part
from nbinfer.vectormath.error import scaled_erfc
from nbinfer.vectormath.exponential import exp, expm1
from nbinfer.vectormath.gamma import HALF_LOG_2PI, stirling_error
from nbinfer.vectormath.incomplete_gamma import log_by_scipy, log_less, outlined
from nbinfer.vectormath.logarithm import log, log1p
from nbinfer.vectormath.logistic import log1mexp

_exp = exp.numbers
_expm1 = expm1.numbers
_log = log.numbers
_log1mexp = log1mexp.numbers
_log1p = log1p.numbers

_EPSILON = 2.0**-53
#: Steps of the fraction.
_MOST_STEPS = 100_000
#: From here on both are large.
_UNIFORM = 1e9
#: Squared standard deviations, halved, that are near.
_NEAR = 50.0
_ROOT_2PI = 2.5066282746310002


@fragment
def _log_front(a: float, b: float, x: float) -> Any:
    """Return log(x**a * (1 - x)**b / beta(a, b))."""
    y = 1.0 - x
    if not (a >= 8.0 and b >= 8.0):
        return a * _log(x) + b * _log1p(-x) - lbeta_part(a, b)
    # By the distance from the mode, where large terms would cancel.
    total = a + b
    apart = x * b - y * a
    errors = stirling_error(total) - stirling_error(a) - stirling_error(b)
    value = a * log_less(x * (total / a), apart / a) + b * log_less(y * (total / b), -apart / b)
    return value + (0.5 * _log(a * (b / total)) - HALF_LOG_2PI + errors)


@fragment
def _step(numerator: Any, denominator: Any, state: Any) -> Any:
    """Take a step of Lentz's algorithm, by which the fraction grows c * d times; also derivatives by two numbers."""
    n, n_a, n_b = numerator
    b, b_a, b_b = denominator
    c, c_a, c_b, d, d_a, d_b = state
    c_a = b_a + (n_a - n * (c_a / c)) / c
    c_b = b_b + (n_b - n * (c_b / c)) / c
    c = b + n / c
    d_a = b_a + (n_a * d + n * d_a)
    d_b = b_b + (n_b * d + n * d_b)
    d = 1.0 / (b + n * d)
    return c, c_a, c_b, d, -d_a * d * d, -d_b * d * d


@fragment
def _fraction(a: float, b: float, x: float, y: float, sloping: bool) -> tuple[Any, Any, Any]:
    """Return the fraction for x = 1 - y up to a / (a + b) and, if asked, its logarithm's derivatives by a and b.

    It is the even part of DLMF 8.17.22, of which all terms are positive up to n = b and which sees x and y only by
    products, so that little is lost where one is small (Didonato and Morris, ACM TOMS 18, 1992).
    """
    ahead = a * y - b * x + 1.0
    g = a / (a + 1.0)
    first, by_a, by_b = g * ahead, ahead / ((a + 1.0) * (a + 1.0)) + g * y, -g * x
    d = 1.0 / first
    state = (math.inf, 0.0, 0.0, d, -by_a * d * d, -by_b * d * d)
    value, slope_a, slope_b = d, -by_a * d, -by_b * d
    for k in range(1, _MOST_STEPS):
        n = float(k)
        before, after, total = a + (2.0 * n - 1.0), a + (2.0 * n + 1.0), a + b + (n - 1.0)
        ratio = x / before
        per_b = (a + (n - 1.0)) * total * n * ratio * ratio
        p = per_b * (b - n)
        p_a = p * (1.0 / (a + (n - 1.0)) + 1.0 / total - 2.0 / before)
        g = (a + n) / after
        h = ahead + n * (1.0 + y)
        q = n + n * (b - n) * ratio + g * h
        q_a = (n + 1.0) * h / (after * after) + g * y - n * (b - n) * ratio / before
        state = _step((p, p_a, p / total + per_b), (q, q_a, n * ratio - g * x), state)
        c, c_a, c_b, d, d_a, d_b = state
        growth, change_a, change_b = c * d, c_a / c + d_a / d, c_b / c + d_b / d
        value *= growth
        slope_a += change_a
        slope_b += change_b
        is_close = not abs(growth - 1.0) > 2.0 * _EPSILON
        if sloping:
            is_close &= not abs(change_a) > 4.0 * _EPSILON * abs(slope_a)
            is_close &= not abs(change_b) > 4.0 * _EPSILON * abs(slope_b)
        if is_close:
            return value, slope_a, slope_b
    return math.nan, math.nan, math.nan


@fragment
def _deviance(a: float, b: float, x: float) -> Any:
    """Return half the squared distance of x from a / (a + b), about in standard deviations, and its sign."""
    y, total = 1.0 - x, a + b
    apart = x * b - y * a
    value = a * log_less(x * (total / a), apart / a) + b * log_less(y * (total / b), -apart / b)
    return -value, apart


@fragment
def _uniform(a: float, b: float, x: float) -> tuple[Any, Any, Any, Any]:
    """Return `_parts` for large a and b: a normal probability with a term for its skewness."""
    deviance, apart = _deviance(a, b, x)
    total = a + b
    z = math.copysign(math.sqrt(2.0 * max(deviance, 0.0)), apart)
    root = math.sqrt(total)
    spread = math.sqrt((a / total) * (b / total))
    is_middle = abs(z) < 1e-3
    skew = (b - a) / (3.0 * total * spread * root) if is_middle else 1.0 / z - spread * root / apart
    # Both tails have it, with opposite signs.
    bracket = 0.5 * scaled_erfc(math.sqrt(0.5) * abs(z)) + (-skew if z > 0.0 else skew) / _ROOT_2PI
    by_a = -math.sqrt(b / a) / root if is_middle else -_log1p(apart / a) / z
    by_b = math.sqrt(a / b) / root if is_middle else -_log1p(-apart / b) / z
    hazard = (-1.0 if z > 0.0 else 1.0) * (1.0 - z * skew) / (_ROOT_2PI * bracket)
    return _log(bracket) - deviance, hazard * by_a, hazard * by_b, z <= 0.0


@fragment
def _parts(a: float, b: float, x: float, sloping: bool) -> tuple[Any, Any, Any, Any]:
    """Return the logarithm of I or of 1 - I, if asked its derivatives by a and b, and whether it is that of I."""
    if not (a > 0.0 and a < math.inf and b > 0.0 and b < math.inf and x >= 0.0 and x <= 1.0):
        return math.nan, math.nan, math.nan, True
    if x == 0.0 or x == 1.0:
        return -math.inf, 0.0, 0.0, x == 0.0
    if a >= _UNIFORM and b >= _UNIFORM and _deviance(a, b, x)[0] < _NEAR:
        return _uniform(a, b, x)
    front = _log_front(a, b, x)
    front_a = _log(x) - digamma_difference(a, b) if sloping else 0.0
    front_b = _log1p(-x) - digamma_difference(b, a) if sloping else 0.0
    y = 1.0 - x
    if a * y >= b * x:
        value, by_a, by_b = _fraction(a, b, x, y, sloping)
        return front + _log(value), front_a + by_a, front_b + by_b, True
    value, by_b, by_a = _fraction(b, a, y, x, sloping)
    return front + _log(value), front_a + by_a, front_b + by_b, False


@outlined
def _value(a: float, b: float, x: float) -> tuple[Any, Any]:
    value, _, _, is_lower = _parts(a, b, x, False)
    return min(value, 0.0), is_lower


@outlined
def _value_and_slopes(a: float, b: float, x: float) -> tuple[Any, Any, Any, Any]:
    value, by_a, by_b, is_lower = _parts(a, b, x, True)
    return min(value, 0.0), by_a, by_b, is_lower


@fragment
def log_tail(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the logarithm of I or of 1 - I."""
    value, is_lower = _value(np.float64(a), np.float64(b), np.float64(x))
    return value if is_lower == lower else _log1mexp(value)


@fragment
def beta_tail_by_a(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the derivative of `log_tail` with respect to a."""
    value, slope, _, is_lower = _value_and_slopes(np.float64(a), np.float64(b), np.float64(x))
    return slope if is_lower == lower else -slope / _expm1(-value)


@fragment
def beta_tail_by_b(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the derivative of `log_tail` with respect to b."""
    value, _, slope, is_lower = _value_and_slopes(np.float64(a), np.float64(b), np.float64(x))
    return slope if is_lower == lower else -slope / _expm1(-value)


@fragment
def beta_density(a: float, b: float, x: float) -> Any:
    """Return the derivative of I(a, b, x) with respect to x; 0 at the ends."""
    a, b, x = np.float64(a), np.float64(b), np.float64(x)
    return _exp(_log_front(a, b, x)) / (x * (1.0 - x)) if x > 0.0 and x < 1.0 else 0.0


@fragment
def beta_tail_by_x(a: float, b: float, x: float, lower: bool) -> Any:
    """Return the derivative of `log_tail` with respect to x; 0 at the ends."""
    a, b, x = np.float64(a), np.float64(b), np.float64(x)
    if not (x > 0.0 and x < 1.0):
        return 0.0
    hazard = _exp(_log_front(a, b, x) - log_tail(a, b, x, lower)) / (x * (1.0 - x))
    return hazard if lower else -hazard


@elementwise("betainc", contract=True)
def betainc(a: float, b: float, x: float) -> Any:
    """Return I(a, b, x), the regularised incomplete beta function, element by element."""
    return _exp(log_tail(a, b, x, True))


@elementwise("betaincc", contract=True)
def betaincc(a: float, b: float, x: float) -> Any:
    """Return 1 - I(a, b, x) without cancellation, element by element."""
    return _exp(log_tail(a, b, x, False))


@elementwise(log_by_scipy("betainc", "betaincc", log_tail, True), contract=True)
def log_betainc(a: float, b: float, x: float) -> Any:
    """Return the logarithm of `betainc`, element by element, however small that is."""
    return log_tail(a, b, x, True)


@elementwise(log_by_scipy("betaincc", "betainc", log_tail, False), contract=True)
def log_betaincc(a: float, b: float, x: float) -> Any:
    """Return the logarithm of `betaincc`, element by element, however small that is."""
    return log_tail(a, b, x, False)
