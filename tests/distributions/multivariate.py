"""The multivariate families: what each is in many digits, and where it is tried."""

import itertools
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp, mpf

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


class Function(NamedTuple):
    """A density: its name, its reference in mpmath's numbers, arguments where it is finite, data without derivative.

    Attributes
    ----------
    outside : list
        Arguments without density.
    """

    module: ModuleType
    name: str
    reference: Any
    points: list[tuple[Any, ...]]
    outside: list[tuple[Any, ...]]
    data: tuple[int, ...] = ()


def lower(A):
    """Return the symmetric matrix of a lower triangle."""
    n = len(A)
    return mp.matrix([[A[max(i, j)][min(i, j)] for j in range(n)] for i in range(n)])


def triangle(L):
    n = len(L)
    return mp.matrix([[L[i][j] if j <= i else mpf(0) for j in range(n)] for i in range(n)])


def gauss(d, precision):
    """Return the log density of deviations from the mean."""
    d = mp.matrix(d)
    return (mp.log(mp.det(precision)) - (d.T * precision * d)[0] - len(d) * mp.log(2 * mp.pi)) / 2


def minus(x, y):
    return [a - b for a, b in zip(x, y, strict=True)]


def normal(x, mu, sigma):
    return -(((x - mu) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2


def student(x, nu, mu, scale):
    k, d = len(x), mp.matrix(minus(x, mu))
    q = (d.T * scale**-1 * d)[0]
    constant = mp.loggamma((nu + k) / 2) - mp.loggamma(nu / 2) - k * mp.log(nu * mp.pi) / 2 - mp.log(mp.det(scale)) / 2
    return constant - (nu + k) / 2 * mp.log1p(q / nu)


def dirichlet_density(x, alpha):
    powers = mp.fsum((a - 1) * mp.log(v) for v, a in zip(x, alpha, strict=True))
    return powers + mp.loggamma(mp.fsum(alpha)) - mp.fsum(map(mp.loggamma, alpha))


def multinomial_mass(x, n, p):
    powers = mp.fsum(k * mp.log(q) if k else 0 for k, q in zip(x, p, strict=True))
    return mp.loggamma(n + 1) + powers - mp.fsum(mp.loggamma(k + 1) for k in x)


def dirichlet_multinomial_mass(x, n, alpha):
    whole = mp.fsum(alpha)
    terms = (mp.loggamma(k + a) - mp.loggamma(a) - mp.loggamma(k + 1) for k, a in zip(x, alpha, strict=True))
    return mp.loggamma(n + 1) + mp.loggamma(whole) - mp.loggamma(n + whole) + mp.fsum(terms)


def lkj(L, eta):
    k, total = len(L), mpf(0)
    for i in range(1, k):
        b = eta + mpf(k - 1 - i) / 2
        constant = mp.loggamma(mpf(i) / 2 + b) - mp.loggamma(b) - mpf(i) / 2 * mp.log(mp.pi)
        total += constant + (2 * b - 2) * mp.log(L[i][i])
    return total


def wishart_density(X, nu, V):
    k, X, V = len(X), lower(X), lower(V)
    trace = mp.fsum((V**-1 * X)[i, i] for i in range(k))
    gammas = mpf(k * (k - 1)) / 4 * mp.log(mp.pi) + mp.fsum(mp.loggamma((nu - i) / 2) for i in range(k))
    powers = (nu - k - 1) * mp.log(mp.det(X)) - nu * mp.log(mp.det(V)) - nu * k * mp.log(2)
    return (powers - trace) / 2 - gammas


def walk(x, drift, sigma, mu_0, sigma_0):
    steps = mp.fsum(normal(b, a + drift, sigma) for a, b in itertools.pairwise(x))
    return normal(x[0], mu_0, sigma_0) + steps


def autoregression(x, constant, rho, sigma, mu_0, sigma_0):
    p, total = len(rho), mpf(0)
    for t, value in enumerate(x):
        mean = constant + mp.fsum(r * x[t - 1 - j] for j, r in enumerate(rho)) if t >= p else mu_0
        total += normal(value, mean, sigma if t >= p else sigma_0)
    return total


def neighbours(x, mu, W, alpha, tau):
    k = len(x)
    precision = mp.matrix(k, k)
    for i in range(k):
        for j in range(k):
            precision[i, j] = tau * ((mp.fsum(W[i]) if i == j else 0) - alpha * W[i][j])
    return gauss(minus(x, mu), precision)


def _given(function):
    return lambda x, mu, W, eigenvalues, alpha, tau: function(x, mu, W, alpha, tau)


RNG = np.random.default_rng(3)
A = RNG.normal(size=(3, 3))
COV = A @ A.T + np.eye(3)
CHOL = np.linalg.cholesky(COV)
NEAR_SINGULAR = np.array([[1.0, 1.0 - 1e-10], [1.0 - 1e-10, 1.0]])
MU, X = RNG.normal(size=3), RNG.normal(size=3)
CORR = np.linalg.cholesky(np.array([[1.0, 0.3, 0.2], [0.3, 1.0, -0.1], [0.2, -0.1, 1.0]]))
LONG = np.array([1e-160, 2e-160, 3e-160])
ALPHA = np.array([0.5, 1.0, 3.0])
P = np.array([0.2, 0.5, 0.3])
TINY = np.array([1e-300, 0.5, 0.5])
SERIES = RNG.normal(size=7)
RHO = np.array([0.5, -0.2])
W = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
NAN, INF = np.nan, np.inf
NOT_POSITIVE = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
NO_FACTOR = np.diag([1.0, -1.0, 1.0])
ELSEWHERE = np.array([0.5, 0.6, 0.1])

FUNCTIONS = {
    "mvnormal": Function(
        mvnormal,
        "logpdf",
        lambda x, mu, cov: gauss(minus(x, mu), lower(cov) ** -1),
        [
            (X, MU, COV),
            (X[:1], MU[:1], COV[:1, :1]),
            (1e150 * X, 1e150 * MU, 1e300 * COV),
            (LONG, np.zeros(3), 1e-300 * COV),
            (np.array([1.0, 1.0 + 1e-6]), np.zeros(2), NEAR_SINGULAR),
        ],
        [(X, MU, NOT_POSITIVE), (X, MU, NAN * COV), (NAN * X, MU, COV), (INF * X, MU, COV), (X, MU, 0.0 * COV)],
    ),
    "mvnormal by factor": Function(
        mvnormal,
        "logpdf_chol",
        lambda x, mu, L: gauss(minus(x, mu), (triangle(L) * triangle(L).T) ** -1),
        [(X, MU, CHOL), (1e150 * X, 1e150 * MU, 1e150 * CHOL), (X, MU, np.diag([1e-3, 1.0, 1e3]))],
        [(X, MU, NO_FACTOR), (X, MU, 0.0 * CHOL), (X, NAN * MU, CHOL), (X, MU, np.diag([INF, 1.0, 1.0]))],
    ),
    "mvnormal by precision": Function(
        mvnormal,
        "logpdf_prec",
        lambda x, mu, Q: gauss(minus(x, mu), lower(Q)),
        [(X, MU, COV), (1e150 * X, 1e150 * MU, 1e-300 * COV), (1e6 * X, MU, 1e-12 * COV)],
        [(X, MU, NOT_POSITIVE), (X, MU, NAN * COV), (NAN * X, MU, COV), (INF * X, MU, COV), (X, MU, 0.0 * COV)],
    ),
    "mvstudent_t": Function(
        mvstudent_t,
        "logpdf",
        lambda x, nu, mu, scale: student(x, nu, mu, lower(scale)),
        [(X, 3.0, MU, COV), (1e150 * X, 0.1, 1e150 * MU, 1e300 * COV), (1e6 * X, 1.0, MU, COV), (X, 200.0, MU, COV)],
        [(X, 3.0, MU, NOT_POSITIVE), (X, 0.0, MU, COV), (X, -1.0, MU, COV), (X, NAN, MU, COV), (INF * X, 3.0, MU, COV)],
    ),
    "mvstudent_t by factor": Function(
        mvstudent_t,
        "logpdf_chol",
        lambda x, nu, mu, L: student(x, nu, mu, triangle(L) * triangle(L).T),
        [(X, 3.0, MU, CHOL)],
        [(X, 3.0, MU, NO_FACTOR), (X, NAN, MU, CHOL)],
    ),
    "dirichlet": Function(
        dirichlet,
        "logpdf",
        dirichlet_density,
        [
            (P, ALPHA),
            (P, np.array([1e-3, 1e5, 2.0])),
            (TINY, ALPHA),
            (TINY, np.array([3.0, 1.0, 1.0])),
            (P[:1] / P[0], ALPHA[:1]),
        ],
        [
            (ELSEWHERE, ALPHA),
            (np.array([-0.1, 0.6, 0.5]), ALPHA),
            (P, np.array([0.0, 1.0, 1.0])),
            (P, -ALPHA),
            (P, NAN * ALPHA),
            (P, INF * ALPHA),
            (NAN * P, ALPHA),
            (np.array([0.5, 0.5, 0.0]), ALPHA),
        ],
    ),
    "multinomial": Function(
        multinomial,
        "logpmf",
        multinomial_mass,
        [
            (np.array([2, 0, 5]), 7, P),
            (np.array([0, 0, 0]), 0, P),
            (np.array([0, 3, 4]), 7, np.array([0.0, 0.5, 0.5])),
            (np.array([10**6, 10**6, 0]), 2 * 10**6, P),
            (np.array([1, 3, 3]), 7, TINY),
        ],
        [
            (np.array([2, 0, 5]), 6, P),
            (np.array([-1, 3, 5]), 7, P),
            (np.array([1.5, 0.5, 5.0]), 7, P),
            (np.array([2, 0, 5]), 7, ELSEWHERE),
            (np.array([2, 0, 5]), 7, np.array([0.0, 0.5, 0.5])),
            (np.array([2, 0, 5]), 7, np.array([1.1, -0.1, 0.0])),
            (np.array([2, 0, 5]), 7, NAN * P),
        ],
        (0, 1),
    ),
    "dirichlet_multinomial": Function(
        dirichlet_multinomial,
        "logpmf",
        dirichlet_multinomial_mass,
        [
            (np.array([2, 0, 5]), 7, ALPHA),
            (np.array([0, 0, 0]), 0, ALPHA),
            (np.array([100, 20, 0]), 120, np.array([1e-5, 1.0, 1e3])),
        ],
        [
            (np.array([2, 0, 5]), 6, ALPHA),
            (np.array([-1, 3, 5]), 7, ALPHA),
            (np.array([1.5, 0.5, 5.0]), 7, ALPHA),
            (np.array([2, 0, 5]), 7, -ALPHA),
            (np.array([2, 0, 5]), 7, NAN * ALPHA),
            (np.array([2, 0, 5]), 7, INF * ALPHA),
        ],
        (0, 1),
    ),
    "lkj_cholesky": Function(
        lkj_cholesky,
        "logpdf",
        lkj,
        [(CORR, 1.0), (CORR, 0.1), (CORR, 50.0), (np.eye(2), 2.0), (np.ones((1, 1)), 2.0)],
        [(2.0 * CORR, 1.0), (CORR, 0.0), (CORR, -1.0), (CORR, NAN), (NAN * CORR, 1.0), (CORR.T, 1.0), (-CORR, 1.0)],
    ),
    "wishart": Function(
        wishart,
        "logpdf",
        wishart_density,
        [
            (COV, 5.0, COV[::-1, ::-1].copy()),
            (COV, 2.1, np.eye(3)),
            (COV[:1, :1], 0.3, COV[:1, :1]),
            (1e-8 * COV, 40.0, np.eye(3)),
        ],
        [(NOT_POSITIVE, 5.0, COV), (COV, 2.0, COV), (COV, NAN, COV), (COV, 5.0, NOT_POSITIVE), (NAN * COV, 5.0, COV)],
    ),
    "gaussian_random_walk": Function(
        gaussian_random_walk,
        "logpdf",
        walk,
        [(SERIES, 0.1, 0.7, 0.2, 2.0), (SERIES[:1], 0.1, 0.7, 0.2, 2.0), (1e150 * SERIES, 1e149, 1e150, -1e150, 1e150)],
        [
            (SERIES, 0.1, 0.0, 0.2, 2.0),
            (SERIES, 0.1, -0.7, 0.2, 2.0),
            (SERIES, 0.1, 0.7, 0.2, -2.0),
            (NAN * SERIES, 0.1, 0.7, 0.2, 2.0),
            (SERIES, NAN, 0.7, 0.2, 2.0),
        ],
    ),
    "ar": Function(
        ar,
        "logpdf",
        autoregression,
        [
            (SERIES, 0.3, RHO, 0.7, 0.2, 2.0),
            (SERIES[:1], 0.3, RHO, 0.7, 0.2, 2.0),
            (SERIES, 0.3, RHO[:1], 0.7, 0.2, 2.0),
            (1e150 * SERIES, 1e149, RHO, 1e150, -1e150, 1e150),
        ],
        [
            (SERIES, 0.3, RHO, 0.0, 0.2, 2.0),
            (SERIES, 0.3, RHO, 0.7, 0.2, -2.0),
            (SERIES, 0.3, NAN * RHO, 0.7, 0.2, 2.0),
        ],
    ),
    "car": Function(
        car,
        "logpdf",
        neighbours,
        [(X, MU, W, 0.6, 2.0), (X, MU, W, 0.0, 1e-3), (X, MU, W, 1.0 - 1e-9, 2.0), (X, MU, W, -0.9, 1e3)],
        [
            (X, MU, W, 1.0, 2.0),
            (X, MU, W, -1.5, 2.0),
            (X, MU, W, 0.6, 0.0),
            (X, MU, W, NAN, 1.0),
            (NAN * X, MU, W, 0.6, 1.0),
            (X, MU, W - 0.1 * np.eye(len(W)), 0.6, 1.0),
            (X, MU, np.triu(W), 0.6, 1.0),
            (X, MU, NAN * W, 0.6, 1.0),
        ],
        (2,),
    ),
    "car by eigenvalues": Function(
        car,
        "logpdf_eigen",
        _given(neighbours),
        [(X, MU, W, car.eigenvalues(W), 0.6, 2.0), (X, MU, W, car.eigenvalues(W), -0.9, 1e3)],
        [(X, MU, W, car.eigenvalues(W), 1.0, 2.0), (X, MU, W, car.eigenvalues(W), 0.6, -1.0)],
        (2, 3),
    ),
}
