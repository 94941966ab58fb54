"""Regressions equal sums of SciPy's densities in all the ways to call them; gradients equal those by complex steps."""

import os
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from scipy import special, stats

from nbinfer.autodiff import value_and_grad
from nbinfer.compile import JIT
from nbinfer.distributions import glm
from nbinfer.model.evaluate import plain_python

INF, NAN = np.inf, np.nan
nojit = pytest.mark.skipif(not JIT, reason="nothing is compiled")


# What users write: parameters first, then data.


def linear(beta, intercept, sigma, y, X, offset):
    return glm.linear(y, X, beta, sigma, intercept, offset)


def logistic(beta, intercept, y, X, offset):
    return glm.logistic(y, X, beta, intercept, offset)


def poisson(beta, intercept, y, X, offset):
    return glm.poisson(y, X, beta, intercept=intercept, offset=offset)


def negative_binomial(beta, intercept, alpha, y, X, offset):
    return glm.negative_binomial(y, X, beta, alpha, intercept, offset)


def ordered(beta, cutpoints, y, X, offset):
    return glm.ordered(y, X, beta, cutpoints, offset)


def softmax(beta, intercept, y, X, offset):
    return glm.softmax(y, X, beta, intercept, offset)


# What that means, in functions that take complex numbers.


def log1pexp(x):
    return np.where(np.real(x) > 0.0, x + np.log1p(np.exp(-x)), np.log1p(np.exp(x)))


def linear_terms(y, eta, sigma):
    return -0.5 * ((y - eta) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2.0 * np.pi)


def logistic_terms(y, eta):
    return -log1pexp((1 - 2 * y) * eta)


def poisson_terms(y, eta):
    return y * eta - np.exp(eta) - special.gammaln(y + 1.0)


def negative_binomial_terms(y, eta, alpha):
    ways = special.loggamma(y + alpha) - special.loggamma(alpha) - special.gammaln(y + 1.0)
    return ways + alpha * np.log(alpha) + y * eta - (y + alpha) * np.log(alpha + np.exp(eta))


def ordered_terms(y, eta, cutpoints):
    ends = np.concatenate([[-600.0], cutpoints, [600.0]])
    return np.log(1.0 / (1.0 + np.exp(eta - ends[y + 1])) - 1.0 / (1.0 + np.exp(eta - ends[y])))


def softmax_terms(y, eta):
    return eta[np.arange(len(y)), y] - np.log(np.sum(np.exp(eta), -1))


def ordered_by_scipy(y, eta, cutpoints):
    ends = np.concatenate([[-INF], cutpoints, [INF]])
    return np.log(stats.logistic.cdf(ends[y + 1] - eta) - stats.logistic.cdf(ends[y] - eta))


#: function, its parameters after beta, terms, SciPy's terms
FAMILIES = {
    "linear": (linear, (0.4, 1.3), linear_terms, stats.norm.logpdf),
    "logistic": (logistic, (0.4,), logistic_terms, lambda y, eta: stats.bernoulli.logpmf(y, special.expit(eta))),
    "poisson": (poisson, (0.4,), poisson_terms, lambda y, eta: stats.poisson.logpmf(y, np.exp(eta))),
    "negative_binomial": (
        negative_binomial,
        (0.4, 1.7),
        negative_binomial_terms,
        lambda y, eta, alpha: stats.nbinom.logpmf(y, alpha, alpha / (alpha + np.exp(eta))),
    ),
    "ordered": (ordered, (np.array([-1.1, 0.2, 1.7]),), ordered_terms, ordered_by_scipy),
    "softmax": (
        softmax,
        (np.array([0.3, -0.2, 0.5]),),
        softmax_terms,
        lambda y, eta: special.log_softmax(eta, -1)[np.arange(len(y)), y],
    ),
}
by_family = pytest.mark.parametrize("family", FAMILIES)


