"""Log densities equal SciPy's, are -inf where they should be, and are the same plain and compiled."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import integrate, stats

from nbinfer.compile import JIT
from nbinfer.distributions import exponential, half_cauchy, half_normal, normal, uniform

INF, NAN = np.inf, np.nan


def normal_of(x):
    return normal.logpdf(x[0], x[1], x[2])


def half_normal_of(x):
    return half_normal.logpdf(x[0], x[1])


def half_cauchy_of(x):
    return half_cauchy.logpdf(x[0], x[1])


def uniform_of(x):
    return uniform.logpdf(x[0], x[1], x[2])


def exponential_of(x):
    return exponential.logpdf(x[0], x[1])


#: For all that live above 0 and have one parameter, which is positive.
NOWHERE = [(-1e-300, 1.0), (-INF, 1.0), (INF, 1.0), (0.0, 0.0), (1.0, 0.0), (1.0, -1.0)]
NOWHERE += [(NAN, 1.0), (1.0, NAN), (0.0, INF), (INF, 0.0)]

#: module, a user's function that calls it, SciPy's logpdf, ordinary and extreme arguments
FAMILIES = {
    "normal": (
        normal,
        normal_of,
        lambda x, mu, sigma: stats.norm.logpdf(x, mu, sigma),
        [(0.3, 1.0, 2.0), (-4.0, 0.0, 1e-3), (1e8, 1e8, 1.0), (1e100, 0.0, 1e100), (1e-300, 0.0, 1e-300), (40.0, 0, 1)],
    ),
    "half_normal": (
        half_normal,
        half_normal_of,
        lambda x, sigma: stats.halfnorm.logpdf(x, scale=sigma),
        [(0.3, 2.0), (0.0, 1.0), (1e-300, 1e-3), (1e100, 1e100), (30.0, 1.0)],
    ),
    "half_cauchy": (
        half_cauchy,
        half_cauchy_of,
        lambda x, beta: stats.halfcauchy.logpdf(x, scale=beta),
        [(0.3, 2.0), (0.0, 1.0), (1e-300, 1e-3), (1e100, 1e100), (1e150, 1.0), (1.0, 1e-150)],
    ),
    "uniform": (
        uniform,
        uniform_of,
        lambda x, lower, upper: stats.uniform.logpdf(x, lower, upper - lower),
        [(0.3, 0.0, 2.0), (0.0, 0.0, 2.0), (2.0, 0.0, 2.0), (1e-300, 0.0, 1e-299), (0.0, -1e300, 1e300)],
    ),
    "exponential": (
        exponential,
        exponential_of,
        lambda x, rate: stats.expon.logpdf(x, scale=1.0 / rate),
        [(0.3, 2.0), (0.0, 5.0), (1e-300, 1e300), (1e3, 1.0), (1e100, 1e-100)],
    ),
}

#: Arguments without density.
OUTSIDE = {family: list(NOWHERE) for family in FAMILIES}
OUTSIDE["normal"] = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (NAN, 0.0, 1.0), (0.0, NAN, 1.0)]
OUTSIDE["normal"] += [(0.0, 0.0, NAN), (INF, 0.0, 1.0), (INF, INF, 1.0), (0.0, 0.0, INF), (INF, 0.0, INF)]
OUTSIDE["normal"] += [(1e200, 0.0, 1.0)]
OUTSIDE["uniform"] = [(-0.1, 0.0, 1.0), (1.1, 0.0, 1.0), (1.0, 1.0, 1.0), (0.5, 1.0, 0.0), (NAN, 0.0, 1.0)]
OUTSIDE["uniform"] += [(0.5, NAN, 1.0), (0.5, 0.0, NAN), (0.5, 0.0, INF), (INF, 0.0, INF)]
OUTSIDE["exponential"] += [(1.0, INF)]
by_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(params=["plain", "compiled"] if JIT else ["plain"])
def in_users_function(request):
    """Call a family's logpdf from a function of the user's, plain or compiled."""
    if request.param == "plain":
        return lambda function: function
    import numba

    return numba.njit


@by_family
def test_equals_scipy(family, in_users_function):
    _, function, reference, inside = FAMILIES[family]
    call = in_users_function(function)
    for args in inside:
        numbers = tuple(map(float, args))
        value = call(numbers)
        assert np.isfinite(value)
        assert value == pytest.approx(reference(*numbers), rel=1e-14, abs=1e-14)
    columns = tuple(np.array(column, float) for column in zip(*inside, strict=True))
    np.testing.assert_allclose(call(columns), reference(*columns), rtol=1e-14, atol=1e-14)


@by_family
def test_no_density_is_minus_infinity(family, in_users_function):
    _, function, _, inside = FAMILIES[family]
    outside = OUTSIDE[family]
    call = in_users_function(function)
    for args in outside:
        assert call(args) == -INF, args
    columns = tuple(np.array(column, float) for column in zip(*outside, strict=True))
    assert (call(columns) == -INF).all()
    mixed = tuple(np.array(pair) for pair in zip(inside[0], outside[0], strict=True))
    assert (np.isfinite(call(mixed)) == [True, False]).all()


@by_family
def test_arguments_broadcast(family, in_users_function):
    _, function, reference, inside = FAMILIES[family]
    call = in_users_function(function)
    x, *parameters = inside[0]
    grid = np.array([[x], [2.0 * x]])
    wide = [np.full(3, parameter) for parameter in parameters]
    np.testing.assert_allclose(call((grid, *wide)), reference(grid, *wide), rtol=1e-14)
    np.testing.assert_allclose(call((grid, *parameters)), reference(grid, *parameters), rtol=1e-14)
    assert call((x, *wide)).shape == (3,)


@by_family
def test_integers_and_names_are_welcome(family):
    module, _, reference, _ = FAMILIES[family]
    names = module.logpdf.py_func.__code__.co_varnames[: module.logpdf.py_func.__code__.co_argcount]
    args = (1, 0, 2) if len(names) == 3 else (1, 2)
    expected = pytest.approx(reference(*map(float, args)), rel=1e-14)
    assert module.logpdf(*args) == expected
    assert module.logpdf(**dict(zip(names, args, strict=True))) == expected
    assert module.logpdf([1, 1], *args[1:]) == pytest.approx([expected.expected] * 2)


@by_family
def test_integrates_to_one(family):
    module, _, _, inside = FAMILIES[family]
    _, *parameters = inside[0]
    ends = module.support(*parameters)
    total = integrate.quad(lambda x: np.exp(module.logpdf(x, *parameters)), *ends)[0]
    assert total == pytest.approx(1.0, rel=1e-8)


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
@by_family
def test_compiled_equals_plain(family):
    import numba

    module, function, _, inside = FAMILIES[family]
    compiled = numba.njit(function)
    rng = np.random.default_rng(6)
    x = np.abs(rng.normal(size=100))
    parameters = [np.full(100, parameter, float) for parameter in inside[0][1:]]
    np.testing.assert_allclose(compiled((x, *parameters)), module.logpdf(x, *parameters), rtol=1e-14)
    assert compiled((0.5, *map(float, inside[0][1:]))) == pytest.approx(module.logpdf(0.5, *inside[0][1:]), rel=1e-14)


def test_plain_python_never_imports_numba():
    code = (
        "import sys; import numpy as np; from nbinfer.distributions import normal, uniform, half_cauchy; "
        "normal.logpdf(np.ones(3), 0.0, 1.0), uniform.logpdf(0.5, 0, 1); half_cauchy.logpdf(1, 2); "
        "assert not {'numba', 'llvmlite', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
