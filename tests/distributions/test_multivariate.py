"""Multivariate families: values and derivatives against mpmath, draws by their moments and marginals."""

import numpy as np
import pytest
from mpmath import mp, mpf

from nbinfer.autodiff import value_and_grad
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
from nbinfer.model.evaluate import plain_python
from tests.distributions.multivariate import ALPHA, CHOL, COV, FUNCTIONS, MU, RHO, P, W, X
from tests.often import often

nojit = pytest.mark.skipif(not JIT, reason="nothing is compiled")
by_function = pytest.mark.parametrize("name", FUNCTIONS)


def density(name):
    return getattr(FUNCTIONS[name].module, FUNCTIONS[name].name)


def exactly(thing):
    """Return a number, or lists of numbers, in mpmath's numbers; whole numbers stay."""
    if np.ndim(thing):
        return [exactly(item) for item in thing]
    return int(thing) if isinstance(thing, (int, np.integer)) else mpf(float(thing))


def with_element(nested, index, change):
    if not index:
        return change(nested)
    first, *rest = index
    return [with_element(item, rest, change) if i == first else item for i, item in enumerate(nested)]


def slopes(name, args, place):
    """Differentiate the reference by each element of an argument."""
    exact = [exactly(arg) for arg in args]
    found = np.zeros(np.shape(args[place]))
    for index in np.ndindex(found.shape):
        scale = abs(mpf(float(np.asarray(args[place])[index]))) or mpf(float(np.max(np.abs(args[place])))) or mpf(1)

        def moved(t, index=index, scale=scale):
            changed = with_element(exact[place], index, lambda x: x + scale * t)
            return FUNCTIONS[name].reference(*exact[:place], changed, *exact[place + 1 :])

        found[index] = mp.diff(moved, 0) / scale
    return found


def derived(name, args):
    """Return value and gradient by all that has a derivative, from generated code run as plain Python."""
    function = density(name)

    def call(*args):
        return function(*args)

    active = [k for k in range(len(args)) if k not in FUNCTIONS[name].data]
    both = value_and_grad(call, active)
    taken = both._take_apart(args)
    compiled = both._compiled(taken)
    with plain_python():
        value = compiled._plain(*taken.leaves, *taken.gradients)
    return value, dict(zip(active, taken.gradients, strict=True))


@pytest.mark.either
@by_function
def test_value_and_derivatives_equal_the_reference(name):
    for args in FUNCTIONS[name].points:
        with mp.workdps(100):
            expected = float(FUNCTIONS[name].reference(*map(exactly, args)))
            # An ill-conditioned matrix multiplies what rounding does to it.
            tolerance = 1e-13 * max(1.0, *(np.linalg.cond(a) for a in args if np.ndim(a) == 2 and a.any()), 1.0)
            size = max(
                1.0,
                abs(expected),
                *(
                    float(np.max(np.abs(a))) if np.ndim(a) < 2 and np.asarray(a).dtype.kind == "i" else 1.0
                    for a in args
                ),
            )
            assert density(name)(*args) == pytest.approx(expected, rel=tolerance, abs=tolerance * size)
            value, gradients = derived(name, args)
            assert value == pytest.approx(expected, rel=tolerance, abs=tolerance * size)
            for place, found in gradients.items():
                exact = slopes(name, args, place)
                np.testing.assert_allclose(
                    found, exact, rtol=10 * tolerance, atol=10 * tolerance * np.max(np.abs(exact))
                )


@pytest.mark.either
@by_function
def test_no_density_is_minus_infinity(name):
    for args in FUNCTIONS[name].outside:
        assert density(name)(*args) == -np.inf, args
        assert derived(name, args)[0] == -np.inf, args


# Batches, in Python, in compiled code and in models ------------------------------------------------------------------

MANY = np.random.default_rng(5).normal(size=(4, 3))
PROBABILITIES = np.random.default_rng(6).dirichlet(ALPHA, 4)
COUNTS = np.random.default_rng(7).multinomial(9, P, 4)
LONG = np.random.default_rng(8).normal(size=(4, 6))
FACTORS = lkj_cholesky.random(np.random.default_rng(9), 2.0, 3, 4)
EIGENVALUES = car.eigenvalues(W)


