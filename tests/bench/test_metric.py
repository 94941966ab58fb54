"""The comparison of metrics: ratios, means and verdicts of made-up runs, what counts as stuck, and one short run."""

import json

import numpy as np
import pytest

from bench import metric
from bench.correlated import equicorrelated
from bench.metric import Compared, Run, by_turns, chains_apart, efficiency, geometric, measure, ratio_cell, stuck

METRICS = ("diagonal", "new")


def run(name="sblri", of="diagonal", seed=1, ess=100.0, **changed):
    """Return a run of 4000 draws that took 16 000 gradients."""
    known = dict(dim=6, draws=4000, gradients=16_000, warmup=20_000, divergences=0, rhat=1.0, z=1.0, rank=2.0, apart=[])
    return Run(posterior=name, metric=of, seed=seed, ess=ess, **{**known, **changed})


def test_a_run_is_counted_by_the_gradients_of_its_kept_draws():
    assert (run().per_1000, run().per_draw) == (6.25, 4.0)


def test_ratios_are_of_one_seed_and_the_mean_is_geometric():
    runs = [run(seed=s, ess=e) for s, e in ((1, 100.0), (2, 400.0), (3, 50.0))]
    runs += [run(of="new", seed=s, ess=e) for s, e in ((2, 800.0), (1, 800.0))]
    ratios = Compared(runs, "sblri", METRICS).ratio("new")
    np.testing.assert_allclose(ratios, [2.0, 8.0])
    assert geometric(ratios) == pytest.approx(4.0)
    assert ratio_cell(ratios) == "4 (2..8)"
    assert ratio_cell(ratios[:1]) == "2"


@pytest.mark.parametrize(("name", "factor", "judged"), [
    ("sblri", 0.86, "holds"),
    ("sblri", 0.84, "MISSED"),
    ("arK", 0.84, "MISSED"),
    ("eight_schools_centered", 0.5, ""),
])  # fmt: skip
def test_each_posterior_must_keep_what_it_had(name, factor, judged):
    text = efficiency([run(name), run(name, "new", ess=100.0 * factor)], [name], METRICS)
    row = next(line for line in text.splitlines() if line.startswith(name))
    assert row.endswith(judged or " 2 → 2")


@pytest.mark.parametrize(("gradients", "judged"), [(16_000, "holds"), (16_400, "MISSED")])
def test_a_gaussian_in_two_dimensions_must_stay_cheap(gradients, judged):
    name = "r = 0.999, 2-d"
    runs = [run(name, dim=2), run(name, "new", ess=1e4, dim=2, gradients=gradients)]
    assert efficiency(runs, [name], METRICS).splitlines()[2].endswith(judged)


def test_means_are_of_all_and_of_those_without_correlation():
    runs = [run("sblri"), run("sblri", "new", ess=96.0), run("arK"), run("arK", "new", ess=1200.0)]
    last = efficiency(runs, ["sblri", "arK"], METRICS).splitlines()[-1]
    assert last.startswith("new / diagonal, geometric mean: 3.39 of 2, 0.96 of 1 uncorrelated")
    assert last.endswith("MISSED)")


def chains(means, sd=1.5, draws=500):
    return np.array(means)[:, None] + sd * np.random.default_rng(1).standard_normal((len(means), draws))


@pytest.mark.parametrize(("means", "apart"), [
    ((0.0, 0.5, -0.5, 0.0), []),
    ((0.0, 0.5, -40.0, 0.0), [2]),
    ((0.0, 30.0, -40.0, 0.0), [1, 2]),
])  # fmt: skip
def test_chains_apart_are_those_whose_density_is_elsewhere(means, apart):
    assert chains_apart(chains(means), 6) == apart


def test_what_is_far_depends_on_how_far_the_others_spread():
    lp = chains((0.0, 0.0, -20.0, 0.0))
    assert chains_apart(lp, 6) == [2]
    assert chains_apart(lp, 200) == []  # a Gaussian's log density has a spread of 10
    assert chains_apart(chains((0.0, 0.0, -20.0, 0.0), sd=10.0), 6) == []


@pytest.mark.parametrize(("changed", "is_stuck"), [
    ({}, False),
    ({"rhat": 1.09}, False),
    ({"rhat": 1.11}, True),
    ({"rhat": float("nan")}, True),
    ({"apart": [3]}, True),
])  # fmt: skip
def test_a_run_is_stuck_by_its_r_hat_or_by_its_density(changed, is_stuck):
    assert run(**changed).is_stuck is is_stuck


def test_only_what_the_first_metric_does_not_have_is_held_against_another():
    runs = [run(seed=1, apart=[0]), run(seed=2), run(of="new", seed=1, rhat=1.5), run(of="new", seed=2)]
    assert stuck(runs, ["sblri"], METRICS).splitlines()[-1].endswith("holds")
    runs[-1] = run(of="new", seed=2, rhat=1.5)
    row = stuck(runs, ["sblri"], METRICS).splitlines()[-1]
    assert "2 of 2" in row
    assert "1, 2" in row
    assert row.endswith("MISSED")


def test_metrics_take_turns(monkeypatch):
    monkeypatch.setattr(metric, "measure", lambda name, model, of, seed: (name, seed, of))
    order = list(by_turns({"a": int, "b": int}, METRICS, range(4, 6)))
    turns = [(4, "diagonal"), (4, "new"), (5, "diagonal"), (5, "new")]
    assert order == [(name, *turn) for name in "ab" for turn in turns]


def test_lists_name_posteriors():
    assert {*metric.UNCORRELATED, metric.EXCEPT} <= set(metric.POSTERIORS)
    assert not set(metric.NAMES) & set(metric.MODELS)


@pytest.mark.either
def test_a_short_run_is_measured_written_and_read(tmp_path):
    found = measure("r = 0.9, 2-d", equicorrelated(2, 0.9), "diag", 1, draws=40, tune=40)
    assert (found.dim, found.draws, found.divergences) == (2, 160, 0)
    assert found.gradients >= 160
    assert found.warmup >= 160
    assert 0.0 < found.per_1000 < 1000.0
    assert np.isnan(found.z)
    path = tmp_path / "runs.jsonl"
    for _ in range(2):
        assert list(metric.written([found], str(path))) == [found]
    read = metric.read_runs([str(path)])
    assert len(read) == 2
    assert json.dumps(read[1]._asdict()) == json.dumps(found._asdict())  # a record with NaN equals no other


@pytest.mark.nojit  # long as plain Python
def test_what_is_known_is_what_runs_are_held_against():
    """Reference draws as a run: what is off is its own Monte Carlo error."""
    draws = {name: x[None] for name, x in metric.load("sblri").draws.items()}
    assert 0.5 < metric.worst_z("sblri", draws) < 5.0
    shifted = {name: x + 0.3 * x.std(axis=1) for name, x in draws.items()}
    assert 5.0 < metric.worst_z("sblri", shifted) < 20.0
    elsewhere = {name: 2.0 * x for name, x in draws.items()}  # above every quantile
    assert metric.worst_z("sblri", elsewhere) == np.inf
    assert np.isnan(metric.worst_z("sv", draws))
