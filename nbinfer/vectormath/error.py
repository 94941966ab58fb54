r"""The error function and what belongs to the normal distribution.

All rest on :math:`e^{x^2}\operatorname{erfc} x` for x from 0 on: near a simple quotient, times 1 and a polynomial in
:math:`u = 3 / (3 + x)` that is small, so that its errors are smaller still. It falls only slowly, so that its logarithm
and its reciprocal serve in tails where the rest has long underflowed. What rounding takes from squares in exponents,
from the quotient and from the largest terms of sums is put right: each costs one multiplication with an addition.
No step is a branch, so that LLVM turns loops into vector instructions. Polynomials and rational functions are minimax
fits.

Largest errors in units in the last place (ulp): 2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment, multiply_add
from nbinfer.vectormath.exponential import exp, exp_parts, scaled
from nbinfer.vectormath.logarithm import log

_exp = exp.numbers
_log = log.numbers

_ROOT_2 = 1.4142135623730951
_ROOT_HALF = 0.7071067811865476
_ROOT_2_PI = 2.5066282746310002
#: sqrt(1 / (2 * pi)) in two pieces.
_NORMAL_HEIGHT = 0.3989422804014327
_NORMAL_HEIGHT_REST = -2.49232720227773e-17
_THREE_ROOT_2 = 4.242640687119285
_HALF_ROOT_HALF = 0.3535533905932738
#: erf(x) / x at 0.
_ERF_SLOPE = 1.1283791670955126

#: exp(x * x) * erfc(x) is within 7 % of _HEIGHT / (x + _SHIFT). The height's product with sqrt(1/2) is a number, too.
_HEIGHT = 0.6305254033465195
_HEIGHT_ROOT_HALF = 0.445848788416707
_SHIFT = 0.625
#: _SHIFT * sqrt(2) in two pieces.
_SHIFT_ROOT_2 = 0.8838834764831844
_SHIFT_ROOT_2_REST = -3.266500759345179e-17


@fragment
def _bend(u: float) -> float:
    """Return P(u), u = 3 / (3 + z): exp(z * z) * erfc(z) = _HEIGHT / (z + _SHIFT) * (1 + P(u)), from 1/2 on."""
    p = 0.01207119554549011
    p = p * u - 0.09363917827212931
    p = p * u + 0.2997895772797138
    p = p * u - 0.46088648584200964
    p = p * u + 0.1638239832961072
    p = p * u + 0.6687845628461931
    p = p * u - 1.4180335463902287
    p = p * u + 1.51923827239932
    p = p * u - 1.1350084885871305
    p = p * u + 0.6407533962256717
    p = p * u - 0.23759809071362223
    p = p * u + 0.09457360888184364
    p = p * u - 0.03825027477776012
    p = p * u - 0.04733142726322552
    p = p * u - 0.08004986379682037
    p = p * u - 0.08982210912495786
    p = p * u - 0.07652779239879132
    p = p * u - 0.03969920829620657
    p = p * u + 0.014498945054177
    p = p * u + 0.07663734555058996
    p = p * u + 0.13670445371446657
    p = p * u + 0.1864151641609015
    return p * u - 0.10520721202775535


@fragment
def _erf_bend(s: float) -> float:
    """Return P(s), s = x * x: erf(x) = x * (_ERF_SLOPE + s * P(s)), up to 1."""
    p = -7.779467852410561e-10
    p = p * s + 1.3710980292530951e-08
    p = p * s - 1.6206313798624502e-07
    p = p * s + 1.6447131586551073e-06
    p = p * s - 1.4924712304220913e-05
    p = p * s + 0.00012055293577076725
    p = p * s - 0.000854832592932285
    p = p * s + 0.00522397760611871
    p = p * s - 0.026866170643111507
    p = p * s + 0.11283791670944185
    return p * s - 0.3761263890318352


@fragment
def _middle(t: float) -> tuple[float, float]:
    """Return P and Q: ndtri(0.5 + q) = q * (2.75 + P / Q), t = 0.16 - q * q, from 0.1 to 0.9."""
    p = -3479.6833843597906
    p = p * t - 15448.115898353279
    p = p * t - 16739.908224355648
    p = p * t - 6628.409719148732
    p = p * t - 989.9284125794675
    p = p * t - 16.922447034560424
    p = p * t + 7.6567313640329475
    p = p * t + 0.4538789138615012
    q = 1519.0489940096024
    q = q * t + 9410.980308118063
    q = q * t + 14872.246365301755
    q = q * t + 9469.773632529548
    q = q * t + 2891.7373672160115
    q = q * t + 448.75651217696225
    q = q * t + 34.04222213613604
    q = q * t + 1.0
    return p, q


@fragment
def _lower(t: float) -> tuple[float, float]:
    """Return P and Q: ndtri(p) = 0.75 + P / Q - sqrt(2) * z, z = sqrt(-log(p)), t = z - 1.5, up to 0.1."""
    p = -4.01069056348185e-10
    p = p * t - 1.2231970337627033e-07
    p = p * t - 9.732668588803266e-06
    p = p * t - 0.00030130313487089234
    p = p * t - 0.004354059277857144
    p = p * t - 0.03278889500860949
    p = p * t - 0.13708156913773245
    p = p * t - 0.314558721684491
    p = p * t - 0.333517387768684
    p = p * t - 0.041239541176813554
    p = p * t + 0.11994741450261008
    q = 5.354095548724836e-10
    q = q * t + 1.671130205888267e-07
    q = q * t + 1.3955819568120803e-05
    q = q * t + 0.0004688482153852743
    q = q * t + 0.007668627418470964
    q = q * t + 0.06869188906547063
    q = q * t + 0.36314703573673324
    q = q * t + 1.1682364347909373
    q = q * t + 2.236773262530346
    q = q * t + 2.3235002121428123
    q = q * t + 1.0
    return p, q


@fragment
def _bell_parts(x: float, factor: float) -> tuple[Any, Any, Any]:
    """Return exp(-factor * x * x) as `exp_parts` does, factor being a power of two."""
    square = x * x
    return exp_parts(-factor * square, -factor * multiply_add(x, x, -square))


@fragment
def _scaled_parts(x: float, three: float, height: float, shift: float, shift_rest: float) -> tuple[Any, Any]:
    """Return v and b: height / _HEIGHT * exp(z * z) * erfc(z) = v + v * b for z = 3 * x / three, from 1/2 to 1e150.

    What rounding takes from v = height / (x + shift) is in b, below 0.07.
    """
    total = x + shift
    lost = (shift - (total - x)) + shift_rest
    above = three + x
    both = height / (total * above)
    v = both * above
    rounding = (multiply_add(-v, total, height) - v * lost) * (1.0 / height)
    return v, _bend((three / height) * (both * total)) + rounding


@fragment
def _erfc_parts(x: float) -> tuple[Any, Any]:
    """Return v and b: exp(x * x) * erfc(x) = v + v * b, from 1/2 to 1e150."""
    return _scaled_parts(x, 3.0, _HEIGHT, _SHIFT, 0.0)


@fragment
def _far(x: float, factor: float, v: float, b: float) -> Any:
    """Return exp(-factor * x * x) * (v + v * b), rounded nearly once."""
    s, d, n = _bell_parts(x, factor)
    return scaled(multiply_add(v, s, v * (d + (s + d) * b)), n)


@fragment
def scaled_erfc(x: float) -> Any:
    """Return exp(x * x) * erfc(x) for an x that is not negative."""
    y = x if x < 1e100 else 1e100
    v, b = _erfc_parts(y)
    far = (v + v * b) * (1.0 if x < 1e100 else y / x)
    return far if x >= 0.5 else _exp(x * x) * (1.0 - x * (_ERF_SLOPE + x * x * _erf_bend(x * x)))


@fragment
def _far_erfc(a: float) -> Any:
    """Return erfc(a) from 1/2 on."""
    a = 27.4 if a > 27.4 else a
    v, b = _erfc_parts(a)
    return _far(a, 1.0, v, b)


@elementwise("erf", contract=True)
def erf(x: float) -> Any:
    """Return the error function, element by element."""
    x = np.float64(x)
    a = abs(x)
    far = 1.0 - _far_erfc(a)
    far = -far if x < 0.0 else far
    return x * (_ERF_SLOPE + x * x * _erf_bend(x * x)) if a < 1.0 else far


@elementwise("erfc", contract=True)
def erfc(x: float) -> Any:
    """Return 1 - erf(x) without cancellation, element by element."""
    x = np.float64(x)
    a = abs(x)
    far = _far_erfc(a)
    far = 2.0 - far if x < 0.0 else far
    return (1.0 - x * _ERF_SLOPE) - x * (x * x * _erf_bend(x * x)) if a < 0.5 else far


def _log_erfcx(x: Any) -> Any:
    from scipy.special import erfc, erfcx

    below = np.square(x) + np.log(erfc(np.minimum(x, 0.0)))
    return np.where(np.less(x, 0.0), below, np.log(erfcx(np.maximum(x, 0.0))))[()]


@elementwise(_log_erfcx, contract=True)
def log_erfcx(x: float) -> Any:
    """Return log(exp(x * x) * erfc(x)), element by element, however small erfc(x) is."""
    x = np.float64(x)
    a = abs(x)
    scaled = scaled_erfc(a)
    below = 2.0 - _exp(-a * a) * scaled
    return (x * x if x < 0.0 else 0.0) + _log(below if x < 0.0 else scaled)


_log_erfcx_numbers = log_erfcx.numbers


@fragment
def _lack(t: float) -> float:
    """Return P(t), t = x**-2: sqrt(pi) * x * exp(x * x) * erfc(x) = 1 + t * P(t), from 8 on (DLMF 7.12.1)."""
    p = -48314360586264.42
    p = p * t + 2928143065834.2075
    p = p * t - 188912455860.27145
    p = p * t + 13028445231.742859
    p = p * t - 965070017.1661377
    p = p * t + 77205601.37329102
    p = p * t - 6713530.554199219
    p = p * t + 639383.8623046875
    p = p * t - 67303.564453125
    p = p * t + 7918.06640625
    p = p * t - 1055.7421875
    p = p * t + 162.421875
    p = p * t - 29.53125
    p = p * t + 6.5625
    p = p * t - 1.875
    p = p * t + 0.75
    p = p * t - 0.5
    return p


@fragment
def log_erfcx_slope(x: float) -> Any:
    """Return the derivative of `log_erfcx`, about -1 / x far out, where its terms would cancel."""
    x = np.float64(x)
    t = 1.0 / (x * x)
    lack = _lack(t)
    far = 2.0 * lack / (x * (1.0 + t * lack))
    return far if x >= 8.0 else 2.0 * x - 1.1283791670955126 * _exp(-_log_erfcx_numbers(x))


@fragment
def _ndtr_parts(x: float) -> tuple[Any, Any, Any, Any]:
    """Return p and l: ndtr(x) = p + l, or, far below 0, exp(-x * x / 2) * (p + l); whether it is so; and ndtr there."""
    a = 1e150 if abs(x) > 1e150 else abs(x)
    v, b = _scaled_parts(a, _THREE_ROOT_2, _HEIGHT_ROOT_HALF, _SHIFT_ROOT_2, _SHIFT_ROOT_2_REST)
    tail = _far(38.8 if a > 38.8 else a, 0.5, v, b)
    is_far = a >= 0.7072
    is_far_below = is_far & (x < 0.0)
    factor, rest = v + v * b, 1.0 - tail
    far, far_lost = (factor, v * b - (factor - v)) if x < 0.0 else (rest, (1.0 - rest) - tail)
    line, s = x * _NORMAL_HEIGHT, 0.5 * a * a
    straight = 0.5 + line
    bend = x * (_NORMAL_HEIGHT_REST + s * (_HALF_ROOT_HALF * _erf_bend(s)))
    bend += (line - (straight - 0.5)) + multiply_add(x, _NORMAL_HEIGHT, -line)
    near = straight + bend
    return (far if is_far else near), (far_lost if is_far else bend - (near - straight)), is_far_below, tail


@elementwise("ndtr", contract=True)
def ndtr(x: float) -> Any:
    """Return the distribution function of the standard normal, element by element."""
    p, lost, is_far_below, tail = _ndtr_parts(np.float64(x))
    return tail if is_far_below else p + lost


@elementwise("log_ndtr", contract=True)
def log_ndtr(x: float) -> Any:
    """Return the logarithm of `ndtr`, element by element, however small that is."""
    x = np.float64(x)
    p, lost, is_far_below, _ = _ndtr_parts(x)
    return (_log(p) + lost / p) - (0.5 * x * x if is_far_below else 0.0)


@fragment
def mills(x: float) -> Any:
    """Return the density of the standard normal divided by `ndtr`: the derivative of `log_ndtr`, about -x far below."""
    x = np.float64(x)
    p, lost, is_far_below, _ = _ndtr_parts(x)
    s, d, n = _bell_parts(38.8 if abs(x) > 38.8 else abs(x), 0.5)
    slope = (1.0 if is_far_below else scaled(s + d, n)) / (_ROOT_2_PI * (p + lost))
    return -x if slope < -x else slope


@elementwise("ndtri", contract=True)
def ndtri(p: float) -> Any:
    """Return the quantile of the standard normal at a probability, the inverse of `ndtr`, element by element."""
    p = np.float64(p)
    q = p - 0.5
    is_middle = abs(q) <= 0.4
    minus_log = -_log(p if q < 0.0 else 1.0 - p)
    z = math.sqrt(minus_log)
    middle, middle_q = _middle(0.16 - q * q)
    lower, lower_q = _lower(z - 1.5)
    # Half of what rounding took from z * z, divided by z, is what it took from z.
    lower = lower * z - (_ROOT_HALF * multiply_add(-z, z, minus_log)) * lower_q
    quotient = (middle if is_middle else lower) / (middle_q if is_middle else lower_q * z)
    tail = (_ROOT_2 * z - 0.75) - quotient
    x = q * (2.75 + quotient) if is_middle else (-tail if q < 0.0 else tail)
    x = -math.inf if p == 0.0 else x
    return math.inf if p == 1.0 else x
