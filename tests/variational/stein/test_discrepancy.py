"""The kernel Stein discrepancy of draws: known values, its definition, faults, draws that are none."""

import numpy as np
import pytest
from scipy import stats

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import ModelError, ParametrizationError
from nbinfer.variational.stein import discrepancy as discrepancy_
from nbinfer.variational.stein import passes as passes_
from tests.variational.families.laws import faulty
from tests.variational.stein.targets import Linear, normal
from tests.variational.stein.test_kernels import Cauchy
from tests.variational.stein.test_methods import bounded
from tests.variational.targets import gamma_poisson


def quantiles(n, mean=0.0, sd=1.0):
    """Return points of equal weight that stand for a normal distribution."""
    return stats.norm(mean, sd).ppf((np.arange(n) + 0.5) / n)[:, None]


def test_the_known_value():
    """Of N(.5, 1) from N(0, 1) with a Gaussian kernel of length 1: .25 / sqrt(3)."""
    n, near = (1000, 1e-4) if JIT else (30, 5e-2)
    assert nb.ksd(quantiles(n, 0.5), normal(), kernel=nb.RBF(1.0)) == pytest.approx(0.14433757, rel=near)


def by_definition(points, kernel, score):
    """Return the Stein kernel at all pairs, by its derivatives found by differences."""
    step, n = 1e-4, len(points)
    found = np.zeros((n, n))

    def k(x, y):
        return kernel(np.array([x, y]))[0][0, 1]

    for i, x in enumerate(points):
        for j, y in enumerate(points):
            found[i, j] = k(x, y) * score(x) @ score(y)
            for c, e in enumerate(step * np.eye(len(x))):
                found[i, j] += score(x)[c] * (k(x, y + e) - k(x, y - e)) / (2.0 * step)
                found[i, j] += score(y)[c] * (k(x + e, y) - k(x - e, y)) / (2.0 * step)
                both = k(x + e, y + e) - k(x + e, y - e) - k(x - e, y + e) + k(x - e, y - e)
                found[i, j] += both / (4.0 * step**2)
    return found


def check_pairs(kernel):
    points = np.random.default_rng(1).normal(size=(5, 3))
    expected = by_definition(points, kernel, lambda x: -(x - 0.3) / 1.7)
    model = normal(3, 0.3, 1.7)
    assert nb.ksd(points, model, kernel=kernel) == pytest.approx(expected.mean(), rel=1e-5)
    others = (expected.sum() - np.trace(expected)) / 20.0
    assert nb.ksd(points, model, kernel=kernel, unbiased=True) == pytest.approx(others, rel=1e-5)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kernel", [nb.RBF(0.8), nb.IMQ(0.5), nb.IMQ(1.5, -0.8), Cauchy(1.0)], ids=repr)
def test_pairs_are_what_they_are_defined_to_be(kernel):
    check_pairs(kernel)


MUTANTS = {
    "the wrong sign": ("slopes[j] * (along[j] + own.dim)", "slopes[j] * (own.dim - along[j])"),
    "no second derivative": ("- squared[j] * curves[j]", "- 0.0 * curves[j]"),
    "one coordinate": ("(along[j] + own.dim)", "(along[j] + 1)"),
    "scores of one alone": ("slope * other", "slope * slope"),
}


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen(fault, monkeypatch):
    monkeypatch.setattr(discrepancy_, "Pass", faulty(passes_, MUTANTS[fault]).Pass)
    with pytest.raises(AssertionError):
        check_pairs(nb.IMQ(0.5))


def test_rows_come_in_parts(monkeypatch):
    points = np.random.default_rng(1).normal(size=(9, 2))
    whole = [nb.ksd(points, normal(2), unbiased=unbiased) for unbiased in (False, True)]
    monkeypatch.setattr(discrepancy_, "_AT_ONCE", 40)
    parts = [nb.ksd(points, normal(2), unbiased=unbiased, cores=2) for unbiased in (False, True)]
    np.testing.assert_allclose(parts, whole, rtol=1e-12)
    approx = nb.Empirical(size=9, model=normal(2))
    approx.params[0].set_value(points)
    assert whole[0] == pytest.approx(nb.Stein(approx, nb.IMQ()).ksd, rel=1e-12)


def test_no_unit_matters_in_a_metric():
    points = np.random.default_rng(1).normal(size=(9, 2))
    for metric in ("diag", "dense"):
        found = [nb.ksd(scale * points, normal(2, variance=scale**2), metric=metric) for scale in (1.0, 1e4)]
        assert found[0] == pytest.approx(found[1], rel=1e-6)
    given = nb.ksd(1e4 * points, normal(2, variance=1e8), kernel=nb.IMQ(0.5), metric=np.full(2, 1e-8))
    assert given == pytest.approx(nb.ksd(points, normal(2), kernel=nb.IMQ(0.5)), rel=1e-9)


def test_draws_of_a_trace():
    """They are taken as they are named, constrained, and gradients with the Jacobian."""
    model = gamma_poisson()
    rate = np.random.default_rng(1).exponential(size=(2, 6))
    rows = np.log(rate).reshape(12, 1)
    assert nb.ksd({"rate": rate}, model) == pytest.approx(nb.ksd(rows, model), rel=1e-12)
    with model:
        assert nb.ksd({"rate": rate}) == pytest.approx(nb.ksd(rows, model), rel=1e-12)


# ---- what is refused


def test_draws_that_are_none():
    model = normal(2)
    cases = [
        ("x", TypeError, "draws must be a Trace, a mapping"),
        (np.zeros((5, 3)), ValueError, r"have shape \(n, 2\), a row for each, got \(5, 3\)"),
        (np.zeros((1, 2)), ValueError, "draws must be two at least, got 1"),
        ({"y": np.zeros((1, 5, 2))}, ValueError, "draws lack x; the model's density needs all parameters"),
        ({"x": np.zeros((5, 2))}, ValueError, r"draws of x must have shape \(chain, draw, 2\), got \(5, 2\)"),
    ]
    for draws, kind, message in cases:
        with pytest.raises(kind, match=message):
            nb.ksd(draws, model)
    with pytest.raises(ParametrizationError, match="the median distance of the draws gives the bandwidth 0"):
        nb.ksd(np.zeros((5, 2)), model)
    with pytest.raises(ParametrizationError, match="metric='dense': draws or gradients hardly differ in a coordinate"):
        nb.ksd(np.zeros((5, 2)), model, metric="dense")
    counts = nb.Model({"k": nb.integer(0, 9)}, logp=lambda p, d: -1.0 * p.k)
    with pytest.raises(ModelError, match="needs gradients, and the model has discrete parameters"):
        nb.ksd({"k": np.zeros((1, 5))}, counts)


def test_draws_without_a_gradient_are_named():
    message = r"of 2 of 6 draws is not finite: draws 1 of chain 0, 2 of chain 1, the first one at x = \[3\.\]"
    with pytest.raises(ModelError, match=message):
        nb.ksd({"x": np.array([[0.0, 3.0, 1.0], [0.0, 0.5, 9.0]])[:, :, None]}, bounded(2.2))


def test_options_that_are_none():
    draws, model = np.zeros((5, 2)), normal(2)
    for kernel in (Linear(), nb.RBF, "rbf"):
        with pytest.raises(TypeError, match="kernel must be one that knows its second derivatives"):
            nb.ksd(draws, model, kernel=kernel)
    with pytest.raises(ValueError, match="unknown metric 'full'"):
        nb.ksd(draws, model, metric="full")
    with pytest.raises(ValueError, match="cores must be an int from 1"):
        nb.ksd(draws, model, cores=0)
