"""Every family: values and derivatives against mpmath, -inf where there is no density, draws, one result everywhere."""

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import integrate, stats

from nbinfer.autodiff import value_and_grad
from nbinfer.compile import JIT
from nbinfer.distributions import beta, categorical, ordered_logistic, poisson, student_t, truncated_normal
from tests.autodiff.plain import plain_value_and_grad
from tests.distributions import continuous, continuous_special, counts, discrete, positive
from tests.often import often

FAMILIES = {}
for part in (continuous, positive, continuous_special, discrete, counts):
    FAMILIES |= part.FAMILIES
FUNCTIONS = [(family, name) for family, about in FAMILIES.items() for name in about.functions]
by_family = pytest.mark.parametrize("family", FAMILIES)
by_function = pytest.mark.parametrize(("family", "name"), FUNCTIONS)
DRAWN = [family for family, about in FAMILIES.items() if about.draws]
by_drawn = pytest.mark.parametrize("family", DRAWN)
ALL_DRAWN = [(family, given) for family in DRAWN for given in (FAMILIES[family].draws, *FAMILIES[family].more_draws)]


def found(family, name):
    about = FAMILIES[family]
    return getattr(about.module, name), about.functions[name]


def columns(rows):
    return [np.array(column, float) for column in zip(*rows, strict=True)]


def exactly(args):
    return [list(map(mpf, arg)) if np.ndim(arg) else mpf(arg) for arg in args]


def reference(about, args):
    with mp.workdps(about.digits):
        return float(about.reference(*exactly(args)))


def derivative(about, args, place):
    """Differentiate the reference by an argument, or the elements of one."""
    if np.ndim(args[place]) == 0:
        return partial(about, args, lambda exact, step: [*exact[:place], step(exact[place]), *exact[place + 1 :]])
    found = []
    for k in range(len(args[place])):

        def moved(exact, step):
            row = exact[place]
            return [*exact[:place], [*row[:k], step(row[k]), *row[k + 1 :]], *exact[place + 1 :]]

        found.append(partial(about, args, moved))
    return found


def partial(about, args, moved):
    """Differentiate the reference by steps in proportion to what is moved; where that is 0, by tiny ones."""
    sizes = []
    moved(exactly(args), lambda x: sizes.append(abs(x) or mpf(1)))
    with mp.workdps(about.digits):
        return float(
            mp.diff(lambda t: about.reference(*moved(exactly(args), lambda x: x + sizes[0] * t)), 0) / sizes[0]
        )


class Derived:
    """Value and gradient by everything that is not a whole number; the generated code runs as plain Python."""

    def __init__(self, function, about):
        def call(*args):
            return function(*args[:-1]) + args[-1]  # where all are whole numbers, there is one more to differentiate by

        count = len(about.points[0])
        self.places = tuple(k for k in range(count) if k not in about.whole)
        self.vg = value_and_grad(call, (*self.places, count))

    def __call__(self, args):
        call = self.vg._take_apart([np.array(arg, float) if np.ndim(arg) else float(arg) for arg in (*args, 0.0)])
        compiled = self.vg._compiled(call)
        value = compiled._plain(*call.leaves, *call.gradients, *compiled.generated.arrays.values())
        return float(value), call.gradients[:-1]


@pytest.mark.either
@by_function
def test_value_and_derivatives_equal_the_reference(family, name):
    function, about = found(family, name)
    values = function(*columns(about.points))
    derived = Derived(function, about)
    for args, in_array in zip(about.points, values, strict=True):
        expected = reference(about, args)
        assert np.isfinite(expected), args
        near = about.near(args, expected, plain=True)
        assert in_array == near, args
        assert function(*args) == near, args
        value, gradient = derived(args)
        assert value == near, args
        for place, own in zip(derived.places, gradient, strict=True):
            exact = derivative(about, args, place)
            assert own == pytest.approx(exact, rel=about.grad_rtol, abs=about.grad_rtol), (args, place)


