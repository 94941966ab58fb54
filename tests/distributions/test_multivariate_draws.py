"""Draws of multivariate families by their moments and marginals; densities that no other library has by their mass."""

import numpy as np
import pytest
from scipy import integrate, stats

from nbinfer.compile import JIT
from nbinfer.distributions import (
    ar,
    car,
    dirichlet,
    dirichlet_multinomial,
    gaussian_random_walk,
    lkj_cholesky,
    multinomial,
    mvnormal,
    mvstudent_t,
    wishart,
)
from nbinfer.model.transforms.matrices import cholesky_corr_forward
from tests.distributions.multivariate import ALPHA, CHOL, COV, MU, RHO, P, W
from tests.often import often

nojit = pytest.mark.skipif(not JIT, reason="nothing is compiled")

DRAWS = 5_000


def assert_moments(draws, mean, cov):
    """Compare means and covariances of the elements of draws with what they should be, within 4.5 standard errors."""
    flat, mean = draws.reshape(len(draws), -1), np.ravel(mean)
    errors = np.std(flat, 0) / np.sqrt(len(flat))
    assert np.all(np.abs(flat.mean(0) - mean) <= 4.5 * errors + 1e-12)
    centred = flat - mean
    products = centred[:, :, None] * centred[:, None, :]
    errors = np.std(products, 0) / np.sqrt(len(flat))
    assert np.all(np.abs(products.mean(0) - cov) <= 4.5 * errors + 1e-12)


def assert_marginal(draws, frozen):
    assert stats.kstest(draws, frozen.cdf).pvalue > 1e-4


def rng(seed=11):
    return np.random.default_rng(seed)


@pytest.mark.either
@pytest.mark.parametrize(
    ("draw", "cov"),
    [
        (lambda: mvnormal.random(rng(), MU, COV, DRAWS), COV),
        (lambda: mvnormal.random_chol(rng(), MU, CHOL, DRAWS), COV),
        (lambda: mvnormal.random_prec(rng(), MU, COV, DRAWS), np.linalg.inv(COV)),
        (lambda: mvnormal.random_root(rng(), MU, CHOL, DRAWS), np.linalg.inv(COV)),
        (lambda: car.random(rng(), MU, W, 0.6, 2.0, DRAWS), np.linalg.inv(2.0 * (np.diag(W.sum(0)) - 0.6 * W))),
    ],
)
def test_normal_draws(draw, cov):
    draws = draw()
    assert_moments(draws, MU, cov)
    for i in range(3):
        assert_marginal(draws[:, i], stats.norm(MU[i], np.sqrt(cov[i, i])))


def test_student_draws():
    draws = mvstudent_t.random(rng(), 7.0, MU, COV, DRAWS)
    assert_moments(draws, MU, COV * 7.0 / 5.0)
    for i in range(3):
        assert_marginal(draws[:, i], stats.t(7.0, MU[i], np.sqrt(COV[i, i])))
    d = np.linalg.solve(CHOL, (draws - MU).T)
    assert_marginal(np.sum(d * d, 0) / 3.0, stats.f(3, 7))


@pytest.mark.either
@pytest.mark.parametrize("alpha", [ALPHA, np.array([0.02, 0.05, 0.1])])
def test_dirichlet_draws(alpha):
    draws = dirichlet.random(rng(), alpha, DRAWS)
    frozen = stats.dirichlet(alpha)
    assert_moments(draws, frozen.mean(), frozen.cov())
    for i in range(3):  # near 1 numbers are too coarse for small concentrations
        low = draws[:, i][draws[:, i] < 0.5]
        law = stats.beta(alpha[i], alpha.sum() - alpha[i])
        assert stats.kstest(law.cdf(low) / law.cdf(0.5), "uniform").pvalue > 1e-4
    assert np.all(np.abs(draws.sum(1) - 1.0) < 1e-14)


def test_dirichlet_draws_of_tiny_concentrations_stay_finite():
    draws = dirichlet.random(rng(), np.full(3, 1e-4), 100)
    assert np.isfinite(draws).all()
    assert np.all(draws.max(1) > 0.99)


