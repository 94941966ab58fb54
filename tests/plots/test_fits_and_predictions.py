"""Pictures of predictions, of fits, and of simulation-based calibration, against numbers found otherwise."""

from types import SimpleNamespace

import numpy as np
import pytest

import nbinfer as nb
from nbinfer import plots
from nbinfer.checks import Calibration
from nbinfer.diagnostics.cross_validation import relative_efficiency
from nbinfer.diagnostics.psis import leave_one_out
from nbinfer.plots import curves


@pytest.fixture(scope="module")
def predicted():
    """A normal mean, its predictions, and observations of which one is missing."""
    rng = np.random.default_rng(1)
    mu, y = rng.normal(0.0, 0.1, (2, 100)), np.append(rng.normal(size=40), np.nan)
    trace = nb.Trace({"mu": mu}, observed_data={"y": y})
    there = y[:40]
    trace.add_group(nb.TraceGroup("log_likelihood", {"y": -0.5 * (there - mu[..., None]) ** 2}))
    trace.add_group(nb.TraceGroup("posterior_predictive", {"y": rng.normal(mu[..., None], 1.0, (2, 100, 41))}))
    return trace


def test_ppc_draws_so_many_predictions_and_what_was_observed(predicted):
    ax = plots.ppc(predicted, samples=30)[0]
    assert len(ax.lines) == 31
    assert ax.lines[-1].get_label() == "observed"
    x = ax.lines[-1].get_xdata()
    y = predicted.observed_data["y"]
    assert np.nanmin(y) < x[0] < x[-1] < np.nanmax(y)
    whole = predicted.groups["posterior_predictive"]["y"]
    assert len(plots.ppc(predicted, {"y": whole[0]})[0].lines) == 51
    alone = plots.ppc(nb.Trace({"mu": np.zeros((1, 2))}), {"y": np.random.default_rng(2).poisson(3, (1, 20, 50))})[0]
    assert len(alone.lines) == 20
    assert alone.lines[0].get_ydata().sum() == pytest.approx(1.0)


