"""What is drawn is what was drawn: numbers in the pictures against the trace and its diagnostics."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer import plots
from nbinfer.plots import curves


def test_a_trace_has_the_draws_and_the_divergences_of_each_chain(trace):
    _, right = plots.trace(trace, "mu")[0]
    chains = [of for of in right.lines if len(of.get_xdata()) == 200]
    np.testing.assert_array_equal([of.get_ydata() for of in chains], trace.posterior["mu"])
    marks = {of.get_gid(): of.get_xdata() for of in right.lines if of.get_gid()}
    assert set(marks) == {"divergences of chain 1", "divergences of chain 4"}
    for chain, found in ((1, marks["divergences of chain 1"]), (4, marks["divergences of chain 4"])):
        np.testing.assert_array_equal(found, np.flatnonzero(trace.sample_stats["diverging"][[0, 1, 4].index(chain)]))


@pytest.mark.nojit  # long as plain Python
def test_titles_have_what_the_summary_says(trace):
    table = nb.summary(trace)
    for ax, row in zip(plots.rank(trace), table.rows, strict=True):
        (verdict,) = [text.get_text() for text in ax.texts if text.get_gid() == "verdict"]
        assert verdict == f"R-hat {table['rhat', row]:.2f}, ESS {table['ess_bulk', row]:.0f}"


@pytest.mark.nojit  # long as plain Python
def test_a_forest_has_quantiles_and_the_worst_in_bold(wide):
    ax = plots.forest(wide, prob=0.8, most=100)[0]
    thin, thick = ax.lines[0].get_xdata(), ax.lines[1].get_xdata()
    np.testing.assert_allclose(thin, np.quantile(wide.posterior["x"][:, :, 0], [0.1, 0.9]))
    np.testing.assert_allclose(thick, np.quantile(wide.posterior["x"][:, :, 0], [0.25, 0.75]))
    assert [text.get_fontweight() for text in ax.texts[-5:]] == ["bold"] * 5
    assert len(ax.get_yticks()) == 100


def test_ranks_are_shares_of_each_chain(trace):
    ax = plots.rank(trace, "mu")[0]
    stairs = [patch.get_data().values for patch in ax.patches if hasattr(patch, "get_data")]
    np.testing.assert_allclose([found.mean() for found in stairs], 1.0)
    np.testing.assert_allclose(np.mean(stairs, axis=0), 1.0)
    drift = nb.Trace({"x": np.stack([np.arange(100.0), np.arange(100.0) + 100.0])})
    first = plots.rank(drift, kind="ecdf")[0].lines[0].get_ydata()
    assert first.max() == pytest.approx(0.5)


def test_densities_are_densities():
    rng = np.random.default_rng(5)
    x, y = curves.density(rng.normal(size=20_000))
    assert y.sum() * (x[1] - x[0]) == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(y, np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi), atol=0.02)
    x, y = curves.density(rng.exponential(size=20_000))
    assert y[0] == pytest.approx(1.0, abs=0.1)  # and not half of it


def test_far_tails_do_not_flatten_a_density():
    x, y = curves.density(np.random.default_rng(6).standard_cauchy(20_000))
    assert x.max() < 100
    np.testing.assert_allclose(y, 1 / (np.pi * (1 + x**2)), atol=0.02)
    assert 0.9 < y.sum() * (x[1] - x[0]) < 1.0


def test_ranks_of_ties_are_in_random_order():
    np.testing.assert_array_equal(curves.ranks([[3.0, 1.0], [4.0, 7.0]]), [[1, 0], [2, 3]])
    counts = curves.ranks(np.tile([0, 1], 500))
    assert set(counts[::2].tolist()) == set(range(500))
    assert abs(np.corrcoef(counts[::2], np.arange(500))[0, 1]) < 0.15


def test_a_band_does_not_widen_where_chains_disagree(wide):
    def width(name, trace):
        return plots.rank(trace, name, kind="ecdf")[0].collections[0].get_paths()[0].vertices[:, 1].max()

    good, bad = nb.Trace({"x": wide.posterior["x"][:, :, 0]}), nb.Trace({"x": wide.posterior["x"][:, :, 99]})
    assert width("x", bad) < 1.3 * width("x", good)
    line = plots.rank(bad, kind="ecdf")[0].lines[0]
    assert np.abs(line.get_ydata()).max() > width("x", bad)


def test_one_chain_is_two_halves():
    lines = plots.rank({"x": np.arange(100.0)}, kind="ecdf")[0].lines
    assert [line.get_label() for line in lines] == ["first half", "second half"]
    assert lines[0].get_ydata().max() == pytest.approx(0.5)


def test_autocorrelations_are_those_of_their_definition():
    x = np.random.default_rng(7).normal(size=30).cumsum()
    centred = x - x.mean()
    direct = [centred[: 30 - k] @ centred[k:] / (centred @ centred) for k in range(6)]
    np.testing.assert_allclose(curves.autocorrelation(x, 5), direct, atol=1e-12)


@pytest.mark.either
@pytest.mark.parametrize("cumulative", [True, False])
@pytest.mark.parametrize("chains", [1, 4])
def test_a_band_holds_uniform_numbers_as_often_as_it_says(cumulative, chains):
    width = curves.band(100, 20, chains, 0.9, cumulative)
    rng, inside = np.random.default_rng(8), 0
    for _ in range(400):
        u = rng.random((chains, 100))
        u = (curves.ranks(u) + 0.5) / u.size if chains > 1 else u
        shares = np.stack([np.histogram(one, 20, (0, 1))[0] / 100 for one in u])
        away = np.cumsum(shares, axis=1) - np.arange(1, 21) / 20 if cumulative else shares - 1 / 20
        inside += bool((np.abs(away) <= width + 1e-12).all())
    assert 0.86 < inside / 400 < 0.98  # counts of few leave no other choice


@pytest.mark.nojit  # long as plain Python
def test_effective_sizes_are_those_of_the_diagnostics(trace):
    line = plots.ess(trace, "mu")[0].lines[0]
    expected = [nb.diagnostics.ess_quantile(trace.posterior["mu"], p) for p in line.get_xdata()]
    np.testing.assert_array_equal(line.get_ydata(), expected)
    bulk, tail = plots.ess(trace, "mu", kind="evolution")[0].lines[:2]
    assert bulk.get_ydata()[-1] == nb.diagnostics.ess_bulk(trace.posterior["mu"])
    assert tail.get_ydata()[-1] == nb.diagnostics.ess_tail(trace.posterior["mu"])


def test_autocorrelations_begin_at_one(trace):
    ax = plots.autocorr(trace, "mu", lags=10)[0]
    assert [len(line.get_xdata()) for line in ax.lines] == [11] * 3
    assert [line.get_ydata()[0] for line in ax.lines] == [1.0] * 3


def test_autocorrelations_of_draws_that_alternate_are_within_the_panel():
    ax = plots.autocorr({"x": np.tile([1.0, -1.0], 50)})[0]
    assert ax.get_ylim()[0] < ax.lines[0].get_ydata().min() < -0.9


def test_energies_come_with_bfmi(trace):
    ax = plots.energy(trace)[0]
    found = nb.diagnostics.bfmi(trace.sample_stats["energy"])
    assert ax.get_title(loc="left") == "E-BFMI " + ", ".join(f"{value:.2f}" for value in found)
    with pytest.raises(ValueError, match="statistic 'energy'"):
        plots.energy({"x": [1.0]})


def test_pairs_have_the_divergences_of_each_chain(trace):
    panels = plots.pair(trace, ["mu", "theta"])
    assert [[ax is None for ax in row] for row in panels] == [[j > i for j in range(3)] for i in range(3)]
    marks = {line.get_gid(): line for line in panels[1, 0].lines if line.get_gid()}
    stored = trace.sample_stats["diverging"]
    for k, chain in ((1, 1), (2, 4)):
        line = marks[f"divergences of chain {chain}"]
        np.testing.assert_array_equal(line.get_xdata(), trace.posterior["mu"][k][stored[k]])
        np.testing.assert_array_equal(line.get_ydata(), trace.posterior["theta"][k, :, 0][stored[k]])
    assert panels[0, 0].get_title(loc="left") == f"x: {stored.sum()} divergences"
    assert plots.pair({"x": np.zeros((2, 5)), "y": np.arange(10.0).reshape(2, 5)})._repr_png_()


def test_constant_draws_are_a_line_where_they_are():
    chains = np.repeat([[1.0], [2.0], [3.0]], 9, axis=1)
    panels = plots.density({"x": chains})
    assert [text.get_text() for text in panels.figure.legends[0].get_texts()] == ["chain 0", "chain 1", "chain 2"]
    assert [line.get_xdata()[0] for line in panels[0].lines] == [1.0, 2.0, 3.0]
    (line,) = plots.pair({"x": chains[:1]})[0, 0].lines
    assert line.get_xdata() == [1.0, 1.0]


def test_ranks_are_called_by_the_chains_that_they_are_of():
    draws = np.random.default_rng(8).normal(size=(4, 50))
    draws[2] += 9.0
    short = nb.Trace({"x": draws}, draws_done=[2, 50, 50, 40], chain_ids=[3, 5, 6, 7])
    lines = plots.rank(short, kind="ecdf")[0].lines
    assert [line.get_label() for line in lines] == ["chain 5", "chain 6", "chain 7"]
    assert np.argmin([line.get_ydata().min() for line in lines]) == 1  # the one whose draws are the largest
    alike = [of for of in plots.trace(short)[0, 1].lines if of.get_gid() is None][1:]
    assert [line.get_color() for line in lines] == [line.get_color() for line in alike]


def test_pairs_need_as_many_draws_of_each():
    with pytest.raises(ValueError, match=r"to pair them, got 20 of x in 2 chains, 5 of y in 1 chain\."):
        plots.pair({"x": np.ones((2, 10)), "y": np.ones((1, 5))})


def test_traceplot_marks_quantities_by_their_whole_names(trace):
    name = "a_name_that_is_longer_than_a_title"
    panels = nb.traceplot({name: trace.posterior["mu"]}, lines={name: 0.25})
    assert panels[0, 0].lines[-1].get_xdata() == [0.25, 0.25]
    assert len(nb.traceplot(trace, "mu", lines={"theta[A]": 1})[0, 0].lines) == 3  # which is not shown
    many = nb.traceplot({"x": np.random.default_rng(1).normal(size=(2, 9, 20))})
    assert many.note == "12 of 20 quantities, those that mixed worst; varnames= chooses others"
    with pytest.raises(ValueError, match=r"lines has unknown 'muu'; the trace has mu, .*Did you mean 'mu'"):
        nb.traceplot(trace, lines={"muu": 1})
    for wrong in ([0.0, 1.0], np.nan, "a"):
        with pytest.raises(TypeError, match=r"lines\['mu'\] must be a finite number"):
            nb.traceplot(trace, lines={"mu": wrong})


def test_traceplot_has_the_older_names(trace):
    panels = nb.traceplot(trace, varnames=["mu"], figsize=(3, 2), lines={"mu": 0.5})
    assert panels.figure.get_size_inches().tolist() == [3, 2]
    assert panels[0, 0].lines[-1].get_xdata() == [0.5, 0.5]
    assert panels[0, 1].lines[-1].get_ydata() == [0.5, 0.5]
    with pytest.raises(ValueError, match="figsize must be width and height in inches, got 3"):
        nb.traceplot(trace, figsize=3)
    with pytest.raises(ValueError, match="var_names leaves no variable"):
        nb.traceplot(trace, varnames=[])


def test_a_chain_that_stands_still_is_one_line_and_one_name():
    still = nb.Trace(
        {"x": np.ones((2, 50)) * np.array([[1.0], [2.0]]), "y": np.random.default_rng(1).normal(size=(2, 50))}
    )
    panels = plots.trace(still)
    assert [text.get_text() for text in panels.figure.legends[0].get_texts()] == ["chain 0", "chain 1"]
    assert [of.get_xdata()[0] for of in panels[0, 0].lines] == [1.0, 2.0]
    assert [of.get_xdata()[0] for of in plots.pair({"x": np.ones((2, 50)), "y": still["y"]})[0, 0].lines] == [1.0]
    (verdict,) = [text.get_text() for text in panels[0, 1].texts if text.get_gid() == "verdict"]
    assert verdict.startswith("R-hat inf")


def test_one_draw_is_seen():
    (drawn,) = [of for of in plots.trace({"x": np.array([[0.5]])})[0, 1].lines if len(of.get_xdata())]
    assert drawn.get_marker() == "."


@pytest.mark.parametrize(("bad", "said"), [(400, "100 %"), (48, "12 %"), (1, "0.25 %")])
def test_the_share_of_draws_that_are_no_numbers_is_read_at_a_glance(bad, said):
    draws = np.random.default_rng(1).normal(size=400)
    draws[:bad] = np.nan
    ax = plots.forest({"x": draws.reshape(4, 100)})[0]
    assert ax.texts[0].get_text() == f"{said} not finite"


def test_of_many_quantities_each_variable_has_its_worst():
    draws = np.random.default_rng(2).normal(size=(2, 40, 50))
    draws[1] += 5.0
    trace = nb.Trace({"x": draws, "mu": draws[:, :, 0] - draws[:, :, 1], "k": np.ones((2, 40))})
    ax = plots.forest(trace, most=10)[0]
    assert len(ax.get_yticklabels()) == 10
    assert ax.get_yticklabels()[-1].get_text() == "mu"
    assert "one of each variable at least" in plots.forest(trace, most=10).note
    assert "variable" not in plots.forest(trace, most=2).note


def test_that_draws_are_thinned_is_said_in_words():
    many = {"x": np.random.default_rng(2).normal(size=(1, 20_000)), "y": np.zeros((1, 20_000))}
    assert plots.pair(many).note == "one of every 7 draws is shown"