@pytest.mark.parametrize(
    ("draws", "mean", "cov"),
    [
        (multinomial.random(rng(), 9, P, DRAWS), 9 * P, 9 * (np.diag(P) - np.outer(P, P))),
        (
            dirichlet_multinomial.random(rng(), 9, ALPHA, DRAWS),
            stats.dirichlet_multinomial(ALPHA, 9).mean(),
            stats.dirichlet_multinomial(ALPHA, 9).cov(),
        ),
    ],
)
def test_counts_drawn(draws, mean, cov):
    assert draws.dtype == np.int64
    assert np.all(draws.sum(1) == 9)
    assert_moments(draws, mean, cov)


@pytest.mark.either
def test_counts_are_as_frequent_as_they_should_be():
    cells = np.array([(a, b, 3 - a - b) for a in range(4) for b in range(4 - a)])
    for module, parameters in ((multinomial, P), (dirichlet_multinomial, ALPHA)):
        draws = module.random(rng(), 3, parameters, DRAWS)
        observed = np.array([np.sum(np.all(draws == cell, 1)) for cell in cells])
        expected = np.exp(module.logpmf(cells, 3, parameters))
        assert expected.sum() == pytest.approx(1.0, rel=1e-12)
        assert stats.chisquare(observed, DRAWS * expected).pvalue > 1e-4


def test_counts_of_impossible_categories():
    draws = multinomial.random(rng(), 5, np.array([0.0, 0.4, 0.0, 0.6, 0.0]), 50)
    assert not draws[:, [0, 2, 4]].any()
    assert multinomial.random(rng(), 0, P).tolist() == [0, 0, 0]
    assert multinomial.random(rng(), 4, [1.0]).tolist() == [4]


@pytest.mark.either
@pytest.mark.parametrize("k", [2, 4])
def test_lkj_draws(k):
    """Each correlation is a beta variate from -1 to 1."""
    chol = lkj_cholesky.random(rng(), 1.5, k, DRAWS)
    R = chol @ np.swapaxes(chol, -1, -2)
    np.testing.assert_allclose(R[:, range(k), range(k)], 1.0, rtol=1e-14)
    b = 1.5 + 0.5 * (k - 2)
    for i in range(k):
        for j in range(i):
            assert_marginal(R[:, i, j], stats.beta(b, b, -1.0, 2.0))
    assert np.isfinite(lkj_cholesky.logpdf(chol[:50], 1.5)).all()


@pytest.mark.either
def test_lkj_integrates_to_one():
    def of_two(r):
        return np.exp(lkj_cholesky.logpdf(np.array([[1.0, 0.0], [r, np.sqrt(1.0 - r * r)]]), 1.7))

    assert integrate.quad(of_two, -1.0, 1.0)[0] == pytest.approx(1.0, rel=1e-8)

    def of_three(u, r):
        """The last row has squared length u before its end, in any direction."""
        last = [np.sqrt(u), 0.0, np.sqrt(1.0 - u)]
        chol = np.array([[1.0, 0.0, 0.0], [r, np.sqrt(1.0 - r * r), 0.0], last])
        return np.pi * np.exp(lkj_cholesky.logpdf(chol, 2.0))

    assert integrate.dblquad(of_three, -1.0, 1.0, 0.0, 1.0, epsabs=1e-6)[0] == pytest.approx(1.0, rel=1e-5)


def test_wishart_draws():
    draws = wishart.random(rng(), 6.5, COV, DRAWS)
    pairs = [(i, j) for i in range(3) for j in range(3)]
    cov = [[6.5 * (COV[i, k] * COV[j, m] + COV[i, m] * COV[j, k]) for k, m in pairs] for i, j in pairs]
    assert_moments(draws, 6.5 * COV, cov)
    for i in range(3):
        assert_marginal(draws[:, i, i] / COV[i, i], stats.chi2(6.5))
    assert_marginal(np.linalg.det(draws) / np.linalg.det(COV), _ProductOfChiSquares(6.5))


class _ProductOfChiSquares:
    """The determinant of a Wishart matrix of three rows over that of its scale matrix, by many draws."""

    def __init__(self, nu):
        self._sorted = np.sort(np.prod(rng(12).chisquare(nu - np.arange(3)[:, None], (3, 200_000)), 0))

    def cdf(self, x):
        return np.searchsorted(self._sorted, x) / self._sorted.size


