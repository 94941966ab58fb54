r"""Transforms of unconstrained coordinates to numbers, element by element.

Every transform of `nbinfer.model.support.supports` is a set of functions of one signature:

``forward(u, x, constants)``
    Overwrites the flat value ``x`` with the image of the unconstrained coordinates ``u`` and returns
    :math:`\log|J|`, the log of the absolute Jacobian determinant of ``u`` to ``x``.
``pullback(u, x, constants, grad_x, grad_u)``
    Overwrites ``grad_u`` with :math:`J^T g + \nabla_u \log|J|`, where ``grad_x`` holds :math:`g`, the gradient on the
    constrained scale, and ``x`` is what `forward` left for the same ``u``.
``inverse(x, u, constants)``
    Overwrites ``u`` with coordinates of the value ``x``, which is valid. Plain Python, for starting points.

Transforms with bounds have two more, since bounds may be functions of other parameters:

``settle(constants)``
    Completes ``constants``, in which the bounds have been filled in; tells whether values between them exist.
``sensitivity(u, x, constants, grad_x, grad_bounds)``
    Overwrites ``grad_bounds`` with the gradient by the bounds at fixed ``u``, of the density and of :math:`\log|J|`.

All arrays are one-dimensional float64; ``constants`` is `Support.constants`. All but ``inverse`` are kernels that call
fragments only, allocate nothing and depend on no rule that Python and machine code do not share: their ``py_func`` is
the same transform without Numba. ``exp`` is cut off where Python's would raise: beyond 709 the value is infinite.

The formulas are those of the Stan reference manual, chapter "Constraint transforms" [1]_.

References
----------
.. [1] Stan Development Team, "Stan Reference Manual", chapter "Constraint Transforms",
   https://mc-stan.org/docs/reference-manual/transforms.html
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import fragment, kernel
from nbinfer.vectormath import exp

Floats: TypeAlias = NDArray[np.float64]

_exp = exp.numbers

#: Fewer numbers are no work for vectors; libm has the first one sooner.
_FEW = 8


@fragment
def exponentials(u: Floats, x: Floats) -> None:
    """Overwrite ``x`` with :math:`e^u`."""
    if u.size < _FEW:
        for i in range(u.size):
            x[i] = math.inf if u[i] > 709.0 else math.exp(u[i])
    else:
        for i in range(u.size):
            x[i] = _exp(u[i])


@kernel
def real_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x = u`, with :math:`\log|J| = 0`."""
    for i in range(u.size):
        x[i] = u[i]
    return 0.0


@kernel
def real_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    """Pull back through the identity."""
    for i in range(u.size):
        grad_u[i] = grad_x[i]


def real_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert the identity."""
    u[:] = x


@kernel
def positive_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x = e^u`, with :math:`\log|J| = \sum u`."""
    log_jacobian = 0.0
    exponentials(u, x)
    for i in range(u.size):
        log_jacobian += u[i]
    return log_jacobian


@kernel
def positive_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    """Pull back: ``grad_u = x * grad_x + 1``."""
    for i in range(u.size):
        grad_u[i] = x[i] * grad_x[i] + 1.0


def positive_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: ``u = log x``."""
    u[:] = np.log(x)


@kernel
def lower_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x = a + e^u`, with :math:`\log|J| = \sum u`; ``constants`` is ``a``."""
    log_jacobian = 0.0
    exponentials(u, x)
    for i in range(u.size):
        x[i] += constants[i]
        log_jacobian += u[i]
    return log_jacobian


@kernel
def lower_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    """Pull back: ``grad_u = exp(u) * grad_x + 1``; ``x - a`` would lose digits near the bound."""
    exponentials(u, grad_u)
    for i in range(u.size):
        grad_u[i] = grad_u[i] * grad_x[i] + 1.0


