"""Draws from full conditionals: invariance, every kind of variable, errors."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.engine.chains import Placed
from nbinfer.engine.step import site_of
from nbinfer.mcmc.assign import assign
from nbinfer.mcmc.discrete import gibbs as gibbs_steps
from nbinfer.mcmc.discrete.gibbs import GibbsStep
from tests.laws.law import assert_caught, assert_invariant, mutant
from tests.laws.mixed import mixture, posterior
from tests.laws.targets import EXACT

quiet = {"progressbar": False, "random_seed": 1}


def draw_z(p, d, rng):
    logs = np.empty(3)
    for k in range(3):
        logs[k] = d.logw[k] - np.log(d.s[k]) - 0.5 * ((p.x - d.m[k]) / d.s[k]) ** 2
    shares = np.cumsum(np.exp(logs - logs.max()))
    u = rng.random() * shares[2]
    k = 0
    while u > shares[k]:
        k += 1
    return k


def draw_x(p, d, rng):
    precision = 1.0 + 1.0 / d.s[p.z] ** 2
    return rng.normal((1.0 + d.m[p.z] / d.s[p.z] ** 2) / precision, 1.0 / np.sqrt(precision))


@pytest.mark.nojit
@pytest.mark.parametrize("steps", [["z", "x"], ["z"]], ids=["both", "z beside NUTS"])
def test_the_mixture(steps):
    draws = {"z": draw_z, "x": draw_x}
    trace = nb.sample(mixture(), 20_000, 500, step=[GibbsStep(name, draws[name]) for name in steps], **quiet)
    posterior(trace)


class OfModel:
    """A model's memory, and exact draws of its posterior."""

    def __init__(self, model, draw):
        self.bound, self.draw = model.bind(1), draw

    def __getattr__(self, name):
        return getattr(self.bound, name)


def gibbs(draws, step=GibbsStep):
    """Return the mixture as a target, and a step for each variable with a draw."""
    target = OfModel(mixture(), EXACT["mixture"]().draw)
    return target, [Placed(step(name, f), site_of(target.bound, [name], sees_all=True)) for name, f in draws.items()]


@pytest.mark.parametrize("names", [["z"], ["x"], ["z", "x"]], ids=" ".join)
def test_one_transition_leaves_the_target_invariant(names):
    target, steps = gibbs({name: {"z": draw_z, "x": draw_x}[name] for name in names})
    assert_invariant(steps, target)


def draw_x_too_wide(p, d, rng):
    return 1.02 * draw_x(p, d, rng)


def draw_z_of_the_prior(p, d, rng):
    return 0 if rng.random() < 0.2 else 1 if rng.random() < 0.625 else 2


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("draws", [{"x": draw_x_too_wide}, {"z": draw_z_of_the_prior}], ids="".join)
def test_the_law_catches_a_wrong_draw(draws):
    target, steps = gibbs(draws)
    assert_caught(steps, target)


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
def test_the_law_catches_a_draw_mixed_with_what_was_there(tmp_path):
    mixed = "position[indices[i]] = 0.98 * out[i] + 0.02 * position[indices[i]]"
    broken = mutant(tmp_path, "position[indices[i]] = out[i]", mixed, gibbs_steps)
    target, steps = gibbs({"x": draw_x}, broken.GibbsStep)
    assert_caught(steps, target)


def normal_gamma():
    """Mean and variance of normal data, and a vector of shares beside them."""
    return nb.Model(
        {"mu": nb.real(), "v": nb.positive(), "share": nb.simplex(3), "k": nb.integer(2, 5, shape=2)},
        logp=conjugate,
        data={"y": np.random.default_rng(0).normal(1.0, 2.0, 50), "alpha": np.array([2.0, 3.0, 4.0])},
    )


