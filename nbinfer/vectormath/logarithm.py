r"""The logarithm: `log`, `log2`, `log10`, `log1p`.

The argument is :math:`2^k(1 + f)` with :math:`1 + f` from :math:`\sqrt{1/2}` to :math:`\sqrt 2`. With
:math:`s = f/(2 + f)` is :math:`\log(1 + f) = \log\frac{1+s}{1-s} = 2s + s\,R(s^2) = f - s\,(f - R(s^2))`: in the last
form f, which is exact, counts most. `R` is a minimax polynomial. No step is
a branch, so that LLVM turns a loop over them into vector instructions.

Largest errors in units in the last place (ulp), of a million points over the whole range: log 0.9, log1p 0.9, log2 1.6,
log10 1.8.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.vectormath.exponential import LOG_2_HIGH, LOG_2_LOW, NEGLIGIBLE, power_of_two

_LOG2_E = 1.4426950408889634
_LOG10_E = 0.4342944819032518
#: log10(2) in two pieces; the first has 42 bits, so that its product with k is exact.
_LOG10_2_HIGH = 0.30102999566395283
_LOG10_2_LOW = 2.8363394551044964e-14

#: The bits of sqrt(1/2), of 1 less these, and of a fraction.
_ROOT_HALF = 0x3FE6A09E667F3BCD
_FROM_ROOT_HALF = 0x3FF0000000000000 - _ROOT_HALF
_FRACTION = 0x000FFFFFFFFFFFFF
#: The bits of 2**52: with a small integer in place of its fraction it is 2**52 plus this integer.
_TWO_52 = 0x4330000000000000

_SMALLEST_NORMAL = 2.2250738585072014e-308


@fragment
def parts(x: float) -> tuple[Any, Any]:
    """Return k and f of a normal number x = 2**k * (1 + f)."""
    bits = np.float64(x).view(np.int64) + _FROM_ROOT_HALF
    biased = np.int64(((bits >> 52) & 0x7FF) | _TWO_52).view(np.float64)
    fraction = np.int64((bits & _FRACTION) + _ROOT_HALF).view(np.float64)
    return biased - (2.0**52 + 1023.0), fraction - 1.0


@fragment
def parts_of_any(x: float) -> tuple[Any, Any]:
    """Return k and f of a positive number, be it subnormal."""
    is_small = x < _SMALLEST_NORMAL
    k, f = parts(x * 2.0**54 if is_small else x)
    return k - 54.0 if is_small else k, f


@fragment
def _curve(f: float) -> float:
    """Return f - log(1 + f)."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    p = 0.6666666666666734 + z * 0.39999999999414904
    p += w * (0.28571428742344995 + z * 0.22222198577053243)
    p += (w * w) * ((0.1818356414392524 + z * 0.15314054847065547) + w * 0.14795909623566783)
    return s * (f - z * p)


@fragment
def at_the_ends(y: float, x: float) -> Any:
    """Return the logarithm y of x, or what it is where x is not a positive finite number."""
    y = x if x == math.inf else y
    return y if x > 0.0 else (-math.inf if x == 0.0 else math.nan)


@elementwise(np.log, contract=True)
def log(x: float) -> Any:
    """Return the natural logarithm, element by element."""
    x = np.float64(x)
    k, f = parts_of_any(x)
    return at_the_ends(k * LOG_2_HIGH - ((_curve(f) - k * LOG_2_LOW) - f), x)


@fragment
def log_parts(x: float) -> tuple[Any, Any]:
    """Return the natural logarithm of a normal number, and what rounding took from it."""
    k, f = parts(x)
    whole = k * LOG_2_HIGH
    y = whole + f
    return at_the_ends(y, x), (f - (y - whole)) - (_curve(f) - k * LOG_2_LOW)


@elementwise(np.log2, contract=True)
def log2(x: float) -> Any:
    """Return the logarithm to base 2, element by element; exact for powers of two."""
    x = np.float64(x)
    k, f = parts_of_any(x)
    return at_the_ends(k + _LOG2_E * (f - _curve(f)), x)


@elementwise(np.log10, contract=True)
def log10(x: float) -> Any:
    """Return the logarithm to base 10, element by element; exact for powers of ten."""
    x = np.float64(x)
    k, f = parts_of_any(x)
    return at_the_ends(k * _LOG10_2_HIGH + (k * _LOG10_2_LOW + _LOG10_E * (f - _curve(f))), x)


@fragment
def log_corrected(k: float, f: float, c: float) -> Any:
    """Return log(2**k * (1 + f) + c) for a c that is lost in the sum."""
    # What c adds is c / (2**k (1 + f)): exact for small f, roughly else. Outside 2**-60 to 2**60 c is 0.
    lost = c * power_of_two(-min(max(k, -60.0), 60.0)) * (1.0 - f * (1.0 - f))
    return k * LOG_2_HIGH - ((_curve(f) - (k * LOG_2_LOW + lost)) - f)


@fragment
def log1p_parts(x: float) -> tuple[Any, Any]:
    """Return log(1 + x) from -1/2 to 0, and what rounding took from it: all of it, if x is small."""
    u = 1.0 + x
    k, f = parts(u)
    lost = (x - (u - 1.0)) / u
    whole = k * LOG_2_HIGH
    y = whole + f
    return y, (f - (y - whole)) - (_curve(f) - (k * LOG_2_LOW + lost))


@elementwise(np.log1p, contract=True)
def log1p(x: float) -> Any:
    """Return log(1 + x) without loss for small x, element by element."""
    x = np.float64(x)
    u = 1.0 + x
    k, f = parts(u)
    y = at_the_ends(log_corrected(k, f, x - (u - 1.0)), u)
    return y if abs(x) > NEGLIGIBLE else x


@fragment
def atanh_curve(z: float) -> float:
    """Return 2 atanh(s) / s - 2 of z = s**2, for s up to 1/3."""
    w = z * z
    w2 = w * w
    p = (0.6666666666666631 + z * 0.4000000000015721) + w * (0.2857142854785754 + z * 0.22222223969536922)
    q = (0.18181743930936592 + z * 0.1538655980838134) + w * (0.13300974954874126 + z * 0.12106076295850332)
    p += w2 * (q + w2 * (0.08340141903175922 + z * 0.17018462725494524))
    return z * p


@fragment
def log1p_of_fraction(e: float) -> float:
    """Return log(1 + e) for e from 0 to 1; that of 2 is exact."""
    s = e / (2.0 + e)
    return e - s * (e - atanh_curve(s * s))
