"""Fits against answers that are known, and what must not change them."""

import gc
import os
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.variational.families.family import inverse_softplus
from tests.variational.targets import (
    FIVE,
    FIVE_ANSWER,
    MEAN_FIELD_GAP,
    MEAN_FIELD_SDS,
    SIGMA,
    conjugate,
    gamma_poisson,
    gaussian,
    regression,
    several,
)

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")]

long = pytest.mark.nojit


def fit(model, n=20_000, **options):
    return nb.fit(n, model=model, progressbar=False, **({"random_seed": 1} | options))


# ---- answers


@long
def test_mean_field_of_a_correlated_gaussian():
    approx = fit(gaussian())
    np.testing.assert_allclose(approx.std, MEAN_FIELD_SDS, rtol=0.02)
    assert approx.elbo(1_000_000, random_seed=2) == pytest.approx(MEAN_FIELD_GAP, abs=0.005)


@long
@pytest.mark.parametrize(
    ("covariance", "sds", "gap"),
    [
        ([[1, 0.9], [0.9, 1]], [0.4358898944] * 2, 0.8303656034),
        ([[4, 1, -0.5], [1, 2, 0.7], [-0.5, 0.7, 1]], [1.59469319, 1.01192885, 0.74065608], 0.4944154533),
    ],
)
def test_mean_field_of_other_gaussians(covariance, sds, gap):
    optimizer = nb.adagrad_window(learning_rate=lambda i: 3e-3 / (1.0 + i / 3000))
    approx = fit(gaussian(covariance), 40_000, obj_optimizer=optimizer)
    np.testing.assert_allclose(approx.std, sds, rtol=0.02)
    assert -approx.elbo(200_000, random_seed=2) == pytest.approx(gap, abs=0.01)


@long
def test_full_rank_of_a_gaussian_is_exact():
    approx = fit(gaussian(SIGMA, [1.0, -2.0, 0.5]), 40_000, method="fullrank_advi")
    np.testing.assert_allclose(approx.cov, SIGMA, atol=1e-6)
    np.testing.assert_allclose(approx.mean, [1.0, -2.0, 0.5], atol=1e-6)
    assert approx.khat < 0.3
    assert approx.elbo(100) == pytest.approx(0.0, abs=1e-6)


@long
def test_low_rank_of_a_gaussian_of_that_form_is_exact():
    u = np.array([1.0, -0.5, 2.0, 0.3])
    approx = fit(gaussian(np.diag([1.0, 2.0, 0.5, 1.0]) + np.outer(u, u)), 40_000, method="low_rank_advi",
                 obj_optimizer=nb.adam(learning_rate=lambda i: 3e-3 / (1 + i / 10_000)),
                 inf_kwargs={"rank": 1})  # fmt: skip
    np.testing.assert_allclose(approx.cov, np.diag([1.0, 2.0, 0.5, 1.0]) + np.outer(u, u), atol=3e-3)


def test_constants_are_all_there():
    """At the posterior every draw's bound is the evidence."""
    evidence, mean, sd = FIVE_ANSWER
    approx = nb.MeanField(model=conjugate(FIVE))
    approx.params[0].set_value([8.0 / 5.25])
    approx.params[1].set_value(inverse_softplus([5.25**-0.5]))
    assert (approx.mean[0], approx.std[0]) == pytest.approx((mean, sd), abs=1e-8)
    np.testing.assert_allclose(approx.log_weights(50), evidence, atol=1e-7)
    assert approx.khat == -np.inf


@long
def test_a_conjugate_mean_at_defaults():
    evidence, mean, sd = FIVE_ANSWER
    approx = fit(conjugate(FIVE))
    assert approx.mean[0] == pytest.approx(mean, rel=1e-4)
    assert approx.std[0] == pytest.approx(sd, rel=1e-4)
    assert approx.hist[-1] == pytest.approx(-evidence, abs=1e-3)
    assert approx.khat == -np.inf


@long
def test_a_thousand_observations():
    y = 0.5 + np.sin(np.arange(1, 1001))
    approx = fit(conjugate(y, 0.0, 0.1, 1.0), 30_000)
    assert approx.mean[0] == pytest.approx(0.4552854269, abs=2e-3)
    assert approx.std[0] == pytest.approx(0.03015113446, rel=0.02)
    assert approx.hist[-1] == pytest.approx(1181.634101, abs=0.05)


