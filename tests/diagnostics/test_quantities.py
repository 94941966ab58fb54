"""Of long chains a report looks at every so many draws; a table looks at all."""

import numpy as np
import pytest

from nbinfer.diagnostics import check, summary
from nbinfer.diagnostics import report as report_module
from nbinfer.diagnostics.quantities import measure_run, read
from nbinfer.trace import Trace


@pytest.fixture
def trace(monkeypatch):
    monkeypatch.setattr(report_module, "MOST_DRAWS", 100)
    return Trace({"x": np.random.default_rng(1).normal(size=(3, 1050, 2))}, chain_ids=[4, 5, 6])


def test_a_report_is_that_of_the_draws_that_it_looks_at(trace):
    report = check(trace)
    kept = trace["x"][:, 10::11]
    assert kept.shape[1] <= 100
    assert report.measured["x"].every == 11
    np.testing.assert_array_equal(report.measured["x"].records, check({"x": kept}).measured["x"].records)
    assert report.notes == ("Of such long chains one draw of 11 was looked at; nbinfer.summary looks at all.",)


@pytest.mark.nojit  # long as plain Python
def test_a_table_is_that_of_all_draws(trace):
    wanted = str(summary(trace))
    trace.report = check(trace)
    assert str(summary(trace)) == wanted


@pytest.mark.nojit  # long as plain Python
def test_a_report_that_looked_at_all_is_taken_over(trace):
    run = read(trace)
    once = measure_run(run, ["x"], 0.9)
    assert measure_run(run, ["x"], 0.9, once, most=100)["x"] is once["x"]
    assert measure_run(run, ["x"], 0.9, measure_run(run, ["x"], 0.9, most=100))["x"].every == 1


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_draw_that_is_not_finite_is_missed(trace, value):
    trace["x"][1, 3, 0] = value  # is not among those looked at
    (problem,) = check(trace).problems
    assert "1 of 2 quantities are infinite or NaN" in problem.message


def test_of_chains_of_unequal_length_too(trace):
    trace["x"][0, 990:] = np.nan
    ragged = Trace({"x": trace["x"]}, draws_done=[990, 1050, 1050])
    measured = check(ragged).measured["x"]
    assert measured.every == 10
    assert (measured.records["finite"] == 1).all()
    everything = np.concatenate([trace["x"][0, :990:10], *trace["x"][1:, ::10]])
    np.testing.assert_allclose(measured.records["mean"], everything.mean(axis=0))


def test_chains_that_are_short_enough_are_looked_at_whole(trace):
    report = check(trace[:100])
    assert report.measured["x"].every == 1
    assert report.notes == ()
