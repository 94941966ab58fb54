"""Families at the ends of their supports, of huge and of tiny parameters, against mpmath; draws that have a density."""

import itertools

import numpy as np
import pytest
from mpmath import mp, mpf

from nbinfer.compile import JIT
from nbinfer.distributions import (
    _check,
    beta,
    beta_binomial,
    binomial,
    categorical,
    dirichlet,
    dirichlet_multinomial,
    gamma,
    geometric,
    hypergeometric,
    lkj_cholesky,
    mixture,
    multinomial,
    negative_binomial,
    normal,
    poisson,
    truncated_normal,
    zero_inflated_negative_binomial,
    zero_inflated_poisson,
)
from nbinfer.vectormath import incomplete_beta
from tests.autodiff.plain import plain_value_and_grad
from tests.distributions import multivariate
from tests.distributions.counts import negative_binomial_probability
from tests.distributions.test_families import FAMILIES, exactly

POSITIVE = (1e-8, 0.5, 1.0, 3.7, 1e3, 1e8, 1e15, 1e100)
#: Values that are tried for a parameter, by what it must be.
GRID = {
    _check.REAL: (0.0, -1.5, 1e8, -1e100),
    _check.POSITIVE: POSITIVE,
    _check.NONNEGATIVE: (0.0, *POSITIVE),
    _check.PROBABILITY: (0.0, 1e-100, 1e-9, 0.3, 1.0 - 1e-12, 1.0),
    _check.INTEGER: (-3, 0, 5, 10**15),
    _check.COUNT: (0, 1, 10, 10**6, 10**10, 10**15),
}
#: Enough for a difference of log gamma functions of 1e100.
DIGITS = 260
#: Errors that are allowed: of the value or 1, and in units of rounding for each argument, as it were rounded.
RTOL, ROUNDINGS = 2e-13, 20 * 2.0**-53
DENSITIES = ("logpdf", "logpmf", "logpmf_log", "logpmf_logit")
SWEPT = [
    (family, name)
    for family, about in FAMILIES.items()
    for name in DENSITIES
    if name in about.functions
    and about.draws
    and not any(about.module.check.cores)
    and "student" not in family
    and family != "truncated_normal"
]


