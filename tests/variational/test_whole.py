"""What is said of a fit on batches: by all data, where these are in memory, else by estimates."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import StreamingError
from tests.variational.streamed import Y, advi, alike, conjugate

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")]


def test_what_is_said_is_by_all_data_in_memory():
    batches = nb.Minibatch(Y, 10)
    approx = advi(conjugate(batches)).fit(50, progressbar=False)
    whole = conjugate(Y).bind()
    draws = approx.sample(9, random_seed=2)
    wanted = [whole.value(np.array([mu])) for mu in draws["mu"][0]]
    np.testing.assert_allclose(draws.sample_stats["lp"][0], wanted, rtol=1e-12)
    np.testing.assert_allclose(approx.logp(9, random_seed=2, per_draw=True), wanted, rtol=1e-12)
    assert np.isfinite(approx.report.khat)
    assert draws.observed_data["y"].shape == (1000,)
    approx.sample(5, importance=True)


def test_what_is_not_in_memory_is_estimated(tmp_path):
    Y.tofile(tmp_path / "y")
    model = conjugate(nb.Minibatch(np.memmap(tmp_path / "y", np.float64, "r"), 100))
    approx = advi(model).fit(50, progressbar=False)
    exact = advi(conjugate(nb.Minibatch(Y, 100))).fit(50, progressbar=False)
    alike(approx, exact)
    gap = approx.log_weights(400, random_seed=3) - exact.log_weights(400, random_seed=3)
    assert abs(gap.mean()) < 4.0 * gap.std() / 20.0
    assert np.abs(np.diff(gap)).min() > 0.0  # each draw has a batch of its own
    assert np.isnan(approx.khat)
    assert "batches have no k-hat" in str(approx.report)
    assert approx.sample(5).attrs["lp"] == "estimated by batches"
    with pytest.raises(StreamingError, match="importance needs the density of each draw"):
        approx.sample(5, importance=True)


def term(p, d):
    return -0.5 * (d.y - d.x * p.mu) ** 2


def prior(p, d):
    return -0.5 * p.mu**2


@pytest.mark.slow
def test_where_some_are_in_memory_and_some_are_not_all_are_estimated(tmp_path):
    """All rows of x and a batch of y would not fit together."""
    Y.tofile(tmp_path / "y")
    x = np.cos(np.arange(1000.0))
    for y in (nb.Minibatch(np.memmap(tmp_path / "y", np.float64, "r"), 50), nb.generator(iter([Y[:50]] * 30))):
        data = {"x": nb.Minibatch(x, 50), "y": y}
        model = nb.Model({"mu": nb.real()}, prior=prior, likelihood={"y": term}, data=data, total_size={"y": 1000})
        approx = advi(model).fit(30, progressbar=False)
        assert np.isfinite(approx.elbo(20))
        assert np.isnan(approx.khat)


def test_many_data_are_not_gone_through_unasked(monkeypatch):
    monkeypatch.setattr("nbinfer.variational.feeding.MOST_NUMBERS", 999)
    approx = advi(conjugate(nb.Minibatch(Y, 100))).fit(50, progressbar=False)
    assert np.isnan(approx.report.khat)
    assert "approx.khat finds it" in str(approx.report)
    assert np.isfinite(approx.khat)


def of_rows(p, d):
    return p.mu + d.y


def test_replacements():
    batches = nb.Minibatch(Y, 10)
    model = conjugate(batches)
    approx = advi(model).fit(20, progressbar=False)
    assert approx.sample_node(of_rows, 3).shape == (3, 1000)
    for given, rows in ((Y[:7], 7), (batches.shared, 1000), (batches.eval(), 10)):
        assert approx.sample_node(of_rows, 3, more_replacements={"y": given}).shape == (3, rows)
        assert approx.sample_node(of_rows, 3, more_replacements={batches: given}).shape == (3, rows)
    with pytest.raises(
        TypeError, match=r"more_replacements\['y'\] must be an array, got a Minibatch of \(1000,\); pass"
    ):
        approx.sample_node(of_rows, 3, more_replacements={"y": batches})
    full = advi(model).fit(20, more_replacements={"y": batches.shared}, progressbar=False)
    alike(full, advi(conjugate(Y)).fit(20, progressbar=False))
    with pytest.raises(ValueError, match="more_replacements names <Minibatch"):
        approx.sample_node(of_rows, more_replacements={nb.Minibatch(Y, 3): Y})
    model.set_data(y=Y[:30])  # the model has all data from now on
    assert approx.sample_node(of_rows, 3).shape == (3, 30)
