"""The cure of a run as a whole: nothing is said of places before chains have settled, and one cause is said once."""

import numpy as np
import pytest

from nbinfer.diagnostics import Kind, check
from tests.diagnostics.runs import a_run

pytestmark = pytest.mark.nojit

SHAPE = (4, 600)
TOO_SHORT = "Warm-up was too short (tune={}): warm up longer, as with tune=1000."


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def funnel(rng, apart=0.0, tuned=None, shape=SHAPE):
    """Make a run with a funnel, chain 2 of which lies `apart` from the rest in something else."""
    tau = np.exp(1.5 * rng.normal(size=shape))
    x, other = tau[..., None] * rng.normal(size=(*shape, 6)), rng.normal(size=shape)
    other[2] += apart
    run = a_run(*shape, posterior={"x": x, "tau": tau, "other": other})
    run.attrs["parameters"] = list(run.posterior)
    run.sample_stats["diverging"] = tau <= np.sort(tau, axis=None)[tau.size // 60]
    if tuned is not None:
        run.attrs["tune"], run.tune_done = tuned, np.full(4, tuned)
    return run


def everything_else(run, rng):
    """Let other problems come with it."""
    run.sample_stats["energy"] = np.cumsum(rng.normal(size=SHAPE), axis=1)
    run.sample_stats["acceptance_rate"][:] = 0.5
    run.sample_stats["reached_max_treedepth"][:] = True
    run.posterior["slow"] = np.repeat(rng.normal(size=(4, 10)), 60, axis=1)
    return run


def text(run):
    return str(check(run))


def test_other_problems_refer_to_the_funnel(rng):
    messages = {p.kind: p.message for p in check(everything_else(funnel(rng, 1.0), rng)).problems}
    assert "a funnel" in messages.pop(Kind.DIVERGENCES)
    others = {Kind.CONVERGENCE, Kind.LOW_ESS, Kind.BAD_ENERGY, Kind.BAD_ACCEPTANCE, Kind.TREEDEPTH}
    assert set(messages) == others
    assert all(message.endswith(". The funnel explains this.") for message in messages.values())
    alone = text(everything_else(a_run(*SHAPE), rng))
    assert "explains" not in alone
    for remedy in ("run longer", "draw more", "poorly explored: tune longer", "adapted: tune longer", "raise max_tree"):
        assert remedy in alone


def test_a_short_warm_up_comes_before_any_place(rng):
    assert "a funnel" in text(funnel(rng, 3.0))  # nobody knows how long it was
    assert "a funnel" in text(funnel(rng, 3.0, 100))
    assert "a funnel" in text(funnel(rng, 0.0, 99))  # it was short, and long enough
    short = everything_else(funnel(rng, 3.0, 5), rng)
    short.posterior["tau"][1] = 2.0
    report = check(short)
    assert report.problems[0].message.endswith(TOO_SHORT.format(5))
    assert Kind.NOT_MOVED in {p.kind for p in report.problems}
    assert all(p.message.endswith(". The short warm-up explains this.") for p in report.problems[1:])
    assert report.notes[-1] == "Some trajectories are long. The short warm-up explains this."


def test_chains_that_are_far_apart_tell_of_no_place(rng):
    assert "a funnel" in text(funnel(rng))
    run = funnel(rng)
    run.posterior["other"] += 10.0 * np.arange(4)[:, None]
    assert "funnel" not in text(run)
    assert "Raise target_accept (now 0.8) or reparameterise." in text(run)
    run.posterior["other"] = np.repeat([[1.0], [2.0], [3.0], [4.0]], SHAPE[1], axis=1)  # its R-hat is infinite
    assert "funnel" not in text(run)


def test_where_most_draws_diverge_there_is_no_place(rng):
    run = funnel(rng)
    run.sample_stats["diverging"] = run.posterior["tau"] < np.quantile(run.posterior["tau"], 0.49)
    assert "funnel" in text(run)
    run.sample_stats["diverging"] = run.posterior["tau"] < np.quantile(run.posterior["tau"], 0.51)
    assert "funnel" not in text(run)


def test_few_draws_tell_of_no_place(rng):
    assert "funnel" in text(funnel(rng, shape=(4, 50)))
    assert "funnel" not in text(funnel(rng, shape=(4, 49)))


@pytest.mark.parametrize(("done", "longer"), [(250, 1000), (1000, 2000)])
def test_an_automatic_warm_up_is_made_longer_by_a_number(done, longer, rng):
    run = everything_else(a_run(*SHAPE), rng)
    run.attrs["tune"], run.tune_done = "auto", np.full(4, done)
    assert f"The step size is not adapted: set tune={longer}." in text(run)
    assert f"poorly explored: set tune={longer} or reparameterise." in text(run)
    assert "tune longer" not in text(run)


def test_chains_that_learn_together_need_no_long_warm_up(rng):
    run = funnel(rng, 3.0, 20)
    run.attrs["usual_tune"] = 100
    assert "(tune=20): warm up longer, as with tune=100." in text(run)
