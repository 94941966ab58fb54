"""Every transform obeys its laws, in plain Python and compiled; a transform that forgets a term breaks one."""

import inspect
import math

import numpy as np
import pytest

from nbinfer.compile import JIT
from nbinfer.model.support import supports as s
from nbinfer.model.transforms import elementwise as transforms
from nbinfer.model.transforms import matrices as matrix_transforms
from nbinfer.model.transforms import vectors as vector_transforms
from tests.model.transforms import laws

SUPPORTS = [
    s.real(2),
    s.positive(3),
    s.lower(-2.5),
    s.lower([1.0, 1e3]),
    s.upper([0.0, 4.0], shape=(2, 2)),
    s.interval(-1.0, [2.0, 200.0]),
    s.unit(2),
    s.simplex(2),
    s.simplex(5),
    s.simplex(3, shape=2),
    s.ordered(1),
    s.ordered(4),
    s.ordered(3, shape=2),
    s.positive_ordered(4),
    s.positive_ordered(2, shape=3),
    s.unit_vector(2),
    s.unit_vector(3, shape=2),
    s.cholesky_corr(2),
    s.cholesky_corr(4),
    s.cholesky_corr(3, shape=2),
    s.covariance(2),
    s.covariance(4),
    s.covariance(3, shape=2),
]
NAMES = ["real", "positive", "lower", "upper", "interval", "simplex", "ordered", "positive_ordered", "unit_vector"]
NAMES += ["cholesky_corr", "covariance"]
BOUNDED = [support for support in SUPPORTS if support.transform in ("lower", "upper", "interval")]
by_support = pytest.mark.parametrize("support", SUPPORTS, ids=repr)
by_bounded = pytest.mark.parametrize("support", BOUNDED, ids=repr)


@pytest.fixture(params=["plain", "compiled"] if JIT else ["plain"])
def form(request):
    """Take the plain or the compiled form of a kernel."""
    return (lambda kernel: kernel.py_func) if request.param == "plain" else (lambda kernel: kernel)


def points(support, n=3):
    rng = np.random.default_rng(20)
    return [np.zeros(support.size)] + [rng.normal(size=support.size) for _ in range(n)]


def extremes(support):
    for size in (30.0, 700.0):
        alternating = size * (-1.0) ** np.arange(support.size)
        for sign in (1.0, -1.0):
            yield from (sign * np.full(support.size, size), sign * alternating)


def test_every_transform_is_tested():
    assert {support.transform for support in SUPPORTS} == set(NAMES)


@pytest.mark.parametrize("support", [c for c in SUPPORTS if c.name != "unit_vector"], ids=repr)
def test_log_jacobian_is_the_log_determinant(support, form):
    for u in points(support):
        laws.log_jacobian_is_the_log_determinant(form(support.forward), support, u)


@pytest.mark.either
@pytest.mark.parametrize("k", [2, 3, 6])
def test_unit_vectors_are_uniform_on_the_sphere(k, form):
    support = s.unit_vector(k)
    for y in np.random.default_rng(5).normal(size=(4, k)):
        laws.every_direction_has_equal_mass(form(support.forward), support, y / np.linalg.norm(y))


@by_support
def test_pullback_is_the_gradient(support, form):
    rng = np.random.default_rng(21)
    for u in points(support):
        laws.pullback_is_the_gradient(form(support.forward), form(support.pullback), support, u, rng)


@by_bounded
def test_settled_constants_are_those_of_fixed_bounds(support, form):
    laws.settled_constants_are_those_of_fixed_bounds(form(support.settle), support)


@pytest.mark.parametrize(
    "bounds", [[np.nan, 1.0], [0.0, np.nan], [1.0, 1.0], [2.0, 1.0], [0.0, np.inf], [-1e308, 1e308]]
)
def test_bounds_that_leave_nothing_do_not_settle(bounds, form):
    with np.errstate(all="ignore"):
        assert not form(s.interval(0, 1).settle)(np.array([*bounds, 0.0]))
        assert form(s.lower(0).settle)(np.array(bounds)) == np.isfinite(bounds).all()


@by_bounded
def test_sensitivity_is_the_gradient_by_the_bounds(support, form):
    kernels = [form(kernel) for kernel in (support.forward, support.settle, support.sensitivity)]
    rng = np.random.default_rng(24)
    for u in points(support):
        laws.sensitivity_is_the_gradient_by_the_bounds(*kernels, support, u, rng)


@by_support
def test_unconstrain_inverts_constrain(support):
    for u in points(support):
        value = support.constrain(u)
        back = support.unconstrain(value)
        np.testing.assert_allclose(support.constrain(back), value, rtol=1e-11, atol=1e-13)
        if support.name != "unit_vector":  # which forgets a radius
            np.testing.assert_allclose(back, u, rtol=1e-8, atol=1e-10)


@by_support
def test_extreme_coordinates_give_valid_values(support, form):
    for u in extremes(support):
        x, log_jacobian = laws.forward(form(support.forward), support, u)
        assert math.isfinite(log_jacobian)
        assert not np.isnan(x).any()
        assert_on_or_inside(support, x.reshape(support.shape))
        grad_u = laws.pullback(form(support.pullback), support, u, x, np.ones_like(x))
        assert not np.isnan(grad_u).any()