def parameters_of(family, most):
    """Return parameters from the grid that are valid, not more than `most` of them."""
    check = FAMILIES[family].module.check
    by_test = {condition.test: values for condition, values in GRID.items()}
    grids = {names[0]: by_test[test] for names, test, _ in check.tests() if test in by_test}
    found = []
    for combination in itertools.product(*(grids[name] for name in check.names)):
        try:
            check(*combination)
        except ValueError:
            continue
        found.append(combination)
    step = max(1, len(found) // most)
    return found[step // 2 :: step]


def exact_value(about, args):
    """Return the reference; None where it is not defined."""
    with mp.workdps(DIGITS):
        try:
            value = about.reference(*exactly(args))
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
        return float(value) if mp.im(value) == 0 and not mp.isnan(value) else None


def condition(about, args):
    """Return how much the value changes if its arguments do, by as much as they are large."""
    total, step = 0.0, mpf(10) ** -60
    with mp.workdps(DIGITS):
        for place in range(len(args)):
            if args[place] == 0.0:
                continue
            up, down = exactly(args), exactly(args)
            up[place] *= 1 + step
            down[place] *= 1 - step
            total += float(abs((about.reference(*up) - about.reference(*down)) / (2 * step)))
    return total


@np.errstate(all="ignore")
def sweep(family, name, most):
    """Return where a density is wrong, at its draws and at a few other points inside the support."""
    module, about = FAMILIES[family].module, FAMILIES[family].functions[name]
    wrong = []
    for given in parameters_of(family, most):
        draws = module.random(np.random.default_rng(3), *given, size=2)
        parameters = given
        if name == "logpmf_log":
            parameters = (float(np.clip(np.log(given[0]), -600.0, 600.0)) if given[0] else -3.0, *given[1:])
        elif name == "logpmf_logit":
            parameters = (
                *given[:-1],
                float(np.clip(np.log(given[-1]) - np.log1p(-np.float64(given[-1])), -600.0, 600.0)),
            )
        lower, upper = module.support(*given)
        for x in {*map(float, draws), 1.0, 0.25, 3.0}:
            if not lower <= x <= upper or (not FAMILIES[family].discrete and x in (lower, upper)):
                continue
            if FAMILIES[family].discrete and x != int(x):
                continue
            args = (x, *parameters)
            exact = exact_value(about, args)
            if exact is None or not np.isfinite(exact) or abs(exact) > 1e290:
                continue
            value = float(getattr(module, name)(*args))
            error = abs(value - exact)
            if error > RTOL * (1.0 + abs(exact)) and not error <= ROUNDINGS * condition(about, args):
                wrong.append((args, value, exact))
    return wrong


@pytest.mark.either
@pytest.mark.parametrize(("family", "name"), SWEPT)
def test_extreme_parameters(family, name):
    assert sweep(family, name, 12) == []


@pytest.mark.slow
@pytest.mark.parametrize(("family", "name"), SWEPT)
def test_extreme_parameters_everywhere(family, name):
    assert sweep(family, name, 400) == []


@pytest.mark.either
@pytest.mark.parametrize("family", sorted({family for family, _ in SWEPT}))
def test_draws_of_extreme_parameters_have_a_density(family):
    module = FAMILIES[family].module
    density = getattr(module, next(iter(FAMILIES[family].functions)))
    for parameters in parameters_of(family, 60):
        draws = module.random(np.random.default_rng(3), *parameters, size=5)
        assert (density(draws, *parameters) > -np.inf).all(), (parameters, draws)
        assert np.isfinite(draws).all(), (parameters, draws)


# Large shapes and counts ----------------------------------------------------------------------------------------------


def urn(k, n, a, b):
    """Return the log probability of a beta-binomial from logarithms of rising factorials."""

    def rise(x, m):
        return mp.fsum(mp.log1p(i / x) for i in range(m))

    a, b = mpf(a), mpf(b)
    shares = k * mp.log(a / (a + b)) + (n - k) * mp.log(b / (a + b))
    return mp.log(mp.binomial(n, k)) + rise(a, k) + rise(b, n - k) - rise(a + b, n) + shares


@pytest.mark.parametrize("k", [0, 3, 10])
@pytest.mark.parametrize(("a", "b"), [(1e8, 1e8), (3e12, 1e15), (1e200, 1e200), (1e20, 0.5), (0.3, 2.0)])
def test_urns_with_many_balls(k, a, b):
    with mp.workdps(60):
        exact = float(urn(k, 10, a, b))
    assert beta_binomial.logpmf(k, 10, a, b) == pytest.approx(exact, rel=1e-13, abs=1e-13)
    value = dirichlet_multinomial.logpmf([k, 10 - k], 10, [a, b])
    assert value == pytest.approx(exact, rel=1e-13, abs=1e-13)


def test_slopes_by_large_shapes_do_not_cancel():
    def slope(k, n, a, b):
        return mp.diff(lambda t: urn(k, n, mpf(a) * (1 + t), b), 0)

    for a, b in ((1e8, 3e8), (1e12, 1e12), (7.0, 1e15)):
        _, gradient = plain_value_and_grad(lambda p: beta_binomial.logpmf(4, 10, p[0], p[1]), np.array([a, b]))
        with mp.workdps(60):
            assert gradient[0] * a == pytest.approx(float(slope(4, 10, a, b)), rel=1e-6, abs=1e-14)
        _, gradient = plain_value_and_grad(lambda p: negative_binomial.logpmf(4, 2.5, p[0]), np.array([a]))
        with mp.workdps(60):
            exact = mp.diff(lambda t, a=a: negative_binomial_probability(4, mpf(2.5), mpf(a) * (1 + t)), 0)
        assert gradient[0] * a == pytest.approx(float(exact), rel=1e-6, abs=1e-14)


def test_multivariate_counts_and_shapes():
    x, p = np.array([10**12 + 5, 3 * 10**12, 4 * 10**12 - 5]), np.array([0.125, 0.375, 0.5])
    with mp.workdps(60):
        exact = multivariate.multinomial_mass([mpf(int(v)) for v in x], mpf(8 * 10**12), list(map(mpf, p)))
    assert multinomial.logpmf(x, 8 * 10**12, p) == pytest.approx(float(exact), abs=1e-9)
    alpha, y = np.array([1e12, 2e12, 3e12]), np.array([0.25, 0.25, 0.5])
    y = alpha / 6e12
    with mp.workdps(60):
        exact = multivariate.dirichlet_density(list(map(mpf, y)), list(map(mpf, alpha)))
    assert dirichlet.logpdf(y, alpha) == pytest.approx(float(exact), abs=1e-3)
    chol = np.linalg.cholesky(np.array([[1.0, 1e-9], [1e-9, 1.0]]))
    with mp.workdps(60):
        exact = multivariate.lkj([list(map(mpf, row)) for row in chol], mpf(1e15))
    assert lkj_cholesky.logpdf(chol, 1e15) == pytest.approx(float(exact), abs=0.3)


@pytest.mark.parametrize("n", [10**10, 10**13, 10**15])
@pytest.mark.parametrize("p", [0.5, 0.1])
def test_tails_of_large_counts(n, p):
    k = int(n * p)
    near = 1.0 - 2.0 * p
    skewness = near / np.sqrt(n * p * (1.0 - p)) / np.sqrt(2.0 * np.pi)
    for tail, sign in ((binomial.logcdf(k, n, p), 1.0), (binomial.logsf(k, n, p), -1.0)):
        half = 0.5 / np.sqrt(2.0 * np.pi * n * p * (1.0 - p)) + skewness / 6.0
        assert np.exp(tail) == pytest.approx(0.5 + sign * half, rel=1e-9)
    lower, is_lower = incomplete_beta._value.py_func(n - k + 0.0, k + 1.0, 1.0 - p)
    assert lower == pytest.approx((binomial.logcdf if is_lower else binomial.logsf)(k, n, p), abs=1e-6)


@pytest.mark.either
def test_huge_populations_are_drawn_from():
    rng = np.random.default_rng(5)
    for N, K, n in ((3 * 10**9, 10**9, 20), (3 * 10**9, 2 * 10**9, 3 * 10**9 - 15), (10**15, 6 * 10**14, 10**5)):
        k = hypergeometric.random(rng, N, K, n, 200)
        mean, deviation = n * (K / N), np.sqrt(n * (K / N) * (1.0 - K / N) * (N - n) / (N - 1))
        assert abs(k.mean() - mean) < 4.0 * deviation / np.sqrt(200)
        assert k.std() == pytest.approx(deviation, rel=0.2)
        assert np.isfinite(hypergeometric.logpmf(k, N, K, n)).all()


# Draws beyond int64 and beyond floats ---------------------------------------------------------------------------------

BEYOND = [
    (geometric, (1e-20,)),
    (poisson, (1e19,)),
    (negative_binomial, (1e20, 2.0)),
    (zero_inflated_poisson, (1.0, 1e19)),
    (zero_inflated_negative_binomial, (1.0, 1e20, 2.0)),
]


@pytest.mark.parametrize(("family", "parameters"), BEYOND)
def test_draws_beyond_int64_are_its_largest(family, parameters):
    draws = family.random(np.random.default_rng(1), *parameters, size=4)
    assert draws.dtype == np.int64
    assert (draws == 2**63 - 1).all()


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_compiled_draws_are_the_same_at_extremes():
    import numba

    @numba.njit
    def call(rng):
        found = [geometric.random(rng, 1e-20), geometric.random(rng, 0.2), poisson.random(rng, 1e19)]
        found += [negative_binomial.random(rng, 1e20, 2.0), zero_inflated_poisson.random(rng, 1.0, 1e19)]
        found += [hypergeometric.random(rng, 10**15, 6 * 10**14, 10**5), poisson.random(rng, 2.5)]
        more = [gamma.random(rng, 1e-3, 1.0), beta.random(rng, 1e-3, 1e-3), beta.random(rng, 1e20, 2.0)]
        return found, [*more, truncated_normal.random(rng, 0.0, 1e-10, 1.0, 2.0)]

    counts, numbers = call(np.random.default_rng(8))
    plain_counts, plain_numbers = call.py_func(np.random.default_rng(8))
    assert counts == plain_counts
    assert numbers == plain_numbers


def test_impossible_categories_are_not_drawn():
    p = np.array([0.1, 0.2, 0.3, 0.4 - 4e-6, 0.0])
    draws = multinomial.random(np.random.default_rng(1), 10**7, p)
    assert draws.sum() == 10**7
    assert draws[-1] == 0


def test_draws_of_a_tail_far_out_end():
    for parameters in ((0.0, 1e-300, 1.0, 2.0), (-1e300, 1e-300, 1.0, 2.0), (5.0, 1e-20, -np.inf, 4.0)):
        draws = truncated_normal.random(np.random.default_rng(1), *parameters, size=3)
        assert ((draws >= parameters[2]) & (draws <= parameters[3])).all()
    near = truncated_normal.random(np.random.default_rng(1), 0.0, 1e-6, 1e4, 1e4 + 1.0, size=2000)
    assert (near - 1e4).mean() == pytest.approx(1e-16, abs=2e-12)


# Probabilities that were float32 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 7, 1000])
def test_probabilities_may_have_been_float32(count):
    for p in (np.full(count, 1.0 / count, np.float32), np.random.default_rng(1).random(count).astype(np.float32)):
        p = (p / p.sum()).astype(np.float32)
        for given in (p, p.astype(float)):
            assert np.isfinite(categorical.logpmf(2, given))
            assert np.isfinite(multinomial.logpmf(np.ones(count, int), count, given))
            assert np.isfinite(dirichlet.logpdf(given, np.ones(count)))
            assert np.isfinite(mixture(normal).logpdf(0.0, given, np.zeros(count), 1.0))
            assert 0 <= categorical.random(np.random.default_rng(1), given) < count


def test_messages_say_what_probabilities_sum_to():
    with pytest.raises(ValueError, match=r"which sum to 1\.1"):
        categorical.random(np.random.default_rng(1), [0.5, 0.6])


# Ends -----------------------------------------------------------------------------------------------------------------


def test_a_diagonal_of_zero_has_the_power_of_its_shape():
    chol = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert lkj_cholesky.logpdf(chol, 0.5) == np.inf
    assert lkj_cholesky.logpdf(chol, 2.0) == -np.inf
    assert lkj_cholesky.logpdf(chol, 1.0) == pytest.approx(np.log(0.5))


def test_where_all_come_from_the_family_nothing_underflows():
    assert zero_inflated_poisson.logpmf(0, 1.0, 1e4) == pytest.approx(-1e4)


def test_slopes_at_ends_are_numbers():
    for density in (
        lambda p: gamma.logpdf(0.0, 1.0, p[0]),
        lambda p: beta.logpdf(0.0, 1.0, p[0]),
        lambda p: beta.logpdf(1.0, p[0], 1.0),
    ):
        assert plain_value_and_grad(density, np.array([2.0]))[1] == pytest.approx(0.5)
