"""Regressions far out, without density, and refused."""

import numpy as np
import pytest
from mpmath import mp, mpf

from nbinfer.autodiff import ADError, value_and_grad
from nbinfer.distributions import glm
from nbinfer.model.evaluate import plain_python
from tests.distributions.test_glm import FAMILIES, arguments, by_family, logistic, plain

INF, NAN = np.inf, np.nan


def mp_log1pexp(x):
    return mp.log1p(mp.exp(x))


def mp_negative_binomial(y, eta, alpha):
    ways = mp.loggamma(y + alpha) - mp.loggamma(alpha) - mp.loggamma(y + 1)
    return ways - alpha * mp_log1pexp(eta - mp.log(alpha)) - y * mp_log1pexp(mp.log(alpha) - eta)


def mp_ordered(y, eta, *cutpoints):
    upper = 1 / (1 + mp.exp(eta - cutpoints[y])) if y < len(cutpoints) else mpf(1)
    lower = 1 / (1 + mp.exp(eta - cutpoints[y - 1])) if y > 0 else mpf(0)
    return mp.log(upper - lower)


#: family, log likelihood of a row in many digits, (y, predictor, own parameters) far out
FAR_OUT = [
    ("linear", lambda y, eta, sigma: -(((y - eta) / sigma) ** 2) / 2 - mp.log(sigma) - mp.log(2 * mp.pi) / 2, case)
    for case in [(1e8, -1e8, 1.0), (1.0, 1.0 + 1e-9, 1e-8), (2e-300, 0.0, 1e-300), (1e100, 0.0, 1e100)]
]
FAR_OUT += [
    ("logistic", lambda y, eta: -mp_log1pexp(eta if y == 0 else -eta), case)
    for case in [(y, s * x) for y in (0, 1) for s in (1.0, -1.0) for x in (1e-300, 36.0, 700.0, 1e5, 1e300)]
]
FAR_OUT += [
    ("poisson", lambda y, eta: y * eta - mp.exp(eta) - mp.loggamma(y + 1), case)
    for case in [(0, -700.0), (0, 700.0), (3, -1e5), (255, 5.0), (256, 5.0), (10**6, 13.8), (10**12, 27.6)]
]
FAR_OUT += [
    ("negative_binomial", mp_negative_binomial, case)
    for case in [(0, 1e3, 1.0), (0, -1e3, 1.0), (3, 1.0, 1e10), (3, 1.0, 1e-10), (5000, 700.0, 0.3), (10**6, 13.8, 1e3)]
]
FAR_OUT += [
    ("ordered", mp_ordered, case)
    for case in [
        (0, 700.0, -1.0, 1.0),
        (2, -700.0, -1.0, 1.0),
        (1, 300.0, -1.0, 1.0),
        (1, -800.0, -1.0, 1.0),
        (1, 0.3, 1.0, 1.0 + 1e-9),
        (1, 0.3, -400.0, 400.0),
        (0, -800.0, 0.0, 1.0),
    ]
]


@pytest.mark.either
@pytest.mark.parametrize(
    ("family", "reference", "case"), FAR_OUT, ids=lambda x: x if isinstance(x, tuple | str) else ""
)
def test_far_out(family, reference, case):
    y, eta, *own = case
    with mp.workdps({"logistic": 700, "ordered": 400, "poisson": 330, "linear": 700}.get(family, 60)):
        exact = [mpf(x) for x in (eta, *own)]
        y_exact = y if family != "linear" else mpf(y)
        expected = float(reference(y_exact, *exact))
        slopes = [
            float(mp.diff(lambda *x: reference(y_exact, *x), exact, _unit(k, len(exact)))) for k in range(len(exact))
        ]
    numbers = [np.array(own)] if family == "ordered" else own
    outcome, one = np.array([y], float if family == "linear" else np.int64), np.ones((1, 1))
    python = getattr(glm, family)(outcome, one, np.zeros(1), *numbers, offset=eta)
    with plain_python():
        run = getattr(glm, family)._run
        value, grad = run(None, outcome, one, np.zeros(1), np.array(own, float), np.array([float(eta)]))
    scale = max(1.0, y * abs(np.log(max(y, 1.0))) if family != "linear" else 1.0)
    assert value == pytest.approx(expected, rel=1e-13, abs=1e-15 * scale if scale > 1.0 else 1e-320)
    assert python == pytest.approx(expected, rel=1e-13, abs=1e-12 * scale)
    # By alpha, logarithms and digamma functions cancel.
    np.testing.assert_allclose(grad[0], slopes[0], rtol=1e-12, atol=1e-320)
    np.testing.assert_allclose(grad[1:-1], slopes[1:], rtol=1e-12, atol=1e-13)


def _unit(k, n):
    return tuple(int(i == k) for i in range(n))