def assert_on_or_inside(support, x):
    c = support.constants
    if support.name in ("positive", "positive_ordered", "simplex"):
        assert (x >= 0.0).all()
    if support.name == "lower":
        assert (x.ravel() >= c).all()
    if support.name == "upper":
        assert (x.ravel() <= c).all()
    if support.name in ("interval", "unit"):
        assert (x.ravel() >= c[: x.size]).all()
        assert (x.ravel() <= c[x.size : 2 * x.size]).all()
    if support.name == "simplex":
        np.testing.assert_allclose(x.sum(axis=-1), 1.0, rtol=1e-14)
    if support.name in ("ordered", "positive_ordered"):
        assert (x[..., 1:] >= x[..., :-1]).all()
    if support.name in ("unit_vector", "cholesky_corr"):
        np.testing.assert_allclose((x * x).sum(axis=-1), 1.0, rtol=1e-14)
    if support.name == "cholesky_corr":
        assert (np.triu(x, 1) == 0.0).all()
        assert (np.diagonal(x, axis1=-2, axis2=-1) >= 0.0).all()
    if support.name == "covariance":
        np.testing.assert_array_equal(x, np.swapaxes(x, -1, -2))


@pytest.mark.parametrize("support", [s.positive(), s.lower(1.0), s.upper(1.0), s.ordered(2), s.covariance(2)], ids=repr)
def test_overflow_is_infinite_and_raises_nothing(support, form):
    x, log_jacobian = laws.forward(form(support.forward), support, np.full(support.size, 800.0))
    assert np.isinf(x).any()
    assert math.isfinite(log_jacobian)
    laws.pullback(form(support.pullback), support, np.full(support.size, 800.0), x, np.ones_like(x))


def test_nan_stays_nan(form):
    for support in (s.positive(), s.lower(0), s.interval(0, 1), s.simplex(3), s.cholesky_corr(2)):
        x, log_jacobian = laws.forward(form(support.forward), support, np.full(support.size, np.nan))
        assert np.isnan(x).any()
        assert math.isnan(log_jacobian)


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
@by_support
def test_compiled_equals_plain(support):
    for u in [*points(support), *extremes(support)]:
        x, log_jacobian = laws.forward(support.forward.py_func, support, u)
        compiled, log_jacobian_compiled = laws.forward(support.forward, support, u)
        np.testing.assert_allclose(compiled, x, rtol=1e-13)
        assert log_jacobian_compiled == pytest.approx(log_jacobian, rel=1e-13, abs=1e-13)
        grad_x = np.linspace(-1.0, 2.0, x.size)
        np.testing.assert_allclose(
            laws.pullback(support.pullback, support, u, x, grad_x),
            laws.pullback(support.pullback.py_func, support, u, x, grad_x),
            rtol=1e-12,
            atol=1e-12,
        )


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_each_kernel_was_compiled_once():
    for support in SUPPORTS:
        support.forward(np.zeros(support.size), np.empty(laws.flat_size(support)), support.constants.copy())
        assert len(support.forward.dispatcher.signatures) == 1


# Values known without a computer.


@pytest.mark.parametrize("k", [2, 3, 10])
def test_origin_of_a_simplex_is_its_centre(k):
    np.testing.assert_allclose(s.simplex(k).constrain(np.zeros(k - 1)), 1.0 / k, rtol=1e-15)


def test_simplex_coordinates_are_isometric_log_ratios():
    support = s.simplex(4)
    u, v = np.random.default_rng(3).normal(size=(2, 3))
    x, y = np.log(support.constrain(u)), np.log(support.constrain(v))
    clr = (x - x.mean()) - (y - y.mean())
    assert np.linalg.norm(clr) == pytest.approx(np.linalg.norm(u - v), rel=1e-13)


def test_a_correlation_is_the_tanh_of_its_coordinate():
    factor = s.cholesky_corr(2).constrain(0.7)
    assert (factor @ factor.T)[0, 1] == pytest.approx(math.tanh(0.7), rel=1e-15)


def test_coordinates_of_a_correlation_are_partial_correlations():
    u = np.array([0.3, -0.5, 0.8])
    factor = s.cholesky_corr(3).constrain(u)
    inverse = np.linalg.inv(factor @ factor.T)
    partial = -inverse[1, 2] / math.sqrt(inverse[1, 1] * inverse[2, 2])  # of 1 and 2, given 0
    assert partial == pytest.approx(math.tanh(u[2]), rel=1e-13)


def test_origin_of_matrices_is_the_identity():
    np.testing.assert_array_equal(s.cholesky_corr(3).constrain(np.zeros(3)), np.eye(3))
    np.testing.assert_array_equal(s.covariance(3).constrain(np.zeros(6)), np.eye(3))


