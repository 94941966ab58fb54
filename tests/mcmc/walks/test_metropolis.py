"""Random-walk Metropolis: invariance under every proposal, tuning, errors."""

import math

import numpy as np
import pytest

import nbinfer as nb
from nbinfer import random
from nbinfer.compile import JIT, address_of, entry, floats_at
from nbinfer.diagnostics import ess_mean
from nbinfer.mcmc.walks import metropolis, proposals
from nbinfer.mcmc.walks.metropolis import Metropolis, Scaling
from nbinfer.mcmc.walks.proposals import PROPOSALS
from nbinfer.model.support.checks import NO_END
from nbinfer.random import key_of, new_stream
from tests.laws.kit import whole
from tests.laws.law import assert_caught, assert_invariant, move_once, mutant, one_now
from tests.laws.targets import CONTINUOUS, DENSITY, EXACT, POISSON_RATE, ExactTarget, poisson_density

COVARIANCE = np.array([[1.0, 0.5, 0.0], [0.5, 2.0, -0.3], [0.0, -0.3, 0.5]])


def fixed(**options):
    return Metropolis(tune=False, **options)


@entry(DENSITY)
def flat_density(n, position, grad, context):
    return 0.0


def skewless(rng, S, out):
    for i in range(out.size):
        out[i] = S[i] * rng.standard_t(3.0)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_it_leaves_continuous_targets_invariant(name):
    scale = np.logspace(-2, 2, 5) * 0.5 if name == "ar1" else 1.0
    assert_invariant(fixed(S=scale), EXACT[name]())


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("proposal", ["uniform", "cauchy", "laplace", skewless])
def test_every_proposal_leaves_every_target_invariant(proposal, name):
    target = EXACT[name]()
    # Long tails go far in five correlated coordinates.
    scale = np.logspace(-2, 2, 5) * 0.15 if name == "ar1" else np.linspace(0.7, 1.5, target.dim)
    assert_invariant(fixed(S=scale, proposal_dist=proposal), target)


FACTORS = np.array([0.3, 1.0, 2.0])
SCALED = {"normal": {}, "multivariate_normal": {"S": COVARIANCE}, "users": {"proposal_dist": skewless, "S": np.ones(3)}}


@pytest.mark.parametrize("options", SCALED.values(), ids=SCALED)
def test_a_scaling_for_each_element(options):
    """Proposals go as far as each factor says, and the target stays what it is."""
    target = EXACT["student"]()
    assert target.dim == 3
    assert_invariant(fixed(scaling=FACTORS, **options), target)
    everywhere = ExactTarget(flat_density, lambda rng, count: rng.normal(size=(count, 3)), 3)
    moved = move_once(fixed(scaling=FACTORS * 2.0, **options), everywhere, np.zeros((20_000 if JIT else 500, 3)))
    spread = np.sqrt(np.diag(COVARIANCE)) if "S" in options and np.ndim(options["S"]) == 2 else 1.0
    quartiles = 1.0 / (0.7649 if "proposal_dist" in options else 0.6745)
    far = quartiles * np.median(np.abs(moved.new_positions), axis=0)
    np.testing.assert_allclose(far, 2.0 * FACTORS * spread, rtol=0.05 if JIT else 0.2)


@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_a_scaling_for_each_element_is_tuned_as_one():
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x[0] ** 2 - 0.5 * (p.x[1] / 100.0) ** 2)
    step = Metropolis(scaling=[1.0, 100.0], tune_interval=20)
    trace = nb.sample(model, 10, 100, step=step, random_seed=1, chains=1, progressbar=False)
    scaling = trace.warmup_sample_stats["scaling"][0]
    assert scaling[0] == 50.5
    assert len(np.unique(scaling)) > 1


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        ([1.0, -1.0], "scaling must be a positive number or a vector of them, all finite, got"),
        ([1.0, np.nan], "scaling must be a positive number"),
        ([[1.0]], "scaling must be a positive number"),
        ([], "scaling must be a positive number"),
        (-1.0, "scaling must be positive and finite, got -1.0"),
        (
            [1.0, 2.0, 3.0],
            r"scaling has shape \(3,\), but what .* has 2 elements, x; pass a number or shape \(2,",
        ),
    ],
)
def test_bad_scalings(scaling, message):
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    with pytest.raises(ValueError, match=message):
        nb.sample(model, 10, 10, step=Metropolis(scaling=scaling), progressbar=False)
    with pytest.raises(TypeError, match="scaling must be numbers, got 'wide'"):
        Metropolis(scaling="wide")


