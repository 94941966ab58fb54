"""Where draws diverged: the scale of a funnel comes first, and little is said where there is little to say."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.distributions import normal


def of(draws, diverging, **more):
    posterior = {name: np.asarray(values) for name, values in draws.items()}
    return nb.Trace(posterior, {"diverging": np.asarray(diverging)}, **more)


@pytest.fixture(scope="module")
def funnel():
    """Exact draws, which diverge where the scale is small."""
    rng = np.random.default_rng(1)
    log_scale = rng.normal(0.0, 1.5, (4, 500))
    x = np.exp(log_scale)[..., None] * rng.normal(size=(4, 500, 5))
    draws = {"x": x, "other": rng.normal(size=(4, 500)), "log_scale": log_scale}
    return of(draws, rng.random((4, 500)) < 0.3 / (1.0 + np.exp(8.0 * (log_scale + 2.0))))


def test_the_scale_of_a_funnel_comes_first_and_what_it_scales_next(funnel):
    table = nb.divergences(funnel)
    assert table.rows[0] == "log_scale"
    assert {row[:1] for row in table.rows[1:6]} == {"x"}
    assert table.rows[6] == "other"
    first = table.row("log_scale")
    assert first["quantile"] < 0.1
    assert first["p_end"] < 1e-6
    assert table["spread", "x[0]"] < 0.6
    assert table["p_spread", "x[0]"] < 1e-3
    assert table["p_end", "other"] > 1e-3
    assert table.notes[0] == f"{table.count} of 2000 draws diverged, in {table.stretches} stretches."
    assert str(table).splitlines()[1].startswith("log_scale")


@pytest.mark.nojit
@pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
def test_the_log_scale_of_a_funnel_that_is_sampled_comes_first():
    def funnel(p, d):
        return normal.logpdf(p.log_scale, 0.0, 3.0) + np.sum(normal.logpdf(p.x, 0.0, np.exp(0.5 * p.log_scale)))

    model = nb.Model({"x": nb.real(9), "log_scale": nb.real()}, logp=funnel)
    table = nb.divergences(nb.sample(model, random_seed=1, progressbar=False))
    assert table.stretches > 20
    assert table.rows[0] == "log_scale"
    assert table["quantile", "log_scale"] < 0.3


def test_numbers_are_those_of_their_definition(funnel):
    table = nb.divergences(funnel, "other")
    flags, draws = funnel.sample_stats["diverging"], funnel.posterior["other"]
    assert table["divergent"] == np.median(draws[flags])
    assert table["usual"] == np.median(draws)
    first = flags.copy()
    first[:, 1:] &= ~flags[:, :-1]
    ranks = (np.argsort(np.argsort(draws, axis=None)).reshape(draws.shape) + 0.5) / draws.size
    assert table["quantile"] == pytest.approx(ranks[first].mean())
    assert (table.count, table.stretches) == (flags.sum(), first.sum())


def test_p_values_are_uniform_where_divergences_come_by_chance():
    rng, found = np.random.default_rng(2), []
    for _ in range(300 if JIT else 60):
        draws = {"x": rng.normal(size=(2, 100)), "k": rng.binomial(2, 0.3, (2, 100))}
        table = nb.divergences(of(draws, rng.random((2, 100)) < 0.1))
        found += [table["p_end", "x"], table["p_end", "k"], table["p_spread", "x"]]
    for level in (0.05, 0.3):
        assert np.mean(np.array(found) < level) == pytest.approx(level, abs=4.0 * np.sqrt(level / len(found)))


def test_without_divergences_there_is_a_line(funnel):
    table = nb.divergences(of(funnel.posterior, np.zeros((4, 500), bool)))
    assert str(table) == "None of 2000 draws diverged."
    assert (table.rows, table.count, table.stretches) == ((), 0, 0)
    assert "None of 2000" in table._repr_html_()


def test_of_few_no_test_is_made(funnel):
    flags = np.zeros((4, 500), bool)
    flags[2, 10:14] = flags[3, 40] = True
    table = nb.divergences(of(funnel.posterior, flags))
    assert (table.count, table.stretches) == (5, 2)
    assert np.isnan(table["p_end"]).all()
    assert np.isfinite(table["quantile"]).all()
    assert "So few tell nothing of a place" in str(table)


def test_divergences_everywhere_are_said_to_be_so():
    rng = np.random.default_rng(3)
    table = nb.divergences(of({"x": rng.normal(size=(2, 500))}, rng.random((2, 500)) < 0.05))
    assert "They lie where other draws do" in str(table)
    every = nb.divergences(of({"x": rng.normal(size=(2, 50))}, np.ones((2, 50), bool)))
    assert every["quantile", "x"] < 1.0
    assert "100 of 100 draws diverged, in 2 stretches." in str(every)


def test_one_chain_unfinished_rows_and_odd_draws():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1, 400))
    assert nb.divergences(of({"x": x}, x > 1.5)).row("x")["quantile"] > 0.9
    draws = {
        "x": rng.normal(size=(2, 400)),
        "c": np.ones((2, 400)),
        "n": np.full((2, 400), np.inf),
        "b": np.arange(800).reshape(2, 400) % 2 == 0,
    }
    draws["x"][1, 100:] = np.nan
    flags = np.nan_to_num(draws["x"]) > 1.0
    flags[1, 300] = True  # of a row that was never drawn
    table = nb.divergences(of(draws, flags, draws_done=[400, 100]))
    assert table.rows[0] == "x"
    assert set(table.rows[2:]) == {"c", "n"}
    assert "of 500 draws" in table.notes[0]


def test_what_cannot_be_compared_is_said_and_nothing_is_concluded_of_it():
    x = np.random.default_rng(1).normal(size=(2, 200))
    odd, stats = {"one": np.ones_like(x), "gone": np.full_like(x, np.nan)}, {"diverging": x > 1.0}
    said = "2 of {} quantities are constant, infinite or NaN: nothing to compare."
    assert nb.divergences(nb.Trace(odd, stats)).notes[1:] == (said.format(2),)
    assert nb.divergences(nb.Trace(odd | {"x": x}, stats)).notes[1:] == (said.format(3),)
    by_chance = np.random.default_rng(2).random(x.shape) < 0.1
    notes = nb.divergences(nb.Trace(odd | {"x": x}, {"diverging": by_chance})).notes
    assert notes[1:] == ("They lie where other draws do, as far as these quantities show it.", said.format(3))


def test_several_samplers_and_warm_up_that_is_kept():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(2, 300))
    two = np.stack([x < -1.5, np.zeros((2, 300), bool)], axis=2)
    assert nb.divergences(of({"x": x}, two)).count == (x < -1.5).sum()
    tune = np.arange(300) < 100
    trace = nb.Trace({"x": x}, {"diverging": x < -1.5, "tune": np.tile(tune, (2, 1))})
    assert nb.divergences(trace).count == (x[:, 100:] < -1.5).sum()


def test_of_many_the_most_suspicious_are_shown():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(2, 200, 100))
    table = nb.divergences(of({"x": x}, x[:, :, 70] < -1.5), most=3)
    assert len(table.rows) == 3
    assert table.rows[0] == "x[70]"
    assert table.notes[-1].startswith("3 of 100 quantities, the most suspicious")


@pytest.mark.parametrize(("trace", "options", "error", "said"), [
    ({"x": np.zeros((2, 9))}, {}, ValueError, "trace must have the statistic 'diverging', which nb.NUTS"),
    (nb.Trace({"x": np.zeros((2, 9))}), {}, ValueError, "must have the statistic 'diverging'"),
    (3, {}, TypeError, "trace must be a Trace"),
    (of({"mu": np.zeros((2, 9))}, np.zeros((2, 9), bool)), {"var_names": "muu"}, ValueError, "Did you mean 'mu'"),
    (of({"mu": np.zeros((2, 9))}, np.zeros((2, 9), bool)), {"most": 0}, ValueError, "most, how many quantities are"),
])  # fmt: skip
def test_bad_arguments(trace, options, error, said):
    with pytest.raises(error, match=said):
        nb.divergences(trace, **options)
