r"""The LKJ distribution of correlation matrices, by their lower Cholesky factor L.

.. math:: p(L \mid \eta) = \prod_{i=1}^{k-1} \frac{\Gamma(\frac i2 + b_i)}{\pi^{i/2}\,\Gamma(b_i)}\, L_{ii}^{2 b_i - 2},
          \qquad b_i = \eta + \tfrac12 (k - 1 - i),

rows counted from 0, with respect to the elements below the diagonal: what `nbinfer.cholesky_corr` declares. The
density of the correlation matrix :math:`L L^T` is proportional to :math:`\det(L L^T)^{\eta-1}`: uniform for
:math:`\eta = 1`, near the identity for large :math:`\eta`. Each row is a uniform direction times the root of a
:math:`\mathrm{Beta}(\frac i2, b_i)` [1]_.

References
----------
.. [1] D. Lewandowski, D. Kurowicka and H. Joe, "Generating random correlation matrices based on vines and extended
   onion method", Journal of Multivariate Analysis 100 (2009), 1989-2001, section 3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.distributions._check import COUNT, POSITIVE, SUM_TOLERANCE, Check
from nbinfer.distributions._function import generator
from nbinfer.distributions._multivariate import multivariate
from nbinfer.vectormath import lbeta, lgamma, select, where_valid

_HALF_LOG_PI = 0.5 * math.log(math.pi)

check = Check("lkj_cholesky", eta=POSITIVE)


@multivariate("kk", "", each=True)
def logpdf(chol: Any, eta: Any) -> Any:
    r"""Log density of a Cholesky factor.

    Parameters
    ----------
    chol : array, shape (…, k, k)
        Lower factors, rows of length 1 and a diagonal that is not negative; the result is ``-inf`` for others. At a
        diagonal element 0 the density is infinite, finite or 0, as its power is negative, 0 or positive.
    eta : float or array, shape (…)
        Shape; where it is not positive the result is ``-inf``.

    Returns
    -------
    logp : float or array
        One value for each matrix.
    """
    k = chol.shape[0]
    valid = eta > 0.0
    total = 0.0
    for i in range(k):
        squares = 0.0
        for j in range(k):
            squares += chol[i, j] * chol[i, j] if j <= i else 0.0
            valid = valid and (j <= i or chol[i, j] == 0.0)
        valid = valid and chol[i, i] >= 0.0 and abs(squares - 1.0) <= SUM_TOLERANCE
    for i in range(1, k):
        b = eta + 0.5 * (k - 1 - i)
        power = 2.0 * b - 2.0
        positive = chol[i, i] > 0.0
        at_zero = select(power > 0.0, -np.inf, select(power < 0.0, np.inf, 0.0))
        total += select(positive, power * np.log(select(positive, chol[i, i], 1.0)), at_zero)
        total += lgamma(0.5 * i) - lbeta(0.5 * i, b) - i * _HALF_LOG_PI
    return where_valid(valid, total)


@generator(Check("lkj_cholesky", eta=POSITIVE, k=COUNT), element="int(k), int(k),")
def random(rng: np.random.Generator, eta: Any, k: Any, size: Any = None) -> Any:
    """Draw random factors.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where randomness comes from.
    eta : float or array
        Shape.
    k : int
        Number of rows.
    size : int or tuple of int, optional
        How many, without the axes of a matrix. Default: as many as there are shapes.

    Returns
    -------
    chol : array, shape (…, k, k)
        The draws.

    Raises
    ------
    ValueError
        If a parameter is invalid, or if shapes do not fit.
    """
    n = int(k)
    chol = np.zeros((n, n))
    if n > 0:
        chol[0, 0] = 1.0
    for i in range(1, n):
        square = rng.beta(0.5 * i, eta + 0.5 * (n - 1 - i))
        length = 0.0
        for j in range(i):
            chol[i, j] = rng.standard_normal()
            length += chol[i, j] * chol[i, j]
        scale = math.sqrt(square / length)
        for j in range(i):
            chol[i, j] *= scale
        chol[i, i] = math.sqrt(1.0 - square)
    return chol


def support(eta: Any) -> tuple[Any, Any]:
    """Return the ends of the support of each element: from -1 to 1."""
    return -1.0, 1.0
