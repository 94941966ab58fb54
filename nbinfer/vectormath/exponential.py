r"""The exponential function and what is made of it: `exp`, `exp2`, `expm1`, `sinh`, `cosh`, `tanh`.

All reduce the argument by Cody and Waite: :math:`x = n\log 2 + r` with :math:`|r| \le \frac12\log 2`, where
:math:`n` is rounded by adding and subtracting a large number, and :math:`e^r - 1 = r + r^2 q(r)`, where `q` is a
minimax polynomial. No step is a branch, so that LLVM turns a loop over them into vector instructions.

Largest errors in units in the last place (ulp), of a million points over the whole range: exp 1.0, exp2 1.1, expm1 1.6,
cosh 1.5, sinh 2.1, tanh 2.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment

LOG_2 = 0.6931471805599453
_LOG2_E = 1.4426950408889634
#: log(2) in two pieces; the first has 42 bits, so that its product with n is exact.
LOG_2_HIGH = 0.6931471805598903
LOG_2_LOW = 5.497923018708371e-14

#: Adding 1.5 * 2**52 leaves no room for a fraction: the sum is rounded to an integer, which its last bits hold.
_TO_INTEGER = 6755399441055744.0
#: The same, with the bias of the exponent.
_TO_EXPONENT = _TO_INTEGER + 1023.0

#: Up to it expm1, log1p and their like equal their argument.
NEGLIGIBLE = 2.0**-54


@fragment
def power_of_two(n: float) -> Any:
    """Return 2**n for an integer n from -1022 to 1023."""
    return np.int64(np.float64(n + _TO_EXPONENT).view(np.int64) << 52).view(np.float64)


@fragment
def _curve(r: float) -> float:
    """Return exp(r) - 1 - r for abs(r) up to log(2) / 2, in Estrin's form: its operations wait less."""
    r2 = r * r
    r4 = r2 * r2
    q = 0.16666666666666680 + r * 0.041666666666619744
    q += r2 * (0.008333333333319025 + r * 0.0013888888920611099)
    s = 0.00019841269894162753 + r * 2.4801516217225872e-05
    s += r2 * (2.755723530331954e-06 + r * 2.762227880720043e-07)
    return r2 * 0.5 + (r2 * r) * (q + r4 * (s + r4 * 2.511230273302946e-08))


@fragment
def _nearest(x: float) -> float:
    """Return the integer next to a number of less than 2**51."""
    return (x + _TO_INTEGER) - _TO_INTEGER


@fragment
def scaled(y: float, n: float) -> Any:
    """Return y * 2**n, rounded once, for an integer n from -2044 to 2046."""
    half = _nearest(0.5 * n)
    return y * power_of_two(half) * power_of_two(n - half)


@fragment
def _quarter_expm1(x: float) -> Any:
    """Return (exp(x) - 1) / 4; finite a little longer than exp(x)."""
    x = -50.0 if x < -50.0 else x
    x = 710.7 if x > 710.7 else x
    n = _nearest(x * _LOG2_E)
    near, low = x - n * LOG_2_HIGH, n * LOG_2_LOW
    r = near - low
    rest = (near - r) - low
    quarter = power_of_two(n - 2.0)
    return quarter * (r + (_curve(r) + (rest + rest * r))) + (quarter - 0.25)


@fragment
def exp_parts(x: float, rest: float) -> tuple[Any, Any, Any]:
    """Return s, d and n: exp(x + rest) = (s + d) * 2**n, where the rest is far below an ulp of 1 of x, about -700 to 0.

    Only d is rounded, which is 0.1 at most: what takes up s and d multiplies before it adds them.
    """
    n = _nearest(x * _LOG2_E)
    near, low = x - n * LOG_2_HIGH, n * LOG_2_LOW - rest
    r = near - low
    s = 1.0 + r
    return s, (r - (s - 1.0)) + (_curve(r) + ((near - r) - low)), n


@elementwise(np.exp, contract=True)
def exp(x: float) -> Any:
    """Return e to the power x, element by element."""
    x = np.float64(x)
    # Comparisons are written such that NaN stays, here and below.
    x = -746.0 if x < -746.0 else x
    x = 710.0 if x > 710.0 else x
    n = _nearest(x * _LOG2_E)
    r = (x - n * LOG_2_HIGH) - n * LOG_2_LOW
    return scaled(1.0 + (r + _curve(r)), n)


@elementwise(np.exp2, contract=True)
def exp2(x: float) -> Any:
    """Return 2 to the power x, element by element; exact for integers."""
    x = np.float64(x)
    x = -1076.0 if x < -1076.0 else x
    x = 1025.0 if x > 1025.0 else x
    n = _nearest(x)
    r = (x - n) * LOG_2
    return scaled(1.0 + (r + _curve(r)), n)


@elementwise(np.expm1, contract=True)
def expm1(x: float) -> Any:
    """Return exp(x) - 1 without cancellation, element by element."""
    x = np.float64(x)
    return 4.0 * _quarter_expm1(x) if abs(x) > NEGLIGIBLE else x


@elementwise(np.sinh, contract=True)
def sinh(x: float) -> Any:
    """Return the hyperbolic sine, element by element."""
    x = np.float64(x)
    q = _quarter_expm1(abs(x))
    y = 2.0 * q + q / (2.0 * q + 0.5)
    y = -y if x < 0.0 else y
    return y if abs(x) > NEGLIGIBLE else x


@elementwise(np.cosh, contract=True)
def cosh(x: float) -> Any:
    """Return the hyperbolic cosine, element by element."""
    half = 2.0 * _quarter_expm1(abs(np.float64(x))) + 0.5
    return half + 0.25 / half


@elementwise(np.tanh, contract=True)
def tanh(x: float) -> Any:
    """Return the hyperbolic tangent, element by element."""
    x = np.float64(x)
    twice = 2.0 * abs(x)
    q = _quarter_expm1(50.0 if twice > 50.0 else twice)
    y = q / (q + 0.5)
    y = -y if x < 0.0 else y
    return y if abs(x) > NEGLIGIBLE else x
