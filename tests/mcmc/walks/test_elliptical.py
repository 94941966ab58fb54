"""Elliptical slice sampling: invariance, a Gaussian process whose posterior is known, errors."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, entry, floats_at
from nbinfer.mcmc.walks import elliptical
from nbinfer.mcmc.walks.elliptical import EllipticalSlice
from tests.laws.kit import BareChains, Target
from tests.laws.law import assert_caught, assert_invariant, mutant, one_now
from tests.laws.targets import EXACT, ar1_covariance


@entry("float64(int64, intp, intp, intp)")
def sinking(n, position, grad, context):
    """Each value lies 100 below the one before."""
    floats_at(context, 1)[0] -= 100.0
    return floats_at(context, 1)[0]


COVARIANCE = np.array([[1.0, 0.5, 0.0], [0.5, 2.0, -0.3], [0.0, -0.3, 0.8]])


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("student", COVARIANCE),
        ("ar1", 1.5 * ar1_covariance()),
        ("uniform", 3.0),
        ("beta", 2.0),
        ("dirichlet", 1.0),
        ("mixture", 1.0),
    ],
)
def test_one_transition_leaves_the_target_invariant(name, prior):
    """Whatever Gaussian it is told: the density is divided by it."""
    mean = 0.3 if name != "ar1" else 0.0
    target = EXACT[name]()
    prior = prior * np.eye(target.dim) if np.ndim(prior) == 0 else prior
    assert_invariant(EllipticalSlice(prior_cov=prior, prior_mean=mean), target, moves=0.99)


MUTANTS = {
    "the Gaussian is not divided out": ("return logp + 0.5 * squares, logp", "return logp + 0.3 * squares, logp"),
    "an ellipse with another radius": ("cosine * old[i] + sine * draw[i]", "cosine * old[i] + 1.2 * sine * draw[i]"),
    "a level that is too high": ("level = now + math", "level = now + 0.8 * math"),
}


@pytest.mark.skipif(not JIT, reason="the law needs more draws than plain Python makes")
@pytest.mark.parametrize("name", one_now(MUTANTS))
def test_the_law_catches(name, tmp_path):
    broken = mutant(tmp_path, *MUTANTS[name], elliptical)
    assert_caught(broken.EllipticalSlice(prior_cov=COVARIANCE), EXACT["student"]())


def gp():
    """Twenty points of a Gaussian process, with noise; its posterior is normal."""
    x = np.linspace(0.0, 4.0, 20)
    prior = np.exp(-0.5 * (x[:, None] - x) ** 2) + 1e-6 * np.eye(20)
    y = np.sin(1.5 * x)
    gain = prior @ np.linalg.inv(prior + 0.25 * np.eye(20))
    return prior, y, gain @ y, prior - gain @ prior


def gp_logp(p, d):
    return -0.5 * p.f @ d.precision @ p.f - 0.5 * np.sum(((d.y - p.f) / 0.5) ** 2)


@pytest.mark.slow
@pytest.mark.nojit
def test_a_gaussian_process_against_its_posterior():
    prior, y, mean, covariance = gp()
    model = nb.Model({"f": nb.real(20)}, logp=gp_logp, data={"precision": np.linalg.inv(prior), "y": y})
    step = EllipticalSlice("f", prior_cov=prior)
    trace = nb.sample(model, 20_000, 500, step=step, random_seed=1, progressbar=False)
    table = nb.summary(trace)
    z = (np.array(table["mean"]) - mean) / np.array(table["mcse_mean"])
    assert np.all(np.abs(z) < 4.5)
    np.testing.assert_allclose(table["sd"], np.sqrt(np.diag(covariance)), rtol=0.06)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs prior_cov or prior_chol, got neither"),
        ({"prior_cov": np.eye(2), "prior_chol": np.eye(2)}, "needs prior_cov or prior_chol, got both"),
        ({"prior_cov": np.ones((2, 3))}, r"prior_cov must be a square matrix, got shape \(2, 3\)"),
        ({"prior_cov": [[1.0, 2.0], [2.0, 1.0]]}, "its least eigenvalue is -1, at index 0, 1"),
        ({"prior_cov": [[1.0, 0.0], [0.5, 1.0]]}, "symmetric"),
        ({"prior_chol": [[1.0, 0.0], [0.5, -1.0]]}, r"entry \(1, 1\) is -1.0"),
        ({"prior_chol": [[np.inf, 0.0], [0.5, 1.0]]}, r"entry \(0, 0\) is inf"),
        ({"prior_chol": [[1.0, 0.0], [np.nan, 1.0]]}, r"entry \(1, 0\) is nan"),
        ({"prior_chol": [[1.0, 0.2], [0.0, 1.0]]}, "lower triangular"),
        ({"prior_cov": np.eye(2), "prior_mean": np.nan}, "prior_mean must be finite"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        EllipticalSlice(**options)


def test_a_covariance_may_be_symmetric_but_for_rounding():
    covariance = np.array([[2.0, 0.7 * (1 + 1e-15)], [0.7, 1.0]])
    np.testing.assert_allclose(EllipticalSlice(prior_cov=covariance)._factor(), np.linalg.cholesky(covariance))
    nb.Metropolis(S=covariance)


@pytest.mark.parametrize("options", [{"prior_cov": "wide"}, {"prior_chol": "wide"}])
def test_a_prior_is_numbers(options):
    with pytest.raises(TypeError, match=f"{next(iter(options))} must be numbers, got 'wide'"):
        EllipticalSlice(**options)


def test_a_slice_that_rounding_hides_ends():
    """Each evaluation adds a little, so that no point, the old one neither, is as dense as the old one was."""
    target = Target(sinking, 1, [0.0])
    blocks = BareChains(target, EllipticalSlice(prior_cov=[[1.0]]), draws=3, starts=[np.array([0.5])])
    blocks.run()
    np.testing.assert_array_equal(blocks.x[0], 0.5)


def test_a_prior_of_another_size_is_refused():
    model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * np.sum(p.x**2))
    with pytest.raises(ValueError, match=r"the prior has shapes \(3, 3\) and \(\), but the coordinates of x are 2"):
        nb.sample(model, 10, 10, step=EllipticalSlice(prior_cov=np.eye(3)), progressbar=False)
