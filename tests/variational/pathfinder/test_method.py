"""`Pathfinder`: what it finds on posteriors with known answers, how paths are weighed, and what it tells."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import special

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.variational.pathfinder import path as path_module
from tests.variational.targets import FIVE, FIVE_ANSWER, SIGMA, conjugate, gamma_poisson, gaussian, several
from tests.variational.test_densities import CENTRE, models

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

long = pytest.mark.nojit

RHO = np.array([[1.0, 0.9], [0.9, 1.0]])


def fit(model, n=1000, seed=1, **options):
    return nb.fit(n, method="pathfinder", model=model, random_seed=seed, inf_kwargs=options, progressbar=False)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(("covariance", "tolerance"), [(RHO, 0.02), (SIGMA, 0.1)], ids=["rho .9", "three"])
def test_a_correlated_gaussian_is_found(covariance, tolerance):
    mean = np.arange(1.0, 1.0 + len(covariance))
    for seed in range(3):
        approx = fit(gaussian(covariance, mean), seed=seed, n_paths=1, elbo_draws=100)
        assert approx.report.iterations >= len(covariance)
        white = np.linalg.solve(covariance, approx.cov)
        np.testing.assert_allclose(white, np.eye(len(mean)), atol=tolerance)
        np.testing.assert_allclose(approx.mean, mean, atol=tolerance)
        assert approx.khat < 0.5


@pytest.mark.nojit  # long as plain Python
def test_the_evidence_comes_out_with_its_constants():
    evidence, mean, sd = FIVE_ANSWER
    approx = fit(conjugate(FIVE))
    trace = approx.sample(4000, random_seed=2)
    draws, stat = trace["mu"][0], trace.sample_stats
    assert abs(draws.mean() - mean) < 4.0 * sd / np.sqrt(4000)
    assert approx.mean == pytest.approx([mean])
    assert approx.std == pytest.approx([sd])
    np.testing.assert_allclose(stat["lp"] - stat["logq"], evidence, atol=1e-7)
    assert approx.khat == -np.inf
    assert approx.report.ok
    assert "k-hat is -inf: the approximation is exact." in str(approx.report)
    assert approx.hist[-1] == pytest.approx(-evidence)


@pytest.mark.nojit  # long as plain Python
def test_densities_are_stored_for_each_draw():
    approx = fit(gamma_poisson())
    trace = approx.sample(200, random_seed=3)
    model, z = approx.model, trace["rate_unconstrained__"].reshape(200, 1)
    lp = [model.logp({"rate": rate}) + model.log_jacobian(q) for rate, q in zip(trace["rate"][0], z, strict=True)]
    np.testing.assert_allclose(trace.sample_stats["lp"][0], lp, rtol=1e-10)
    normals = approx.groups[0].family.normals(approx.groups[0].values)
    terms = [
        np.log(w) + normal.logq(z) for w, normal in zip(approx.params_dict["weights"].get_value(), normals, strict=True)
    ]
    np.testing.assert_allclose(trace.sample_stats["logq"][0], special.logsumexp(terms, axis=0), rtol=1e-10)
    assert not (z == approx.mean).any()  # no row is the mean


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore::nbinfer.errors.PerformanceWarning")
@pytest.mark.parametrize("kind", ["flat", "python", "python, differences"])
def test_a_density_of_any_kind_has_paths(kind):
    approx = fit(models()[kind], n_draws=25)
    np.testing.assert_allclose(approx.mean, CENTRE, atol=1e-4)
    np.testing.assert_allclose(approx.cov, np.eye(2), atol=1e-3)
    assert len(approx.report.paths) == 4


@pytest.mark.nojit  # long as plain Python
def test_as_many_draws_come_as_are_asked_for():
    for options in ({}, {"elbo_draws": 3, "n_draws": 7}, {"n_paths": 1}):
        approx = fit(conjugate(FIVE), **options)
        for importance in (False, True):
            trace = approx.sample(2, importance=importance)
            assert trace["mu"].shape == (1, 2)
            assert trace.sample_stats["lp"].shape == (1, 2)


@long
def test_what_is_drawn_more_than_once_is_told():
    approx = fit(several(), n_paths=2)
    trace = approx.sample(300, importance=True, random_seed=4)
    different = len(np.unique(trace["a"][0]))
    assert trace.attrs["distinct_draws"] == different < 300
    assert "distinct_draws" not in approx.sample(5).attrs


@long
def test_the_same_seed_finds_the_same_on_any_number_of_cores():
    found = [fit(several(), cores=cores) for cores in (1, 2, 4)]
    for approx in found[1:]:
        for shared, first in zip(approx.params, found[0].params, strict=True):
            np.testing.assert_array_equal(shared.get_value(), first.get_value())
        np.testing.assert_array_equal(approx.hist, found[0].hist)
        assert approx.report == found[0].report
    assert (fit(several(), seed=2).mean != found[0].mean).any()


def two_modes(p, d):
    left = -0.5 * np.sum((p.x + 6.0) ** 2) + np.log(0.2)
    right = -0.5 * np.sum((p.x - 6.0) ** 2) + np.log(0.8)
    return np.logaddexp(left, right)


@long
def test_modes_weigh_what_their_mass_is_however_many_paths_find_them():
    model = nb.Model({"x": nb.real(2)}, logp=two_modes)
    approx = fit(model, n_paths=7, seed=3)
    weights, mu = (approx.params_dict[name].get_value() for name in ("weights", "mu"))
    right = mu[:, 0] > 0.0
    assert 1 <= right.sum() <= 6
    assert weights[right].sum() == pytest.approx(0.8, abs=0.02)
    assert approx.khat < 0.5
    assert [path.weight for path in approx.report.paths] == weights.tolist()


def far_below(p, d):
    return np.logaddexp(-0.5 * np.sum((p.x + 50.0) ** 2) - 900.0, -0.5 * np.sum((p.x - 50.0) ** 2))


@long
def test_a_path_that_ends_elsewhere_weighs_nothing():
    model = nb.Model({"x": nb.real(2)}, logp=far_below)
    approx = nb.Pathfinder(model=model, random_seed=1, n_paths=7, start_sigma=40.0).fit(progressbar=False)
    weights, mu = (approx.params_dict[name].get_value() for name in ("weights", "mu"))
    assert (mu[:, 0] < 0.0).any()
    assert weights[mu[:, 0] < 0.0].sum() < 1e-12
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(approx.mean, 50.0, atol=0.01)


@long
def test_a_density_without_a_maximum_is_left_in_time():
    model = nb.Model({"a": nb.real(), "x": nb.real(3)}, logp=lambda p, d: 3.0 * p.a - 0.5 * np.exp(p.a) * p.x @ p.x)
    approx = fit(model, n=5000)
    assert all(path.iterations <= path.best + 100 for path in approx.report.paths)
    assert any(path.iterations == path.best + 100 for path in approx.report.paths)


@long
def test_hist_is_the_loss_along_the_best_path():
    approx = fit(several())
    best = max(approx.report.paths, key=lambda path: path.elbo - 2.0 * path.error)
    assert best.elbo == -approx.hist[best.best - 1]
    assert best.error > 0.0
    assert np.all(approx.hist[-1] < approx.hist[0])
    assert len(fit(several(), n_paths=1).hist) > 3
    inference = nb.Pathfinder(model=several(), random_seed=1)
    assert len(inference.fit(progressbar=False).hist) > 3
    assert len(inference.fit(score=False, progressbar=False).hist) == 0


@pytest.mark.nojit  # long as plain Python
def test_the_report_tells_what_each_path_did():
    approx = fit(gaussian(RHO))
    report = approx.report
    assert report.gradients == sum(path.gradients for path in report.paths) > 0
    assert report.densities == 4 * 250 + sum(path.densities for path in report.paths)
    assert all(path.densities % 10 == 0 and path.iterations >= path.best for path in report.paths)
    assert [path.settled for path in report.paths] == 4 * [True]
    assert "np." not in repr(report)
    head, *lines = str(report).splitlines()
    told = [f"path {k}: {report.paths[k].iterations} iterations" for k in range(4)]
    assert head.startswith(f"4 paths, {report.gradients} gradients and {report.densities} densities. k-hat is")
    assert [line.split(",")[0] for line in lines[:4]] == told


@pytest.mark.skipif(JIT, reason="compiled calls cannot be counted from outside")
def test_evaluations_are_told(monkeypatch):
    counts, call = [0, 0], path_module.call_density

    def counted(density, n, position, grad, context):
        counts[int(grad != 0)] += 1
        return call(density, n, position, grad, context)

    monkeypatch.setattr(path_module, "call_density", counted)
    monkeypatch.setattr(path_module.lbfgs, "call_density", counted)
    report = fit(gaussian(RHO), n_paths=3, n_draws=10).report
    assert counts == [report.densities - 30, report.gradients - 3]  # what else there is: at starts, and for weights


@long
def test_iterations_are_limited():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            nb.errors.ConvergenceWarning, match=r"[34] of 4 paths came to their last iteration. Raise n"
        ):
            fit(gaussian(np.eye(3)), n=1)


def test_without_iterations_the_start_is_untouched():
    approx = nb.fit(0, method="pathfinder", model=gaussian(RHO), start={"x": [1.0, 2.0]}, start_sigma=0.3)
    np.testing.assert_allclose(approx.mean, [1.0, 2.0], atol=1e-12)
    np.testing.assert_allclose(approx.std, 0.3)
    assert approx.report is None
    assert len(approx.hist) == 0


@pytest.mark.nojit  # long as plain Python
def test_it_goes_where_other_fits_go():
    inference = nb.Pathfinder(model=gaussian(RHO), random_seed=1, n_paths=2)
    approx = nb.fit(100, method=inference, progressbar=False)
    assert approx is inference.approx
    np.testing.assert_array_equal(inference.hist, approx.hist)
    by_class = nb.fit(method=nb.Pathfinder, model=gaussian(RHO), random_seed=1, inf_kwargs={"n_paths": 2})
    np.testing.assert_array_equal(by_class.mean, approx.mean)
    again = pickle.loads(pickle.dumps(approx)) if JIT else approx
    np.testing.assert_array_equal(again.cov, approx.cov)
    assert f"pathfinder of x; {len(approx.hist)} iterations, loss {approx.hist.min():.6g}, k-hat" in repr(approx)
    assert approx.mean_data["x"].shape == (2,)
