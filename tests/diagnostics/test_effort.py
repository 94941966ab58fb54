"""What is said of the metric, and of long trajectories: each reason, from both sides."""

import numpy as np
import pytest

from nbinfer.diagnostics import Kind, check
from nbinfer.diagnostics.effort import LEARNS_CORRELATION
from nbinfer.mcmc.metric.adaptive import NAMED
from nbinfer.trace import Metric
from tests.diagnostics.runs import a_run

pytestmark = pytest.mark.nojit

DRAWS = 400


def a_metric(rank=0, capacity=3, learnt=True, eigenvalue=100.0, n=3):
    u, values = np.eye(n)[:rank], [np.full(rank, of_chain) for of_chain in np.broadcast_to(eigenvalue, 4)]
    return Metric(np.ones((4, n)), [u] * 4, values, {"x": ((n,), n)}, range(4), capacity, learnt)


def long_run(metric=None, steps=255, **changes):
    run = a_run(draws=DRAWS, metric=metric, **changes)
    run.sample_stats["n_steps"] = np.full((4, DRAWS), steps)
    return run


def correlated(run, r):
    a, e = np.random.default_rng(3).normal(size=(2, 4 * DRAWS))
    a, e = np.linalg.qr(np.stack([np.ones_like(a), a, e], axis=1))[0].T[1:].reshape(2, 4, DRAWS)
    run.posterior |= {"a": a, "b": r * a + np.sqrt(1.0 - r * r) * e}  # it is r exactly
    return run


def test_the_metric_that_is_named_learns_correlation():
    assert NAMED[LEARNS_CORRELATION]().directions(5, 1000) == 5


def test_what_the_metric_has_learnt_is_mentioned():
    report = check(a_run(draws=DRAWS, metric=a_metric(2)))
    assert report.ok
    assert len(report.notes) == 1
    assert report.notes[0] == (
        "The metric has learnt correlation (rank 2, condition number up to 100): with a scale for each parameter the "
        "posterior is still 10 times as long as wide, and the sampler makes up for it."
    )
    for nothing in (None, a_metric(0), a_metric(2, learnt=False), a_metric(3, eigenvalue=9.9)):
        assert check(a_run(draws=DRAWS, metric=nothing)).notes == ()
    most, half = ([100.0, 100.0, other, 1.0] for other in (100.0, 1.0))
    assert check(a_run(draws=DRAWS, metric=a_metric(1, eigenvalue=most))).notes != ()
    assert check(a_run(draws=DRAWS, metric=a_metric(1, eigenvalue=half))).notes == ()  # these may have been misled
    both = check(a_run(draws=DRAWS, metric=(a_metric(1), a_metric(2)))).notes
    assert [note.split("(")[1].split(",")[0] for note in both] == ["rank 1", "rank 2"]


def test_many_gradients_are_more_than_a_hundred_in_the_median():
    assert check(long_run(steps=100)).notes == ()
    assert check(long_run(steps=101)).notes == ("The median draw took 101 gradients, which is many. Reparameterise.",)
    run = long_run(steps=7)
    run.sample_stats["n_steps"][:, : DRAWS // 2 - 1] = 1023
    assert check(run).notes == ()
    assert check(run).ok
    run.sample_stats["n_steps"] = np.stack([run.sample_stats["n_steps"], np.full((4, DRAWS), 127)], axis=2)
    assert "took 127 gradients" in str(check(run))
    run = long_run(draws_done=np.full(4, 300))
    run.sample_stats["n_steps"][:, :300] = 7
    assert check(run).notes == ()  # what is not finished does not count


REASONS = {
    "a metric that was given": (a_metric(learnt=False), "The metric was given, not learnt"),
    "a diagonal": (a_metric(capacity=0), f"The metric is a diagonal: metric={LEARNS_CORRELATION!r}"),
    "no room for more directions": (a_metric(2, capacity=2), "All 2 directions of the metric are in use"),
    "room": (a_metric(2), "The metric has learnt what correlates: scales must differ from place to place."),
    "all directions": (a_metric(3), "The metric has learnt what correlates: scales must differ from place to place."),
    "one coordinate": (a_metric(capacity=0, n=1), "The metric has learnt what correlates: scales must differ"),
    "nobody knows": (None, "which is many. Reparameterise."),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_helps_depends_on_the_reason(reason):
    metric, text = REASONS[reason]
    assert text in check(long_run(metric)).notes[-1]


def test_parameters_that_correlate_are_named_where_the_metric_does_not_know():
    diagonal = a_metric(capacity=0)
    text = str(check(correlated(long_run(diagonal), -0.9998)))
    assert "a and b correlate (-0.99980)" in text
    assert f"), and the metric is a diagonal: metric={LEARNS_CORRELATION!r} learns correlation" in text
    assert "correlate" not in check(correlated(long_run(a_metric(2)), -0.9998)).notes[-1].replace("what correlates", "")
    assert "correlate (" not in str(check(correlated(long_run(diagonal), 0.9)))
    assert "a and b correlate (0.990)" in str(check(correlated(long_run(), 0.99)))
    run = correlated(long_run(diagonal), 0.999)
    run.attrs["parameters"] = ["mu", "theta"]
    assert "correlate (" not in str(check(run))  # of derived quantities one expects it


def test_a_high_target_makes_steps_short():
    run = long_run(a_metric(2))
    run.attrs["target_accept"] = 0.99
    run.sample_stats["acceptance_rate"] = np.random.default_rng(1).beta(99, 1, (4, DRAWS))
    text = str(check(run))
    assert "target_accept = 0.99 keeps the steps short" in text
    assert "0.8" not in text  # what was raised for a reason is not to be lowered again


def test_where_places_are_narrow_their_problem_says_what_helps():
    run = correlated(long_run(a_metric(capacity=0)), 0.9999)
    run.sample_stats["diverging"][0, ::40] = True
    assert check(run).notes[-1].endswith("what helps against divergences or low E-BFMI helps here.")


@pytest.mark.parametrize("reason", REASONS)
def test_a_note_can_be_understood_by_itself(reason):
    metric, text = REASONS[reason]
    run = long_run(metric, steps=63)
    assert "long. " not in str(check(run))
    run.sample_stats["reached_max_treedepth"][:, :100] = True
    report = check(run)
    assert [p.kind for p in report.problems] == [Kind.TREEDEPTH]
    assert report.notes[-1].startswith(f"Some trajectories are long. {text.removeprefix('which is many. ')}")
    run.sample_stats["n_steps"][:] = 1023
    assert check(run).notes[-1].startswith("The median draw took 1023 gradients, which is many. ")
