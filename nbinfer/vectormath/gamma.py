"""The logarithm of the gamma function and its derivatives.

No step is a branch, so that LLVM turns loops into vector instructions. From 8 on lgamma is Stirling's series (DLMF
5.11); below, `_reduced` leads to [0.75, 3), where a rational function times what vanishes at 1 and 2 keeps digits near
these zeros. Digamma has such a function at its zero, 1.46, and is the logarithm less a polynomial from 2.5 on; trigamma
is near 1 / (x - 0.375) from 1 on. Rational functions and series are minimax fits. Negative arguments are
reflected, which costs as much again: densities, whose arguments are positive, use the ``…_positive`` forms.

Largest errors in units in the last place (ulp), of positive numbers: digamma 2, trigamma 1.2, lgamma 2.5.
Of negative arguments trigamma keeps 1.5, and the errors of the others are as many ulp of the largest term of the
reflection, or of 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment, multiply_add
from nbinfer.vectormath.logarithm import log

_log = log.numbers

HALF_LOG_2PI = 0.9189385332046727
#: What is added to an argument before its reciprocal is taken: see `error_from_1`.
ERROR_SHIFT = 0.625

#: Where digamma(1 + z) is 0, in two pieces.
_ROOT = 0.46163214496836236
_ROOT_REST = -1.5522348162858677e-17

#: From here on there are no fractions; added and taken off again, it rounds what is smaller to an integer.
_TWO_52 = 2.0**52


@fragment
def _near_zeros(z: float) -> tuple[float, float]:
    """Return P and Q: lgamma(1 + z) = z * (z - 1) * (0.5 + P / Q) for z from -0.25 to 2."""
    p = -2.898847736209783e-05
    p = p * z - 0.0015260214392334279
    p = p * z - 0.022602077005690623
    p = p * z - 0.13934741022783045
    p = p * z - 0.4111242100696107
    p = p * z - 0.5854173956768826
    p = p * z - 0.3241539266519963
    p = p * z + 0.045200349797239754
    p = p * z + 0.07721566490153287
    q = 5.886255430849402e-05
    q = q * z + 0.0035233976269402837
    q = q * z + 0.0628873029843883
    q = q * z + 0.49530779686678916
    q = q * z + 2.0187934258292106
    q = q * z + 4.557565468684844
    q = q * z + 5.736409770488728
    q = q * z + 3.7615646862616625
    q = q * z + 1.0
    return p, q


@fragment
def _near_root(z: float) -> tuple[float, float]:
    """Return P and Q: digamma(1 + z) = (z - root) * (1 + P / Q) for z from -0.25 to 2."""
    p = -2.1022489789427667e-08
    p = p * z - 0.00020386538463018018
    p = p * z - 0.007388579061302726
    p = p * z - 0.08322862915288815
    p = p * z - 0.3821607090555191
    p = p * z - 0.7060141557427433
    p = p * z - 0.29908637767003343
    p = p * z + 0.2503801375034054
    q = 0.00020693734295266624
    q = q * z + 0.008322285175708485
    q = q * z + 0.10915273066354414
    q = q * z + 0.6318352097080422
    q = q * z + 1.7498515771560987
    q = q * z + 2.2190537495179607
    q = q * z + 1.0
    return p, q


@fragment
def _stirling(s: float) -> float:
    """Return x times what Stirling's formula lacks of lgamma(x), x = s**-0.5, from 8 on."""
    p = -0.0016532322102896673
    p = p * s + 0.00083730816458338
    p = p * s - 0.0005952029336783808
    p = p * s + 0.0007936506668424149
    p = p * s - 0.0027777777776099555
    return p * s + 0.0833333333333333


@fragment
def _stirling_1(s: float) -> float:
    """Return P(s), s = x**-2: digamma(x) = log(x) - 1 / (2 * x) - s * P(s), from 8 on."""
    p = -0.017720112888566213
    p = p * s + 0.007519438504183765
    p = p * s - 0.004166222449628175
    p = p * s + 0.003968252369696695
    p = p * s - 0.008333333331221219
    return p * s + 0.08333333333333288


