"""The schedule of warm-up: what windows there are, and that nothing is learnt after them."""

import numpy as np
import pytest

from nbinfer.compile import address_of, entry, record_at
from nbinfer.mcmc.adaptation import warmup
from nbinfer.mcmc.adaptation.warmup import Schedule
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.adaptive import NAMED
from nbinfer.mcmc.metric.kernel import Metric
from tests.laws.kit import BareChains, Target, student

DIM = 2


@entry("int64(intp, intp, int64, int64, intp, intp)")
def _learn(schedule, metric, draw, moved, position, grad):
    state = record_at(metric, Metric)
    first = warmup.learn(record_at(schedule, Schedule), state, draw, moved != 0, position, grad, 0.0)
    return 1 if first else 0


class Run:
    """A schedule shown one draw after another."""

    def __init__(self, kind, tune):
        self.chains = BareChains(Target(student, DIM), NUTS(metric=kind), tune=tune)
        self.own = self.chains.own()
        self.rng = np.random.default_rng(0)

    def show(self, draw, moved=True):
        x, g = self.rng.normal(size=DIM), self.rng.normal(size=DIM)
        return _learn(
            self.own.schedule.address,
            self.own.metric.address,
            draw,
            moved,
            address_of(x),
            address_of(g),
        )

    @property
    def inv_mass(self):
        return self.own.metric.inv_mass.copy()

    @property
    def foreground(self):
        return int(self.own.metric.foreground)


def switches(kind, tune):
    run, seen = Run(kind, tune), []
    for draw in range(tune):
        before = run.foreground
        run.show(draw)
        if run.foreground != before:
            seen.append(draw)
    return seen


def test_fisher_windows_are_short_early_then_grow_and_leave_the_end_to_the_step_size():
    seen = switches("fisher_diag", 1000)
    early = [d for d in seen if d < 300]
    late = [d for d in seen if d >= 300]
    assert set(np.diff(early)) == {10}
    growth = np.diff(late) / np.array([80 * 1.5 ** (k + 1) for k in range(len(late) - 1)])
    np.testing.assert_allclose(growth, 1.0, atol=0.02)
    window = 80 * 1.5 ** len(late)
    assert late[-1] + 2 * window > 850  # the last window is longer: another after it could not end in time


def test_variance_windows_are_equal():
    assert set(np.diff(switches("diag", 1000))) == {101}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", ["fisher", "dense", "fisher_diag"])
def test_nothing_is_learnt_in_the_last_part(kind):
    run = Run(kind, 400)
    for draw in range(340):
        run.show(draw)
    frozen = run.inv_mass
    for draw in range(340, 400):
        run.show(draw)
    assert (run.inv_mass == frozen).all()


def test_the_first_change_is_told_once():
    run = Run("fisher_diag", 400)
    assert sum(run.show(draw) for draw in range(340)) == 1


def test_a_draw_that_did_not_move_teaches_nothing():
    run = Run("fisher_diag", 400)
    for draw in range(100):
        run.show(draw, moved=False)
    assert (run.inv_mass == 1.0).all()


def test_a_unit_metric_learns_nothing():
    run = Run("unit", 400)
    assert sum(run.show(draw) for draw in range(400)) == 0
    assert (run.inv_mass == 1.0).all()


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("tune", [0, 1, 7, 100])
def test_short_warm_ups_have_schedules(kind, tune):
    settings = NAMED[kind]().schedule(3, tune)
    assert settings.get("final_start", 0) <= tune
    assert set(settings) <= set(Schedule.names)
