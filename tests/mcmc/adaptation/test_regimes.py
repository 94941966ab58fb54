"""Regimes of warm-up: the schedule is the rule's, what was learnt elsewhere is dropped, and nothing is learnt late."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of, entry, floats_at, record_at
from nbinfer.mcmc.adaptation import regimes, warmup
from nbinfer.mcmc.adaptation.warmup import Schedule
from nbinfer.mcmc.hamiltonian.hmc import HamiltonianMC
from nbinfer.mcmc.hamiltonian.nuts import NUTS
from nbinfer.mcmc.metric.kernel import Metric
from nbinfer.mcmc.metric.low_rank import window_of
from tests.laws.kit import BareChains, Target, gaussian_target, student
from tests.laws.law import mutant

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
COVARIANCE = np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 4.0]])
LOW = NUTS(metric="fisher")


@entry("int64(intp, intp, int64, int64, intp, intp, float64)")
def _learn(schedule, metric, draw, moved, position, grad, logp):
    state = record_at(metric, Metric)
    return 1 if warmup.learn(record_at(schedule, Schedule), state, draw, moved != 0, position, grad, logp) else 0


class Run:
    """A warm-up that is shown one draw of a correlated Gaussian after another; `module` is `regimes` or a mutant."""

    def __init__(self, tune, seed=0, module=regimes):
        self.chains = BareChains(Target(student, 3), LOW, tune=tune)
        self.own, self.tune = self.chains.own(), tune
        self.own.metric.low_rank.look = module.look_at.address
        rng = np.random.default_rng(seed)
        self.x = rng.multivariate_normal(np.zeros(3), COVARIANCE, tune)
        self.g = -np.linalg.solve(COVARIANCE, self.x.T).T
        self.logp = 0.5 * np.einsum("ni,ni->n", self.x, self.g)

    def show(self, draw, moved=True):
        at = self.own.schedule.address, self.own.metric.address
        q, slope = self.x[draw].copy(), self.g[draw].copy()
        return _learn(*at, draw, moved, address_of(q), address_of(slope), self.logp[draw]) == 1

    def kinds(self):
        """Show everything; return the kind after each draw, and the draws that asked for a step size."""
        asked = [draw for draw in range(self.tune) if self._note(self.show(draw))]
        return self._kinds, asked

    def _note(self, asked):
        self.__dict__.setdefault("_kinds", []).append(int(self.own.metric.dense))
        self.__dict__.setdefault("seen", []).append(int(self.own.schedule.regime.latest))
        return asked


def rule(logp, tune, growth=1.5):
    """The rule on its own, for draws of which each window has directions: (kinds after each block, draws of estimates).

    The words are those of the description, not the kernel's.
    """
    d, end = 3, int(0.85 * tune) // 10 * 10
    low, start, due, last, mean, sd = False, 0, 20, 0, 0.0, 0.0
    kinds, estimates = [], []
    for t in range(10, end + 1, 10):
        left = low and abs(np.mean(logp[t - 10 : t]) - mean) > 3 * max(sd, np.sqrt(d / 2))
        is_due = t >= due or (t == end and t - last > 0.1 * t)
        first = max(start, min(t - 20, t - (t - start) // 2)) // 10 * 10
        if not left and is_due:
            a, b = np.split(logp[first:t], 2)
            left = abs(b.mean() - a.mean()) > max(np.sqrt(d / 2), np.sqrt(a.var() + b.var()))
        if left:
            low, start, due = False, t - 10, t + 10
        elif is_due:
            estimates.append(t)
            low, last, due = True, t, start + max(int(growth * (t - start)), t - start + 10)
            mean, sd = np.mean(logp[first:t]), np.std(logp[first:t])
        kinds.append(3 if low else 0)
    return kinds, estimates


TROUBLES = ("none", "a way in", "another region", "both", "less than a Gaussian's spread")


def follows_the_rule(tune, trouble, module=regimes, growth=1.5):
    """Whether kinds of metric, times of estimates and requests for a step size are the rule's."""
    run = Run(tune, module=module)
    if trouble in ("a way in", "both"):
        run.logp[: tune // 4] -= np.linspace(500.0, 0.0, tune // 4)
    if trouble in ("another region", "both"):
        run.logp[tune // 2 :] += 50.0
    if trouble == "less than a Gaussian's spread":
        run.logp *= 0.1
        run.logp[tune // 2 :] += 1.0
    kinds, asked = run.kinds()
    wanted, estimates = rule(run.logp, tune, growth)
    assert set(wanted) == {0, 3}
    changes = [draw for draw in range(1, tune) if kinds[draw] != kinds[draw - 1]]
    return (
        kinds[9 : 10 * len(wanted) : 10] == wanted
        and sorted(set(run.seen) - {0}) == estimates
        and asked == [2, *changes]  # the first diagonal, and every change of the kind: no refinement
    )


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("tune", [100, 400, 1000])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_schedule_is_the_rules(tune, trouble):
    assert follows_the_rule(tune, trouble)


MUTANTS = {
    "a step size for each refinement": (
        "return metrics.use_directions(metric)",
        "return metrics.use_directions(metric) or True",
    ),
    "windows from the regime's start": ("min(draws - 2 * BLOCK, half)", "min(draws - 2 * BLOCK, 0)"),
    "no way back": ("return _begin(regime, metric, draws)\n    is_last", "return False\n    is_last"),
    "no least spread": ("max(regime.spread, floor)", "regime.spread"),
    "no trend": ("if abs(after - before) >", "if 0.0 * abs(after - before) >"),
    "no last estimate": ("draws - regime.latest >", "0.0 * draws >"),
}


@pytest.mark.skipif(JIT, reason="plain Python tells mutants apart as well, and need not compile each")
@pytest.mark.parametrize("name", MUTANTS)
def test_the_rule_catches(name, tmp_path):
    module = mutant(tmp_path, *MUTANTS[name], regimes)
    assert not all(follows_the_rule(tune, trouble, module) for tune in (100, 400) for trouble in TROUBLES)


@pytest.mark.skipif(JIT, reason="a copy of the module would have to be compiled")
def test_spaces_that_take_long_to_search_are_searched_more_rarely(tmp_path):
    module = mutant(tmp_path, "_DEAR = 32", "_DEAR = 2", regimes)  # those of 3 dimensions
    assert follows_the_rule(400, "none", module, growth=2.0)
    assert not follows_the_rule(400, "none", module)


@pytest.mark.parametrize(("dim", "tune"), [(1, 1000), (2, 0), (2, 22)])
def test_who_learns_no_directions_need_not_compile_what_does(dim, tune):
    low = BareChains(Target(student, dim), LOW, tune=tune).own().metric.low_rank
    assert low.look == low.capacity == 0


def test_what_is_learnt_is_the_covariance():
    run = Run(200)
    run.kinds()
    metric = run.own.metric
    np.testing.assert_allclose(metric.root, metric.inv_mass**-0.5, rtol=1e-14)  # of the diagonal it may return to
    matrix = run.own.metric.low_rank.matrix.reshape(3, 3)
    np.testing.assert_allclose(np.linalg.eigvals(np.linalg.solve(COVARIANCE, matrix)), 1.0, atol=0.05)


def test_a_chain_that_leaves_returns_to_the_diagonal_that_went_on_learning():
    run, alone = Run(400), BareChains(Target(student, 3), NUTS(metric="fisher"), tune=400).own()
    run.logp[200:] += 100.0
    for draw in range(210):
        run.show(draw)
        at = alone.schedule.address, alone.metric.address
        q, slope = run.x[draw].copy(), run.g[draw].copy()
        _learn(*at, draw, True, address_of(q), address_of(slope), 0.0)
        if draw == 208:
            assert run.own.metric.dense == 3
    assert run.own.metric.dense == 0
    which = int(run.own.metric.foreground)
    assert which == alone.metric.foreground
    count, estimator = (run.own.metric.count_0, run.own.metric.count_1)[which], run.own.metric.estimators
    squares = estimator.reshape(2, 4, 3)[which, [1, 3]]
    assert count > 3
    np.testing.assert_array_equal(run.own.metric.inv_mass, np.sqrt(squares[0] / squares[1]))
    np.testing.assert_array_equal(run.own.metric.estimators, alone.metric.estimators)


def test_nothing_is_learnt_in_the_last_part():
    run = Run(400)
    for draw in range(340):
        run.show(draw)
    block = run.chains.blocks.state.copy()
    assert run.own.metric.dense == 3
    assert not any(run.show(draw) for draw in range(340, 400))
    assert (run.chains.blocks.state == block).all()


def test_draws_that_repeat_teach_nothing():
    run = Run(200)
    asked = [run.show(draw, moved=draw < 4) for draw in range(200)]
    assert sum(asked) == 1
    assert run.own.metric.dense == 0


@pytest.mark.nojit  # long as plain Python
def test_a_window_is_as_long_as_the_memory_at_most():
    run = Run(4 * window_of(3, 1 << 30))
    kinds, _ = run.kinds()
    assert kinds[-1] == 3


def arrays(chains):
    return np.concatenate([chains.warm, chains.x], axis=1)


def bare(step=LOW, **options):
    return BareChains(gaussian_target(COVARIANCE), step, **({"tune": 60, "draws": 20, "seed": 3} | options))


@pytest.mark.nojit  # long as plain Python
def test_a_chain_depends_on_its_own_draws_alone():
    four, alone = bare(numbers=range(4)).run(), bare(numbers=[2]).run()
    assert [int(four.own(c).metric.dense) for c in range(4)] == [3] * 4
    np.testing.assert_array_equal(arrays(four)[2], arrays(alone)[0])


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("size", [1, 7, 10])
def test_blocks_of_any_size_are_the_same_run(size):
    whole, pieces = bare().run(), bare()
    for until in range(size, 80 + size, size):
        pieces.run(min(until, 80))
    np.testing.assert_array_equal(arrays(whole), arrays(pieces))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [NUTS, HamiltonianMC])
def test_a_correlated_gaussian_takes_few_gradients(method):
    tune, draws = (500, 500) if JIT else (60, 10)
    chains = bare(method(metric="fisher"), tune=tune, draws=draws).run()
    assert chains.own().metric.dense == 3
    if JIT:
        assert chains.stats["n_steps"].mean() < 5
        np.testing.assert_allclose(np.cov(chains.x[0].T), COVARIANCE, atol=0.8)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("tune", [0, 1, 9, 19, 30])
@pytest.mark.parametrize("dim", [1, 2])
def test_short_warm_ups(tune, dim):
    chains = BareChains(Target(student, dim), LOW, tune=tune, draws=5).run()
    assert np.isfinite(chains.x).all()


@entry("float64(int64, intp, intp, intp)")
def flat(n, position, grad, context):
    """A density that does not change."""
    if grad != 0:
        for i in range(n):
            floats_at(grad, n)[i] = 0.0
    return 0.0


@entry("float64(int64, intp, intp, intp)")
def nowhere(n, position, grad, context):
    """A density at the starting point alone."""
    return np.nan


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("density", [flat, nowhere])
def test_gradients_that_say_nothing_leave_the_diagonal(density):
    target = Target(density, 2)
    chains = BareChains(target, NUTS(metric="fisher", max_treedepth=3), tune=60, draws=5).run()
    assert chains.own().metric.dense == 0


@pytest.mark.nojit
def test_a_line_through_points_far_from_the_origin():
    """The posterior of a regression that is not centred: correlations of .9999 and more."""
    t = np.arange(1952.0, 2014.0)
    y = 9.0 + 0.03 * (t - 1983) + np.random.default_rng(1).normal(0, 1.0, t.size)

    def logp(p, d):
        return -0.5 * np.sum(((d.y - p.a - p.b * d.t) / p.s) ** 2) - d.y.size * np.log(p.s) - 0.5 * (p.a / 1000.0) ** 2

    model = nb.Model({"a": nb.real(), "b": nb.real(), "s": nb.positive()}, logp=logp, data={"t": t, "y": y})
    trace = nb.sample(model, 500, 1000, step=LOW, random_seed=2, progressbar=False)
    assert trace.sample_stats["n_steps"].mean() < 8
    slope = np.polyfit(t, y, 1)[0]
    assert trace["b"].mean() == pytest.approx(slope, abs=4 * trace["b"].std() / 20)
