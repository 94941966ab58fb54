"""Truncated, censored and mixed families: densities against mpmath, mass one, draws by their distribution function."""

import itertools

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import integrate, stats

from nbinfer.autodiff import value_and_grad
from nbinfer.compile import JIT
from nbinfer.distributions import (
    beta,
    binomial,
    categorical,
    mixture,
    normal,
    poisson,
    truncated,
    truncated_normal,
)
from nbinfer.model.evaluate import plain_python
from tests.distributions.combined import (
    FUNCTIONS,
    INF,
    MU,
    W,
    capped_cut,
    capped_poisson,
    capped_weibull,
    cut_normal,
    cut_normals,
    cut_poisson,
    cut_weibull,
    mixed,
    normal_mass,
    normals,
    poissons,
)
from tests.often import often

NAN = np.nan
nojit = pytest.mark.skipif(not JIT, reason="nothing is compiled")

by_function = pytest.mark.parametrize("name", FUNCTIONS)


def density(name):
    family = FUNCTIONS[name][0]
    return getattr(family, "logpdf", None) or family.logpmf


def exactly(thing):
    return [exactly(item) for item in thing] if np.ndim(thing) else mpf(float(thing))


def gradient_of(name, args, place):
    """Differentiate the reference by an argument, or by each of its elements."""
    exact = [exactly(arg) for arg in args]

    def moved(t, k):
        changed = exact[place] + t if k is None else [x + t * (i == k) for i, x in enumerate(exact[place])]
        return FUNCTIONS[name][1](*exact[:place], changed, *exact[place + 1 :])

    if np.ndim(args[place]) == 0:
        return float(mp.diff(lambda t: moved(t, None), 0))
    return [float(mp.diff(lambda t, k=k: moved(t, k), 0)) for k in range(len(args[place]))]


def derived(function, args, active):
    """Return value and gradient from generated code run as plain Python."""

    def call(*args):
        return function(*args)

    both = value_and_grad(call, active)
    taken = both._take_apart(args)
    compiled = both._compiled(taken)
    with plain_python():
        value = compiled._plain(*taken.leaves, *taken.gradients)
    return value, taken.gradients


@pytest.mark.either
@by_function
def test_value_and_derivatives_equal_the_reference(name):
    _, reference, points, bounds = FUNCTIONS[name]
    for args in points:
        discrete = isinstance(args[0], int)
        at_bound = bounds and args[0] in args[-2:]
        active = [k for k in range(len(args) - bounds) if k > 0 or not (discrete or at_bound)]
        with mp.workdps(700 if 30.5 in np.abs(args[0:1]) else 60):
            expected = float(reference(*map(exactly, args)))
            assert density(name)(*args) == pytest.approx(expected, rel=1e-13, abs=1e-13)
            value, gradients = derived(density(name), args, active)
            assert value == pytest.approx(expected, rel=1e-13, abs=1e-13)
            for place, found in zip(active, gradients, strict=True):
                exact = gradient_of(name, args, place)
                if name == "truncated(mixture(normal))" and place == 1:  # along weights that sum to 1: elsewhere
                    found, exact = found - np.mean(found), exact - np.mean(exact)  # F and 1 - F have no meaning
                np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-10)