def test_covariance_is_the_square_of_its_factor():
    u = np.random.default_rng(4).normal(size=6)
    factor = np.zeros((3, 3))
    factor[np.tril_indices(3)] = u
    factor[np.diag_indices(3)] = np.exp(np.diag(factor))
    np.testing.assert_allclose(s.covariance(3).constrain(u), factor @ factor.T, rtol=1e-14)


def test_unit_vector_at_its_singular_point_is_valid(form):
    support = s.unit_vector(4)
    x, log_density = laws.forward(form(support.forward), support, -np.ones(4))
    np.testing.assert_allclose(x, 0.5)
    assert log_density == 0.0
    assert (laws.pullback(form(support.pullback), support, -np.ones(4), x, np.ones(4)) == 0.0).all()
    np.testing.assert_allclose(support.constrain(np.zeros(4)), 0.5)


def test_interval_near_a_bound_keeps_its_digits():
    x = s.unit().constrain(-40.0)
    assert x == pytest.approx(math.exp(-40.0), rel=1e-15)
    assert s.unit().unconstrain(x)[0] == pytest.approx(-40.0, rel=1e-15)


# Mutants: the same source with one term wrong. A law that lets one pass is no law.

MUTANTS = [
    ("positive_forward", "log_jacobian += u[i]", "pass"),
    ("positive_pullback", " + 1.0", ""),
    ("lower_pullback", " + 1.0", ""),
    ("upper_forward", "log_jacobian += u[i]", "log_jacobian -= u[i]"),
    ("upper_pullback", "1.0 - grad_u", "1.0 + grad_u"),
    ("interval_forward", "constants[2 * n]", "0.0"),
    ("interval_forward", "2.0 * math.log1p", "math.log1p"),
    ("interval_pullback", "slope if u[i] < 0.0 else -slope", "0.0"),
    ("interval_settle", "total += math.log(width)", "pass"),
    ("lower_sensitivity", "= grad_x[i]", "= -grad_x[i]"),
    ("interval_sensitivity", " - by_width", ""),
    ("interval_sensitivity", " + by_width", ""),
    ("interval_sensitivity", "large if u[i] < 0.0 else small", "small"),
    ("interval_sensitivity", "small if u[i] < 0.0 else large", "large"),
    ("simplex_forward", "0.5 * count * math.log(constants[0])", "0.0"),
    ("simplex_forward", "log_jacobian -= k *", "log_jacobian -= (k - 1) *"),
    ("simplex_pullback", " - k)", ")"),
    ("simplex_pullback", " - mean", ""),
    ("ordered_forward", "log_jacobian += u[i]", "pass"),
    ("ordered_pullback", " + 1.0", ""),
    ("ordered_pullback", "above + grad_x[start]", "grad_x[start]"),
    ("positive_ordered_forward", "log_jacobian += u[i]", "pass"),
    ("positive_ordered_pullback", " + 1.0", ""),
    ("unit_vector_forward", "log_density -= 0.5 * square", "pass"),
    ("unit_vector_pullback", " - x[i] * along", ""),
    ("unit_vector_pullback", " - (u[i] + 1.0)", ""),
    ("cholesky_corr_forward", "(i - j + 1)", "(i - j)"),
    ("cholesky_corr_forward", "(i - j + 1)", "2"),
    ("cholesky_corr_pullback", "(i - j + 1)", "2"),
    ("cholesky_corr_pullback", "(after + ", "("),
    ("covariance_forward", "0.6931471805599453 * k * count", "0.0"),
    ("covariance_forward", "(k - i + 1)", "(k - i)"),
    ("covariance_pullback", "(k - j + 1)", "(k - j)"),
    ("covariance_pullback", " + grad_x[start + m * k + i]", ""),
]


def mutant(name, old, new):
    module = next(m for m in (transforms, vector_transforms, matrix_transforms) if hasattr(m, name))
    source = inspect.getsource(getattr(module, name).py_func)
    assert old in source
    namespace = dict(vars(module))
    exec(source.replace(old, new), namespace)
    return namespace[name].py_func


@pytest.mark.either
@pytest.mark.parametrize(("name", "old", "new"), MUTANTS)
def test_mutants_are_caught(name, old, new):
    transform, part = name.rsplit("_", 1)
    support = next(c for c in reversed(SUPPORTS) if c.transform == transform and c.name != "unit")
    broken = mutant(name, old, new)
    u = np.random.default_rng(22).normal(size=support.size)
    if part == "pullback":
        law, args = (
            laws.pullback_is_the_gradient,
            (support.forward.py_func, broken, support, u, np.random.default_rng(23)),
        )
    elif part == "settle":
        law, args = laws.settled_constants_are_those_of_fixed_bounds, (broken, support)
    elif part == "sensitivity":
        law = laws.sensitivity_is_the_gradient_by_the_bounds
        kernels = (support.forward.py_func, support.settle.py_func, broken)
        args = (*kernels, support, u, np.random.default_rng(23))
    elif transform == "unit_vector":
        law, args = laws.every_direction_has_equal_mass, (broken, s.unit_vector(2), np.array([0.6, 0.8]))
    else:
        law, args = laws.log_jacobian_is_the_log_determinant, (broken, support, u)
    with pytest.raises(AssertionError):
        law(*args)