def test_a_covariance_leaves_the_target_invariant():
    assert_invariant(fixed(S=COVARIANCE), EXACT["student"]())


class Own:
    """A proposal in plain Python, as users of PyMC write them; its numbers are NumPy's."""

    def __init__(self, s):
        self.s = s

    def __call__(self):
        return np.random.normal(scale=self.s)  # noqa: NPY002 - what those users write


def own(s):
    """The same as a function, with the chain's numbers."""
    return lambda rng: s * rng.standard_t(3.0, s.shape)


def skew(s):
    return lambda rng: s * (rng.exponential(size=s.shape) - 1.0)


FEW = 10_000 if JIT else 200


@pytest.mark.parametrize("proposal", [Own, own])
@pytest.mark.parametrize("name", ["student", "poisson"])
def test_proposals_in_plain_python_leave_targets_invariant(proposal, name):
    np.random.seed(1)  # noqa: NPY002
    assert_invariant(fixed(proposal_dist=proposal, S=1.5), EXACT[name](), count=FEW)


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
def test_the_law_catches_a_proposal_that_is_skewed():
    assert_caught(fixed(proposal_dist=skew, S=1.5), EXACT["student"](), count=FEW)


@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_a_proposal_in_plain_python_is_reproducible_by_the_generator():
    def run(seed, **options):
        step = Metropolis(["x", "k"], proposal_dist=own, scaling=[0.5, 1.0, 2.0], blocked=True)
        return nb.sample(coin(), 40, 20, step=step, chains=2, random_seed=seed, progressbar=False, **options)["x"]

    np.testing.assert_array_equal(run(1), run(1, cores=1))
    assert not np.array_equal(run(1), run(2))
    assert not np.array_equal(run(1)[0], run(1)[1])


BAD_OWN = {
    "no callable": (
        lambda S: 1.0,
        TypeError,
        r"proposal_dist\(S\) must return what gives a deviate when called, got 1.0",
    ),
    "another shape": (lambda S: lambda: np.zeros(5), ValueError, r"must have shape \(2,\), got \(5,\)"),
}


@pytest.mark.parametrize("make", BAD_OWN)
def test_proposals_in_plain_python_are_tried_before_the_run(make):
    proposal, error, message = BAD_OWN[make]
    with pytest.raises(error, match=message):
        nb.sample(coin(), 10, 10, step=Metropolis("x", proposal_dist=proposal), progressbar=False)


def test_what_a_proposal_in_plain_python_raises_ends_the_run():
    def breaks(s):
        left = [30]

        def deviate():
            left[0] -= 1
            if left[0] < 0:
                raise LookupError("out of numbers")
            return 0.1 * s

        return deviate

    with pytest.raises(LookupError, match="out of numbers") as caught:
        nb.sample(coin(), 50, 50, step=Metropolis("x", proposal_dist=breaks), chains=1, progressbar=False)
    assert len(caught.value.trace) == 0


@pytest.mark.parametrize("proposal", [*PROPOSALS, skewless])
def test_discrete_variables(proposal):
    s = np.eye(2) + 0.5 if proposal == "multivariate_normal" else [1.5, 2.5]
    if proposal == "cauchy":  # its tails leave the range too often
        s = [0.7, 1.2]
    assert_invariant(fixed(S=s, proposal_dist=proposal), EXACT["poisson"]())


def test_continuous_and_discrete_together():
    assert_invariant(fixed(), EXACT["mixture"]())


def wide(highest=25):
    """Two Poisson numbers whose range is much wider than what is likely."""

    def draw(rng, count):
        return np.zeros((count, 0)), np.minimum(rng.poisson(POISSON_RATE, (count, 2)), 25)

    return ExactTarget(poisson_density, draw, 0, [2.0, POISSON_RATE, 25.0], [0, 0], [highest] * 2)


@pytest.mark.parametrize("highest", [25, NO_END])
def test_leaps_leave_the_target_invariant(highest):
    assert fixed()._leaps(whole(fixed(), wide(highest)).site)
    assert_invariant(fixed(), wide(highest))