def arguments(family, n, p, seed=1):
    """Return what a family's function takes: parameters, y, X, offset."""
    rng = np.random.default_rng(seed)
    X, offset = rng.normal(size=(n, p)), 0.5 * rng.normal(size=n)
    beta = 0.5 * rng.normal(size=p) / np.sqrt(p)
    eta = X @ beta + offset
    y = {
        "linear": eta + rng.normal(size=n),
        "logistic": rng.integers(0, 2, n),
        "poisson": rng.poisson(np.exp(eta)),
        "negative_binomial": rng.poisson(np.exp(eta) * rng.gamma(2.0, 0.5, n)).astype(float),
        "ordered": rng.integers(0, 4, n),
        "softmax": rng.integers(0, 3, n),
    }[family]
    if family == "softmax":
        beta, offset = np.outer(beta, [1.0, -0.5, 0.2]), np.outer(offset, [0.1, 0.2, 0.3])
    return (beta, *FAMILIES[family][1], y, X, offset)


def total(family, args, terms):
    """Return the sum of terms, whatever computes them."""
    beta, *numbers, y, X, offset = args
    eta = X @ beta + offset
    if family != "ordered":
        eta = eta + numbers.pop(0)
    return np.sum(terms(y, eta, *numbers))


def gradient(family, args):
    """Return the derivatives by the parameters and by the offset, by complex steps."""
    terms = FAMILIES[family][2]
    found = []
    for k in [*range(len(args) - 3), len(args) - 1]:
        slopes = np.empty(np.shape(args[k]))
        for index in np.ndindex(slopes.shape):
            moved = np.array(args[k], complex)
            moved[index] += 1e-30j
            slopes[index] = total(family, (*args[:k], moved[()], *args[k + 1 :]), terms).imag / 1e-30
        found.append(slopes)
    return found


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


SIZES = [(1, 1), (6, 3), (37, 2)]
#: Rows in two blocks: much for plain Python.
LARGE = (37, 140)


@by_family
def test_equals_scipy_in_plain_python(family):
    function, _, terms, scipy = FAMILIES[family]
    assert function(*arguments(family, 0, 2)) == 0.0
    for size in [*SIZES, LARGE]:
        args = arguments(family, *size)
        assert function(*args) == pytest.approx(total(family, args, scipy), rel=1e-13)
        assert total(family, args, terms) == pytest.approx(total(family, args, scipy), rel=1e-13)


@pytest.mark.either
@by_family
def test_models_get_value_and_gradient(family):
    function, _, _, scipy = FAMILIES[family]
    for size in SIZES:
        args = arguments(family, *size)
        value, slopes = plain(function, args)
        assert value == pytest.approx(total(family, args, scipy), rel=1e-13)
        assert_close(slopes, gradient(family, args))


def plain(function, args):
    """Return value and gradient by parameters and offset, from generated code run as plain Python."""
    both = value_and_grad(function, [*range(len(args) - 3), len(args) - 1])
    call = both._take_apart(args)
    compiled = both._compiled(call)
    with plain_python():
        value = compiled._plain(*call.leaves, *call.gradients)
    return value, call.gradients


def by_group(beta, intercept, y, X, offset):
    """Regressions in loops, in branches, of parts of the data."""
    s = 0.0
    for g in range(2):
        s += glm.logistic(y[g], X[g], beta, intercept * g)
        if g > 0:
            s += 2.0 * glm.linear(X[g][:, 2], X[g][:, :2], beta[1:], 1.0 + intercept * intercept)
    return s


def by_group_terms(beta, intercept, y, X, offset):
    s = 0.0
    for g in range(2):
        s += np.sum(logistic_terms(y[g], X[g] @ beta + intercept * g))
    return s + 2.0 * np.sum(linear_terms(X[1][:, 2], X[1][:, :2] @ beta[1:], 1.0 + intercept * intercept))


def test_models_call_them_anywhere():
    rng = np.random.default_rng(4)
    args = (rng.normal(size=3), 0.4, rng.integers(0, 2, (2, 5)), rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5)))
    value, (by_beta, by_intercept, _) = plain(by_group, args)
    assert value == pytest.approx(by_group_terms(*args), rel=1e-13)
    for k, found in ((0, by_beta), (1, by_intercept)):
        for index in np.ndindex(np.shape(args[k])):
            moved = np.array(args[k], complex)
            moved[index] += 1e-30j
            exact = by_group_terms(*args[:k], moved[()], *args[k + 1 :]).imag / 1e-30
            assert found[index] == pytest.approx(exact, rel=1e-11)


