"""What the marks of distributions add: shapes, checks, compiled loops over parameters and size."""

import subprocess
import sys

import numpy as np
import pytest
from numpydoc.validate import validate

from nbinfer import distributions
from nbinfer.autodiff import value_and_grad
from nbinfer.compile import JIT
from nbinfer.distributions import categorical, exponential, half_flat, mvnormal, normal, triangular, uniform
from nbinfer.distributions._check import REAL, SIMPLEX, Check
from nbinfer.distributions._function import density, generator
from nbinfer.vectormath import row_sum
from tests.test_docstrings import ASKED

row_check = Check("row", shift=REAL, p=SIMPLEX)


@density(cores=(0, 1))
def total(x, p):
    """Add a row to a number: elements with an axis of their own."""
    return x + row_sum(p)


@density
def trials(k, n, i):
    """Have parameters named as generated text might name its own variables."""
    return k + n * i


@generator(row_check, discrete=True)
def count(rng, shift, p, size=None):
    """Draw a small integer."""
    return int(shift + len(p) * rng.random())


def test_shapes_that_do_not_broadcast_are_refused_with_all_shapes():
    with pytest.raises(ValueError, match=r"normal.logpdf: .*: x \(3,\), mu \(4,\), sigma \(\)"):
        normal.logpdf(np.ones(3), np.ones(4), 1.0)
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"normal: .*: mu \(3,\), sigma \(4,\)"):
        normal.random(rng, np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match=r"normal.random: .* size \(2, 4\): mu \(3,\), sigma \(\)"):
        normal.random(rng, np.ones(3), 1.0, (2, 4))
    with pytest.raises(ValueError, match=r"total: .*: x \(3,\), p \(2, 5\)"):
        total(np.ones(3), np.ones((2, 5)))


def test_check_names_what_is_wrong():
    assert normal.check(0.0, np.ones((2, 3))) is None
    with pytest.raises(ValueError, match=r"normal: sigma must be positive and finite, got -1.0 at index \(1, 0\)"):
        normal.check(0.0, [[1.0, 2.0], [-1.0, -2.0]])
    with pytest.raises(ValueError, match=r"normal: mu must be a finite number, got nan$"):
        normal.check(mu=np.nan, sigma=1)
    with pytest.raises(ValueError, match=r"uniform: lower must .*, got lower = 1.0, upper = 0.5 at index \(1,\)"):
        uniform.check(1.0, [2.0, 0.5])
    with pytest.raises(TypeError, match=r"normal: sigma must be a number .* got 'wide'"):
        normal.check(0.0, "wide")
    with pytest.raises(
        ValueError, match=r"row: p must be probabilities .*, got \[0.5 0.6\], which sum to 1.1 at index \(1,\)"
    ):
        row_check(0.0, [[0.2, 0.8], [0.5, 0.6]])
    with pytest.raises(ValueError, match=r"row: p needs 1 or more axes, got shape \(\)"):
        row_check(0.0, 1.0)


def test_python_draws_only_from_valid_parameters():
    with pytest.raises(ValueError, match="normal: sigma must be positive and finite, got nan"):
        normal.random(np.random.default_rng(0), 0.0, np.nan)
    with pytest.raises(TypeError, match="sigma"):
        normal.random(np.random.default_rng(0), 0.0)


def draw_all(rng, mu, sigma, p):
    return (
        normal.random(rng, mu[0, 0], sigma[0]),
        normal.random(rng, mu, sigma),
        normal.random(rng, 0.0, sigma, size=(2, 3)),
        normal.random(rng, mu[0], 2, 3),
        count(rng, 0.5, p),
        count(rng, 0.5, p[0], (2, 2)),
        count(rng, 0.5, p[0]),
    )


SHAPES = [(), (2, 3), (2, 3), (3,), (2,), (2, 2), ()]
ARGUMENTS = (np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 3.0]), np.full((2, 4), 0.25))