def lower_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: ``u = log(x - a)``."""
    u[:] = np.log(x - constants)


@kernel
def lower_settle(constants: Floats) -> bool:
    """Tell whether all bounds are finite."""
    finite = True
    for i in range(constants.size):
        finite = finite and math.isfinite(constants[i])
    return finite


@kernel
def lower_sensitivity(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_bounds: Floats) -> None:
    """Differentiate by the bound, with which the value moves."""
    for i in range(u.size):
        grad_bounds[i] = grad_x[i]


@kernel
def upper_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x = b - e^u`, with :math:`\log|J| = \sum u`; ``constants`` is ``b``."""
    log_jacobian = 0.0
    exponentials(u, x)
    for i in range(u.size):
        x[i] = constants[i] - x[i]
        log_jacobian += u[i]
    return log_jacobian


@kernel
def upper_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    """Pull back: ``grad_u = 1 - exp(u) * grad_x``."""
    exponentials(u, grad_u)
    for i in range(u.size):
        grad_u[i] = 1.0 - grad_u[i] * grad_x[i]


def upper_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: ``u = log(b - x)``."""
    u[:] = np.log(constants - x)


upper_settle = lower_settle
upper_sensitivity = lower_sensitivity


@kernel
def interval_forward(u: Floats, x: Floats, constants: Floats) -> float:
    r"""Map :math:`x = a + (b-a)\,s(u)` with the logistic function :math:`s(u) = 1/(1+e^{-u})`.

    :math:`\log|J| = \sum \log(b-a) + \log s(u) + \log s(-u)`, and with :math:`e = e^{-|u|}` the smaller of :math:`s(u)`
    and :math:`s(-u)` is :math:`e/(1+e)` while :math:`\log s(u) + \log s(-u) = -|u| - 2\log(1+e)`: one ``exp`` serves
    all, nothing cancels, and the value is counted from the nearer bound, so that it never leaves the interval.

    ``constants`` holds ``a``, then ``b``, then :math:`\sum \log(b-a)`.
    """
    n = u.size
    log_jacobian: float = constants[2 * n]
    for i in range(n):
        a = constants[i]
        b = constants[n + i]
        e = math.exp(-abs(u[i]))
        part = (b - a) * (e / (1.0 + e))
        x[i] = a + part if u[i] < 0.0 else b - part
        log_jacobian -= abs(u[i]) + 2.0 * math.log1p(e)
    return log_jacobian


@kernel
def interval_pullback(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_u: Floats) -> None:
    r"""Pull back: :math:`(b-a)\,s(u)s(-u)\,g + s(-u) - s(u)`."""
    n = u.size
    for i in range(n):
        e = math.exp(-abs(u[i]))
        small = e / (1.0 + e)
        large = 1.0 / (1.0 + e)
        slope = large - small
        grad_u[i] = (constants[n + i] - constants[i]) * (small * large) * grad_x[i] + (slope if u[i] < 0.0 else -slope)


def interval_inverse(x: Floats, u: Floats, constants: Floats) -> None:
    """Invert: ``u = log(x - a) - log(b - x)``."""
    a, b = constants[: x.size], constants[x.size : 2 * x.size]
    u[:] = np.log(x - a) - np.log(b - x)


@kernel
def interval_settle(constants: Floats) -> bool:
    r"""Tell whether all bounds are finite, ``a < b`` and ``b - a`` finite; leave :math:`\sum \log(b-a)` behind them."""
    n = constants.size // 2
    total = 0.0
    for i in range(n):
        width = constants[n + i] - constants[i]
        if not 0.0 < width < math.inf:
            return False
        total += math.log(width)
    constants[2 * n] = total
    return True


@kernel
def interval_sensitivity(u: Floats, x: Floats, constants: Floats, grad_x: Floats, grad_bounds: Floats) -> None:
    r"""Differentiate by the bounds: :math:`s(-u)\,g - 1/(b-a)` by ``a``, :math:`s(u)\,g + 1/(b-a)` by ``b``."""
    n = u.size
    for i in range(n):
        e = math.exp(-abs(u[i]))
        small = e / (1.0 + e)
        large = 1.0 / (1.0 + e)
        by_width = 1.0 / (constants[n + i] - constants[i])
        grad_bounds[i] = (large if u[i] < 0.0 else small) * grad_x[i] - by_width
        grad_bounds[n + i] = (small if u[i] < 0.0 else large) * grad_x[i] + by_width
