"""Runs of models with missing data: steps, files, and runs that are gone on with."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.distributions import normal, poisson
from nbinfer.errors import ResumeError, SamplingError
from tests.mcmc.kept import assert_same

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")

Y = np.array([1.0, np.nan, 0.5, np.nan])
OPTIONS = {"draws": 12, "tune": 20, "chains": 2, "random_seed": 4, "progressbar": False}


def logp(p, d):
    return -0.5 * np.sum((d.y - p.mu) ** 2) - 0.1 * p.mu**2


def draw(p, d, rng):
    return rng.normal(p.mu, 1.0, d.y_missing_index.size)


def model(y=Y):
    return nb.Model({"mu": nb.real()}, logp=logp, data={"y": y}, missing={"y": nb.real()})


def test_a_run_is_gone_on_with_and_other_gaps_are_named(tmp_path):
    path = tmp_path / "run.nc"
    nb.sample(model(), trace=path, step=nb.Slice(), **OPTIONS)
    longer = nb.resume(path, model(), 20, progressbar=False)
    assert_same(longer, nb.sample(model(), step=nb.Slice(), **OPTIONS | {"draws": 20}))
    assert_same(nb.load(path), longer)
    with pytest.raises(ResumeError, match="y_missing_index"):
        nb.resume(path, model(np.array([1.0, np.nan, np.nan, 0.5])), 30, progressbar=False)


def counts(p, d):
    return poisson.logpmf(d.y, p.mu) - p.mu


def gaussian(p, d):
    return normal.logpdf(d.y, p.mu, 1.0)


def total(p, d):
    return np.sum(normal.logpdf(d.y, p.mu, 1.0))


@pytest.mark.parametrize(
    ("density", "data", "gaps", "reason"),
    [
        (gaussian, Y, {"allow_nan": ["y"]}, r"at index \(1,\); data 'y' holds 2 NaN, the first at index \(1,\), which"),
        (total, Y, {"allow_nan": ["y"]}, r"is -inf; data 'y' holds 2 NaN, the first at index \(1,\), which a density"),
        (
            counts,
            Y.round(),
            {"missing": {"y": nb.real()}},
            r"missing\['y'\] is real\(\), whose .* nb\.integer",
        ),
    ],
)
def test_a_start_without_density_tells_of_the_gaps(density, data, gaps, reason):
    model = nb.Model({"mu": nb.positive()}, likelihood=density, prior=lambda p, d: -p.mu, data={"y": data}, **gaps)
    with pytest.raises(SamplingError, match=reason):
        nb.sample(model, step=nb.Slice(), **OPTIONS)


@pytest.mark.nojit
def test_a_draw_of_ones_own_and_other_steps():
    steps = [nb.GibbsStep("y_missing", draw), nb.Slice("mu")]
    trace = nb.sample(model(), 4000, 200, chains=2, step=steps, random_seed=1, progressbar=False)
    # By the two that are observed: precision 2.2, and one more for what is drawn.
    assert abs(trace["mu"].mean() - 1.5 / 2.2) < 0.06
    np.testing.assert_allclose(trace["y_missing"].var((0, 1)), 1.0 + 1.0 / 2.2, rtol=0.12)
