"""Steps on part of a position, and the density of what depends on one element (`conditional`)."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import ModelError, SamplingError
from tests.often import often

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
quiet = {"progressbar": False, "random_seed": 1, "chains": 2}


def logp(p, d):
    total = -0.5 * (p.a - 1.0) ** 2 - p.tau + 2.0 * np.log(p.tau)
    for i in range(3):
        total += element(p, d, i)
    return total


def element(p, d, i):
    return -0.5 * p.tau * (p.x[i] - p.a) ** 2 + 0.4 * p.s[i] * p.x[i] - 0.1 * p.x[i] ** 2


def terms_of_s(p, d, i):
    return 0.4 * p.s[i] * p.x[i]


def terms_of_tau(p, d, i):
    total = -p.tau + 2.0 * np.log(p.tau)
    for j in range(3):
        total -= 0.5 * p.tau * (p.x[j] - p.a) ** 2
    return total


PARAMETERS = {"a": nb.real(), "x": nb.real(3), "tau": nb.positive(), "s": nb.binary(3)}
CONDITIONAL = {"x": element, "s": terms_of_s, "tau": terms_of_tau}

STEPS = {
    "slice": [nb.Slice("x"), nb.Slice("tau"), nb.Slice("a"), nb.BinaryGibbsMetropolis("s")],
    "slices together": [nb.Slice(["tau", "x"]), nb.Metropolis("a"), nb.BinaryGibbsMetropolis("s", transit_p=1.0)],
    "nuts and hmc": [nb.NUTS(["a", "tau"]), nb.HamiltonianMC("x"), nb.BinaryMetropolis("s")],
    "mixed block": [nb.Metropolis(["x", "s"], blocked=True), nb.DEMetropolisZ(["a", "tau"], scaling=0.1)],
    "single elements": [nb.Metropolis("tau"), nb.NUTS(["a", "x"]), nb.BinaryGibbsMetropolis("s")],
    "categories": [nb.CategoricalGibbsMetropolis("s", proposal="proportional"), nb.NUTS()],
}


@pytest.mark.nojit
@pytest.mark.parametrize("given", [None, CONDITIONAL], ids=["whole", "conditional"])
@pytest.mark.parametrize("kind", often(STEPS, "slice", "slices together", "mixed block"))
def test_steps_on_parts_agree_with_steps_on_all(kind, given, reference):
    """The same posterior as of NUTS and Gibbs sweeps, and the chain knows its log density to the end."""
    model = nb.Model(PARAMETERS, logp=logp, conditional=given)
    trace = nb.sample(model, 10_000, 1000, step=STEPS[kind], **quiet)
    table = nb.summary(trace)
    z = (np.array(table["mean"]) - reference["mean"]) / np.hypot(table["mcse_mean"], reference["mcse_mean"])
    assert np.all(np.abs(z) < 4.5)
    last = {name: trace[name][0, -1] for name in PARAMETERS}
    assert trace.sample_stats["lp"][0, -1] == pytest.approx(model.logp(last) + np.log(last["tau"]), rel=1e-9)
    assert trace["s"].dtype == np.int64


@pytest.fixture(scope="module")
def reference():
    return nb.summary(nb.sample(nb.Model(PARAMETERS, logp=logp), 20_000, 1000, **quiet))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", ["x", "k"])
def test_metropolis_asks_the_conditional_where_one_element_moves(name):
    """A constant as large as this leaves its rounding in the log density; it is the same chain otherwise."""

    def density(p, d):
        return -0.5 * p.x**2 - 0.3 * (p.k - 0.5 * p.x) ** 2

    def shifted(p, d, i):
        return 1e8 + density(p, d)

    def run(conditional):
        model = nb.Model({"x": nb.real(), "k": nb.integer(-3, 3)}, logp=density, conditional=conditional)
        return nb.sample(model, 300, 0, step=nb.Metropolis(S=1.5), **quiet)

    plain, trace = run(None), run({name: shifted})
    assert np.array_equal(plain["k"], trace["k"])
    rounding = np.abs(trace.sample_stats["lp"] - density(trace, None)).max()
    assert 1e-12 < rounding < 1e-5
    assert np.abs(plain.sample_stats["lp"] - density(plain, None)).max() < 1e-12


@pytest.mark.nojit  # long as plain Python
def test_a_conditional_makes_the_same_chain():
    """The draws are those of the whole density, as long as rounding allows."""
    draws = [
        nb.sample(nb.Model(PARAMETERS, logp=logp, conditional=given), 20, 0, step=STEPS["slice"], **quiet)
        for given in (None, CONDITIONAL)
    ]
    for name in PARAMETERS:
        np.testing.assert_allclose(draws[0][name], draws[1][name], rtol=1e-6)
    np.testing.assert_allclose(*(trace.sample_stats["lp"] for trace in draws), rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": terms_of_s}, "conditional of 'x' is wrong for element 0: where that changes, the density changes by"),
        ({"y": element}, "conditional names 'y', which is no parameter"),
        (element, "conditional must map names of variables to functions, since there are 4"),
        ({"x": lambda p, d: 0.0}, "conditional of 'x' must take 3 arguments"),
        ({"x": 3}, "conditional of 'x'"),
    ],
)
def test_a_conditional_that_is_none_is_refused(given, message):
    with pytest.raises((ModelError, TypeError), match=message):
        nb.sample(nb.Model(PARAMETERS, logp=logp, conditional=given), 10, 10, step=STEPS["slice"], **quiet)


def test_elements_that_move_together_have_none():
    with pytest.raises(ModelError, match=r"conditional of 'w' must be left out"):
        nb.Model({"w": nb.simplex(3)}, logp=lambda p, d: 0.0 * p.w[0], conditional={"w": lambda p, d, i: 0.0})


def broken(p, d, i):
    if p.a > 0.5:
        raise ValueError("no such term")
    return 0.0


def without_value(p, d, i):
    return np.nan if p.a > 0.5 else 0.0


@pytest.mark.parametrize(
    "method",
    [
        nb.Slice("x"),
        nb.BinaryGibbsMetropolis("s"),
        nb.CategoricalGibbsMetropolis("s"),
        nb.CategoricalGibbsMetropolis("s", proposal="proportional"),
        nb.Metropolis("tau"),
    ],
    ids=["slice", "binary", "uniform", "proportional", "metropolis"],
)
@pytest.mark.parametrize(
    ("failure", "error", "message"),
    [(broken, ValueError, "no such term"), (without_value, SamplingError, "finds no value of the model's conditional")],
    ids=["raises", "nan"],
)
def test_a_conditional_that_fails_where_the_chain_is_ends_the_run(method, failure, error, message):
    """Every point would be in a slice below minus infinity, and every flip would be accepted."""
    terms = CONDITIONAL[method.vars]

    def given(p, d, i):
        return failure(p, d, i) + terms(p, d, i)

    model = nb.Model(PARAMETERS, logp=logp, conditional={method.vars: given})
    with pytest.raises(error, match=message) as caught:
        nb.sample(model, 500, 0, step=[method, nb.Slice("a")], start={"a": 0.0}, **quiet)
    assert caught.value.trace.interrupted
    assert np.isfinite(caught.value.trace.sample_stats["lp"][0, : caught.value.trace.draws_done[0]]).all()
