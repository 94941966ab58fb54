r"""Transforms of unconstrained coordinates to matrices; see `transforms` for the common signature.

``constants`` is ``(k, count)``: the number of rows and how many matrices lie one after another in the value, by rows.
Coordinates follow the lower triangle row by row, with the diagonal for covariances, without for correlations.

References
----------
.. [1] D. Lewandowski, D. Kurowicka and H. Joe, "Generating random correlation matrices based on vines and extended
   onion method", Journal of Multivariate Analysis 100 (2009), 1989-2001.
.. [2] Stan Development Team, "Stan Reference Manual", chapter "Constraint Transforms",
   https://mc-stan.org/docs/reference-manual/transforms.html
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import kernel
from nbinfer.model.transforms.elementwise import Floats


@kernel
def cholesky_corr_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map to the Cholesky factor of a correlation matrix by canonical partial correlations :math:`\tanh u` [1]_ [2]_.

    Row i (from 0) of the factor is a point of the unit sphere reached by breaking its unit length:

    .. math:: x_{ij} = \tanh u_{ij} \prod_{m<j} \operatorname{sech} u_{im}, \qquad
              x_{ii} = \prod_{m<i} \operatorname{sech} u_{im},

    because :math:`\sqrt{1 - \tanh^2} = \operatorname{sech}`, in which nothing cancels. With respect to the free
    elements, :math:`x_{ij}` with :math:`j < i`, the Jacobian is triangular and

    .. math:: \log|J| = \sum_{i>j} (i - j + 1) \log\operatorname{sech} u_{ij}.
    """
    k = int(constants[0])
    log_jacobian = 0.0
    at = 0
    for start in range(0, k * k * int(constants[1]), k * k):
        for i in range(k):
            row = start + i * k
            rest = 1.0
            for j in range(i):
                e = math.exp(-abs(u[at]))
                x[row + j] = math.tanh(u[at]) * rest
                rest *= 2.0 * e / (1.0 + e * e)
                log_jacobian -= (i - j + 1) * (abs(u[at]) + math.log1p(e * e) - 0.6931471805599453)
                at += 1
            x[row + i] = rest
            for j in range(i + 1, k):
                x[row + j] = 0.0
    return log_jacobian


@kernel
def cholesky_corr_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    r"""Pull back through each row, from its end.

    .. math:: g_{ij} \operatorname{sech}^2 u_{ij} \prod_{m<j} \operatorname{sech} u_{im}
              - \tanh u_{ij} \Big(\sum_{m>j} g_{im} x_{im} + i - j + 1\Big)
    """
    k = int(constants[0])
    at = 0
    for start in range(0, k * k * int(constants[1]), k * k):
        for i in range(k):
            row = start + i * k
            rest = 1.0
            for j in range(i):  # grad_u holds the slope of its own element for a while
                e = math.exp(-abs(u[at + j]))
                sech = 2.0 * e / (1.0 + e * e)
                rest *= sech
                grad_u[at + j] = rest * sech
            after = grad_x[row + i] * x[row + i]
            for j in range(i - 1, -1, -1):
                own = grad_x[row + j] * grad_u[at + j]
                grad_u[at + j] = own - math.tanh(u[at + j]) * (after + (i - j + 1))
                after += grad_x[row + j] * x[row + j]
            at += i


def cholesky_corr_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: ``sinh u[i, j]`` is ``x[i, j]`` over the length of what follows it in its row."""
    k = int(constants[0])
    matrices = x.reshape(-1, k, k)
    length = np.sqrt(np.cumsum(matrices[:, :, ::-1] ** 2, axis=2)[:, :, ::-1])
    rows, columns = np.tril_indices(k, -1)
    u[:] = np.arcsinh(matrices[:, rows, columns] / length[:, rows, columns + 1]).ravel()


@kernel
def covariance_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map to :math:`\Sigma = L L^T`, :math:`L_{ii} = e^{u_{ii}}` and :math:`L_{ij} = u_{ij}` below the diagonal [2]_.

    With respect to the lower triangle of the matrix, and with i from 0,
    :math:`\log|J| = k \log 2 + \sum_i (k - i + 1)\,u_{ii}`.
    """
    k = int(constants[0])
    count = int(constants[1])
    log_jacobian = 0.6931471805599453 * k * count
    at = 0
    for start in range(0, k * k * count, k * k):
        # The factor goes to the lower triangle first; the product replaces it from the last element back.
        for i in range(k):
            for j in range(i):
                x[start + i * k + j] = u[at]
                at += 1
            x[start + i * k + i] = math.inf if u[at] > 709.0 else math.exp(u[at])
            log_jacobian += (k - i + 1) * u[at]
            at += 1
        for i in range(k - 1, -1, -1):
            for j in range(i, -1, -1):
                total = 0.0
                for m in range(j + 1):
                    total += x[start + i * k + m] * x[start + j * k + m]
                x[start + i * k + j] = total
                x[start + j * k + i] = total
    return log_jacobian


@kernel
def covariance_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    r"""Pull back: the lower triangle of :math:`(G + G^T) L`; on its diagonal times :math:`L_{ii}`, plus k - i + 1."""
    k = int(constants[0])
    size = k * (k + 1) // 2
    for matrix in range(int(constants[1])):
        start = matrix * k * k
        first = matrix * size
        for j in range(k):
            log_diagonal = u[first + j * (j + 1) // 2 + j]
            diagonal = math.inf if log_diagonal > 709.0 else math.exp(log_diagonal)
            for i in range(j, k):
                total = (grad_x[start + i * k + j] + grad_x[start + j * k + i]) * diagonal
                for m in range(j + 1, k):
                    factor = u[first + m * (m + 1) // 2 + j]
                    total += (grad_x[start + i * k + m] + grad_x[start + m * k + i]) * factor
                grad_u[first + i * (i + 1) // 2 + j] = total
            own = first + j * (j + 1) // 2 + j
            grad_u[own] = grad_u[own] * diagonal + (k - j + 1)


def covariance_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert by a Cholesky factorisation."""
    k = int(constants[0])
    factor = np.linalg.cholesky(x.reshape(-1, k, k))
    diagonal = np.arange(k)
    factor[:, diagonal, diagonal] = np.log(factor[:, diagonal, diagonal])
    rows, columns = np.tril_indices(k)
    u[:] = factor[:, rows, columns].ravel()