def test_series_drawn():
    draws = gaussian_random_walk.random(rng(), 0.1, 0.7, 0.2, 2.0, 5, DRAWS)
    t = np.arange(5)
    assert_moments(draws, 0.2 + 0.1 * t, 4.0 + 0.49 * np.minimum(t[:, None], t))
    assert_marginal(draws[:, 4], stats.norm(0.6, np.sqrt(4.0 + 4 * 0.49)))
    draws = ar.random(rng(), 0.3, RHO, 0.7, 0.2, 2.0, 5, DRAWS)
    steps = np.eye(5)  # x = steps @ noise + mean
    mean = np.array([0.2, 0.2, 0.0, 0.0, 0.0])
    scale = np.array([2.0, 2.0, 0.7, 0.7, 0.7])
    for k in range(2, 5):
        steps[k] = RHO[0] * steps[k - 1] + RHO[1] * steps[k - 2]
        steps[k, k] = 1.0
        mean[k] = 0.3 + RHO[0] * mean[k - 1] + RHO[1] * mean[k - 2]
    assert_moments(draws, mean, (steps * scale**2) @ steps.T)


def draw_all(rng, mu, cov, alpha, p, rho, W):
    return (
        mvnormal.random(rng, mu, cov),
        mvnormal.random(rng, np.ones((2, 3)), cov),
        mvnormal.random_prec(rng, mu, cov, 3),
        mvstudent_t.random(rng, 3.0, mu, cov, 2),
        dirichlet.random(rng, alpha, 3),
        multinomial.random(rng, 9, p, 3),
        dirichlet_multinomial.random(rng, 20, alpha),
        lkj_cholesky.random(rng, 2.0, 3, 2),
        wishart.random(rng, np.array([4.0, 5.0]), cov),
        gaussian_random_walk.random(rng, 0.1, 0.7, 0.2, 2.0, 5),
        ar.random(rng, 0.3, rho, 0.7, 0.2, 2.0, 5, 2),
        car.random(rng, mu, W, 0.6, 2.0, 2),
    )


def draw_some(rng, mu, cov, alpha, p, rho, W):
    return (
        mvnormal.random(rng, mu, cov),
        dirichlet.random(rng, alpha, 3),
    )


SHAPES = [(3,), (2, 3), (3, 3), (2, 3), (3, 3), (3, 3), (3,), (2, 3, 3), (2, 3, 3), (5,), (2, 5), (2, 3)]


def test_draws_have_their_axes_last():
    draws = draw_all(rng(), MU, COV, ALPHA, P, RHO, W)
    assert [d.shape for d in draws] == SHAPES
    assert dirichlet.random(rng(), ALPHA, 0).shape == (0, 3)
    assert lkj_cholesky.random(rng(), 1.0, 0).shape == (0, 0)
    assert ar.random(rng(), 0.3, RHO, 0.7, 0.2, 2.0, 1).shape == (1,)


@pytest.mark.nojit
@nojit
@pytest.mark.parametrize("draw", often([draw_some, draw_all], draw_some))
def test_compiled_draws_are_the_plain_ones(draw):
    import numba

    arguments = (MU, COV, ALPHA, P, RHO, W)
    compiled = numba.njit(draw)
    for one, other in zip(compiled(rng(), *arguments), draw(rng(), *arguments), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    with pytest.raises(ValueError, match="mvnormal: chol must be a lower triangular matrix with a positive diagonal"):
        compiled(rng(), MU, -COV, ALPHA, P, RHO, W)


@pytest.mark.either
@pytest.mark.parametrize("k", [2, 3])
def test_lkj_is_the_density_of_what_cholesky_corr_declares(k):
    """With the Jacobian of the transform it integrates to 1 over the coordinates, here u = atanh(sin(t))."""
    count = k * (k - 1) // 2
    nodes, weights = np.polynomial.legendre.leggauss(12)
    total = 0.0
    for place in np.ndindex((12,) * count):
        r = np.sin(0.5 * np.pi * nodes[list(place)])
        chol = np.empty(k * k)
        log_jacobian = cholesky_corr_forward.py_func(np.arctanh(r), chol, np.array([k, 1.0]))
        logp = lkj_cholesky.logpdf(chol.reshape(k, k), 2.0) + log_jacobian
        total += np.exp(logp) * np.prod(0.5 * np.pi * weights[list(place)] / np.sqrt(1.0 - r * r))
    assert total == pytest.approx(1.0, rel=1e-8)