def one(d, i):
    """Call every density with the i-th element of each batch."""
    return np.array(
        [
            mvnormal.logpdf(d[0][i], MU, COV),
            mvnormal.logpdf_chol(d[0][i], MU, CHOL),
            mvnormal.logpdf_prec(d[0][i], MU, COV),
            mvstudent_t.logpdf(d[0][i], 3.0, MU, COV),
            dirichlet.logpdf(d[1][i], ALPHA),
            multinomial.logpmf(d[2][i], 9, P),
            dirichlet_multinomial.logpmf(d[2][i], 9, ALPHA),
            lkj_cholesky.logpdf(d[3][i], 1.5),
            gaussian_random_walk.logpdf(d[4][i], 0.1, 0.7, 0.2, 2.0),
            ar.logpdf(d[4][i], 0.3, RHO, 0.7, 0.2, 2.0),
            car.logpdf(d[0][i], MU, W, 0.6, 2.0),
            car.logpdf_eigen(d[0][i], MU, W, EIGENVALUES, 0.6, 2.0),
            wishart.logpdf(COV, 5.0, COV),
        ]
    )


def whole(d):
    """Call every density with whole batches."""
    return (
        mvnormal.logpdf(d[0], MU, COV),
        mvnormal.logpdf_chol(d[0], MU, CHOL),
        mvnormal.logpdf_prec(d[0], MU, COV),
        mvstudent_t.logpdf(d[0], 3.0, MU, COV),
        dirichlet.logpdf(d[1], ALPHA),
        multinomial.logpmf(d[2], 9, P),
        dirichlet_multinomial.logpmf(d[2], 9, ALPHA),
        lkj_cholesky.logpdf(d[3], 1.5),
        gaussian_random_walk.logpdf(d[4], 0.1, 0.7, 0.2, 2.0),
        ar.logpdf(d[4], 0.3, RHO, 0.7, 0.2, 2.0),
        car.logpdf(d[0], MU, W, 0.6, 2.0),
        car.logpdf_eigen(d[0], MU, W, EIGENVALUES, 0.6, 2.0),
    )


RNG = np.random.default_rng(0)
BATCHES = (MANY, PROBABILITIES, COUNTS, FACTORS, LONG)


def test_python_takes_batches():
    singles = np.array([one(BATCHES, i) for i in range(4)])
    for k, values in enumerate(whole(BATCHES)):
        np.testing.assert_allclose(values, singles[:, k], rtol=1e-14)
    values = mvnormal.logpdf(MANY.reshape(2, 1, 2, 3), MANY.reshape(2, 2, 3), COV)
    assert values.shape == (2, 2, 2)
    assert values[0, 1, 0] == pytest.approx(mvnormal.logpdf(MANY[0], MANY[2], COV), rel=1e-14)
    assert lkj_cholesky.logpdf(FACTORS.reshape(2, 2, 3, 3), np.array([1.0, 2.0])).shape == (2, 2)


def sum_of_batches(x, p, counts, L, series):
    """As a model would: all batches in one sum."""
    s = np.sum(mvnormal.logpdf(x, MU, COV)) + np.sum(mvnormal.logpdf_prec(x, x[0], COV))
    s += np.sum(mvstudent_t.logpdf(x, 3.0, MU, COV)) + np.sum(dirichlet.logpdf(p, ALPHA))
    s += np.sum(multinomial.logpmf(counts, 9, p)) + np.sum(dirichlet_multinomial.logpmf(counts, 9, ALPHA))
    s += np.sum(lkj_cholesky.logpdf(L, 1.5)) + np.sum(gaussian_random_walk.logpdf(series, 0.1, 0.7, 0.2, 2.0))
    return s + np.sum(ar.logpdf(series, 0.3, RHO, 0.7, 0.2, 2.0)) + np.sum(car.logpdf(x, MU, W, 0.6, 2.0))


def row_by_row(x, p, counts, L, series):
    """The same, one element at a time."""
    s = 0.0
    for i in range(4):
        s += mvnormal.logpdf(x[i], MU, COV) + mvnormal.logpdf_prec(x[i], x[0], COV)
        s += mvstudent_t.logpdf(x[i], 3.0, MU, COV) + dirichlet.logpdf(p[i], ALPHA)
        s += multinomial.logpmf(counts[i], 9, p[i]) + dirichlet_multinomial.logpmf(counts[i], 9, ALPHA)
        s += lkj_cholesky.logpdf(L[i], 1.5) + gaussian_random_walk.logpdf(series[i], 0.1, 0.7, 0.2, 2.0)
        s += ar.logpdf(series[i], 0.3, RHO, 0.7, 0.2, 2.0) + car.logpdf(x[i], MU, W, 0.6, 2.0)
    return s


def plain_gradient(function, active, args):
    both = value_and_grad(function, active)
    taken = both._take_apart(args)
    compiled = both._compiled(taken)
    with plain_python():
        value = compiled._plain(*taken.leaves, *taken.gradients, *compiled.generated.arrays.values())
    return value, taken.gradients