@pytest.mark.either
@by_function
def test_no_density_is_minus_infinity(family, name):
    function, about = found(family, name)
    nowhere = [*about.outside, *about.invalid]
    if not nowhere:
        return
    assert (function(*columns(nowhere)) == -np.inf).all()
    derived = Derived(function, about)
    for args in nowhere:
        assert function(*args) == -np.inf, args
        assert derived(args)[0] == -np.inf, args
    for args in about.outside:
        assert not np.isfinite(args[0]) or not any(np.isnan(g).any() for g in derived(args)[1]), args


@by_function
def test_density_is_infinite(family, name):
    function, about = found(family, name)
    for args in about.infinite:
        assert function(*args) == np.inf, args
        assert Derived(function, about)(args)[0] == np.inf, args


@pytest.mark.either
@pytest.mark.parametrize(("lower", "upper"), [(-np.inf, 2.0), (-1.0, np.inf), (-np.inf, np.inf)])
def test_infinite_bounds_have_no_derivative(lower, upper):
    def within(bounds, p):
        return truncated_normal.logpdf(0.4, p[0], p[1], bounds[0], bounds[1])

    p, far = np.array([0.3, 1.5]), np.array([max(lower, -30.0), min(upper, 30.0)])
    value, by_bounds = plain_value_and_grad(within, np.array([lower, upper]), p)
    assert value == pytest.approx(within(far, p), rel=1e-14)
    assert (by_bounds[~np.isfinite([lower, upper])] == 0.0).all()
    np.testing.assert_allclose(by_bounds, plain_value_and_grad(within, far, p)[1], rtol=1e-13, atol=1e-80)
    _, by_p = plain_value_and_grad(lambda p, bounds: within(bounds, p), p, np.array([lower, upper]))
    np.testing.assert_allclose(by_p, plain_value_and_grad(lambda p, bounds: within(bounds, p), p, far)[1], rtol=1e-13)


@by_family
def test_check_refuses_what_has_no_density(family):
    module, functions = FAMILIES[family].module, FAMILIES[family].functions
    about = next(iter(functions.values()))
    for _, *parameters in about.points:
        module.check(*parameters)
    for _, *parameters in about.invalid:
        with pytest.raises(ValueError, match=f"^{family}: "):
            module.check(*parameters)


@pytest.mark.either
@pytest.mark.parametrize(("family", "parameters"), ALL_DRAWN)
def test_draws_follow_the_distribution(family, parameters):
    about = FAMILIES[family]
    draws = about.module.random(np.random.default_rng(7), *parameters, size=20_000)
    density = getattr(about.module, next(iter(about.functions)))
    assert np.isfinite(density(draws, *parameters)).all()
    if not about.discrete:
        exact = about.scipy(*parameters).cdf if about.scipy else lambda x: np.exp(about.module.logcdf(x, *parameters))
        assert stats.kstest(draws, exact).pvalue > 1e-4
        return
    assert draws.dtype == np.int64
    values, counts = np.unique(draws, return_counts=True)
    expected = draws.size * np.exp(density(values, *parameters))
    common = expected >= 5.0
    rest = draws.size - expected[common].sum()
    observed = np.append(counts[common], counts[~common].sum())
    expected = np.append(expected[common], rest)
    statistic = np.sum((observed - expected) ** 2 / np.maximum(expected, 1.0))
    assert stats.chi2.sf(statistic, observed.size - 1) > 1e-4


@pytest.mark.either
@by_drawn
def test_the_whole_is_one_and_scipy_agrees(family):
    about = FAMILIES[family]
    name = next(iter(about.functions))
    density = getattr(about.module, name)
    lower, upper = about.module.support(*about.draws)
    if about.discrete:
        x = np.arange(lower, min(upper, 200) + 1)
        total = np.exp(density(x, *about.draws)).sum()
        x = x[:40]
    else:
        x = about.module.random(np.random.default_rng(3), *about.draws, 50)
        split = np.median(x)
        total = sum(
            integrate.quad(lambda x: np.exp(density(x, *about.draws)), *ends)[0]
            for ends in ((lower, split), (split, upper))
        )
    assert total == pytest.approx(1.0, rel=1e-7)
    if about.scipy is not None:
        frozen = about.scipy(*about.draws)
        for own in ("logcdf", "logsf", name):
            if own in about.functions:
                np.testing.assert_allclose(
                    getattr(about.module, own)(x, *about.draws), getattr(frozen, own)(x), rtol=1e-9, atol=1e-12
                )