OUTSIDE = [
    ("truncated(normal)", [(-0.1, 0.3, 1.2, 0.0, 2.0), (2.1, 0.3, 1.2, 0.0, 2.0), (0.5, 0.3, -1.2, 0.0, 2.0)]),
    ("truncated(normal)", [(0.5, 0.3, 1.2, 2.0, 0.0), (0.5, NAN, 1.2, 0.0, 2.0), (NAN, 0.3, 1.2, 0.0, 2.0)]),
    ("truncated(normal)", [(0.5, 0.3, 1.2, NAN, 2.0), (0.5, 0.3, 1.2, 0.0, NAN)]),
    ("truncated(poisson)", [(0, 2.5, 1.0, 6.0), (7, 2.5, 1.0, 6.0), (2.5, 2.5, 1.0, 6.0), (3, -2.5, 1.0, 6.0)]),
    ("censored(weibull)", [(0.4, 2.0, 1.0, 0.5, 3.0), (3.1, 2.0, 1.0, 0.5, 3.0), (1.5, -2.0, 1.0, 0.5, 3.0)]),
    ("censored(weibull)", [(0.5, 2.0, -1.0, 0.5, 3.0), (3.0, 2.0, -1.0, 0.5, 3.0), (NAN, 2.0, 1.0, 0.5, 3.0)]),
    ("censored(poisson)", [(0, 2.5, 1.0, 6.0), (7, 2.5, 1.0, 6.0), (2.5, 2.5, 1.0, 6.0), (1, -2.5, 1.0, 6.0)]),
    ("mixture(normal)", [(0.5, 2.0 * W, MU, 1.2), (0.5, W, MU, -1.2), (0.5, W, NAN * MU, 1.2), (NAN, W, MU, 1.2)]),
    ("mixture(normal)", [(0.5, np.array([1.2, -0.2]), MU, 1.2), (0.5, NAN * W, MU, 1.2)]),
    (
        "mixture(normal, laplace)",
        [(0.5, 2.0 * W, 0.1, 0.9, 0.3, 2.0), (0.5, np.array([1.2, -0.2]), 0.1, 0.9, 0.3, 2.0)],
    ),
    ("mixture(normal, laplace)", [(0.5, W, 0.1, -0.9, 0.3, -2.0)]),
    ("mixture(poisson)", [(2.5, W, np.ones(2)), (-1, W, np.ones(2))]),
]


@pytest.mark.either
@pytest.mark.parametrize(("name", "points"), OUTSIDE)
def test_no_density_is_minus_infinity(name, points):
    for args in points:
        assert density(name)(*args) == -INF, args
        active = list(range(1, len(args) - FUNCTIONS[name][3]))
        assert derived(density(name), args, active)[0] == -INF, args


def test_a_component_of_weight_nothing_has_no_part():
    w = np.array([1.0, 0.0])
    value, (by_w, by_mu) = derived(normals.logpdf, (0.5, w, MU, 1.0), [1, 2])
    assert value == pytest.approx(normal.logpdf(0.5, -1.0, 1.0), rel=1e-14)
    assert np.isfinite(by_w).all()
    np.testing.assert_allclose(by_mu, [1.5, 0.0], rtol=1e-14)


def test_truncated_normal_is_the_family_of_that_name():
    x, lower = np.linspace(-1.0, 2.0, 7), np.array([-1.0, -INF])[:, None]
    args = (x, 0.3, 1.2, lower, 2.0)
    for kind in ("logpdf", "logcdf", "logsf"):
        np.testing.assert_allclose(getattr(cut_normal, kind)(*args), getattr(truncated_normal, kind)(*args), atol=1e-14)


# Mass -----------------------------------------------------------------------------------------------------------------