class Data(NamedTuple):
    y: tuple
    X: np.ndarray
    offset: np.ndarray
    wide_offset: np.ndarray


class Parameters(NamedTuple):
    beta: np.ndarray
    B: np.ndarray
    cutpoints: np.ndarray
    row: np.ndarray


class Gradients(NamedTuple):
    beta: np.ndarray
    sigma: np.ndarray
    alpha: np.ndarray
    cutpoints: np.ndarray
    B: np.ndarray


def everything(n, p):
    """Return data and parameters of all families, and the arguments of each."""
    args = {family: arguments(family, n, p) for family in FAMILIES}
    y = tuple(a[-3] for a in args.values())
    B, row, _, X, wide_offset = args["softmax"]
    beta, cutpoints, _, _, offset = args["ordered"]
    return Parameters(beta, B, cutpoints, row), Data(y, X, offset, wide_offset), args


def values(p, d):
    """Call each family with everything, then as briefly as it goes."""
    y = d.y
    full = (
        glm.linear(y[0], d.X, p.beta, 1.3, 0.4, d.offset),
        glm.logistic(y[1], d.X, p.beta, 0.4, d.offset),
        glm.poisson(y[2], d.X, p.beta, 0.4, d.offset),
        glm.negative_binomial(y[3], d.X, p.beta, 1.7, 0.4, d.offset),
        glm.ordered(y[4], d.X, p.beta, p.cutpoints, d.offset),
        glm.softmax(y[5], d.X, p.B, p.row, d.wide_offset),
    )
    short = (
        glm.linear(y[0], d.X, p.beta, 1.3),
        glm.logistic(y[1], d.X, p.beta),
        glm.poisson(y[2], d.X, p.beta, offset=d.offset),
        glm.softmax(y[5], d.X, p.B),
        glm.logistic(y[1][::2], np.ascontiguousarray(d.X[::2]), p.beta),
    )
    return full, short


def gradients(p, d, eta, wide_eta, grad):
    """Call each function for gradients written by hand; `eta` has a row for each."""
    y = d.y
    return (
        glm.linear_grad(y[0], d.X, p.beta, 1.3, eta[0], grad.beta[0], grad.sigma),
        glm.logistic_grad(y[1], d.X, p.beta, eta[1], grad.beta[1]),
        glm.poisson_grad(y[2], d.X, p.beta, eta[2], grad.beta[2]),
        glm.negative_binomial_grad(y[3], d.X, p.beta, 1.7, eta[3], grad.beta[3], grad.alpha),
        glm.ordered_grad(y[4], d.X, p.beta, p.cutpoints, eta[4], grad.beta[4], grad.cutpoints),
        glm.softmax_grad(y[5], d.X, p.B, wide_eta, grad.B),
    )


@pytest.fixture(
    scope="module",
    params=["plain", pytest.param("compiled", marks=[pytest.mark.nojit, pytest.mark.slow])],  # one of each below
)
def in_users_function(request):
    """Call a function of the user's, plain or compiled."""
    if request.param == "plain":

        def plainly(function, *args):
            with plain_python():
                return function(*args)

        return plainly
    import numba

    compiled = {function: numba.njit(function) for function in (values, gradients)}
    return lambda function, *args: compiled[function](*args)


def test_users_functions_get_values(in_users_function):
    for size in [*SIZES, LARGE]:
        p, d, args = everything(*size)
        full, short = in_users_function(values, p, d)
        assert full == pytest.approx([total(f, args[f], FAMILIES[f][3]) for f in FAMILIES], rel=1e-13)
        nothing = np.zeros_like(d.offset)
        expected = [
            total("linear", (p.beta, 0.0, 1.3, d.y[0], d.X, nothing), linear_terms),
            total("logistic", (p.beta, 0.0, d.y[1], d.X, nothing), logistic_terms),
            total("poisson", (p.beta, 0.0, d.y[2], d.X, d.offset), poisson_terms),
            total("softmax", (p.B, 0.0, d.y[5], d.X, 0.0), softmax_terms),
            total("logistic", (p.beta, 0.0, d.y[1][::2], d.X[::2], 0.0), logistic_terms),
        ]
        assert short == pytest.approx(expected, rel=1e-13)