@pytest.mark.either
def test_models_take_batches():
    value, gradients = plain_gradient(sum_of_batches, [0, 1, 3, 4], BATCHES)
    assert value == pytest.approx(sum_of_batches(*BATCHES), rel=1e-13)
    expected, by_rows = plain_gradient(row_by_row, [0, 1, 3, 4], BATCHES)
    assert value == pytest.approx(expected, rel=1e-13)
    for found, other in zip(gradients, by_rows, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-12, atol=1e-12)


def element(d):
    return (mvnormal.logpdf(X, MU, COV),)


def elements(d):
    return mvnormal.logpdf(X, MU, COV), lkj_cholesky.logpdf(d[3][0], 1.5), wishart.logpdf(COV, 5.0, COV)


def part(d):
    return dirichlet.logpdf(d[1], ALPHA), multinomial.logpmf(d[2], 9, P), lkj_cholesky.logpdf(d[3], 1.5)


@pytest.mark.nojit
@nojit
@pytest.mark.parametrize("some", often([element, part, elements, whole], element, part))
def test_compiled_code_takes_elements_and_batches(some):
    import numba

    for compiled, plain in zip(numba.njit(some)(BATCHES), some(BATCHES), strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mvnormal.logpdf(X, MU[:2], COV), r"mvnormal.logpdf: .*: x \(3,\), mu \(2,\), cov \(3, 3\)"),
        (
            lambda: mvnormal.logpdf(X, MU, COV[:2]),
            r"mvnormal.logpdf: the last axes do not fit together: .* cov \(2, 3\)",
        ),
        (lambda: mvnormal.logpdf(0.5, MU, COV), r"mvnormal.logpdf: x needs 1 or more axes: x \(\), mu \(3,\)"),
        (
            lambda: mvnormal.logpdf(MANY, MANY[:3], COV),
            r"mvnormal.logpdf: shapes do not broadcast: x \(4, 3\), mu \(3, 3\)",
        ),
        (
            lambda: dirichlet.logpdf(P, ALPHA[:2]),
            r"dirichlet.logpdf: the last axes do not fit together: x \(3,\), alpha \(2,\)",
        ),
        (
            lambda: lkj_cholesky.logpdf(np.ones((2, 3)), 1.0),
            r"lkj_cholesky.logpdf: the last axes .*: chol \(2, 3\), eta",
        ),
        (
            lambda: mvnormal.random(RNG, MU[:2], COV),
            "mvnormal: mu must have an element for each row of the matrix, got mu = ",
        ),
        (lambda: mvnormal.random(RNG, MU, -COV), "mvnormal: cov must be a symmetric positive definite matrix, got"),
        (lambda: mvnormal.random(RNG, MU, CHOL), "mvnormal: cov must be a symmetric positive definite matrix, got"),
        (
            lambda: mvnormal.random_chol(RNG, MU, COV),
            "mvnormal: chol must be a lower triangular matrix with a positive diagonal, got",
        ),
        (
            lambda: mvnormal.random(RNG, [np.nan, 0, 0], COV),
            "mvnormal: mu must be finite numbers along the last axis, got",
        ),
        (lambda: dirichlet.random(RNG, [1.0, 0.0]), "dirichlet: alpha must be positive and finite along the last axis"),
        (lambda: multinomial.random(RNG, 3, [0.5, 0.6]), "multinomial: p must be probabilities that sum to 1"),
        (
            lambda: wishart.random(RNG, 1.5, COV),
            "wishart: nu must be greater than the number of rows less 1, got nu = 1.5",
        ),
        (lambda: car.random(RNG, MU, np.eye(3), 1.0, 1.0), "car: alpha must be between -1 and 1, got 1.0"),
        (lambda: car.random(RNG, MU, np.zeros((3, 3)), 0.5, 1.0), "car: W must be a symmetric matrix of weights"),
        (lambda: car.eigenvalues(np.triu(np.ones((3, 3)))), "car: W must be a symmetric matrix of weights"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_several_matrices_are_refused():
    several = np.stack([np.eye(2)] * 3)
    with pytest.raises(
        ValueError, match=r"wishart.logpdf: X must be one matrix, got shape \(3, 2, 2\); loop over several"
    ):
        wishart.logpdf(several, 4.0, np.eye(2))
    with pytest.raises(ValueError, match=r"mvnormal.logpdf: cov must be one matrix, got shape \(3, 2, 2\)"):
        mvnormal.logpdf(np.zeros(2), np.zeros(2), several)
