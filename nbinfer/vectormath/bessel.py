r"""Modified Bessel functions of the first kind, as von Mises and Rice distributions need them.

:math:`I_0` and :math:`I_1` grow like :math:`e^x / \sqrt{2\pi x}`: what is of use is the logarithm of
:math:`e^{-|x|} I_0(x)` and the quotient :math:`I_1 / I_0`, the derivative of :math:`\log I_0`. No step is a branch, so
that LLVM turns loops into vector instructions. Polynomials and rational functions are minimax fits.

Largest errors in units in the last place (ulp): log_i0e 8, i1_over_i0 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.compile import elementwise, fragment
from nbinfer.vectormath.logarithm import log

_log = log.numbers

_HALF_LOG_2PI = 0.9189385332046727


@fragment
def _small_log(x: float) -> tuple[float, float]:
    """Return P and Q: log(I0(x)) = x - x * P / Q, up to 8."""
    p = -2.208135336748573e-11
    p = p * x - 7.3310781729116975e-09
    p = p * x + 4.2661990264554155e-07
    p = p * x + 4.034068013423649e-06
    p = p * x + 6.591482273424437e-05
    p = p * x + 0.00031086931819989023
    p = p * x + 0.0031479477660519757
    p = p * x + 0.007506518699672754
    p = p * x + 0.055637824309472124
    p = p * x + 0.06843610712632572
    p = p * x + 0.40053360505691527
    p = p * x + 0.2054629055763141
    p = p * x + 1.0
    q = -2.8867353618447e-09
    q = q * x + 1.2531116849066742e-07
    q = q * x + 2.3777037624234894e-06
    q = q * x + 2.575447726261142e-05
    q = q * x + 0.0002262758815057855
    q = q * x + 0.0013314853213534888
    q = q * x + 0.007272542276151836
    q = q * x + 0.024673628337703167
    q = q * x + 0.09387395136328974
    q = q * x + 0.1814109399941569
    q = q * x + 0.5143993314506844
    q = q * x + 0.4554629055763215
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
    """Return P and Q: I1(x) / I0(x) = x * P / Q, s = x * x, up to 1."""
    p = 1.5263394379601893e-06
    p = p * s + 0.000740593897216272
    p = p * s + 0.04459671987913959
    p = p * s + 0.5
    q = 4.917282078347832e-05
    q = q * s + 0.007422034430936053
    q = q * s + 0.21419343975827604
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
    v = 1.0 / a
    p, q = _small_log(a)
    large = v * _large_log(v) - (0.5 * _log(a) + _HALF_LOG_2PI)
    return large if a > 8.0 else -a * (p / q)


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
    return x * (p / q) if s < 1.0 else large


@fragment
def i1_over_i0_slope(x: float) -> Any:
    """Return the derivative of `i1_over_i0`."""
    a = abs(np.float64(x))
    s, v = a * a, 1.0 / a
    p, q = _small_ratio(s)
    fraction = p / q
    small = 1.0 - s * fraction * fraction - fraction
    gap = _gap(a)
    middle = gap * (2.0 - gap) - (1.0 - gap) * v
    return v * v * _large_gap_slope(v) if a > 12.0 else (small if a < 1.0 else middle)
