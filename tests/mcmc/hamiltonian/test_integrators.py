"""Laws of the integrators: they go back the way they came, keep volume, and err by the square of the step."""

import numpy as np
import pytest

from nbinfer.compile import address_of, entry, record_at
from nbinfer.engine.chain import Chain
from nbinfer.mcmc.hamiltonian import integrators
from nbinfer.mcmc.hamiltonian.integrators import INTEGRATORS, integrator_number
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.mcmc.metric.potential import QuadPotentialFull
from tests.laws.kit import BareChains, Target, student

DIM = 3
NAMES = list(INTEGRATORS)


@entry("float64(intp, intp, int64, float64, intp, intp)")
def _step(chain, metric, integrator, size, origin, target):
    logp, kinetic = integrators.step(
        record_at(chain, Chain), record_at(metric, Metric), integrator, size, origin, target
    )
    return kinetic - logp


class Flow:
    """One integrator on the Student target, from (q, p) to (q, p, energy)."""

    def __init__(self, name, metric="diag"):
        kinetic = QuadPotentialFull(np.eye(DIM)) if metric == "dense" else "unit"
        self.chains = BareChains(Target(student, DIM), NUTS(metric=kinetic))
        self.own = self.chains.own()
        if metric == "dense":
            root = np.array([[1.0, 0, 0], [0.4, 0.8, 0], [-0.3, 0.2, 1.5]])
            self.inv_mass = root @ root.T
            self.own.metric.inv_mass[:] = self.inv_mass.ravel()
        else:
            self.inv_mass = np.diag([0.5, 1.0, 3.0])
            self.own.metric.inv_mass[:] = np.diag(self.inv_mass)
        self.number = integrator_number(name)

    def __call__(self, q, p, size):
        _, grad = self.chains._target.value_and_grad(q)
        origin, target = np.concatenate([q, p, grad]), np.zeros(4 * DIM)
        state = self.chains.blocks.state[0]
        energy = _step(
            address_of(state), self.own.metric.address, self.number, size,
            address_of(origin), address_of(target),
        )  # fmt: skip
        return target[:DIM], target[DIM : 2 * DIM], energy

    def energy(self, q, p):
        return 0.5 * p @ self.inv_mass @ p - self.chains._target.value_and_grad(q)[0]


Q, P = np.array([0.3, -1.2, 2.0]), np.array([1.0, 0.5, -0.7])


@pytest.mark.parametrize("metric", ["diag", "dense"])
@pytest.mark.parametrize("name", NAMES)
def test_goes_back_the_way_it_came(name, metric):
    flow = Flow(name, metric)
    q, p, _ = flow(Q, P, 0.3)
    q, p, _ = flow(q, p, -0.3)
    np.testing.assert_allclose(np.concatenate([q, p]), np.concatenate([Q, P]), atol=1e-13)


@pytest.mark.parametrize("metric", ["diag", "dense"])
@pytest.mark.parametrize("name", NAMES)
def test_keeps_volume(name, metric):
    flow, h = Flow(name, metric), 1e-5
    columns = []
    for i in range(2 * DIM):
        e = np.zeros(2 * DIM)
        e[i] = h
        ahead, back = flow(Q + e[:DIM], P + e[DIM:], 0.3), flow(Q - e[:DIM], P - e[DIM:], 0.3)
        columns.append((np.concatenate(ahead[:2]) - np.concatenate(back[:2])) / (2 * h))
    assert np.linalg.det(np.array(columns)) == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_energy_error_over_a_fixed_time_falls_with_the_square_of_the_step(name):
    flow = Flow(name)

    def error(steps):
        q, p = Q, P
        for _ in range(steps):
            q, p, energy = flow(q, p, 1.0 / steps)
        return abs(energy - flow.energy(Q, P))

    assert error(64) / error(128) == pytest.approx(4.0, rel=0.1)


def test_returns_the_energy_at_the_target():
    flow = Flow("leapfrog", "dense")
    q, p, energy = flow(Q, P, 0.3)
    assert energy == pytest.approx(flow.energy(q, p), rel=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_shares_of_kicks_and_drifts_add_up_to_one_step_and_are_symmetric(name):
    kicks, drifts = INTEGRATORS[name]
    assert sum(kicks) == pytest.approx(1.0, abs=1e-15)
    assert sum(drifts) == pytest.approx(1.0, abs=1e-15)
    assert kicks == pytest.approx(kicks[::-1])
    assert drifts == pytest.approx(drifts[::-1])


def test_more_stages_err_less_at_equal_cost():
    errors = {}
    for name in NAMES:
        flow, stages = Flow(name), NAMES.index(name) + 1
        q, p, worst = Q, P, 0.0
        for _ in range(600 // stages):
            q, p, energy = flow(q, p, 0.25 * stages)
            worst = max(worst, abs(energy - flow.energy(Q, P)))
        errors[name] = worst
    assert errors["threestage"] < errors["leapfrog"] / 2
    assert errors["twostage"] < errors["leapfrog"]


def test_names_may_have_hyphens():
    assert integrator_number("two-stage") == integrator_number("twostage")
    with pytest.raises(ValueError, match="unknown integrator 'euler'; choose 'leapfrog'"):
        integrator_number("euler")