def test_softmax_far_out():
    shift = np.array([1e3, -1e3, 0.0])
    X, B = np.ones((3, 1)), np.zeros((1, 3))
    y = np.array([0, 1, 2])
    with plain_python():
        value, grad = glm.softmax._run(None, y, X, B, np.empty(0), shift)
    assert value == glm.softmax(y, X, B, shift) == -3000.0
    np.testing.assert_array_equal(grad[:9].reshape(3, 3), [[0.0, -1.0, -1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


#: Parameters and outcomes without density: family, what differs.
IMPOSSIBLE = [
    *(("linear", {"sigma": sigma}) for sigma in (0.0, -1.0, NAN, INF)),
    *(("negative_binomial", {"alpha": alpha}) for alpha in (0.0, -1.0, NAN, INF)),
    *(("ordered", {"cutpoints": np.array(c)}) for c in ([0.0, 0.0, 1.0], [1.0, 0.0, 2.0], [NAN, 0.0, 1.0])),
    *((family, {"beta": NAN}) for family in FAMILIES),
]
#: Outcomes that cannot be, and what is wanted of them.
NO_OUTCOME = {
    "linear": ((NAN, INF), "a finite number"),
    "logistic": ((2, -1, 0.5, NAN), "0 or 1"),
    "poisson": ((-1, 0.5, NAN, INF), "a whole number that is not negative and that int64 holds"),
    "negative_binomial": ((-1, 0.5, NAN, INF), "a whole number that is not negative and that int64 holds"),
    "ordered": ((-1, 4, 0.5, NAN, INF), "a whole number from 0 to 3"),
    "softmax": ((-1, 3, 0.5, NAN, INF), "a whole number from 0 to 2"),
}


def named(family):
    """Return a family's arguments by name."""
    beta, *own, y, X, offset = arguments(family, 6, 3)
    names = {"ordered": ["cutpoints"], "linear": ["intercept", "sigma"], "negative_binomial": ["intercept", "alpha"]}
    own = dict(zip(names.get(family, ["intercept"]), own, strict=True))
    return {"y": y, "X": X, "beta": beta, **own, "offset": offset}


def by_pass(family, given):
    numbers = [np.atleast_1d(given[key]) for key in ("sigma", "alpha", "cutpoints") if key in given] or [np.empty(0)]
    with plain_python():
        shift = given.get("intercept", 0.0) + given["offset"]
        return getattr(glm, family)._run(None, given["y"], given["X"], given["beta"], *numbers, shift)[0]


@pytest.mark.parametrize(("family", "change"), IMPOSSIBLE)
def test_impossible_parameters_have_no_density(family, change):
    given = named(family)
    change = {
        key: np.where(np.arange(np.size(given[key])) == 0, x, given[key].ravel()).reshape(given[key].shape)
        if key == "beta"
        else x
        for key, x in change.items()
    }
    assert getattr(glm, family)(**(given | change)) == -INF
    assert by_pass(family, given | change) == -INF


@by_family
def test_impossible_outcomes(family):
    given = named(family)
    outcomes, wanted = NO_OUTCOME[family]
    for outcome in outcomes:
        y = given["y"].astype(float)
        y[2] = outcome
        with pytest.raises(ValueError, match=rf"glm.{family}: y must be {wanted}, got {outcome:g}.* at index 2"):
            getattr(glm, family)(**(given | {"y": y}))
        assert by_pass(family, given | {"y": y}) == -INF


X = np.ones((4, 2))
REFUSED = [
    ({"X": np.asfortranarray(np.ones((4, 3)))}, r"X must be an array of float64 .*np.ascontiguousarray"),
    ({"X": X.astype(np.float32)}, r"X must be an array of float64 with two axes.* got float32 of shape \(4, 2\)"),
    ({"X": X[0]}, r"X must be an array of float64 with two axes.* got float64 of shape \(2,\)"),
    ({"X": X.tolist()}, "X must be an array of float64 with two axes.* got list"),
    ({"y": np.ones(3)}, r"y must have one element for each row of X \(4, 2\), got shape \(3,\)"),
    ({"beta": np.ones(3)}, r"beta must have one element for each column of X \(4, 2\), got shape \(3,\)"),
    ({"beta": np.ones((2, 1))}, r"beta must have one element for each column of X \(4, 2\), got shape \(2, 1\)"),
    ({"intercept": np.ones(2)}, r"intercept must be a number or fit to shape \(4,\), got \(2,\)"),
    ({"offset": np.ones((4, 1))}, r"offset must be a number or fit to shape \(4,\), got \(4, 1\)"),
    ({"sigma": np.ones(4)}, r"sigma must have 0 axes, got shape \(4,\)"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_python_refuses_what_does_not_fit(change, message):
    given = {"y": np.ones(4), "X": X, "beta": np.ones(2), "sigma": 1.0} | change
    with pytest.raises(ValueError, match="glm.linear: " + message):
        glm.linear(**given)


def in_model_with_active_matrix(x, y, X):
    return glm.logistic(y, X * x[0], x)  # here


def in_model_with_matrix_of_coefficients(x, y, X):
    return glm.logistic(y, X, np.outer(x, x))  # here


def in_model_with_many_sigmas(x, y, X):
    return glm.linear(y, X, x, x)  # here


def in_model_with_too_little(x, y, X):
    return glm.linear(y, X, x)  # here


def in_model_with_moving_intercept(x, y, X):
    return glm.softmax(y, X, np.outer(x, y), x[0])  # here


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (in_model_with_active_matrix, "glm.logistic: X depends on parameters, but must be data"),
        (in_model_with_matrix_of_coefficients, "glm.logistic: beta must have 1 axes, got 2"),
        (in_model_with_many_sigmas, "glm.linear: sigma must have 0 axes, got 1"),
        (in_model_with_too_little, "glm.linear: missing a required argument: 'sigma'"),
        (in_model_with_moving_intercept, "glm.softmax: intercept and offset must have an axis of categories"),
    ],
)
def test_models_refuse_what_does_not_fit(function, message):
    with pytest.raises(ADError, match=rf"(?s){message}.*# here"):
        value_and_grad(function).derive(np.ones(2), np.ones(4), np.ones((4, 2)))


def test_models_compare_sizes_when_they_run():
    with pytest.raises(ValueError, match="shapes do not fit"), plain_python():
        plain(logistic, (np.ones(3), 0.0, np.ones(4), np.ones((4, 2)), 0.0))
    with pytest.raises(ValueError, match="shapes do not fit"), plain_python():
        plain(logistic, (np.ones(2), 0.0, np.ones(4), np.ones((4, 2)), np.ones(3)))