@fragment
def _below_log(u: float) -> float:
    """Return P(u), u = 1 / (x + 0.5): digamma(x) = log(x) - u * P(u), from 2.5 on."""
    p = -0.029651562181490728
    p = p * u + 0.079272225474784
    p = p * u - 0.08804342909386695
    p = p * u + 0.047576836195099316
    p = p * u - 0.0038528293780639563
    p = p * u - 0.005173719240694959
    p = p * u + 0.0036643660660426562
    p = p * u + 0.011456288316936831
    p = p * u + 0.014509376789362679
    p = p * u + 0.024801551268987056
    p = p * u + 0.05625000158793529
    p = p * u + 0.11666666662788941
    p = p * u + 0.20833333333380502
    p = p * u + 0.33333333333333115
    return p * u + 0.5


@fragment
def _trigamma_bend(u: float) -> float:
    """Return P(u), u = 1 / (x + 0.5): trigamma(x) = (1 + P(u)) / (x - 0.375), from 1 on."""
    p = 0.15287695159015616
    p = p * u - 1.1418630041057103
    p = p * u + 3.962763525204275
    p = p * u - 8.46800463448314
    p = p * u + 12.40812451462893
    p = p * u - 13.096882303505728
    p = p * u + 10.105974123332656
    p = p * u - 5.598559499049345
    p = p * u + 2.050655604717432
    p = p * u - 0.39141987146901513
    p = p * u - 0.00017530641827870789
    p = p * u - 0.06132294814581595
    p = p * u + 0.0013354799324188746
    p = p * u - 0.034632017333875935
    p = p * u - 0.10899484001804541
    p = p * u - 0.15052120725309506
    p = p * u - 0.12708332165186528
    p = p * u - 0.05208333356183461
    p = p * u + 0.041666666669098136
    p = p * u + 0.1249999999999894
    return p * u


@fragment
def _stirling_3(s: float) -> float:
    """Return P(s), s = x**-2: the derivative of trigamma is -s - s / x - s * s * P(s), from 8 on."""
    p = 12.40818005043066
    p = p * s - 3.190693376286744
    p = p * s + 0.832319254995875
    p = p * s - 0.2999946157924813
    p = p * s + 0.16666665294217697
    p = p * s - 0.16666666665349694
    return p * s + 0.49999999999999795


@fragment
def _sine(s: float) -> float:
    """Return sin(pi * r) / (pi * r), s = r * r, up to 1/2."""
    p = 2.4493077472656375e-07
    p = p * s - 6.972000456235723e-06
    p = p * s + 0.00014842780086091222
    p = p * s - 0.002346080886820721
    p = p * s + 0.026147847804529188
    p = p * s - 0.19075182412143046
    p = p * s + 0.8117424252833373
    p = p * s - 1.6449340668482262
    return p * s + 1.0


@fragment
def _cosine(s: float) -> float:
    """Return cos(pi * r), s = r * r, up to 1/2."""
    p = 4.149591698508493e-06
    p = p * s - 0.00010456658073321414
    p = p * s + 0.0019295562835914622
    p = p * s - 0.02580688873935248
    p = p * s + 0.2353306301298083
    p = p * s - 1.3352627688434646
    p = p * s + 4.058712126416498
    p = p * s - 4.934802200544676
    return p * s + 1.0


@fragment
def _beside_pole(s: float) -> float:
    """Return trigamma(1 + r) + trigamma(1 - r), s = r * r, up to 1/2: (pi / sin(pi * r))**2 less 1 / s."""
    p = 661.1989148278246
    p = p * s - 697.9828502895857
    p = p * s + 537.2241184844659
    p = p * s - 143.5305103572228
    p = p * s + 98.87654816408536
    p = p * s + 31.732095107417287
    p = p * s + 39.444258820260046
    p = p * s + 33.85228692419477
    p = p * s + 30.011401002514283
    p = p * s + 26.001017266930415
    p = p * s + 22.00543471040072
    p = p * s + 18.017901859902814
    p = p * s + 14.057082993798039
    p = p * s + 10.17343061979196
    p = p * s + 6.493939402266984
    return p * s + 3.289868133696453


@fragment
def _passed(x: float, z: float, product: float) -> tuple[float, float]:
    """Step from x + 1 to x, if x is not below 2: see `_reduced`."""
    is_passed = x >= 2.0
    return (x - 1.0 if is_passed else z), (product * x if is_passed else product)