def conjugate(p, d):
    lp = -np.sum((d.y - p.mu) ** 2) / (2.0 * p.v) - 27.0 * np.log(p.v) - 1.0 / p.v - 0.005 * p.mu**2
    return lp + np.sum((d.alpha - 1.0) * np.log(p.share)) + 0.1 * p.k[0] - 0.3 * p.k[1]


def draw_v(p, d, rng):
    return (1.0 + 0.5 * np.sum((d.y - p.mu) ** 2)) / rng.standard_gamma(26.0)


def draw_share(p, d, rng):
    parts = np.empty(3)
    for i in range(3):
        parts[i] = rng.standard_gamma(d.alpha[i])
    return parts / parts.sum()


def draw_k(p, d, rng):
    out = np.empty(2, np.int64)
    for i in range(2):
        weights = np.exp((0.1 if i == 0 else -0.3) * np.arange(2.0, 6.0))
        shares = np.cumsum(weights)
        u = rng.random() * shares[3]
        j = 0
        while u > shares[j]:
            j += 1
        out[i] = 2 + j
    return out


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_every_kind_of_variable():
    """Positive, simplex and several integers by draws; the same by other steps."""
    steps = [GibbsStep("v", draw_v), GibbsStep("share", draw_share), GibbsStep("k", draw_k)]
    one = nb.sample(normal_gamma(), 4000, 200, step=steps, **quiet)
    other = nb.sample(normal_gamma(), 4000, 500, **quiet)
    assert one.attrs["steps"] == ["gibbs", "gibbs", "gibbs", "nuts"]
    a, b = nb.summary(one), nb.summary(other)
    z = (np.array(a["mean"]) - np.array(b["mean"])) / np.hypot(a["mcse_mean"], b["mcse_mean"])
    assert np.all(np.abs(z) < 4.5)
    np.testing.assert_allclose(a["sd"], b["sd"], rtol=0.08)
    assert set(np.unique(one["k"])) == {2, 3, 4, 5}


@pytest.mark.nojit
def test_a_wrong_draw_is_seen_by_the_same_test():
    def biased(p, d, rng):
        precision = 1.0 + 1.0 / d.s[p.z] ** 2
        return rng.normal((1.0 + d.m[p.z] / d.s[p.z] ** 2) / precision, 1.1 / np.sqrt(precision))

    trace = nb.sample(mixture(), 20_000, 500, step=[GibbsStep("z", draw_z), GibbsStep("x", biased)], **quiet)
    with pytest.raises(AssertionError):
        posterior(trace)


@pytest.mark.nojit
def test_a_draw_outside_the_support_ends_the_run_and_keeps_the_draws():
    def sometimes(p, d, rng):
        return 3 if rng.random() < 0.001 else 1

    with pytest.raises(nb.errors.SamplingError, match=r"a draw of GibbsStep\('z'\) .* outside the support") as caught:
        nb.sample(mixture(), 5000, 0, step=GibbsStep("z", sometimes), **quiet)
    trace = caught.value.trace
    assert trace.interrupted
    assert trace.draws_done.max() > 0
    assert set(np.unique(trace["z"][0, : trace.draws_done[0]])) <= {0, 1, 2}


@pytest.mark.nojit
def test_a_gibbs_draw_of_no_density_ends_the_run_and_names_it():
    def logp(p, d):
        return -0.5 * p.x**2 - 0.5 * p.y**2 if p.y < 2.0 else -np.inf

    def draw(p, d, rng):
        return rng.normal() + 1.0

    model = nb.Model({"x": nb.real(), "y": nb.real()}, logp=logp)
    with pytest.raises(nb.errors.SamplingError, match=r"'y'.*density") as caught:
        nb.sample(model, 500, 0, step=GibbsStep("y", draw), chains=2, random_seed=3, progressbar=False)
    trace = caught.value.trace
    assert trace["y"][0, : trace.draws_done[0]].max() < 2.0


def _broken(p, d, rng):
    if rng.random() < 0.001:
        raise RuntimeError("no")
    return 1


