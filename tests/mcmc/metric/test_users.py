"""A metric that is an object of the user's: the law, what each chain has of it, and what is refused."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.diagnostics import ess_mean
from nbinfer.errors import PositiveDefiniteError
from nbinfer.mcmc import HamiltonianMC
from nbinfer.mcmc.metric import users
from tests.laws.law import assert_caught, assert_invariant
from tests.laws.targets import EXACT

FEW = 5_000 if JIT else 100
FIXED = {"step_scale": 0.8, "adapt_step_size": False, "path_length": 2.0}
quiet = {"progressbar": False, "random_seed": 1}

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


class Diagonal:
    """As PyMC's users write it."""

    def __init__(self, v, factor=1.0):
        self.v, self.factor, self.rng = np.asarray(v, float), factor, np.random.default_rng(7)

    def velocity(self, x, out=None):
        return self.v * x

    def energy(self, x, velocity=None):
        return 0.5 * x.dot(self.velocity(x))

    def random(self):
        return self.factor * self.rng.normal(size=len(self.v)) / np.sqrt(self.v)


class ByGenerator(Diagonal):
    def random(self, rng):
        return rng.normal(size=len(self.v)) / np.sqrt(self.v)


class Learning(ByGenerator):
    """Its variances are those of all draws of warm-up."""

    def __init__(self, n):
        super().__init__(np.ones(n))
        self.draws = []

    def update(self, sample, grad, tune):
        assert tune is True
        assert sample.shape == grad.shape == self.v.shape
        self.draws.append(sample)
        if len(self.draws) >= 50:
            self.v = np.var(self.draws[len(self.draws) // 2 :], axis=0)


@pytest.mark.parametrize("kind", [Diagonal, ByGenerator])
def test_it_leaves_the_target_invariant(kind):
    assert_invariant(HamiltonianMC(potential=kind([0.5, 1.0, 2.0]), **FIXED), EXACT["student"](), count=FEW)


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
def test_the_law_catches_momenta_of_another_distribution():
    broken = HamiltonianMC(potential=Diagonal([0.5, 1.0, 2.0], factor=1.4), **FIXED)
    assert_caught(broken, EXACT["student"](), count=FEW)


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
def test_the_law_catches_momenta_that_repeat(monkeypatch):
    monkeypatch.setattr(users, "generator_aside", lambda stream: np.random.default_rng(1))
    assert_caught(HamiltonianMC(potential=ByGenerator([0.5, 1.0, 2.0]), **FIXED), EXACT["student"](), count=FEW)


def logp(p, d):
    return -0.5 * p.x[0] ** 2 - 0.5 * (p.x[1] / 100.0) ** 2


def model():
    return nb.Model({"x": nb.real(2)}, logp=logp)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("method", [nb.NUTS, nb.HamiltonianMC])
def test_runs_are_reproducible_and_chains_differ(method):
    def run(potential, **options):
        return nb.sample(model(), 30, 30, step=method(potential=potential), chains=2, **(quiet | options))["x"]

    for kind in (Diagonal, ByGenerator):  # the generator that one has is replaced by the chain's
        x = run(kind([1.0, 1e4]))
        np.testing.assert_array_equal(x, run(kind([1.0, 1e4]), cores=1))
        assert not np.array_equal(x[0], x[1])
        assert not np.array_equal(x, run(kind([1.0, 1e4]), random_seed=2))
    step = method(potential=ByGenerator([1.0, 1e4]))
    runs = [nb.sample(model(), 30, 30, step=step, chains=2, **quiet)["x"] for _ in range(2)]
    np.testing.assert_array_equal(*runs)


@pytest.mark.nojit  # long as plain Python
def test_it_draws_the_posterior():
    trace = nb.sample(
        model(), 1000 if JIT else 60, 300 if JIT else 30, step=nb.NUTS(potential=Diagonal([1.0, 1e4])), **quiet
    )
    if JIT:
        for x, scale in zip(np.moveaxis(trace["x"], -1, 0), (1.0, 100.0), strict=True):
            assert abs(x.mean()) < 4.0 * scale / np.sqrt(ess_mean(x))
            assert 0.9 < x.std() / scale < 1.1
    assert trace.metric is None


@pytest.mark.nojit  # long as plain Python
def test_what_learns_is_shown_the_draws_of_warm_up_and_each_chain_has_its_own():
    given = Learning(2)
    step, tune = nb.NUTS(potential=given), 200 if JIT else 60
    trace = nb.sample(model(), 50, tune, step=step, chains=2, discard_tuned_samples=False, **quiet)
    assert given.draws == []
    first, second = (one.users for one in step.kinetic._copies)
    np.testing.assert_array_equal([first.draws, second.draws], trace.warmup_posterior["x"])
    assert not np.array_equal(first.v, second.v)
    assert not JIT or first.v[1] > 100.0 * first.v[0]
    assert not JIT or trace.sample_stats["n_steps"].mean() < 20


class Breaks(Diagonal):
    """One of its methods fails after so many calls."""

    def __init__(self, which):
        super().__init__([1.0, 1.0])
        self.which, self.left = which, 40

    def _call(self, which):
        self.left -= which == self.which
        if self.left < 0:  # the others fail from then on as well
            raise LookupError(f"{which} fails after {self.which}")

    def velocity(self, x, out=None):
        self._call("velocity")
        return x

    def random(self, rng):
        self._call("random")
        return rng.normal(size=2)

    def update(self, sample, grad, tune):
        self._call("update")


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("which", ["velocity", "random", "update"])
def test_what_a_method_raises_ends_the_run(which):
    with pytest.raises(LookupError, match=f"{which} fails after {which}"):
        nb.sample(model(), 50, 200, step=nb.NUTS(potential=Breaks(which)), chains=1, **quiet)


class Relativistic(Diagonal):
    def energy(self, x, velocity=None):
        return np.sqrt(1.0 + x.dot(x))


class Wrong(Diagonal):
    def velocity(self, x, out=None):
        return np.array([[1.0, 0.5], [0.0, 1.0]]) @ x


class Short(Diagonal):
    def random(self):
        return np.zeros(3)


@pytest.mark.parametrize(
    ("potential", "error", "message"),
    [
        (
            Relativistic([1.0, 1.0]),
            ValueError,
            r"energy\(p, velocity\) of the potential must be half of p times velocity",
        ),
        (Wrong([1.0, 1.0]), ValueError, r"velocity\(p\) of the potential must be a symmetric matrix times p"),
        (
            Diagonal([-1.0, -1.0]),
            PositiveDefiniteError,
            r"matrix of velocity\(p\) of the potential is not positive def",
        ),
        (Diagonal([1.0]), ValueError, r"random\(\) of the potential must return shape \(2,\), got \(1,\)"),
        (Short([1.0, 1.0]), ValueError, r"random\(\) of the potential must return shape \(2,\), got \(3,\)"),
        (Diagonal, TypeError, r"got type. Call the class: potential=Diagonal\(\.\.\.\)"),
    ],
)
def test_what_is_no_metric_is_refused_before_the_run(potential, error, message):
    with pytest.raises(error, match=message):
        nb.sample(model(), 10, 10, step=nb.NUTS(potential=potential), **quiet)


def test_either_a_potential_or_a_scaling():
    with pytest.raises(ValueError, match="scaling and potential say the same thing"):
        nb.NUTS(potential=Diagonal([1.0]), scaling=[1.0])