def counts(p, d):
    return p.k * math.log(50.0) - math.lgamma(p.k + 1.0)


@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_counts_without_an_upper_end():
    """The chains start all over the first hundred counts and mean the posterior."""
    model = nb.Model({"k": nb.integer(0)}, logp=counts)
    k = nb.sample(model, 10_000, 500, random_seed=1, progressbar=False)["k"]
    assert k.min() >= 0
    assert abs(k.mean() - 50.0) < 4.0 * np.sqrt(50.0 / ess_mean(k))
    assert abs(k.var() - 50.0) < 5.0


MUTANTS = {
    "0.9 of the change of the log density": (
        "accepted = math.log1p(-uniform(chain.words)) < change",
        "accepted = math.log1p(-uniform(chain.words)) < 0.9 * change",
        "student",
        {},
    ),
    "discrete values beyond the range are clipped": (
        "        jump = np.rint(deviate[own.n + j])",
        "        jump = min(max(np.rint(deviate[own.n + j]), lowest[j] - saved[j]), highest[j] - saved[j])",
        "poisson",
        {"S": 3.0},
    ),
    "discrete values stay after a rejection": (
        "    elif moved > 0:\n        _restore(chain, own)",
        "    elif moved > 5:\n        _restore(chain, own)",
        "poisson",
        {},
    ),
    "leaps that go up more often than down": (
        "length if uniform(chain.words) < 0.5 else -length",
        "length if uniform(chain.words) < 0.9 else -length",
        "wide",
        {},
    ),
    "the Poisson proposal without its sign": (
        "sign = 1.0 if uniform(stream) < 0.5 else -1.0",
        "sign = 1.0",
        "poisson",
        {"S": 1.3, "proposal_dist": "poisson"},
    ),
    "deviates that are not centred": (
        "out[i] = reach * (2.0 * uniform(stream) - 1.0)",
        "out[i] = reach * (2.0 * uniform(stream) - 0.9)",
        "student",
        {"proposal_dist": "uniform"},
    ),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    old, new, target, options = MUTANTS[name]
    broken = mutant(tmp_path, old, new, proposals, metropolis)
    assert_caught(broken.Metropolis(tune=False, **options), wide() if target == "wide" else EXACT[target]())


def two_peaks(p, d):
    return -0.5 * min((p.z - 100.0) ** 2, (p.z - 500.0) ** 2) / 400.0


@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_leaps_find_a_far_mode():
    model = nb.Model({"z": nb.integer(0, 599)}, logp=two_peaks)
    quiet = {"random_seed": 1, "progressbar": False, "start": {"z": 100}}
    upper = nb.sample(model, 20_000, 500, **quiet)["z"] > 300
    assert (np.abs(upper.mean(axis=1) - 0.5) < 0.4).all()
    own = nb.sample(model, 2000, 500, step=Metropolis(proposal_dist="normal"), **quiet)["z"]
    assert (own < 300).all()


@entry("int64(intp, int64)")
def _tuned(address, accepted):
    scaling = metropolis.record_at(address, Scaling)
    for i in range(100):
        metropolis.tune(scaling, i < accepted)
    return 0


@pytest.mark.parametrize(
    ("accepted", "factor"), [(0, 0.1), (3, 0.5), (10, 0.9), (30, 1.0), (60, 1.1), (80, 2.0), (96, 10.0)]
)
def test_the_table_of_factors(accepted, factor):
    scaling = np.zeros(1, Scaling)
    metropolis.initial_scaling(scaling.view(np.recarray)[0], 2.0, 15.0, 100)
    _tuned(address_of(scaling), accepted)
    assert scaling["factor"][0] == pytest.approx(min(2.0 * factor, 15.0))
    assert scaling["count"][0] == scaling["accepted"][0] == 0


@entry("int64(intp, intp, intp, int64)")
def _poissons(stream, mean, out, count):
    for i in range(count):
        floats_at(out, count)[i] = random.poisson(stream, floats_at(mean, 1)[0])
    return 0


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("mean", [0.3, 4.0, 9.9, 10.0, 37.5, 800.0])
def test_poisson_numbers(mean):
    from scipy import stats

    count = 40_000 if JIT else 1_000
    stream, out, given = new_stream(key_of(np.random.SeedSequence(2))), np.zeros(count), np.array([mean])
    _poissons(address_of(stream), address_of(given), address_of(out), count)
    edges = np.unique(stats.poisson.ppf(np.linspace(0.05, 0.95, 12), mean))
    observed = np.bincount(np.searchsorted(edges, out), minlength=len(edges) + 1)
    cdf = np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]])
    expected = count * np.diff(cdf)
    assert stats.chisquare(observed, expected).pvalue > 1e-4
    assert np.all(out == np.rint(out))