def _leaves_its_array(p, d, rng):
    return int(d.logw[3 if rng.random() < 0.001 else 1] < 0.0)


@pytest.mark.nojit
@pytest.mark.parametrize(("draw", "error"), [(_broken, RuntimeError), (_leaves_its_array, IndexError)])
def test_what_a_draw_raises_ends_the_run(draw, error):
    """It comes out of plain Python, which draws with the same random numbers."""
    with pytest.raises(error) as caught:
        nb.sample(mixture(), 5000, 0, step=GibbsStep("z", draw), **quiet)
    assert caught.value.trace.draws_done.max() > 0


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (
            lambda p, d, rng: 7,
            ValueError,
            r"draw of GibbsStep\('z'\) is none: a value of categorical\(3\) must lie in",
        ),
        (lambda p, d, rng: np.zeros(2), ValueError, r"must have shape \(\), got \(2,\)"),
        (lambda p, d: 1, ValueError, "must take 3 arguments"),
        (None, TypeError, r"needs a function draw\(p, d, rng\), got None"),
    ],
    ids=["outside", "shape", "arguments", "none"],
)
def test_bad_draws_are_refused_before_the_run(draw, error, message):
    with pytest.raises(error, match=message):
        nb.sample(mixture(), 10, 10, step=GibbsStep("z", draw), **quiet)


def test_one_variable_is_named():
    with pytest.raises(TypeError, match="takes the name of one variable"):
        GibbsStep(["x", "z"], draw_x)


def test_variables_whose_draws_cannot_be_brought_to_coordinates():
    model = nb.Model({"L": nb.cholesky_corr(2)}, logp=lambda p, d: 0.0 * p.L[1, 0])
    with pytest.raises(ValueError, match=r"GibbsStep cannot sample 'L', which is cholesky_corr\(2\)"):
        assign(model, GibbsStep("L", lambda p, d, rng: p.L))


@pytest.mark.either
def test_a_variable_that_bounds_depend_on_is_refused():
    """The value above would move with the draw, which is no draw from a full conditional then."""
    above = nb.Model(
        {"x": nb.real(2), "k": nb.integer(0, 4), "free": nb.real(), "y": nb.lower(lambda p, d: p.x[0] + p.k)},
        logp=lambda p, d: -0.5 * np.sum(p.x**2) - (p.y - p.x[0]) - p.free**2,
    )
    for name, draw in (("x", lambda p, d, rng: np.array([p.y - 1.0, 0.0])), ("k", lambda p, d, rng: 0)):
        with pytest.raises(ValueError, match=f"cannot draw '{name}': bounds of 'y' depend on it"):
            nb.sample(above, 10, 10, step=GibbsStep(name, draw), **quiet)
    step = GibbsStep("free", lambda p, d, rng: rng.normal(0.0, np.sqrt(0.5)))
    with pytest.warns(nb.errors.ConvergenceWarning):
        assert nb.sample(above, 10, 10, step=step, **quiet)["y"].shape == (4, 10)


@pytest.mark.either
def test_bounds_that_leave_nothing_at_some_points_refuse_no_draw():
    model = nb.Model(
        {"free": nb.real(), "x": nb.real(), "y": nb.interval(lambda p, d: p.x, lambda p, d: 1.0)},
        logp=lambda p, d: -0.5 * p.x**2 - p.free**2,
    )
    step = GibbsStep("free", lambda p, d, rng: rng.normal(0.0, np.sqrt(0.5)))
    with pytest.warns(nb.errors.ConvergenceWarning):
        assert (nb.sample(model, 10, 10, step=step, **quiet)["y"] < 1.0).all()


def test_flat_models_have_no_variables_to_draw():
    model = nb.Model.flat(lambda x: -0.5 * np.sum(x**2), dim=2)
    with pytest.raises(ValueError, match="no named parameters"):
        nb.sample(model, 10, 10, step=GibbsStep("x", lambda p, d, rng: np.zeros(2)), **quiet)