@fragment
def _reduced(x: float) -> tuple[float, float]:
    """Lead x below 8 to y = 1 + z in [0.75, 3) by steps of 1.

    Returns z, and the product of what x is led past (x itself where y = x + 1).
    """
    is_low = x < 0.75
    z = x if is_low else x - 1.0
    product = x if is_low else 1.0
    z, product = _passed(x - 1.0, z, product)
    z, product = _passed(x - 2.0, z, product)
    z, product = _passed(x - 3.0, z, product)
    z, product = _passed(x - 4.0, z, product)
    return _passed(x - 5.0, z, product)


@fragment
def _to_nearest_integer(x: float) -> tuple[Any, Any]:
    """Return the distance of a negative number to the nearest integer, and -1 or 1 if that lies below or above."""
    apart = -x - ((_TWO_52 - x) - _TWO_52) if x > -_TWO_52 else np.float64(0.0)
    return abs(apart), (-1.0 if apart < 0.0 else 1.0)


def _positive(name: str) -> Any:
    def reference(x: Any) -> Any:
        import scipy.special

        return np.where(np.less(x, 0.0), math.nan, getattr(scipy.special, name)(x))[()]

    return reference


@fragment
def _vanishing(z: float) -> Any:
    """Return z * (z - 1), rounded once where the difference is exact, and nearly once elsewhere."""
    return z * (z - 1.0) if z >= 0.5 else z * z - z


@fragment
def lgamma_part(x: float) -> Any:
    """Return `lgamma_positive`."""
    is_large = not x < 8.0
    z, product = _reduced(x)
    p, q = _near_zeros(z)
    quotient = (1.0 if is_large else p) / (x if is_large else q)
    logarithm = _log(x if is_large else product)
    vanishing = _vanishing(z)
    small = (0.5 * vanishing + vanishing * quotient) + (-logarithm if x < 0.75 else logarithm)
    error = quotient * _stirling(quotient * quotient)
    large = (x - 0.5) * (logarithm - 1.0) + ((HALF_LOG_2PI - 0.5) + error)
    return large if is_large else small


@fragment
def lgamma_slope(z: float) -> Any:
    """Return 1 + lgamma(1 + z) / z, from 0 to 1."""
    p, q = _near_zeros(z)
    return 1.0 + (z - 1.0) * (0.5 + p / q)


@elementwise(_positive("gammaln"), contract=True)
def lgamma_positive(x: float) -> Any:
    """Return the logarithm of the gamma function, element by element; NaN where x is negative."""
    return lgamma_part(np.float64(x))


def _lgamma(x: Any) -> Any:
    from scipy.special import gammaln

    return np.where(np.isneginf(x), math.inf, gammaln(x))[()]


@elementwise(_lgamma, contract=True)
def lgamma(x: float) -> Any:
    """Return the logarithm of the absolute value of the gamma function, element by element (DLMF 5.5.3)."""
    x = np.float64(x)
    is_negative = x < 0.0
    r, _ = _to_nearest_integer(x)
    value = lgamma_part(1.0 - x if is_negative else x)
    reflected = -_log(r * _sine(r * r)) - value if r > 0.0 else math.inf
    return reflected if is_negative else value


@fragment
def digamma_part(x: float) -> Any:
    """Return `digamma_positive`."""
    is_large = not x < 2.5
    is_low = x < 0.75
    z = x if is_low else x - 1.0
    p, q = _near_root(z)
    apart = z - _ROOT
    lost = (z - apart) - _ROOT if z > 0.5 else z - (apart + _ROOT)  # in that difference
    above = apart - _ROOT_REST
    bend = above * p
    divisor = q * x if is_low else q
    quotient = (1.0 if is_large else (bend * x - q if is_low else bend)) / (x + 0.5 if is_large else divisor)
    large = _log(x) - quotient * _below_log(quotient)
    value = large if is_large else above + (quotient + lost)
    return math.nan if x < 0.0 else value


@elementwise(_positive("digamma"), contract=True)
def digamma_positive(x: float) -> Any:
    """Return the derivative of `lgamma_positive`, element by element; NaN where x is negative."""
    return digamma_part(np.float64(x))


@elementwise("digamma", contract=True)
def digamma(x: float) -> Any:
    """Return the derivative of `lgamma`, element by element (DLMF 5.5.4); NaN at the negative integers."""
    x = np.float64(x)
    is_negative = x < 0.0
    r, sign = _to_nearest_integer(x)
    value = digamma_part(1.0 - x if is_negative else x)
    cotangent = sign * _cosine(r * r) / (r * _sine(r * r))
    cotangent = cotangent if r > 0.0 else math.nan
    return value + cotangent if is_negative else value