@pytest.mark.either
@pytest.mark.parametrize(
    ("family", "parameters", "points"),
    [
        (cut_normal, (0.3, 1.2, 0.0, 2.0), [0.0, 0.7, 2.0]),
        (cut_weibull, (2.0, 1.0, 0.5, INF), [0.5, 1.3, 12.0]),
        (truncated(beta), (0.5, 3.0, 0.1, 0.9), [0.1, 0.4, 0.9]),
        (capped_weibull, (2.0, 1.0, 0.5, 1.5), [0.5, 1.1, 1.5]),
        (normals, (W, MU, 1.2), [-15.0, 0.3, 20.0]),
        (mixed, (W, 0.1, 0.9, 0.3, 2.0), [-80.0, 0.3, 0.5, 80.0]),
        (cut_normals, (W, MU, 1.2, 0.0, 2.5), [0.0, 1.0, 2.5]),
        (capped_cut, (0.3, 1.2, 0.0, 4.0, 0.2, 2.0), [0.2, 1.0, 2.0]),
    ],
    ids=lambda thing: repr(thing) if isinstance(thing, type(normals)) else "",
)
def test_mass_is_one_and_what_the_distribution_function_says(family, parameters, points):
    """Censored families have mass in their ends, which the density at the ends is."""
    ends = repr(family).startswith("<family censored")
    below = np.exp(family.logpdf(points[0], *parameters)) if ends else 0.0
    for start, end in itertools.pairwise(points):
        assert below == pytest.approx(np.exp(family.logcdf(start, *parameters)), rel=1e-8, abs=1e-12)
        assert 1.0 - below == pytest.approx(np.exp(family.logsf(start, *parameters)), rel=1e-8)
        below += integrate.quad(lambda x: np.exp(family.logpdf(x, *parameters)), start, end, epsabs=1e-12)[0]
    if ends:
        below += np.exp(family.logpdf(points[-1], *parameters))
    assert below == pytest.approx(1.0, rel=1e-8)
    assert family.logcdf(points[-1] + 1.0, *parameters) == pytest.approx(0.0, abs=1e-12)
    assert family.logsf(points[0] - 100.0, *parameters) == pytest.approx(0.0, abs=1e-12)
    assert family.logsf(points[-1] + 900.0, *parameters) < -100.0
    assert family.logcdf(points[0] - 900.0, *parameters) < -100.0