@pytest.mark.parametrize("name", PROPOSALS)
def test_proposals_are_symmetric_in_plain_numpy(name):
    s = np.eye(2) if name == "multivariate_normal" else np.array([1.0, 2.5])
    proposal = PROPOSALS[name](s, random_seed=3)
    draws = np.array([proposal() for _ in range(4000)])
    assert np.all(np.abs(np.mean(draws > 0, axis=0) - np.mean(draws < 0, axis=0)) < 0.08)


def coin():
    return nb.Model({"x": nb.real(2), "k": nb.integer(0, 40)}, logp=lambda p, d: -0.5 * np.sum(p.x**2) - 0.1 * p.k**2)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_it_tunes_during_warm_up_only():
    trace = nb.sample(
        coin(), 300, 600, step=Metropolis("x", S=10.0, tune_interval=50), random_seed=1, chains=2, progressbar=False
    )
    warm, main = (group["scaling"][..., 0] for group in (trace.warmup_sample_stats, trace.sample_stats))  # of x
    assert warm[0, 0] == 1.0
    assert warm[0, 49] == 1.0
    assert warm[0, -1] < 0.5
    assert np.all(main == main[:, :1])
    assert 0.1 < trace.sample_stats["accepted"].mean() < 0.6


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"S": np.ones((2, 3))}, ValueError, "must be a square matrix, got shape"),
        ({"S": -np.eye(2)}, ValueError, "positive definite: its diagonal has -1, at index 0, 1"),
        ({"S": [[1.0, 0.5], [0.2, 1.0]]}, ValueError, "symmetric"),
        ({"S": [1.0, -1.0]}, ValueError, "S must be positive and finite, got -1"),
        ({"S": "wide"}, TypeError, "S must be numbers"),
        ({"S": np.ones((2, 2, 2))}, ValueError, "a number, a vector or a matrix"),
        ({"proposal_dist": "norml"}, ValueError, "unknown proposal 'norml'; choose 'normal'"),
        (
            {"proposal_dist": lambda rng, S: 1},
            ValueError,
            r"proposal_dist must take 3 arguments, proposal_dist\(rng, S, out\)",
        ),
        ({"proposal_dist": proposals.NormalProposal(1.0)}, TypeError, "pass its class, and its scale as S"),
        ({"proposal_dist": 3}, TypeError, "proposal_dist must be a name"),
        ({"tune": 500}, TypeError, "The number of tuning draws is an argument of sample"),
        ({"tune_interval": 0}, ValueError, "tune_interval must be a positive int, got 0"),
        ({"scaling": 0.0}, ValueError, "scaling must be positive"),
        ({"blocked": 1}, TypeError, "blocked must be True or False"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        Metropolis(**options)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Metropolis("x", S=np.ones(3)), r"S has shape \(3,\), but what moves together has 2 elements, x"),
        (Metropolis("x", proposal_dist="poisson"), "moves on a lattice, and x is continuous"),
    ],
)
def test_what_does_not_fit_the_model(step, message):
    with pytest.raises(ValueError, match=message):
        nb.sample(coin(), 10, 10, step=step, progressbar=False)


@pytest.mark.nojit
def test_a_proposal_that_raises_ends_the_run_and_keeps_the_draws():
    def broken(rng, S, out):
        if rng.random() < 0.01:
            raise RuntimeError("no more")
        out[0] = rng.normal()
        out[1] = rng.normal()

    with pytest.raises(nb.errors.SamplingError, match=r"the function of Metropolis\('x'\) raised") as caught:
        nb.sample(coin(), 2000, 0, step=Metropolis("x", proposal_dist=broken), random_seed=1, progressbar=False)
    assert caught.value.trace.draws_done.max() > 0
