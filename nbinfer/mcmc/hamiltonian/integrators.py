"""Symplectic integrators of Hamiltonian dynamics: kicks of the momentum between drifts of the position.

One step of size h is kick, drift, kick, …, drift, kick with fixed shares of h; every drift ends with one gradient, and
the last gradient serves the next step. All three are second order; more stages have a smaller error constant at equal
cost.

References
----------
.. [1] S. Blanes, F. Casas and J. M. Sanz-Serna, "Numerical integrators for the Hybrid Monte Carlo method", SIAM J. Sci.
   Comput. 36 (2014).
.. [2] J. Mannseth, T. S. Kleppe and H. J. Skaug, "On the application of improved symplectic integrators in Hamiltonian
   Monte Carlo", Commun. Stat. Simul. Comput. 47 (2018).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nbinfer.arguments import choice
from nbinfer.compile import Record, call_density, floats_at, kernel
from nbinfer.mcmc.hamiltonian.phase import grad_of, momentum_of, pull_of, velocity_of
from nbinfer.mcmc.metric.kernel import DIAGONAL, DIRECTIONS, velocity

_A2 = (3.0 - math.sqrt(3.0)) / 6.0
_A3, _B3 = 12127897.0 / 102017882.0, 4271554.0 / 14421423.0

#: Name -> (shares of the kicks, shares of the drifts).
INTEGRATORS = {
    "leapfrog": ((0.5, 0.5), (1.0,)),
    "twostage": ((_A2, 1.0 - 2.0 * _A2, _A2), (0.5, 0.5)),
    "threestage": ((_A3, 0.5 - _A3, 0.5 - _A3, _A3), (_B3, 1.0 - 2.0 * _B3, _B3)),
}

#: The same as tables, by the number of the integrator.
KICKS = np.array([[0.5, 0.5, 0.0, 0.0], [_A2, 1.0 - 2.0 * _A2, _A2, 0.0], [_A3, 0.5 - _A3, 0.5 - _A3, _A3]])
DRIFTS = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [_B3, 1.0 - 2.0 * _B3, _B3]])


def integrator_number(name: Any) -> int:
    """Return the number by which kernels know an integrator; hyphens in its name do not matter."""
    names = list(INTEGRATORS)
    plain = name.replace("-", "").lower() if isinstance(name, str) else name
    choice("integrator", plain, names)
    return names.index(plain)


# Loops below know arrays by address: an array handed over is seven words, and most loops are short. There are two where
# one would do, since the compiler takes vector instructions only where few arrays might overlap.


@kernel(reassociate=True)
def _kick_and_drift(n: int, origin: int, target: int, inv_mass_address: int, kick: float, drift: float) -> None:
    position, momentum = floats_at(origin, n), floats_at(momentum_of(origin, n), n)
    grad = floats_at(grad_of(origin, n), n)
    position_out, momentum_out = floats_at(target, n), floats_at(momentum_of(target, n), n)
    inv_mass = floats_at(inv_mass_address, n)
    for i in range(n):
        momentum_out[i] = momentum[i] + kick * grad[i]
    for i in range(n):
        position_out[i] = position[i] + drift * inv_mass[i] * momentum_out[i]


@kernel(reassociate=True)
def _kick(n: int, point: int, inv_mass_address: int, kick: float) -> float:
    """Kick in place; return the kinetic energy."""
    momentum, grad = floats_at(momentum_of(point, n), n), floats_at(grad_of(point, n), n)
    inv_mass = floats_at(inv_mass_address, n)
    kinetic = 0.0
    for i in range(n):
        p = momentum[i] + kick * grad[i]
        momentum[i] = p
        kinetic += p * p * inv_mass[i]
    return 0.5 * kinetic


@kernel(reassociate=True)
def _dense_kick_and_drift(n: int, origin: int, target: int, metric: Record, kick: float, drift: float) -> None:
    position, momentum = floats_at(origin, n), floats_at(momentum_of(origin, n), n)
    grad = floats_at(grad_of(origin, n), n)
    position_out, momentum_out = floats_at(target, n), floats_at(momentum_of(target, n), n)
    speed = floats_at(velocity_of(target, n), n)
    for i in range(n):
        momentum_out[i] = momentum[i] + kick * grad[i]
    velocity(metric, momentum_of(target, n), velocity_of(target, n))
    for i in range(n):
        position_out[i] = position[i] + drift * speed[i]


@kernel(reassociate=True)
def _dense_kick(n: int, point: int, metric: Record, kick: float) -> float:
    """The same with a dense metric, which leaves the velocity behind the point."""
    momentum, grad = floats_at(momentum_of(point, n), n), floats_at(grad_of(point, n), n)
    speed = floats_at(velocity_of(point, n), n)
    for i in range(n):
        momentum[i] += kick * grad[i]
    velocity(metric, momentum_of(point, n), velocity_of(point, n))
    kinetic = 0.0
    for i in range(n):
        kinetic += momentum[i] * speed[i]
    return 0.5 * kinetic


@kernel(reassociate=True)
def _carry_and_drift(n: int, origin: int, target: int, kick: float, drift: float) -> None:
    """The same with velocities that kicks carry on: the inverse mass multiplies each gradient once."""
    position, momentum = floats_at(origin, n), floats_at(momentum_of(origin, n), n)
    grad, pull = floats_at(grad_of(origin, n), n), floats_at(pull_of(origin, n), n)
    speed = floats_at(velocity_of(origin, n), n)
    position_out, momentum_out = floats_at(target, n), floats_at(momentum_of(target, n), n)
    speed_out = floats_at(velocity_of(target, n), n)
    for i in range(n):
        momentum_out[i] = momentum[i] + kick * grad[i]
    for i in range(n):
        speed_out[i] = speed[i] + kick * pull[i]
    for i in range(n):
        position_out[i] = position[i] + drift * speed_out[i]


@kernel(reassociate=True)
def _carry(n: int, point: int, kick: float) -> float:
    """Kick momentum and velocity in place; return the kinetic energy."""
    momentum, grad = floats_at(momentum_of(point, n), n), floats_at(grad_of(point, n), n)
    speed, pull = floats_at(velocity_of(point, n), n), floats_at(pull_of(point, n), n)
    kinetic = 0.0
    for i in range(n):
        momentum[i] += kick * grad[i]
    for i in range(n):
        speed[i] += kick * pull[i]
    for i in range(n):
        kinetic += momentum[i] * speed[i]
    return 0.5 * kinetic


@kernel
def prepare(n: int, metric: Record, point: int) -> None:
    """Write what a first step from a point needs beside momentum and gradient, unless the metric is diagonal."""
    if metric.dense != DIAGONAL:
        velocity(metric, momentum_of(point, n), velocity_of(point, n))
        if metric.dense == DIRECTIONS:
            velocity(metric, grad_of(point, n), pull_of(point, n))


@kernel
def step(
    chain: Record, metric: Record, integrator: int, step_size: float, origin: int, target: int
) -> tuple[float, float]:
    """Take one step from one phase point to another.

    Parameters
    ----------
    chain : Chain record
        Gives the density.
    metric : Metric record
    integrator : int
        See `integrator_number`.
    step_size : float
        Negative to go back in time.
    origin, target : int
        Addresses of two phase points (`nbinfer.mcmc.hamiltonian.phase`); `target` is overwritten. The first origin
        was prepared.

    Returns
    -------
    logp, kinetic : float
        Log density and kinetic energy at the target.
    """
    n = chain.n
    source, logp = origin, 0.0
    for stage in range(integrator + 1):
        kick, drift = KICKS[integrator, stage] * step_size, DRIFTS[integrator, stage] * step_size
        if metric.dense == DIAGONAL:
            _kick_and_drift(n, source, target, metric.inv_mass, kick, drift)
        elif metric.dense == DIRECTIONS:
            _carry_and_drift(n, source, target, kick, drift)
        else:
            _dense_kick_and_drift(n, source, target, metric, kick, drift)
        logp = call_density(chain.density, n, target, grad_of(target, n), chain.context)
        if metric.dense == DIRECTIONS:
            velocity(metric, grad_of(target, n), pull_of(target, n))
        source = target
    kick = KICKS[integrator, integrator + 1] * step_size
    if metric.dense == DIAGONAL:
        return logp, _kick(n, target, metric.inv_mass, kick)
    if metric.dense == DIRECTIONS:
        return logp, _carry(n, target, kick)
    return logp, _dense_kick(n, target, metric, kick)
