r"""The error function and what belongs to the normal distribution.

All rest on :math:`e^{x^2}\operatorname{erfc} x` for x from 0 on: u times a polynomial in :math:`u = 4 / (4 + x)`. It
falls only slowly, so that its logarithm and its reciprocal serve in tails where the rest has long underflowed. Squares
in exponents are taken of few bits, which is exact, and what that leaves out is put right. No step is a branch, so that
LLVM turns loops into vector instructions. Polynomials and rational functions are minimax fits.

Largest errors in units in the last place (ulp): erf 2, erfc and ndtr 5, log_ndtr 6, ndtri 10. Near 1/2 the product is
so sensitive to u that what rounding takes from u is put right, with what the square lacks, in one addition: 2 to 3 % of
the time, two ulp less. One each of what is left comes from the exponential, the polynomial and the products.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.vectormath.exponential import exp
from nbinfer.vectormath.logarithm import log

_exp = exp.numbers
_log = log.numbers

_ROOT_2_PI = 2.5066282746310002
_THREE_ROOT_2 = 4.242640687119285
_HALF_ROOT_HALF = 0.3535533905932738

#: Multiplied by it and taken off, a number leaves its first 26 bits.
_SPLIT = 2.0**27 + 1.0
#: Added and taken off again, it leaves of a number up to 40 what stands before the 20th binary digit.
_TO_SHORT = 1.5 * 2.0**32


@fragment
def _slow(u: float) -> float:
    """Return P(u), u = 3 / (3 + z): exp(z * z) * erfc(z) = u * P(u), from 1/2 on."""
    p = -0.005145921567734803
    p = p * u + 0.04475336830811782
    p = p * u - 0.17395785453070273
    p = p * u + 0.3957642420847158
    p = p * u - 0.5822254499602575
    p = p * u + 0.5862458115013081
    p = p * u - 0.4311542152047464
    p = p * u + 0.24904462934406757
    p = p * u - 0.10602715632631365
    p = p * u + 0.030616509594713143
    p = p * u - 0.019106138105819667
    p = p * u - 0.005661193229169436
    p = p * u + 0.0037561706268241304
    p = p * u + 0.026251985106204367
    p = p * u + 0.05697701861787874
    p = p * u + 0.0922904546739487
    p = p * u + 0.1271167815140795
    p = p * u + 0.15671932894427595
    p = p * u + 0.17761523926268702
    p = p * u + 0.18806319451593081
    return p * u + 0.18806319451591874


@fragment
def _erf_slope(s: float) -> float:
    """Return erf(x) / x, s = x * x, up to 1."""
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
    p = p * s - 0.3761263890318352
    return p * s + 1.1283791670955126


@fragment
def _middle(t: float) -> tuple[float, float]:
    """Return P and Q: ndtri(0.5 + q) = q * P / Q, t = 0.16 - q * q, from 0.1 to 0.9."""
    p = 684.8723733986812
    p = p * t + 10282.495077366695
    p = p * t + 23897.03276039538
    p = p * t + 19261.014227238124
    p = p * t + 6925.126189009235
    p = p * t + 1213.205944184069
    p = p * t + 101.122397780983
    p = p * t + 3.203878913861501
    q = 1493.7331044992038
    q = q * t + 9288.182313575337
    q = q * t + 14725.063141099292
    q = q * t + 9401.561404124974
    q = q * t + 2877.496059998553
    q = q * t + 447.4087662576289
    q = q * t + 33.995265162583394
    q = q * t + 1.0
    return p, q


@fragment
def _lower(t: float) -> tuple[float, float]:
    """Return P and Q: ndtri(p) = -P / Q, t = sqrt(-log(p)) - 1.5, up to 0.1."""
    p = 9.291362171385201e-08
    p = p * t + 1.1863868898556263e-05
    p = p * t + 0.0004924557223408383
    p = p * t + 0.009347884109225456
    p = p * t + 0.09534445389524267
    p = p * t + 0.5734367036708408
    p = p * t + 2.1257132024977885
    p = p * t + 4.855321318612319
    p = p * t + 6.524752724107421
    p = p * t + 4.596901055837616
    p = p * t + 1.251372929057033
    q = 8.235403463709454e-16
    q = q * t + 6.569945042871902e-08
    q = q * t + 8.290630003477042e-06
    q = q * t + 0.00033600997370741636
    q = q * t + 0.006128238559841075
    q = q * t + 0.05896106817141051
    q = q * t + 0.32793847141639987
    q = q * t + 1.0954026084655952
    q = q * t + 2.156926505941707
    q = q * t + 2.2876874213685903
    q = q * t + 1.0
    return p, q


@fragment
def _bell_parts(x: float, factor: float) -> tuple[Any, Any]:
    """Return b and c: exp(-factor * x * x) = b * (1 - c), where x is not negative; c is what the square lacks in b."""
    x = 40.0 if x > 40.0 else x
    short = (x + _TO_SHORT) - _TO_SHORT
    rest = factor * (x - short) * (x + short)
    return _exp(-factor * (short * short)), rest * (1.0 - rest * (0.5 - rest * (1.0 / 6.0)))


@fragment
def _bell(x: float, factor: float) -> Any:
    """Return exp(-factor * x * x), where x is not negative, without the error that rounding the square brings."""
    bell, lack = _bell_parts(x, factor)
    return bell - bell * lack


@fragment
def _scaled(x: float, three: float) -> Any:
    """Return exp(z * z) * erfc(z) for z = 3 * x / three, from 1/2 on."""
    u = three / (three + x)
    return u * _slow(u)


@fragment
def _lost(x: float, three: float) -> Any:
    """Return the part of `_scaled` that rounding took from u: `_scaled` is short by 1 to 3 times what u is."""
    x = 40.0 if x > 40.0 else x
    total = three + x
    u = three / total
    head = u * _SPLIT
    head = head - (head - u)
    short = (x + _TO_SHORT) - _TO_SHORT
    lack = ((1.0 - head) * three - head * short) - (head * (x - short) + (u - head) * total)
    return lack * (1.0 + 2.2 * (u * u)) * (1.0 / three)


@fragment
def scaled_erfc(x: float) -> Any:
    """Return exp(x * x) * erfc(x) for an x that is not negative."""
    return _scaled(x, 3.0) if x >= 0.5 else _exp(x * x) * (1.0 - x * _erf_slope(x * x))


@elementwise("erf", contract=True)
def erf(x: float) -> Any:
    """Return the error function, element by element."""
    x = np.float64(x)
    a = abs(x)
    far = 1.0 - _bell(a, 1.0) * _scaled(a, 3.0)
    far = -far if x < 0.0 else far
    return x * _erf_slope(x * x) if a < 1.0 else far


@elementwise("erfc", contract=True)
def erfc(x: float) -> Any:
    """Return 1 - erf(x) without cancellation, element by element."""
    x = np.float64(x)
    a = abs(x)
    bell, lack = _bell_parts(a, 1.0)
    far = bell * _scaled(a, 3.0)
    far = far + far * (_lost(a, 3.0) - lack)
    far = 2.0 - far if x < 0.0 else far
    return 1.0 - x * _erf_slope(x * x) if a < 0.5 else far


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
def _tail(a: float) -> tuple[Any, Any, Any, Any]:
    """Return ndtr(-a), where a is not negative, and whether that is the product of what follows: a bell, a factor."""
    bell, lack = _bell_parts(a, 0.5)
    factor = 0.5 * _scaled(a, _THREE_ROOT_2)
    lost = _lost(a, _THREE_ROOT_2)
    is_far = a >= 0.7
    near = 0.5 - a * (_HALF_ROOT_HALF * _erf_slope(0.5 * a * a))
    far = bell * factor
    far = far + far * (lost - lack)
    return (far if is_far else near), is_far, bell - bell * lack, factor + factor * lost


@elementwise("ndtr", contract=True)
def ndtr(x: float) -> Any:
    """Return the distribution function of the standard normal, element by element."""
    x = np.float64(x)
    tail, _, _, _ = _tail(abs(x))
    return tail if x < 0.0 else 1.0 - tail


@elementwise("log_ndtr", contract=True)
def log_ndtr(x: float) -> Any:
    """Return the logarithm of `ndtr`, element by element, however small that is."""
    x = np.float64(x)
    tail, is_far, _, factor = _tail(abs(x))
    rest = 1.0 - tail
    below = factor if is_far else tail
    logarithm = _log(below if x < 0.0 else rest)
    # The logarithm of the rest gets back what rounding took from the rest.
    correction = (0.5 * x * x if is_far else 0.0) if x < 0.0 else ((rest - 1.0) + tail) / rest
    return logarithm - correction


@fragment
def mills(x: float) -> Any:
    """Return the density of the standard normal divided by `ndtr`: the derivative of `log_ndtr`, about -x far below."""
    x = np.float64(x)
    tail, is_far, bell, factor = _tail(abs(x))
    is_far_below = is_far & (x < 0.0)
    probability = tail if x < 0.0 else 1.0 - tail
    return (1.0 if is_far_below else bell) / (_ROOT_2_PI * (factor if is_far_below else probability))


@elementwise("ndtri", contract=True)
def ndtri(p: float) -> Any:
    """Return the quantile of the standard normal at a probability, the inverse of `ndtr`, element by element."""
    p = np.float64(p)
    q = p - 0.5
    is_middle = abs(q) <= 0.4
    t = math.sqrt(-_log(p if q < 0.0 else 1.0 - p)) - 1.5
    middle, middle_q = _middle(0.16 - q * q)
    lower, lower_q = _lower(t)
    x = (q * middle if is_middle else (-lower if q < 0.0 else lower)) / (middle_q if is_middle else lower_q)
    x = -math.inf if p == 0.0 else x
    return math.inf if p == 1.0 else x