@long
def test_a_line():
    mean_field, full_rank = fit(regression(), 30_000), fit(regression(), 30_000, method="fullrank_advi")
    np.testing.assert_allclose(mean_field.std, [0.24913644, 0.13349825], rtol=0.02)
    assert mean_field.elbo(200_000, random_seed=3) == pytest.approx(-6.824307563, abs=0.01)
    assert full_rank.elbo(1000, random_seed=3) == pytest.approx(-6.317411678, abs=1e-4)
    in_turn = fit(regression(), 30_000, method="advi->fullrank_advi")
    assert in_turn.elbo(1000, random_seed=3) == pytest.approx(-6.317411678, abs=1e-4)


TEN = conjugate(np.tile(FIVE, 2), 0.0, 2.0, 1.0)


@long
@pytest.mark.parametrize(
    ("beta", "mean", "sd", "optimum"),
    [(0.5, 1.56097561, 0.31234752, -7.52918324), (2.0, 1.45454545, 0.60302269, -9.42440612)],
)
def test_beta_weighs_all_but_the_likelihood(beta, mean, sd, optimum):
    approx = fit(conjugate(FIVE), 30_000, inf_kwargs={"beta": beta})
    assert approx.mean[0] == pytest.approx(mean, rel=1e-4)
    assert approx.std[0] == pytest.approx(sd, rel=1e-4)
    assert approx.hist[-1] == pytest.approx(-optimum, abs=1e-3)


@long
def test_the_jacobian_counts_once():
    optimizer = nb.adam(learning_rate=lambda i: 3e-3 / (1 + i / 2000))
    approx = fit(gamma_poisson(), 30_000, obj_optimizer=optimizer, obj_n_mc=5)
    assert approx.mean[0] == pytest.approx(0.81158357, abs=4e-3)
    assert approx.std[0] == pytest.approx(0.26726124, rel=0.01)
    assert approx.elbo(300_000, random_seed=2) == pytest.approx(-8.894527747, abs=1e-3)
    rate = approx.sample(200_000, random_seed=3)["rate"]
    assert rate.mean() == pytest.approx(2.33333333, abs=0.01)
    assert rate.std() == pytest.approx(0.63491295, rel=0.02)


@long
@pytest.mark.parametrize("estimator", ["stl", "plain"])
def test_estimators_have_one_mean(estimator):
    approx = fit(conjugate(FIVE), 20_000, inf_kwargs={"estimator": estimator}, obj_n_mc=10)
    assert approx.mean[0] == pytest.approx(FIVE_ANSWER[1], rel=0.02)
    assert approx.std[0] == pytest.approx(FIVE_ANSWER[2], rel=0.03)


#: Settings that lead there, and how close.
OPTIMIZERS = {
    "sgd": (dict(learning_rate=0.01), 20_000),
    "momentum": (dict(learning_rate=0.002), 20_000),
    "nesterov_momentum": (dict(learning_rate=0.002), 20_000),
    "adagrad": (dict(learning_rate=0.1), 20_000),
    "adagrad_window": (dict(), 20_000),
    "rmsprop": (dict(learning_rate=1e-3), 20_000),
    "adadelta": (dict(), 20_000),
    "adam": (dict(), 20_000),
    "adamax": (dict(), 20_000),
}


@long
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_leads_there(name):
    settings, n = OPTIMIZERS[name]
    approx = fit(conjugate(FIVE), n, obj_optimizer=getattr(nb, name)(**settings))
    assert approx.mean[0] == pytest.approx(FIVE_ANSWER[1], rel=0.03)
    assert approx.std[0] == pytest.approx(FIVE_ANSWER[2], rel=0.03)


# ---- determinism


def same(a, b):
    np.testing.assert_array_equal(a.hist, b.hist)
    for one, other in zip(a.params, b.params, strict=True):
        np.testing.assert_array_equal(one.get_value(), other.get_value())


@pytest.mark.parametrize("method", ["advi", "fullrank_advi", "low_rank_advi"])
def test_one_seed_is_one_fit(method):
    options = {"inf_kwargs": {"rank": 2}} if method == "low_rank_advi" else {}
    first = fit(several(), 60, method=method, **options)
    same(first, fit(several(), 60, method=method, **options))
    other = fit(several(), 60, method=method, random_seed=2, **options)
    assert (other.hist != first.hist).any()
    unseeded = [fit(several(), 5, method=method, random_seed=None, **options).hist for _ in range(2)]
    assert (unseeded[0] != unseeded[1]).any()