def lines_of(trace, predictions, **options):
    ax = plots.ppc(trace, {"y": predictions}, **options)[0]
    return ax, {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_ppc_of_one_observation_has_the_distribution_of_all_predictions():
    predictions = np.random.default_rng(1).normal(size=(2, 500))
    ax, lines = lines_of(nb.Trace({"mu": predictions}, observed_data={"y": np.array(1.5)}), predictions)
    assert len(ax.lines) == 2
    np.testing.assert_array_equal(lines["predicted"].get_ydata(), curves.density(predictions.ravel())[1])
    assert lines["observed"].get_xdata() == [1.5, 1.5]


def test_ppc_of_what_is_all_alike_and_of_what_is_not_finite():
    rng = np.random.default_rng(1)
    trace = nb.Trace({"mu": np.zeros((2, 20))}, observed_data={"y": np.full(9, 2.5)})
    assert lines_of(trace, rng.normal(size=(2, 20, 9)))[1]["observed"].get_xdata() == [2.5, 2.5]
    counts = rng.poisson(2.0, (2, 20, 9)).astype(float)
    counts[0, 0, 0] = np.nan
    trace.observed_data["y"] = np.arange(9)
    ax, lines = lines_of(trace, counts)
    assert lines["predicted"].get_ydata().sum() == pytest.approx(1.0)  # shares of whole numbers, as before
    assert ax.get_title(loc="right") == "0.28 % not finite"


def test_loo_pit_finds_the_log_likelihoods_of_each_draw_by_its_number(predicted):
    whole, predictions = (predicted.groups[kind]["y"] for kind in ("log_likelihood", "posterior_predictive"))

    def curve(chains, draws, of_chains, of_draws):
        trace = nb.Trace({"mu": predicted["mu"]}, observed_data=predicted.observed_data)
        which = dict(chain_ids=of_chains, draw_ids=of_draws)
        trace.add_group(nb.TraceGroup("log_likelihood", {"y": whole[np.ix_(of_chains, of_draws)]}, **which))
        some = {"y": predictions[np.ix_(chains, draws)]}
        group = nb.TraceGroup("posterior_predictive", some, chain_ids=chains, draw_ids=draws)
        return plots.loo_pit(trace, group)[0].lines[0].get_ydata()

    every, half = range(100), range(50, 100)
    expected = curve([0, 1], half, [0, 1], every)
    np.testing.assert_array_equal(curve([0, 1], half, [0, 1], half), expected)
    np.testing.assert_array_equal(curve([0, 1], half, [1, 0], every), expected)
    assert (curve([0, 1], range(50), [0, 1], every) != expected).any()
    with pytest.raises(ValueError, match="are of draw 0, of which the group 'log_likelihood' has none"):
        curve([0, 1], range(50), [0, 1], half)
    with pytest.raises(ValueError, match="are of chain 1, of which the group"):
        curve([0, 1], every, [0], every)


def test_what_are_no_predictions_is_refused(predicted):
    y = predicted.groups["posterior_predictive"]["y"]
    for plot in (plots.ppc, plots.loo_pit):
        with pytest.raises(TypeError, match="trace must be a Trace, got int"):
            plot(5, {"y": y})
        for wrong in (np.full(y.shape, "a"), y + 1j):
            with pytest.raises(TypeError, match=r"predictive\['y'\] must be real numbers, got an array of dtype"):
                plot(predicted, {"y": wrong})
        with pytest.raises(TypeError, match=r"predictive\['y'\] must be an array"):
            plot(predicted, {"y": [[1], [1, 2]]})
    with pytest.raises(ValueError, match="predictive must have a variable or more, got none"):
        plots.ppc(predicted, {})
    with pytest.raises(ValueError, match="'log_likelihood' must be of what was predicted, z, and is of y"):
        plots.loo_pit(predicted, {"z": y})
    with pytest.raises(ValueError, match="predicted and have log likelihoods, y"):
        plots.loo_pit(predicted, {"y": y, "z": y}, "z")
    with pytest.raises(ValueError, match="got NaN 1 times in 8000"):
        plots.loo_pit(predicted, {"y": np.where(np.arange(y.size).reshape(y.shape) == 7, np.nan, y)})


def test_loo_pit_weighs_the_predictions_of_each_observation(predicted):
    ax = plots.loo_pit(predicted)[0]
    places, y = [], predicted.observed_data["y"][:40]
    for i in range(40):
        densities = predicted.groups["log_likelihood"]["y"][:, :, i].ravel()
        _, log_weights = leave_one_out(densities, float(relative_efficiency(densities[None], (2, 100))[0]))
        below = predicted.groups["posterior_predictive"]["y"][:, :, i].ravel() < y[i]
        places.append(np.exp(log_weights[below]).sum())
    line = ax.lines[0]
    found = line.get_ydata() + line.get_xdata()
    np.testing.assert_allclose(found, [np.mean(np.array(places) <= at + 1e-12) for at in line.get_xdata()], atol=1e-9)


def test_too_narrow_predictions_leave_the_band():
    rng = np.random.default_rng(3)
    trace = nb.Trace({"mu": np.zeros((1, 200))}, observed_data={"y": rng.normal(0, 3, 100)})
    trace.add_group(nb.TraceGroup("log_likelihood", {"y": np.zeros((1, 200, 100))}))
    trace.add_group(nb.TraceGroup("posterior_predictive", {"y": rng.normal(size=(1, 200, 100))}))
    ax = plots.loo_pit(trace)[0]
    edge = ax.collections[0].get_paths()[0].vertices[:, 1].max()
    assert ax.lines[0].get_ydata().max() > edge > 0.05


def test_predictions_that_are_not_there_are_asked_for():
    trace = nb.Trace({"mu": np.zeros((1, 5))})
    with pytest.raises(ValueError, match=r"pass predictive=nb\.sample_posterior_predictive"):
        plots.ppc(trace)
    with pytest.raises(TypeError, match="predictive must be a TraceGroup"):
        plots.ppc(trace, 3)
    with pytest.raises(ValueError, match=r"must be variables that were predicted, y\."):
        plots.ppc(trace, {"y": np.zeros((1, 5, 2))}, "z")
    with pytest.raises(ValueError, match="group 'log_likelihood'"):
        plots.loo_pit(trace, {"y": np.zeros((1, 5, 2))})


@pytest.mark.either
def test_an_elbo_is_minus_the_losses():
    losses = np.linspace(100.0, 0.0, 1000)
    ax = plots.elbo(SimpleNamespace(hist=losses))[0]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), -losses)
    assert len(ax.lines[1].get_xdata()) == 100
    assert ax.get_ylim()[0] > -100  # what began far below is cut
    assert plots.elbo([3.0, np.nan, np.inf, 1.0])._repr_png_()
    assert plots.elbo([3.0])._repr_png_()
    assert plots.elbo([3.0, -np.inf, 1.0, 2.0] * 9)[0].get_ylim()[0] > -4.0
    assert plots.elbo([3.0, 1e308, -1e308, 2.0])._repr_png_()
    with pytest.raises(ValueError, match=r"score=True\) keeps them, but for particles"):
        plots.elbo(np.full(5, np.nan))
    with pytest.raises(ValueError, match=r"must have shape \(iteration,\), got \(5, 2\)"):
        plots.elbo(np.ones((5, 2)))
    with pytest.raises(TypeError, match="approx, or its losses, must be numbers"):
        plots.elbo("adam")


