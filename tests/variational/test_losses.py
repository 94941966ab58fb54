"""What a fit minimises, draw by draw, written out; and faults that must not pass."""

import functools
import math

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.variational import densities, fitting, job, pulling, scored
from tests.posteriors import eight_schools, gp_poisson
from tests.variational.families.laws import faulty
from tests.variational.targets import SIGMA, conjugate, gamma_poisson, gaussian

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

COUNTS = np.array([3, 1, 4, 2, 2])


def loss_and_slope(beta, n_mc):
    """Return the first loss of a fit and the gradient there."""
    inference = nb.ADVI(model=gamma_poisson(), random_seed=4, beta=beta, start_sigma=0.4, start={"rate": 2.0})
    inference.fit(1, obj_n_mc=n_mc, obj_optimizer=nb.sgd(learning_rate=1e-300), progressbar=False)
    return inference, float(inference.hist[0]), inference.approx.fitting().fit.gradient.copy()


def check_loss(beta, n_mc=3):
    """Loss and gradient are those of the formula, at the same draws."""
    inference, loss, slope = loss_and_slope(beta, n_mc)
    memory = inference.approx.fitting()
    q = pulling.draw(memory, 0, n_mc)[:, 0]
    rate = np.exp(q)
    mean, sd = math.log(2.0), 0.4
    likelihood = stats.poisson.logpmf(COUNTS[:, None], rate).sum(axis=0)
    prior = stats.gamma(2.0).logpdf(rate)
    rest = prior + q - stats.norm(mean, sd).logpdf(q)
    assert loss == pytest.approx(-np.mean(likelihood + beta * rest), rel=1e-12)
    slopes = (COUNTS.sum() - 5.0 * rate) + beta * (1.0 - rate + 1.0 + (q - mean) / sd**2)
    assert slope[0] == pytest.approx(-slopes.mean(), rel=1e-10)
    noise = (q - mean) / sd
    assert slope[1] == pytest.approx(-np.mean(slopes * noise) * -math.expm1(-sd), rel=1e-10)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_loss_is_the_formula(beta):
    check_loss(beta)
    check_loss(beta, 1)


WEIGHTS = "bound.weights[FITTING, -n_terms:]"
MUTANTS = {
    "beta on the prior": (densities, f"{WEIGHTS} /=", "bound.weights[FITTING, :-n_terms] /="),
    "beta on all": (densities, f"{WEIGHTS} /=", "bound.weights[FITTING] /="),
    "beta the other way": (densities, f"{WEIGHTS} /=", f"{WEIGHTS} *="),
    "beta not on log q": (fitting, "settings.n_draws, settings.beta\n", "settings.n_draws, 1.0\n"),
    "beta of the written gradient": (densities, "self.bound.density_by_terms", "self.bound.density"),
}


def check_beta():
    check_loss(2.0)
    check_written(2.0)


def written(p, d, grad):
    grad.mu[()] += np.sum(d.y - p.mu) - p.mu / 4.0
    return -0.5 * np.sum((d.y - p.mu) ** 2) - p.mu**2 / 8.0


def check_written(beta):
    """A gradient that the user wrote knows no weights, and is not used."""
    plain = conjugate([1.0, 2.0])
    model = nb.Model({"mu": nb.real()}, prior=plain.prior, likelihood=dict(plain.likelihood), data=plain.data,
                     logp_grad=written)  # fmt: skip
    fits = [nb.ADVI(model=m, random_seed=1, beta=beta).fit(3, progressbar=False) for m in (plain, model)]
    np.testing.assert_allclose(fits[0].hist, fits[1].hist, rtol=1e-10)


@pytest.mark.nojit  # long as plain Python
def test_a_written_gradient_heeds_beta():
    check_written(3.0)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("fault", sorted(MUTANTS))
def test_a_fault_of_beta_is_found(fault, monkeypatch):
    module, *edit = MUTANTS[fault]
    wrong = faulty(module, tuple(edit))
    if module is densities:
        monkeypatch.setattr(fitting, "Densities", wrong.Densities)
    else:
        monkeypatch.setattr(scored, "Fitting", wrong.Fitting)
    with pytest.raises(AssertionError):
        check_beta()


def bare_prior(p, d):
    return stats_gamma(p.rate) - np.log(p.rate)  # takes the Jacobian of the exponential away


def stats_gamma(x):
    return np.log(x) - x


def poisson_terms(p, d):
    return d.y * np.log(p.rate) - p.rate


@pytest.mark.nojit
def test_a_jacobian_that_is_missing_is_found():
    """The rate would be 13 / 6 = 2.1667 instead of 14 / 6 = 2.3333, as far as a log-normal goes."""
    model = nb.Model({"rate": nb.positive()}, prior=bare_prior, likelihood={"y": poisson_terms}, data={"y": COUNTS})
    optimizer = nb.adam(learning_rate=lambda i: 3e-3 / (1 + i / 2000))
    found = {}
    for name, m in (("bare", model), ("whole", gamma_poisson())):
        approx = nb.ADVI(model=m, random_seed=1).fit(20_000, obj_optimizer=optimizer, obj_n_mc=5, progressbar=False)
        found[name] = float(np.exp(approx.mean + 0.5 * approx.std**2)[0])
    assert found["whole"] == pytest.approx(14.0 / 6.0, abs=0.01)
    assert found["bare"] == pytest.approx(13.0 / 6.0, abs=0.01)


JOB_MUTANTS = {
    "sum instead of mean": ("scale = -fit.beta / count", "scale = -fit.beta"),
    "log q forgotten": ("total += logp - logq", "total += logp"),
}


@pytest.mark.either
@pytest.mark.parametrize("fault", sorted(JOB_MUTANTS))
def test_a_fault_of_the_loss_is_found(fault, monkeypatch):
    from nbinfer.variational import objective

    mutant = faulty(job, JOB_MUTANTS[fault])
    monkeypatch.setattr(objective, "Settings", functools.partial(objective.Settings, advance=mutant.advance))
    with pytest.raises(AssertionError):
        check_loss(1.0)


# ---- verdicts on posteriors that normal numbers cannot follow


@pytest.mark.nojit
@pytest.mark.parametrize("make", [eight_schools.centered, gp_poisson.model], ids=["eight schools", "process"])
def test_bad_fits_are_called_so(make):
    approx = nb.fit(20_000, model=make, random_seed=1, progressbar=False)
    assert approx.khat > 0.7
    assert "above 0.7" in str(approx.report)


@pytest.mark.nojit
def test_good_fits_are_called_so():
    approx = nb.fit(40_000, model=gaussian(SIGMA), method="fullrank_advi", random_seed=1, progressbar=False)
    assert approx.khat < 0.3
    assert approx.report.ok