@pytest.mark.parametrize(
    ("family", "parameters", "k"),
    [
        (cut_poisson, (2.5, 1.0, 6.0), np.arange(1, 7)),
        (cut_poisson, (2.5, 0.5, INF), np.arange(1, 60)),
        (capped_poisson, (2.5, 1.0, 6.0), np.arange(1, 7)),
        (capped_poisson, (2.5, 1.0, INF), np.arange(1, 60)),
        (poissons, (W, np.array([1.0, 4.0])), np.arange(80)),
        (mixture(poisson, binomial), (W, 2.0, 7, 0.3), np.arange(60)),
        (truncated(binomial), (7, 0.3, 2, 5), np.arange(2, 6)),
    ],
)
def test_discrete_mass_is_one_and_what_the_distribution_function_says(family, parameters, k):
    mass = np.exp(family.logpmf(k, *parameters))
    assert mass.sum() == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(np.exp(family.logcdf(k, *parameters)), np.cumsum(mass), rtol=1e-12)
    np.testing.assert_allclose(np.exp(family.logsf(k, *parameters)), 1.0 - np.cumsum(mass), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(family.logcdf(k + 0.5, *parameters), family.logcdf(k, *parameters), rtol=1e-14)


# Shapes ---------------------------------------------------------------------------------------------------------------


def test_arrays_broadcast():
    x, lower = np.array([0.5, 1.0, 1.5]), np.array([[0.0], [0.4]])
    values = cut_normal.logpdf(x, 0.3, 1.2, lower, INF)
    assert values.shape == (2, 3)
    assert values[1, 2] == pytest.approx(cut_normal.logpdf(1.5, 0.3, 1.2, 0.4, INF), rel=1e-14)
    values = normals.logpdf(x, W, MU, 1.2)
    assert values.shape == (3,)
    assert values[1] == pytest.approx(normals.logpdf(1.0, W, MU, 1.2), rel=1e-14)
    rows = np.array([[0.3, 0.7], [0.5, 0.5], [1.0, 0.0]])
    values = normals.logpdf(x, rows, rows, np.array([1.0, 2.0]))
    assert values[1] == pytest.approx(normals.logpdf(1.0, rows[1], rows[1], np.array([1.0, 2.0])), rel=1e-14)
    assert mixed.logpdf(x, W, 0.1, 0.9, 0.3, np.ones((2, 1))).shape == (2, 3)
    with pytest.raises(ValueError, match=r"truncated\(normal\).logpdf: shapes do not broadcast: x \(3,\), mu \(2,\)"):
        cut_normal.logpdf(x, np.ones(2), 1.2, 0.0, INF)


def sum_of_arrays(x, k, weights, mu, scale):
    total = np.sum(cut_normal.logpdf(x, mu[0], scale, 0.0, INF)) + np.sum(
        capped_weibull.logpdf(x, 2.0, scale, 0.5, 1.5)
    )
    total += np.sum(normals.logpdf(x, weights, mu, scale)) + np.sum(mixed.logpdf(x, weights, 0.1, scale, 0.3, 2.0))
    return total + np.sum(cut_poisson.logpmf(k, scale, 1, 6)) + np.sum(poissons.logpmf(k, weights, mu * mu))


def sum_of_elements(x, k, weights, mu, scale):
    total = 0.0
    for i in range(3):
        total += cut_normal.logpdf(x[i], mu[0], scale, 0.0, INF) + capped_weibull.logpdf(x[i], 2.0, scale, 0.5, 1.5)
        total += normals.logpdf(x[i], weights, mu, scale) + mixed.logpdf(x[i], weights, 0.1, scale, 0.3, 2.0)
        total += cut_poisson.logpmf(k[i], scale, 1, 6) + poissons.logpmf(k[i], weights, mu * mu)
    return total


ARGS = (np.array([0.5, 1.1, 1.5]), np.array([1, 3, 6]), W, MU, 1.1)


@pytest.mark.either
def test_models_take_arrays():
    value, gradients = derived(sum_of_arrays, ARGS, [2, 3, 4])
    assert value == pytest.approx(sum_of_arrays(*ARGS), rel=1e-13)
    expected, others = derived(sum_of_elements, ARGS, [2, 3, 4])
    assert value == pytest.approx(expected, rel=1e-13)
    for found, other in zip(gradients, others, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-12)


# Draws ----------------------------------------------------------------------------------------------------------------


def rng(seed=21):
    return np.random.default_rng(seed)


@pytest.mark.either
@pytest.mark.parametrize(
    ("family", "parameters", "size"),
    [
        (cut_normal, (0.3, 1.2, 0.0, 2.0), 2000),
        (cut_normal, (0.0, 1.0, 8.0, INF), 100),  # by inversion, as are the next two
        (cut_normal, (0.0, 1.0, -INF, -8.0), 100),
        (cut_weibull, (2.0, 1.0, 6.0, 6.1), 100),
        (normals, (W, MU, 1.2), 2000),
        (mixed, (W, 0.1, 0.9, 0.3, 2.0), 2000),
        (cut_normals, (W, MU, 1.2, 0.0, 2.5), 500),
    ],
)
def test_draws_follow_the_distribution_function(family, parameters, size):
    draws = family.random(rng(), *parameters, size=size)
    assert stats.kstest(draws, lambda x: np.exp(family.logcdf(x, *parameters))).pvalue > 1e-4
    assert np.isfinite(family.logpdf(draws, *parameters)).all()


def test_censored_draws():
    draws = capped_weibull.random(rng(), 2.0, 1.0, 0.5, 1.5, 2000)
    for end in (0.5, 1.5):
        p = np.exp(capped_weibull.logpdf(end, 2.0, 1.0, 0.5, 1.5))
        assert stats.binomtest(int(np.sum(draws == end)), 2000, p).pvalue > 1e-4
    inside = draws[(draws > 0.5) & (draws < 1.5)]
    law = stats.weibull_min(2.0)
    assert stats.kstest((law.cdf(inside) - law.cdf(0.5)) / (law.cdf(1.5) - law.cdf(0.5)), "uniform").pvalue > 1e-4


@pytest.mark.either
@pytest.mark.parametrize(
    ("family", "parameters", "size"),
    [
        (cut_poisson, (2.5, 1.0, 6.0), 2000),
        (cut_poisson, (2.0, 15.0, INF), 100),  # by inversion
        (cut_poisson, (60.0, -INF, 20.0), 100),
        (capped_poisson, (2.5, 1.0, 6.0), 2000),
        (poissons, (W, np.array([1.0, 4.0])), 2000),
        (mixture(poisson, binomial), (W, 2.0, 7, 0.3), 2000),
        (mixture(categorical), (W, np.array([[0.1, 0.9], [0.5, 0.5]])), 2000),
    ],
)
def test_discrete_draws_are_as_frequent_as_they_should_be(family, parameters, size):
    draws = family.random(rng(), *parameters, size=size)
    assert draws.dtype == np.int64
    values, counts = np.unique(draws, return_counts=True)
    expected = size * np.exp(family.logpmf(values, *parameters))
    common = expected >= 5.0
    observed = np.append(counts[common], counts[~common].sum())
    expected = np.append(expected[common], size - expected[common].sum())
    keep = expected > 1e-9 * size
    assert observed[~keep].sum() == 0
    assert stats.chisquare(observed[keep], expected[keep] * size / expected[keep].sum()).pvalue > 1e-4


def draw_all(rng, weights, mu):
    return (
        cut_normal.random(rng, 0.0, 1.0, 0.0, 2.0, 3),
        cut_normal.random(rng, 0.0, 1.0, 8.0, INF),
        capped_poisson.random(rng, 2.5, np.array([1.0, 2.0]), 6.0),
        normals.random(rng, weights, mu, 1.2, (2, 2)),
        mixed.random(rng, weights, 0.1, 0.9, 0.3, 2.0),
    )


def test_draws_broadcast():
    assert [np.shape(d) for d in draw_all(rng(), W, MU)] == [(3,), (), (2,), (2, 2), ()]
    assert normals.random(rng(), np.tile(W, (3, 1)), MU, 1.0).shape == (3,)


def some_of_arrays(x, k, weights, mu, scale):
    total = np.sum(cut_normal.logpdf(x, mu[0], scale, 0.0, INF)) + np.sum(normals.logpdf(x, weights, mu, scale))
    return total + np.sum(cut_poisson.logpmf(k, scale, 1, 6))


def draw_some(rng, weights, mu):
    return cut_normal.random(rng, 0.0, 1.0, 0.0, 2.0, 3), normals.random(rng, weights, mu, 1.2, (2, 2))


@pytest.mark.nojit
@nojit
@pytest.mark.parametrize("total", often([some_of_arrays, sum_of_arrays], some_of_arrays))
def test_compiled_code_computes_the_same(total):
    import numba

    assert numba.njit(total)(*ARGS) == pytest.approx(total(*ARGS), rel=1e-13)


@pytest.mark.nojit
@nojit
@pytest.mark.parametrize("draw", often([draw_some, draw_all], draw_some))
def test_compiled_draws_are_the_same(draw):
    import numba

    for one, other in zip(numba.njit(draw)(rng(), W, MU), draw(rng(), W, MU), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)  # inversion may round otherwise
        assert np.asarray(one).dtype == np.asarray(other).dtype


def test_no_mass_between_bounds_is_no_density():
    assert truncated(normal).logpdf(1e200, 0.0, 1.0, 1e200, 2e200) == -np.inf  # too little for numbers


@pytest.mark.either
@pytest.mark.parametrize("width", [1e-3, 1e-6, 1e-9, 1e-13, 2e-16])
@pytest.mark.parametrize("lower", [0.3, -8.0, 5.0])
def test_close_bounds_cost_no_digits(lower, width):
    upper = lower + width
    if upper == lower:
        return
    with mp.workdps(60):
        exact = mp.log(mp.npdf(lower)) - mp.log(normal_mass(mpf(lower), mpf(upper), 0, 1))
    assert truncated(normal).logpdf(lower, 0.0, 1.0, lower, upper) == pytest.approx(float(exact), abs=1e-8)
    draws = truncated(normal).random(np.random.default_rng(2), 0.0, 1.0, lower, upper, size=50)
    assert (draws >= lower).all()
    assert (draws <= upper).all()
    assert np.isfinite(truncated(normal).logpdf(draws, 0.0, 1.0, lower, upper)).all()


def test_close_bounds_of_no_width_to_speak_of():
    assert truncated(normal).logpdf(0.0, 0.0, 1.0, 0.0, 1e-300) == pytest.approx(-np.log(1e-300))