def test_particles_are_drawn_where_they_are():
    where = {"a": np.arange(10.0), "b": np.arange(20.0).reshape(10, 2) ** 2}
    model = SimpleNamespace(parameters={"a": None, "b": None})
    approx = SimpleNamespace(histogram=np.zeros((10, 3)), evaluate_over_trace=where.get, model=model)
    panels = plots.particles(approx)
    assert panels.shape == (3, 3)
    rug = [line for line in panels[0, 0].lines if line.get_gid() == "particles"]
    np.testing.assert_array_equal(rug[0].get_xdata(), where["a"])
    np.testing.assert_array_equal(panels[2, 0].lines[0].get_ydata(), where["b"][:, 1])
    with pytest.raises(TypeError, match=r"approx must have particles.*nb\.plots\.pair"):
        plots.particles(SimpleNamespace())


@pytest.mark.either
def test_ranks_of_simulations():
    rng = np.random.default_rng(4)
    ranks = {"mu": rng.integers(0, 100, 400), "tau": rng.integers(0, 50, (400, 2))}
    panels = plots.rank_hist(ranks, 99)
    assert [ax.get_title(loc="left") for ax in panels] == ["mu", "tau[0]", "tau[1]"]
    values = panels[0].patches[-1].get_data().values
    np.testing.assert_allclose(values, np.histogram(ranks["mu"], 20, (0, 100))[0] / 20)  # 400 in 20 bins
    band = plots.rank_hist(ranks, 99, "tau", kind="ecdf")[0]
    assert band.lines[0].get_ydata().max() > band.collections[0].get_paths()[0].vertices[:, 1].max()
    assert len(plots.rank_hist({"x": rng.integers(0, 9, (50, 100))}, 9)) == 20
    assert len(plots.rank_hist(SimpleNamespace(ranks=ranks, draws=99), most=1)) == 1


def test_ranks_of_a_calibration_are_drawn_as_they_are():
    found, rng = Calibration(400), np.random.default_rng(4)
    for u in rng.random((400, 2)):
        found.add({"mu": (u[0], 9), "tau": (u, 9)}, ())
    found.closed()
    panels = plots.rank_hist(found)
    assert [ax.get_title(loc="left") for ax in panels] == ["mu", "tau[0]", "tau[1]"]
    values = panels[0].patches[-1].get_data().values
    np.testing.assert_allclose(values, np.histogram(found.ranks["mu"], 20, (0, 1))[0] / 20)
    np.testing.assert_array_equal(plots.rank_hist(found.ranks)[0].patches[-1].get_data().values, values)
    with pytest.raises(ValueError, match="ranks must hold ranks of a variable or more, got none"):
        plots.rank_hist(Calibration(3).closed())


@pytest.mark.parametrize(("ranks", "draws", "said"), [
    ({"x": [1, 100]}, 99, r"ranks\['x'\] must be ints from 0 to 99"), ({"x": [0.5]}, 9, "must be ints from 0 to 9"),
    ({"x": [1]}, None, "draws, how many of each posterior, must be an int"), ({}, 9, "ranks must hold"),
    ({"x": [1], "y": [1, 2]}, 9, "equally many simulations"),
    ({"x": [0.5, 1.5]}, None, r"ranks\['x'\] must be numbers from 0 to 1"),
    ({"x": [np.nan]}, None, "numbers from 0 to 1"), ({"x": [1.0, 50.0]}, None, "counts are ints, of so many draws="),
    ({"x": ["a"]}, None, "numbers from 0 to 1"),
])  # fmt: skip
def test_what_are_no_ranks_is_refused(ranks, draws, said):
    with pytest.raises(ValueError, match=said):
        plots.rank_hist(ranks, draws)
