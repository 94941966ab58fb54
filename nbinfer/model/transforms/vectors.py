r"""Transforms of unconstrained coordinates to vectors with a structure; see `transforms` for the common signature.

``constants`` is ``(k, count)``: the length of a vector and how many of them lie one after another in the value.

References
----------
.. [1] J. J. Egozcue, V. Pawlowsky-Glahn, G. Mateu-Figueras and C. Barceló-Vidal, "Isometric logratio transformations
   for compositional data analysis", Mathematical Geology 35 (2003), 279-300.
.. [2] Stan Development Team, "Stan Reference Manual", chapter "Constraint Transforms",
   https://mc-stan.org/docs/reference-manual/transforms.html
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import kernel
from nbinfer.model.transforms.elementwise import Floats


@kernel
def simplex_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map to the simplex by the isometric log-ratio transform [1]_: :math:`x = \mathrm{softmax}(z)`, :math:`z = V u`.

    The columns of :math:`V` are an orthonormal basis of the vectors that sum to zero; column :math:`i = 1 … k-1` is
    :math:`(1, …, 1, -i, 0, …, 0)/\sqrt{i(i+1)}` with ``i`` ones. With :math:`\ell = \log\sum_j e^{z_j}`,

    .. math:: \log|J| = \tfrac12\log k + \sum_j \log x_j = \tfrac12\log k - k\,\ell,

    where J is taken to the first k - 1 entries (or any k - 1: the determinant is the same). Stan uses this transform
    since 2.36; it treats the entries alike, where breaking a stick favours the first, costs one ``exp`` an entry, and
    :math:`u = 0` is the centre of the simplex.
    """
    k = int(constants[0])
    count = int(constants[1])
    log_jacobian = 0.5 * count * math.log(constants[0])
    for vector in range(count):
        start = vector * k
        first = vector * (k - 1) - 1
        above = 0.0
        largest = -math.inf
        for i in range(k - 1, -1, -1):
            z = above
            if i > 0:
                w = u[first + i] / math.sqrt(i * (i + 1.0))
                z -= i * w
                above += w
            x[start + i] = z
            largest = max(largest, z)
        total = 0.0
        for i in range(start, start + k):
            x[i] = math.exp(x[i] - largest)
            total += x[i]
        for i in range(start, start + k):
            x[i] /= total
        log_jacobian -= k * (largest + math.log(total))
    return log_jacobian


@kernel
def simplex_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    r"""Pull back: :math:`V^T (x \circ (g - x^T g) - k\,x)`."""
    k = int(constants[0])
    for vector in range(int(constants[1])):
        start = vector * k
        first = vector * (k - 1) - 1
        mean = 0.0
        for i in range(start, start + k):
            mean += x[i] * grad_x[i]
        before = 0.0
        for i in range(k):
            grad_z = x[start + i] * (grad_x[start + i] - mean - k)
            if i > 0:
                grad_u[first + i] = (before - i * grad_z) / math.sqrt(i * (i + 1.0))
            before += grad_z


def simplex_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: ``u = V.T @ log(x)``."""
    k = int(constants[0])
    for vector in range(int(constants[1])):
        total = np.log(x[vector * k])
        for i in range(1, k):
            z = np.log(x[vector * k + i])
            u[vector * (k - 1) + i - 1] = (total - i * z) / math.sqrt(i * (i + 1.0))
            total += z


@kernel
def ordered_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x_0 = u_0`, :math:`x_i = x_{i-1} + e^{u_i}`, with :math:`\log|J| = \sum_{i \ge 1} u_i` [2]_."""
    k = int(constants[0])
    log_jacobian = 0.0
    for start in range(0, k * int(constants[1]), k):
        last = u[start]
        x[start] = last
        for i in range(start + 1, start + k):
            last += math.inf if u[i] > 709.0 else math.exp(u[i])
            x[i] = last
            log_jacobian += u[i]
    return log_jacobian


@kernel
def ordered_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    r"""Pull back: :math:`\sum_{j \ge i} g_j` for the first, :math:`e^{u_i} \sum_{j \ge i} g_j + 1` for the others."""
    k = int(constants[0])
    for start in range(0, k * int(constants[1]), k):
        above = 0.0
        for i in range(start + k - 1, start, -1):
            above += grad_x[i]
            grad_u[i] = (math.inf if u[i] > 709.0 else math.exp(u[i])) * above + 1.0
        grad_u[start] = above + grad_x[start]


def ordered_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: the logs of the increments."""
    vectors = x.reshape(-1, int(constants[0]))
    u[:] = np.hstack([vectors[:, :1], np.log(np.diff(vectors))]).ravel()


@kernel
def positive_ordered_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x_i = \sum_{j \le i} e^{u_j}`, with :math:`\log|J| = \sum u` [2]_."""
    k = int(constants[0])
    log_jacobian = 0.0
    for start in range(0, k * int(constants[1]), k):
        last = 0.0
        for i in range(start, start + k):
            last += math.inf if u[i] > 709.0 else math.exp(u[i])
            x[i] = last
            log_jacobian += u[i]
    return log_jacobian


@kernel
def positive_ordered_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    r"""Pull back: :math:`e^{u_i} \sum_{j \ge i} g_j + 1`."""
    k = int(constants[0])
    for start in range(0, k * int(constants[1]), k):
        above = 0.0
        for i in range(start + k - 1, start - 1, -1):
            above += grad_x[i]
            grad_u[i] = (math.inf if u[i] > 709.0 else math.exp(u[i])) * above + 1.0


def positive_ordered_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: the logs of the increments, the first counted from zero."""
    u[:] = np.log(np.diff(x.reshape(-1, int(constants[0])), prepend=0.0)).ravel()


@kernel
def unit_vector_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x = y/|y|` with :math:`y = u + (1, …, 1)`; the log density of the unused radius takes J's place.

    The k coordinates have one degree of freedom more than the vector; giving y a standard normal density,
    :math:`-|y|^2/2`, makes the whole proper and leaves the vector uniform on the sphere (with respect to surface area)
    under a constant density [2]_. That density, without its constant, is what is returned. The shift, unlike in
    [2]_, keeps the origin of the coordinates away from the singular point y = 0: :math:`u = 0` is the
    vector with equal entries at the radius :math:`\sqrt k`, the root of the mean of :math:`|y|^2`. At y = 0 itself the
    value is that same vector.
    """
    k = int(constants[0])
    log_density = 0.0
    for start in range(0, k * int(constants[1]), k):
        square = 0.0
        for i in range(start, start + k):
            square += (u[i] + 1.0) * (u[i] + 1.0)
        norm = math.sqrt(square)
        for i in range(start, start + k):
            x[i] = (u[i] + 1.0) / norm if norm > 0.0 else 1.0 / math.sqrt(constants[0])
        log_density -= 0.5 * square
    return log_density


@kernel
def unit_vector_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    r"""Pull back: :math:`(g - x\,x^T g)/|y| - y`; at y = 0, where the direction has no derivative, 0."""
    k = int(constants[0])
    for start in range(0, k * int(constants[1]), k):
        square = 0.0
        along = 0.0
        for i in range(start, start + k):
            square += (u[i] + 1.0) * (u[i] + 1.0)
            along += x[i] * grad_x[i]
        norm = math.sqrt(square)
        for i in range(start, start + k):
            grad_u[i] = (grad_x[i] - x[i] * along) / norm - (u[i] + 1.0) if norm > 0.0 else 0.0


def unit_vector_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert at the radius sqrt(k), where the coordinates of the centre are 0."""
    u[:] = x * math.sqrt(constants[0]) - 1.0