def logistic_value(p, d):
    return glm.logistic(d.y[1], d.X, p.beta, 0.4, d.offset)


def linear_gradient(p, d, eta, grad):
    return glm.linear_grad(d.y[0], d.X, p.beta, 1.3, eta, grad.beta[0], grad.sigma)


@pytest.mark.nojit
@nojit
def test_some_are_compiled():
    import numba

    value, slopes = numba.njit(logistic_value), numba.njit(linear_gradient)
    for size in [*SIZES, LARGE]:
        p, d, args = everything(*size)
        assert value(p, d) == pytest.approx(total("logistic", args["logistic"], FAMILIES["logistic"][3]), rel=1e-13)
        eta = d.offset + 0.4
        grad = Gradients(np.ones((5, p.beta.size)), np.ones(()), np.ones(()), np.ones(3), np.ones(p.B.shape))
        assert slopes(p, d, eta, grad) == pytest.approx(total("linear", args["linear"], stats.norm.logpdf), rel=1e-13)
        by_beta, _, by_sigma, by_offset = gradient("linear", args["linear"])
        assert_close([grad.beta[0] - 1.0, grad.sigma - 1.0, eta], [by_beta, by_sigma, by_offset])


@pytest.mark.parametrize("size", [SIZES[1], pytest.param(LARGE, marks=[pytest.mark.nojit, pytest.mark.slow])])
def test_gradients_by_hand(in_users_function, size):
    p, d, args = everything(*size)
    eta = np.array([d.offset + 0.4] * 4 + [d.offset])
    wide_eta = d.wide_offset + p.row
    grad = Gradients(np.ones((5, p.beta.size)), np.ones(()), np.ones(()), np.ones(3), np.ones(p.B.shape))
    found = in_users_function(gradients, p, d, eta, wide_eta, grad)
    assert found == pytest.approx([total(f, args[f], FAMILIES[f][3]) for f in FAMILIES], rel=1e-13)
    expected = {family: gradient(family, args[family]) for family in FAMILIES}
    for k, family in enumerate(list(FAMILIES)[:5]):
        assert_close([grad.beta[k] - 1.0, eta[k]], [expected[family][0], expected[family][-1]])
    assert_close([grad.sigma - 1.0, grad.alpha - 1.0], [expected["linear"][2], expected["negative_binomial"][2]])
    assert_close([grad.cutpoints - 1.0, grad.B - 1.0], [expected["ordered"][1], expected["softmax"][0]])
    assert_close([wide_eta], [expected["softmax"][-1]])


MODEL = """
import sys
import numpy as np
import nbinfer as nb
from nbinfer.distributions import glm, normal

rng = np.random.default_rng(1)
X, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)

def prior(p, d):
    return np.sum(normal.logpdf(p.beta, 0.0, 1.0)) + normal.logpdf(p.intercept, 0.0, 1.0)

def likelihood(p, d):
    return glm.logistic(d.y, d.X, p.beta, p.intercept)

model = nb.Model(
    parameters={"beta": nb.real(3), "intercept": nb.real()},
    prior=prior, likelihood={"y": likelihood}, data={"y": y, "X": X},
)
q = np.array([0.1, -0.2, 0.3, 0.4])
value, grad = model.bind(1).value_and_grad(q)
eta = X @ q[:3] + q[3]
residuals = y - 1.0 / (1.0 + np.exp(-eta))
expected = np.sum(y * eta - np.log1p(np.exp(eta))) - 0.5 * np.sum(q**2) - 2.0 * np.log(2.0 * np.pi)
np.testing.assert_allclose(value, expected, rtol=1e-13)
np.testing.assert_allclose(grad, np.append(X.T @ residuals, residuals.sum()) - q, rtol=1e-12)
print("numba" in sys.modules)
"""


@pytest.mark.nojit
@nojit
def test_a_model_is_compiled_once(tmp_path):
    script = tmp_path / "model.py"  # a gradient is derived from source
    script.write_text(MODEL)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script)]
    runs = [subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert runs[1].stdout == "False\n"
