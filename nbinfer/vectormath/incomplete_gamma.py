r"""The regularised incomplete gamma functions P(a, x) and Q(a, x) = 1 - P(a, x), and their logarithms.

The algorithms find the logarithm of one of the two, the other follows from it: below a + 1 the power series for P
(DLMF 8.11.4), above the continued fraction for Q (DLMF 8.9.2), and for large a with x near a Temme's uniform expansion
(DLMF 8.12), where the others would be slow. The derivative with respect to a is that of each formula, term by term.

Errors of the logarithms and of their derivatives are a few 1e-15, relative to the largest of 1, a * abs(log(x / a))
and the result. Where P or Q is nearly 1, its logarithm is as good as the other's value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.compile.elementwise import Fragment
from nbinfer.vectormath.error import scaled_erfc
from nbinfer.vectormath.exponential import exp, expm1
from nbinfer.vectormath.gamma import HALF_LOG_2PI, digamma_error, digamma_part, lgamma_part, stirling_error
from nbinfer.vectormath.logarithm import log
from nbinfer.vectormath.logistic import log1mexp

_exp = exp.numbers
_expm1 = expm1.numbers
_log = log.numbers
_log1mexp = log1mexp.numbers

_EPSILON = 2.0**-53
_TWO_PI = 6.283185307179586
_ROOT_PI_INVERSE = 0.5641895835477563
#: Terms of a series, more than any takes to converge.
_MOST_TERMS = 1000
#: From here on the uniform expansion serves, where abs(x - a) < 0.3 * a.
_UNIFORM = 500.0

#: Coefficients c_k of the uniform expansion, as polynomials (DLMF 8.12.9-11).
_C0 = (
    -2.5514193994946248e-11,
    9.14769958223679e-10,
    -4.382036018453353e-09,
    1.0261809784240309e-08,
    6.707853543401498e-09,
    -1.7665952736826078e-07,
    8.296711340953087e-07,
    -1.85406221071516e-06,
    -2.185448510679992e-06,
    3.919263178522438e-05,
    -0.0001787551440329218,
    0.0003527336860670194,
    0.0011574074074074073,
    -0.014814814814814815,
    0.08333333333333333,
    -0.3333333333333333,
)
_C1 = (
    1.1951628599778148e-08,
    -5.752545603517705e-08,
    1.378633446915721e-07,
    4.647127802807434e-09,
    -1.6120900894563446e-06,
    7.64916091608111e-06,
    -1.8098550334489977e-05,
    -4.018775720164609e-07,
    0.00020576131687242798,
    -0.0009902263374485596,
    0.0026455026455026454,
    -0.003472222222222222,
    -0.001851851851851852,
)
_C2 = (
    -6.298992138380055e-07,
    1.3721957309062934e-06,
    3.423578734096138e-08,
    -1.2760635188618728e-05,
    5.2923448829120125e-05,
    -0.0001073665322636516,
    2.0093878600823047e-06,
    0.0007716049382716049,
    -0.0026813271604938273,
    0.004133597883597883,
)
_C3 = (
    1.1082654115347302e-05,
    -2.396505113867297e-07,
    -7.561801671883977e-05,
    0.00026772063206283885,
    -0.0004691894943952557,
    0.00022947209362139917,
    0.0006494341563786008,
)
_C4 = (
    -1.4638452578843418e-06,
    -0.0002990724803031902,
    0.0007840392217200666,
    -0.0008618882909167117,
)


def outlined(function: Callable[..., Any]) -> Fragment[..., Any]:
    """Mark a fragment that is called, not pasted: where it holds loops, that only makes code long."""
    return Fragment(function, {"fastmath": {"contract"}})


@fragment
def series_of_log1p(r: float) -> float:
    """Return (atanh(r) / r - 1) / r**2 for abs(r) up to 0.3."""
    y = r * r
    p = 0.07285893079420944
    p = p * y + 0.047408878325682594
    p = p * y + 0.05939851619858158
    p = p * y + 0.06662900884207
    p = p * y + 0.07692459135256127
    p = p * y + 0.09090905400203288
    p = p * y + 0.11111111162620302
    p = p * y + 0.14285714285349962
    p = p * y + 0.20000000000000998
    return p * y + 0.3333333333333333


@fragment
def log_less(ratio: float, t: float) -> Any:
    """Return log(ratio) - t, where ratio = 1 + t: about -t * t / 2 near 1."""
    r = t / (2.0 + t)
    near = r * (2.0 * r * r * series_of_log1p(r) - t)
    return near if abs(r) < 0.28 else _log(ratio) - t


@fragment
def _front(a: float, x: float) -> tuple[Any, Any]:
    """Return log(x**a * exp(-x) / gamma(a + 1)) and its derivative with respect to a."""
    if a < 8.0:
        return a * _log(x) - x - lgamma_part(a + 1.0), _log(x) - digamma_part(a + 1.0)
    t = (x - a) / a
    less = log_less(x / a, t)
    value = a * less - (HALF_LOG_2PI + 0.5 * _log(a) + stirling_error(a))
    return value, less + t - (0.5 / a - digamma_error(a))


@fragment
def _series(a: float, x: float) -> tuple[Any, Any]:
    """Return the sum of x**n / ((a + 1) … (a + n)) and the derivative of its logarithm with respect to a."""
    term, total, harmonic, slope = 1.0, 1.0, 0.0, 0.0
    for n in range(1, _MOST_TERMS):
        term *= x / (a + n)
        harmonic += 1.0 / (a + n)
        total += term
        slope -= term * harmonic
        if not term > _EPSILON * total:
            break
    return total, slope / total


@fragment
def _fraction(a: float, x: float, sloping: bool) -> tuple[Any, Any]:
    """Return 1 / (x + 1 - a - (1 - a) / (x + 3 - a - …)) and, if asked, its logarithm's derivative with respect to a.

    Lentz's algorithm, with derivatives: each step multiplies by c * d. The value may end before its derivative.
    """
    b = x + 1.0 - a
    c, c_slope = math.inf, 0.0
    d = 1.0 / b
    d_slope = d * d
    value, slope = d, d
    for n in range(1, _MOST_TERMS):
        numerator = n * (a - n)
        b += 2.0
        c_slope = -1.0 + (n - numerator * c_slope / c) / c
        c = b + numerator / c
        d_slope = -1.0 + (n * d + numerator * d_slope)
        d = 1.0 / (b + numerator * d)
        d_slope *= -d * d
        value *= c * d
        change = c_slope / c + d_slope / d
        slope += change
        if not (abs(c * d - 1.0) > 2.0 * _EPSILON or (sloping and abs(change) > 2.0 * _EPSILON * abs(slope))):
            break
    return value, slope


@fragment
def _next_order(v: float, eta: float, coefficients: tuple[float, ...], sums: Any) -> tuple[Any, Any, Any]:
    """Multiply a sum by v and add a polynomial in eta; also its derivatives with respect to eta and v."""
    total, by_eta, by_v = sums
    value, slope = 0.0, 0.0
    for coefficient in coefficients:
        slope = slope * eta + value
        value = value * eta + coefficient
    return total * v + value, by_eta * v + slope, by_v * v + total


@fragment
def _uniform(a: float, x: float) -> tuple[Any, Any, Any]:
    """Return the logarithm of P or Q, its derivative with respect to a, and whether it is P, by the uniform expansion.

    With a * eta**2 / 2 = z * z it is exp(-z * z) * (exp(z * z) * erfc(z) / 2 -+ sum(c_k / a**k) / sqrt(2 * pi * a)).
    """
    t = (x - a) / a
    less = log_less(x / a, t)
    sign = -1.0 if t < 0.0 else 1.0
    eta = sign * math.sqrt(-2.0 * less)
    eta_slope = -(t / eta if t != 0.0 else 1.0) / a
    v = 1.0 / a
    sums = _next_order(v, eta, _C4, (0.0, 0.0, 0.0))
    sums = _next_order(v, eta, _C3, sums)
    sums = _next_order(v, eta, _C2, sums)
    sums = _next_order(v, eta, _C1, sums)
    total, by_eta, by_v = _next_order(v, eta, _C0, sums)
    scale = sign * math.sqrt(0.5 * a)
    z = scale * eta
    z_slope = 0.5 * z * v + scale * eta_slope
    erfc = scaled_erfc(z)
    root = sign / math.sqrt(_TWO_PI * a)
    bracket = 0.5 * erfc + root * total
    change = (z * erfc - _ROOT_PI_INVERSE) * z_slope
    change += root * (by_eta * eta_slope - v * (v * by_v + 0.5 * total))
    return a * less + _log(bracket), less + t + change / bracket, t < 0.0


@fragment
def _parts(a: float, x: float, sloping: bool) -> tuple[Any, Any, Any]:
    """Return the logarithm of P or Q, if asked its derivative with respect to a, and whether it is that of P."""
    if not (a > 0.0 and a < math.inf and x >= 0.0):
        return math.nan, math.nan, True
    if x == 0.0 or x == math.inf:
        return -math.inf, 0.0, x == 0.0
    if a >= _UNIFORM and abs(x - a) < 0.3 * a:
        return _uniform(a, x)
    front, front_slope = _front(a, x)
    if x < a + 1.0:
        total, slope = _series(a, x)
        return front + _log(total), front_slope + slope, True
    total, slope = _fraction(a, x, sloping)
    return front + _log(a * total), front_slope + (1.0 / a + slope), False


@outlined
def _value(a: float, x: float) -> tuple[Any, Any]:
    value, _, is_lower = _parts(a, x, False)
    return min(value, 0.0), is_lower


@outlined
def _value_and_slope(a: float, x: float) -> tuple[Any, Any, Any]:
    value, slope, is_lower = _parts(a, x, True)
    return min(value, 0.0), slope, is_lower


@fragment
def log_tail(a: float, x: float, lower: bool) -> Any:
    """Return the logarithm of P or of Q."""
    value, is_lower = _value(np.float64(a), np.float64(x))
    return value if is_lower == lower else _log1mexp(value)


@fragment
def gamma_tail_by_a(a: float, x: float, lower: bool) -> Any:
    """Return the derivative of `log_tail` with respect to a."""
    value, slope, is_lower = _value_and_slope(np.float64(a), np.float64(x))
    return slope if is_lower == lower else -slope / _expm1(-value)


@fragment
def gamma_density(a: float, x: float) -> Any:
    """Return the derivative of P(a, x) with respect to x; 0 at the ends."""
    a, x = np.float64(a), np.float64(x)
    front, _ = _front(a, x)
    return _exp(front + _log(a / x)) if 0.0 < x < math.inf else 0.0


@fragment
def gamma_tail_by_x(a: float, x: float, lower: bool) -> Any:
    """Return the derivative of `log_tail` with respect to x; 0 at the ends."""
    a, x = np.float64(a), np.float64(x)
    front, _ = _front(a, x)
    hazard = _exp(front + _log(a / x) - log_tail(a, x, lower)) if 0.0 < x < math.inf else 0.0
    return hazard if lower else -hazard


def log_by_scipy(name: str, other: str, algorithm: Fragment[..., Any], lower: bool) -> Callable[..., Any]:
    """Return the logarithm of a function of SciPy by it, by the other tail where it is nearly 1, or by an algorithm."""

    def reference(*args: Any) -> Any:
        import scipy.special

        tail, rest = (np.asarray(getattr(scipy.special, n)(*args)) for n in (name, other))
        value = np.asarray(np.where(tail < 0.5, np.log(tail), np.log1p(-rest)))
        # Below it SciPy's value has lost digits or all; with large parameters it may be NaN.
        lost = ~(tail >= 1e-290)
        rows = zip(*(np.broadcast_to(a, value.shape)[lost] for a in args), strict=True)
        value[lost] = [algorithm.py_func(*row, lower) for row in rows]
        return value[()]

    return reference


@elementwise("gammainc", contract=True)
def gammainc(a: float, x: float) -> Any:
    """Return P(a, x), the regularised lower incomplete gamma function, element by element."""
    return _exp(log_tail(a, x, True))


@elementwise("gammaincc", contract=True)
def gammaincc(a: float, x: float) -> Any:
    """Return Q(a, x), the regularised upper incomplete gamma function, element by element."""
    return _exp(log_tail(a, x, False))


@elementwise(log_by_scipy("gammainc", "gammaincc", log_tail, True), contract=True)
def log_gammainc(a: float, x: float) -> Any:
    """Return the logarithm of `gammainc`, element by element, however small that is."""
    return log_tail(a, x, True)


@elementwise(log_by_scipy("gammaincc", "gammainc", log_tail, False), contract=True)
def log_gammaincc(a: float, x: float) -> Any:
    """Return the logarithm of `gammaincc`, element by element, however small that is."""
    return log_tail(a, x, False)