@fragment
def _power(x: float, n: int) -> Any:
    return x * x * (x if n == 3 else 1.0)


@fragment
def _sum_of_powers(x: float, n: int) -> Any:
    """Return the sum of 1 / (x + k)**n for k from 1 to 7, n being 2 or 3: pairs, then pairs of these."""
    a, b, c, d = _power(x + 1.0, n), _power(x + 2.0, n), _power(x + 3.0, n), _power(x + 4.0, n)
    e, f, g = _power(x + 5.0, n), _power(x + 6.0, n), _power(x + 7.0, n)
    ab, cd, ef = a * b, c * d, e * f
    efg = ef * g
    first = (a + b) * cd + (c + d) * ab
    second = (e + f) * g + ef
    return (first * efg + second * (ab * cd)) / ((ab * cd) * efg)


def _trigamma(x: Any) -> Any:
    from scipy.special import polygamma

    return polygamma(1, x)[()]


@elementwise(_trigamma, contract=True)
def trigamma(x: float) -> Any:
    """Return the derivative of `digamma`, element by element (DLMF 5.5.4, 5.15.5); infinity at the poles."""
    x = np.float64(x)
    is_negative = x < 0.0
    y = 1.0 - x if is_negative else x
    is_low = y < 1.0
    r, _ = _to_nearest_integer(x)
    root = 2.0**30 * (r if is_negative else y)  # lest its square lose digits
    square = root * root
    inverse = 1.0 / square
    pole = 2.0**60 * inverse
    rounding = multiply_add(-inverse, square, 1.0) - inverse * multiply_add(root, root, -square)
    beside = pole * rounding if square > 1e-280 else 0.0
    more = y + 0.625 if is_low else y - 0.375
    lost = (y if is_low else -0.375) - (more - (0.625 if is_low else y))
    is_huge = y > 1e100
    above = 1.0 if is_huge else y + (1.5 if is_low else 0.5)
    both = 1.0 / (more * above)
    v = both * above
    bend = _trigamma_bend(both * more) + (multiply_add(-v, more, 1.0) - v * lost)
    bend = 0.0 if is_huge else bend
    value = v + v * bend
    rest = _beside_pole(r * r) - value if is_negative else value
    return pole + (beside + rest) if is_negative | is_low else rest


@fragment
def tetragamma(x: float) -> Any:
    """Return the derivative of `trigamma`."""
    x = np.float64(x)
    is_negative = x < 0.0
    y = 1.0 - x if is_negative else x
    is_large = not y < 8.0
    first = 1.0 / y
    t = 1.0 / (y if is_large else y + 8.0)
    s = t * t
    value = s + s * (t + s * _stirling_3(s))
    value += 0.0 if is_large else 2.0 * (first * first * first + _sum_of_powers(y, 3))
    r, sign = _to_nearest_integer(x)
    cosecant = 1.0 / (r * _sine(r * r))
    reflected = 2.0 * sign * cosecant * cosecant * cosecant * _cosine(r * r)
    return reflected - value if is_negative else -value


@fragment
def stirling_error(x: float) -> Any:
    """Return what Stirling's formula lacks of lgamma(x), from 8 on."""
    t = 1.0 / x
    return t * _stirling(t * t)


@fragment
def digamma_error(x: float) -> Any:
    """Return what digamma(x) lacks of log(x) - 1 / (2 * x), from 8 on."""
    s = 1.0 / (x * x)
    return s * _stirling_1(s)


@fragment
def error_from_1(u: float) -> Any:
    """Return what Stirling's formula lacks of lgamma(x), as `stirling_error`, from 1 on, where u = 1 / (x + 0.625)."""
    p = 0.00017462856476934904
    p = p * u + 0.00045024607084770207
    p = p * u - 0.003227883786179159
    p = p * u + 0.007583976082879059
    p = p * u - 0.009300977119795151
    p = p * u + 0.007283066747840369
    p = p * u - 0.002238911820003774
    p = p * u + 0.0005066134272065178
    p = p * u + 0.0016573749828875874
    p = p * u + 0.0026709780342004095
    p = p * u + 0.003645275017206879
    p = p * u + 0.006998912843300063
    p = p * u + 0.015136718343402793
    p = p * u + 0.02977430555219443
    p = p * u + 0.052083333333553423
    return u * (p * u + 0.08333333333333183)