def test_callbacks_change_nothing():
    def draws(approx, losses, i):
        approx.sample(3)
        assert len(losses) == i

    draws.every = 7
    tracker = nb.Tracker(std=lambda approx, losses, i: approx.std.copy())
    same(fit(several(), 40), fit(several(), 40, callbacks=[draws, tracker]))
    assert len(tracker["std"]) == 40


@pytest.mark.parametrize("optimizer", [nb.adam, nb.adagrad_window, nb.apply_momentum(nb.rmsprop(learning_rate=1e-3))])
def test_a_refined_fit_is_one_fit(optimizer):
    inference = nb.ADVI(model=several(), random_seed=3)
    inference.fit(50, obj_optimizer=optimizer, progressbar=False)
    inference.refine(50, progressbar=False)
    whole = nb.ADVI(model=several(), random_seed=3).fit(100, obj_optimizer=optimizer, progressbar=False)
    same(inference.approx, whole)
    assert len(inference.hist) == 100


def test_a_refined_fit_goes_on_with_its_learning_rates():
    rates = nb.sgd(learning_rate=lambda i: 1e-3 / (1 + i))
    inference = nb.ADVI(model=several(), random_seed=3)
    inference.fit(20, obj_optimizer=rates, progressbar=False)
    same(
        inference.refine(20, progressbar=False),
        nb.ADVI(model=several(), random_seed=3).fit(40, obj_optimizer=rates, progressbar=False),
    )


def test_another_fit_begins_with_its_learning_rates():
    seen = []

    def rate(i):
        seen.append(i)
        return 1e-3

    inference = nb.ADVI(model=several(), random_seed=3)
    for _ in range(2):
        inference.fit(3, obj_optimizer=nb.adam(learning_rate=rate), progressbar=False)
    inference.refine(2, progressbar=False)
    assert seen == [0, 1, 2, 0, 1, 2, 3, 4]


SCRIPT = """
import numpy as np, nbinfer as nb
from tests.variational.targets import several
state = str(np.random.get_state())
approx = nb.fit(30, method="fullrank_advi", model=several(), random_seed=4, progressbar=False)
assert str(np.random.get_state()) == state
print(approx.hist.tobytes().hex(), approx.cov.tobytes().hex(), approx.sample(3, random_seed=1)["m"].tobytes().hex())
"""


def test_two_processes_fit_the_same():
    outs = []
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
        outs.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert outs[0] == outs[1] != ""


def test_draws_can_be_seeded():
    approx = nb.MeanField(model=several(), random_seed=1)
    first = approx.sample(20, random_seed=1)
    np.testing.assert_array_equal(first["m"], approx.sample(20, random_seed=1)["m"])
    np.testing.assert_array_equal(first["m"][:, :5], approx.sample(5, random_seed=1)["m"])
    assert (first["m"] != approx.sample(20, random_seed=2)["m"]).any()
    assert (approx.sample(20)["m"] != approx.sample(20)["m"]).any()


def test_an_approximation_can_be_pickled():
    approx = fit(several(), 30)
    again = pickle.loads(pickle.dumps(approx))
    same(approx, again)
    np.testing.assert_array_equal(approx.std, again.std)
    np.testing.assert_array_equal(approx.sample(5, random_seed=1)["s"], again.sample(5, random_seed=1)["s"])


def test_nothing_holds_what_nobody_needs():
    approx = fit(conjugate(FIVE), 10)
    model = weakref.ref(approx.model)
    approx = weakref.ref(approx)
    gc.collect()
    assert approx() is None
    assert model() is None


@pytest.mark.slow
@pytest.mark.nojit
def test_memory_stays_as_it_is():
    code = (
        "import resource, nbinfer as nb\n"
        "from tests.variational.targets import several\n"
        "inference = nb.ADVI(model=several(), random_seed=1)\n"
        "inference.fit(20_000, progressbar=False)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "inference.refine(1_000_000, progressbar=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 20_000  # kilobytes, of which the losses take eight thousand