COUNT = 40  # draws of each kind


def everything(family):
    """Write a function that fills arrays with all values and draws of a family.

    Loops that write to arrays compile faster than lists, some in half the time.
    """
    about = FAMILIES[family]
    text = ["def call(args, rng, parameters, values, draws):"]
    for i, (name, function) in enumerate(about.functions.items()):
        places = ", ".join(f"args[{i}][{k}][j]" for k in range(len(function.points[0])))
        text += [f"    for j in range(len(args[{i}][0])):", f"        values[{i}, j] = {name}({places})"]
    parameters = (about.draws, *about.more_draws) if about.draws else ()
    for i, given in enumerate(parameters):
        places = ", ".join(f"parameters[{i}][{k}]" for k in range(len(given)))
        text += [f"    for j in range({COUNT}):", f"        draws[{i}, j] = random(rng, {places})"]
    space = {name: getattr(about.module, name) for name in [*about.functions, "random"] if hasattr(about.module, name)}
    exec("\n".join(text), space)
    return space["call"], parameters


#: Of each kind: on the line and on a half of it, within bounds, of counts, of categories; with draws by rejection.
COMPILED = ("normal", "gamma", "beta", "truncated_normal", "von_mises", "poisson", "categorical", "ordered_logistic")


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
@pytest.mark.parametrize("family", often(FAMILIES, *COMPILED, "zero_inflated_poisson", "negative_binomial"))
def test_compiled_code_gives_the_same(family):
    import numba

    module, functions = FAMILIES[family].module, FAMILIES[family].functions.values()
    call, parameters = everything(family)
    rows = [[*some.points, *some.infinite, *some.outside, *some.invalid] for some in functions]
    args = tuple(tuple(columns(some)) for some in rows)
    values, draws = np.empty((len(rows), max(map(len, rows)))), np.empty((len(parameters), COUNT))
    numba.njit(call)(args, np.random.default_rng(9), parameters, values, draws)
    for function, some, found in zip(functions, rows, values, strict=True):
        for k, (at, value) in enumerate(zip(some, found, strict=False)):
            inside, infinite = k < len(function.points), k < len(function.points) + len(function.infinite)
            end = np.inf if infinite else -np.inf
            assert value == (function.near(at, reference(function, at)) if inside else end), at
    rng = np.random.default_rng(9)
    for given, found in zip(parameters, draws, strict=True):
        assert list(found) == [float(module.random(rng, *given)) for _ in range(COUNT)]


def several(p, x, k, rows):
    """Add densities of many kinds, over arrays."""
    total = np.sum(student_t.logpdf(x, 1.0 + p[0], p[1], 2.0)) + np.sum(beta.logpdf(0.1 * x, p[0], 2.0 + p[1]))
    total += np.sum(poisson.logpmf_log(k, p[1] * x)) + np.sum(categorical.logpmf_logit(k, p[0] * rows))
    total += np.sum(ordered_logistic.logpmf(k, p[1] * x, p[0] * rows[0]))
    return total + np.sum(truncated_normal.logpdf(x, p[1], p[0], 0.0, np.inf))


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_compiled_derivatives_are_the_plain_ones():
    rng = np.random.default_rng(4)
    data = rng.uniform(0.5, 4.0, 37), rng.integers(0, 3, 37), np.sort(rng.normal(size=(37, 3)), -1)
    p = np.array([0.7, 0.4])
    value, gradient = value_and_grad(several)(p, *data)
    plain_value, plain_gradient = plain_value_and_grad(several, p, *data)
    assert value == pytest.approx(plain_value, rel=1e-13)
    assert value == pytest.approx(several(p, *data), rel=1e-13)
    np.testing.assert_allclose(gradient, plain_gradient, rtol=1e-12)
