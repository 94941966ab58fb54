r"""Modified Bessel functions of the first kind, as von Mises and Rice distributions need them.

:math:`I_0` and :math:`I_1` grow like :math:`e^x / \sqrt{2\pi x}`: what is of use is the logarithm of
:math:`e^{-|x|} I_0(x)` and the quotient :math:`I_1 / I_0`, the derivative of :math:`\log I_0`. No step is a branch, so
that LLVM turns loops into vector instructions. Polynomials and rational functions are minimax fits.

Largest errors in units in the last place (ulp): 2. What a quotient of polynomials is small beside hides its errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment, multiply_add
from nbinfer.vectormath.logarithm import log_parts

#: log(2 * pi) / 2 in two pieces.
_HALF_LOG_2PI = 0.9189385332046727
_HALF_LOG_2PI_REST = 7.223936088184323e-17


@fragment
def _small_log(x: float) -> tuple[float, float]:
    """Return P and Q: log(I0(x)) = x - x * (1 + x * P / Q) / (1 + 0.375 * x), up to 8."""
    p = 1.039420757699512e-09
    p = p * x + 7.500456263292333e-09
    p = p * x - 3.1917083297669587e-07
    p = p * x + 1.6670978063698296e-06
    p = p * x - 3.46376787001912e-05
    p = p * x + 0.00011554643072255793
    p = p * x - 0.0010697078379984812
    p = p * x + 0.003115189020554773
    p = p * x - 0.01138274462139477
    p = p * x + 0.03449401455548474
    p = p * x - 0.036918230963419535
    p = p * x + 0.12500000000001518
    q = 2.020796242924143e-09
    q = q * x + 2.2945978138917275e-07
    q = q * x + 2.7361314052250035e-06
    q = q * x + 2.834148143635313e-05
    q = q * x + 0.00022343556865705609
    q = q * x + 0.0012752040940587322
    q = q * x + 0.00667638820087083
    q = q * x + 0.023117141404183514
    q = q * x + 0.08664688247080993
    q = q * x + 0.1741883229420572
    q = q * x + 0.4919427305618592
    q = q * x + 0.4546541522983479
    q = q * x + 1.0
    return p, q


@fragment
def _large_log(v: float) -> float:
    """Return P(v), v = 1 / x: log(I0(x)) = x - log(2 * pi * x) / 2 + v * P(v), from 8 on."""
    p = 2163116274933969.5
    p = p * v - 3300354058882720.0
    p = p * v + 2289566689485111.0
    p = p * v - 960042439474813.6
    p = p * v + 272592012658321.78
    p = p * v - 55624906950119.266
    p = p * v + 8449354840773.603
    p = p * v - 976526674089.6123
    p = p * v + 87045980069.57365
    p = p * v - 6029980926.6699
    p = p * v + 325503972.19820976
    p = p * v - 13666802.626175152
    p = p * v + 443481.96476638736
    p = p * v - 10985.300717439222
    p = p * v + 206.0118338980062
    p = p * v - 2.240459405715142
    p = p * v + 0.23610522324770078
    p = p * v + 0.10139407563248351
    p = p * v + 0.06510481561124876
    p = p * v + 0.06249999870541485
    return p * v + 0.12500000000093275


@fragment
def _small_ratio(s: float) -> tuple[float, float]:
    """Return P and Q: I1(x) / I0(x) = x * (1 / 2 + s * P / Q), s = x * x, up to 2."""
    p = -2.9029557609871265e-09
    p = p * s - 2.88179827192124e-05
    p = p * s - 0.0031264631790445256
    p = p * s - 0.06249999999999979
    q = 6.240648624057745e-05
    q = q * s + 0.007930267312277956
    q = q * s + 0.21669007753133285
    q = q * s + 1.0
    return p, q


@fragment
def _small_gap(x: float) -> tuple[float, float]:
    """Return P and Q: I1(x) / I0(x) = 1 - P / Q, up to 12."""
    p = 4.808516141201728e-15
    p = p * x + 1.6813748764515972e-11
    p = p * x + 6.276285089548087e-10
    p = p * x + 9.897829583765766e-09
    p = p * x + 2.63965417836936e-07
    p = p * x + 7.875021091869113e-07
    p = p * x + 5.1031696252895703e-05
    p = p * x - 0.00014417569170212732
    p = p * x + 0.004645877863966941
    p = p * x - 0.016313897605634446
    p = p * x + 0.15210298910308503
    p = p * x - 0.30330584673141814
    p = p * x + 1.0
    q = 3.510054484239904e-11
    q = q * x + 1.1408655402711688e-09
    q = q * x + 2.4196576860334798e-08
    q = q * x + 3.7721163818815073e-07
    q = q * x + 4.716369839007613e-06
    q = q * x + 4.611360032436755e-05
    q = q * x + 0.00039842935575880615
    q = q * x + 0.0023983923139744246
    q = q * x + 0.015558060919597279
    q = q * x + 0.04641113526239444
    q = q * x + 0.250450065737443
    q = q * x + 0.1966941532685792
    q = q * x + 1.0
    return p, q


@fragment
def _large_gap(v: float) -> float:
    """Return P(v), v = 1 / x: I1(x) / I0(x) = 1 - v * P(v), from 12 on."""
    p = -2200010830545531.8
    p = p * v + 1678154431049318.5
    p = p * v - 582066867460934.4
    p = p * v + 121797723128363.17
    p = p * v - 17210217436301.836
    p = p * v + 1741738451493.2017
    p = p * v - 130621089350.3349
    p = p * v + 7405119386.351367
    p = p * v - 320686921.67212504
    p = p * v + 10645570.379452705
    p = p * v - 269778.66570917895
    p = p * v + 5231.655358475558
    p = p * v - 62.72665580155062
    p = p * v + 3.990328970268451
    p = p * v + 1.042229625757737
    p = p * v + 0.4062771738311081
    p = p * v + 0.19531241995855195
    p = p * v + 0.12500000012446708
    p = p * v + 0.12499999999992326
    return p * v + 0.5


@fragment
def _large_gap_slope(v: float) -> float:
    """Return what v * P(v) of `_large_gap` has as derivative."""
    p = -4.400021661091063e16
    p = p * v + 3.1884934189937052e16
    p = p * v - 1.0477203614296818e16
    p = p * v + 2070561293182174.0
    p = p * v - 275363478980829.38
    p = p * v + 26126076772398.023
    p = p * v - 1828695250904.6885
    p = p * v + 96266552022.56776
    p = p * v - 3848243060.0655003
    p = p * v + 117101274.17397976
    p = p * v - 2697786.6570917894
    p = p * v + 47084.89822628003
    p = p * v - 501.81324641240496
    p = p * v + 27.932302791879156
    p = p * v + 6.253377754546422
    p = p * v + 2.0313858691555406
    p = p * v + 0.7812496798342078
    p = p * v + 0.3750000003734012
    p = p * v + 0.2499999999998465
    return p * v + 0.5


def _log_i0e(x: Any) -> Any:
    from scipy.special import i0e

    return np.log(i0e(x))


@elementwise(_log_i0e, contract=True)
def log_i0e(x: float) -> Any:
    """Return the logarithm of exp(-abs(x)) * I0(x), element by element."""
    a = abs(np.float64(x))
    is_large = a > 8.0
    p, q = _small_log(a)
    base = 1.0 + 0.375 * a
    both = 1.0 / (a if is_large else base * q)
    t = both * q
    bend = (a * p) * (both * base) + (multiply_add(-t, base, 1.0) - t * multiply_add(0.375, a, 1.0 - base))
    product = a * t
    small = product + (multiply_add(a, t, -product) + product * bend)
    high, low = log_parts(a)
    large = 0.5 * high + (_HALF_LOG_2PI - (both * _large_log(both) - (_HALF_LOG_2PI_REST + 0.5 * low)))
    return -(large if is_large else small)


@fragment
def _gap(a: float) -> Any:
    """Return 1 - I1(a) / I0(a) for a number that is not negative."""
    v = 1.0 / a
    p, q = _small_gap(a)
    return v * _large_gap(v) if a > 12.0 else p / q


@fragment
def log_i0e_slope(x: float) -> Any:
    """Return the derivative of `log_i0e`: I1(x) / I0(x) less the sign of x."""
    x = np.float64(x)
    gap = _gap(abs(x))
    return gap if x < 0.0 else -gap


def _i1_over_i0(x: Any) -> Any:
    from scipy.special import i0e, i1e

    return np.where(np.isinf(x), np.sign(x), i1e(x) / i0e(x))[()]


@elementwise(_i1_over_i0, contract=True)
def i1_over_i0(x: float) -> Any:
    """Return the quotient of the Bessel functions I1 and I0, element by element."""
    x = np.float64(x)
    s = x * x
    p, q = _small_ratio(s)
    large = 1.0 - _gap(abs(x))
    large = -large if x < 0.0 else large
    return x * (0.5 + s * (p / q)) if s < 2.0 else large


@fragment
def i1_over_i0_slope(x: float) -> Any:
    """Return the derivative of `i1_over_i0`."""
    a = abs(np.float64(x))
    s, v = a * a, 1.0 / a
    p, q = _small_ratio(s)
    fraction = 0.5 + s * (p / q)
    small = 1.0 - s * fraction * fraction - fraction
    gap = _gap(a)
    middle = gap * (2.0 - gap) - (1.0 - gap) * v
    return v * v * _large_gap_slope(v) if a > 12.0 else (small if a < 1.0 else middle)