def test_draws_have_the_common_shape_or_size():
    draws = draw_all(np.random.default_rng(1), *ARGUMENTS)
    assert [np.shape(d) for d in draws] == SHAPES
    assert draws[-2].dtype == draws[-3].dtype == np.int64
    assert normal.random(np.random.default_rng(1), 0.0, 1.0, 0).shape == (0,)


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_compiled_draws_are_the_plain_ones():
    import numba

    compiled = numba.njit(draw_all)
    for one, other in zip(
        compiled(np.random.default_rng(1), *ARGUMENTS), draw_all(np.random.default_rng(1), *ARGUMENTS), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
    mu, sigma, p = ARGUMENTS
    with pytest.raises(ValueError, match="normal: sigma must be positive and finite"):
        compiled(np.random.default_rng(1), mu, -sigma, p)
    with pytest.raises(ValueError, match="row: p must be probabilities"):
        compiled(np.random.default_rng(1), mu, sigma, -p)
    with pytest.raises(ValueError, match="shapes do not broadcast"):
        compiled(np.random.default_rng(1), mu, np.ones(2), p)


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_compiled_densities_broadcast():
    import numba

    def values(x, mu, p):
        return (
            normal.logpdf(x, mu, sigma=2),
            normal.logpdf(x[:, None], mu[::2], 1.0),
            total(x, p),
            total(0.5, p[0]),
            total(0.5, p),
            trials(x, mu, 3.0),
            trials(x, mu, p[:, :2]),
        )

    arguments = (np.arange(2.0), np.array([1.0, 2.0]), np.arange(6.0).reshape(2, 3))
    for one, other in zip(numba.njit(values)(*arguments), values(*arguments), strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.nojit
@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_what_is_narrow_is_widened_in_compiled_code_too():
    import numba

    def values(k, rate, x, p):
        apart = exponential.logsf(k, rate), exponential.logsf(k[0], rate[1])
        return *apart, normal.logpdf(x, x[0], 1.0), categorical.logpmf(k, p)

    k, rate = np.array([1, 2], np.uint8), np.array([3, 1], np.uint8)
    x, p = np.array([0.1, 0.2], np.float32), np.array([0.1, 0.2, 0.7], np.float32)
    wide = values(k.astype(int), rate.astype(float), x.astype(float), p.astype(float))
    for one, other in zip(numba.njit(values)(k, rate, x, p), wide, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_a_density_says_what_it_is():
    assert repr(normal.logpdf) == "<density normal.logpdf>"
    assert repr(normal.random) == "<generator normal.random>"


def test_lists_integers_and_names_are_welcome():
    assert normal.logpdf([1, 2], 0, 1) == pytest.approx(normal.logpdf(np.array([1.0, 2.0]), 0.0, 1.0))
    assert normal.logpdf(sigma=2, x=1, mu=0) == normal.logpdf(1.0, 0.0, 2.0)
    with pytest.raises(TypeError, match="sigma"):
        normal.logpdf(1.0, 0.0)


def test_what_is_narrow_is_widened():
    one, two = np.array([1, 2], np.uint8), np.array([3, 1], np.uint8)
    np.testing.assert_array_equal(normal.logpdf(one, two, 2), normal.logpdf([1.0, 2.0], [3.0, 1.0], 2.0))
    np.testing.assert_array_equal(exponential.logsf(one, two), [-3.0, -2.0])
    assert exponential.logsf(True, np.uint64(2)) == -2.0
    x = np.float32(0.1)
    assert normal.logpdf(x, 0, 1) == normal.logpdf(float(x), 0.0, 1.0)
    assert mvnormal.logpdf(np.ones(2, np.uint8), np.full(2, 3, np.uint8), np.eye(2, dtype=np.float32)) == (
        mvnormal.logpdf(np.ones(2), np.full(2, 3.0), np.eye(2))
    )
    with pytest.raises(TypeError, match=r"normal.logpdf: mu must be a number or an array of numbers, got 'low'"):
        normal.logpdf(1.0, "low", 1.0)


@pytest.mark.parametrize("size", [-1, 2.5, "a", (2, -1), [[1, 2]]])
def test_size_is_a_shape(size):
    with pytest.raises(
        ValueError, match=r"normal.random: size must be an integer or a tuple of integers, none negative"
    ):
        normal.random(np.random.default_rng(0), 0.0, 1.0, size)


def test_plain_python_never_imports_numba():
    code = (
        "import sys; import numpy as np; from nbinfer.distributions import normal, uniform, half_cauchy; "
        "normal.logpdf(np.ones(3), 0.0, 1.0), uniform.logpdf(0.5, 0, 1); half_cauchy.logpdf(1, 2); "
        "normal.random(np.random.default_rng(0), 0.0, 1.0, 3); "
        "assert not {'numba', 'llvmlite', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_derived_code_stores_no_temporaries():
    def logp(mu, x):
        return np.sum(triangular.logpdf(x, mu - 1.0, mu + 1.0, mu))

    source = value_and_grad(logp).derive(0.1, np.ones(3)).source
    assert "np.empty" not in source
    assert source.count("for ") == 1


#: What makes families, or is none.
OTHER = {"censored", "glm", "mixture", "truncated"}
MODULES = [family for family in distributions.__all__ if family not in OTHER]
FAMILY_FUNCTIONS = [
    f"{family}.{name}"
    for family in MODULES
    for name, value in vars(getattr(distributions, family)).items()
    if not name.startswith("_") and getattr(value, "__module__", "") == f"nbinfer.distributions.{family}"
]


@pytest.mark.either
@pytest.mark.parametrize("name", [name for name in FAMILY_FUNCTIONS if not name.endswith((".support", ".check"))])
def test_docstrings_are_complete(name):
    faults = [error for error in validate(f"nbinfer.distributions.{name}")["errors"] if error[0] in ASKED]
    assert faults == []


@pytest.mark.parametrize("family", MODULES)
def test_a_family_has_all_parts(family):
    module = getattr(distributions, family)
    assert {"check", "random", "support"} <= set(vars(module))
    assert {"logpdf", "logpmf"} & set(vars(module))
    assert module.__doc__


def test_unknown_families_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'gaussian'"):
        distributions.gaussian  # noqa: B018


def test_nothing_is_drawn_from_what_is_not_normalised():
    with pytest.raises(ValueError, match="half_flat: nothing can be drawn"):
        half_flat.random(np.random.default_rng(0))
