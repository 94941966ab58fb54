"""Where the density ends beside draws that diverged: found, named, and told with the declaration that knows it."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.diagnostics import check
from tests.diagnostics.runs import a_run

SHAPE = (2, 200)


def run_of(posterior, energy_error=np.inf, name="max_energy_error"):
    """Make a run of which each tenth draw has diverged."""
    diverging = np.zeros(SHAPE, bool)
    diverging[:, ::10] = True
    stats = {"diverging": diverging, name: np.where(diverging, energy_error, 0.1)}
    return a_run(*SHAPE, posterior=posterior, sample_stats=stats)


def told(run, parameters, logp, **model):
    report = check(run, model=nb.Model(parameters, logp=logp, **model))
    return report.problems[0].message


def exponential(*shape):
    return np.random.default_rng(2).exponential(size=(*SHAPE, *shape))


def half(p, d):
    return -p.x if p.x > 0.0 else -np.inf


def halves(p, d):
    return -np.sum(p.x) if np.all(p.x > 0.5) else -np.inf


def last(p, d):
    return -np.sum(np.abs(p.x)) if p.x[2] > 0.0 else -np.inf


def box(p, d):
    return 0.0 if -1.0 < p.x < 3.0 else -np.inf


def of_logarithm(p, d):
    return np.log(p.x - 2.0) - p.x if p.x > 2.0 else np.nan


CASES = {
    "zero": ({"x": nb.real()}, half, exponential(), "below x = 0: logp is -inf. .* declare 'x' as nb.positive()"),
    "elements": ({"x": nb.real(3)}, halves, 0.5 + exponential(3), "below x = 0.5: .* declare 'x' as nb.lower(0.5, 3)"),
    "one element": ({"x": nb.real(3)}, last, exponential(3), r"below x[2] = 0: .* 'x' as nb.positive(3)"),
    "two sides": ({"x": nb.real()}, box, -1.0 + 4.0 * np.random.default_rng(1).random(SHAPE), "nb.interval(-1, 3)"),
    "positive": ({"x": nb.positive()}, box, 3.0 * np.random.default_rng(1).random(SHAPE), "as nb.interval(0, 3)"),
    "NaN": ({"x": nb.real()}, of_logarithm, 2.0 + exponential(), "below x = 2: logp is nan. .* nb.lower(2)"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_edge_is_told_with_the_bound_that_knows_it(case):
    parameters, logp, draws, words = CASES[case]
    message = told(run_of({"x": draws}), parameters, logp)
    for part in words.split(" .* "):
        assert part in message
    assert " of 16 of them the density ends, " in message
    assert "target_accept" not in message


def triangle(p, d):
    return 0.0 if p.a > 0.0 and p.a < p.b else -np.inf


@pytest.mark.either
def test_an_edge_that_other_parameters_set_wants_a_function():
    rng = np.random.default_rng(1)
    b = 1.0 + rng.exponential(size=SHAPE)
    message = told(run_of({"a": b * (1.0 - 0.1 * rng.random(SHAPE)), "b": b}), dict.fromkeys("ba", nb.real()), triangle)
    assert "above a value of a that varies: logp is -inf." in message
    assert "give 'a' a bound that is a function of what is declared before it, nb.upper(lambda p, d: ...)" in message


def normal(p, d):
    return -0.5 * p.x**2


@pytest.mark.parametrize(
    "run",
    [
        run_of({"x": exponential()}),  # the density goes on
        run_of({"x": exponential()}, 1e4),  # steps were too long
        run_of({"y": exponential()}),  # draws of something else
    ],
    ids=["no edge", "long steps", "other names"],
)
def test_where_there_is_no_edge_nothing_is_said(run):
    model = nb.Model({"x": nb.real()}, logp=normal if run.sample_stats["max_energy_error"].max() == np.inf else half)
    assert "Raise target_accept" in check(run, model=model).problems[0].message
    assert "density ends" not in str(check(run_of({"x": exponential()})))  # nobody gave the model


def test_hmc_has_other_statistics_and_what_follows_refers_to_the_edge():
    apart = exponential() + np.array([[0.0], [5.0]])
    report = check(run_of({"x": apart}, np.nan, "energy_error"), model=nb.Model({"x": nb.real()}, logp=half))
    assert "declare 'x' as nb.positive()" in report.problems[0].message
    assert "The end of the density explains this" in report.problems[1].message


def test_the_model_is_checked():
    with pytest.raises(TypeError, match="model must be a Model, got int"):
        check(run_of({"x": exponential()}), model=3)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_sample_looks_for_edges():
    with pytest.warns(nb.errors.ConvergenceWarning, match=r"declare 'x' as nb\.positive\(\)"):
        nb.sample(nb.Model({"x": nb.real()}, logp=half), 50, 50, chains=2, random_seed=1, progressbar=False)
