"""What users call: forms of arguments and results, the generated code, caching, checking."""

import functools
import math
import subprocess
import sys
from collections import namedtuple

import numba
import numpy as np
import pytest
import scipy.special
import scipy.stats

from nbinfer.autodiff import ADError, check_grad, custom_vjp, grad, value_and_grad
from nbinfer.errors import CompileError

Pair = namedtuple("Pair", ["a", "b"])
TABLE = np.array([1.0, 2.0, 4.0])


def quadratic(x, scale):
    return -0.5 * np.sum((x / scale) ** 2)


def of_pair(p, d):
    return p.a**2 * np.sum(p.b * d)


@numba.njit
def compiled_quadratic(x, scale):
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i] ** 2 / scale
    return total


@numba.njit
def halvings(x):
    n = 0
    while x > 1.0:
        x /= 2.0
        n += 1
    return n, np.median(np.array([x]))


def with_halvings(x, t):
    n, rest = halvings(t)
    return x[0] ** n * rest


def everything(x, s, n, flags, M):
    lookup = TABLE[n]
    return np.sum(np.where(flags, x * TABLE * s, x**2)) + n * x[0] * M[1, 2] * lookup


@pytest.mark.nojit
def test_compiled_equals_plain():
    args = (np.arange(3.0), 2.0, 2, np.array([True, False, True]), np.ones((2, 3)))
    value, (by_x, by_s) = value_and_grad(everything, (0, 1))(*args)
    assert value == everything(*args)
    assert isinstance(value, float)
    assert isinstance(by_s, float)
    np.testing.assert_allclose(by_x, [2.0 + 8.0, 2.0, 8.0])
    assert by_s == 0.0 + 8.0


def test_forms_of_arguments():
    x = np.array([1.0, 2.0])
    value, gradient = value_and_grad(quadratic)(x, 2.0)
    assert value == -0.625
    np.testing.assert_array_equal(gradient, [-0.25, -0.5])
    assert grad(quadratic, argnums=1)(x, 2.0) == 0.625
    by_scale, by_x = grad(quadratic, argnums=(1, 0))(x, 2.0)
    assert by_scale == 0.625
    np.testing.assert_array_equal(by_x, gradient)
    gradient = grad(of_pair)(Pair(3.0, x), x)
    assert isinstance(gradient, Pair)
    assert gradient.a == 30.0
    np.testing.assert_array_equal(gradient.b, 9.0 * x)
    np.testing.assert_array_equal(grad(quadratic)(np.array([1, 2]), 2), [-0.25, -0.5])  # integers count as floats
    strided = np.zeros(4)
    strided[::2] = x
    np.testing.assert_array_equal(grad(quadratic)(strided[::2], 2.0), [-0.25, -0.5])


def test_wrong_calls():
    with pytest.raises(TypeError, match="takes 2 arguments, got 3"):
        grad(quadratic)(1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match="argnums must be positions of the 2 arguments"):
        grad(quadratic, 2)(1.0, 2.0)
    with pytest.raises(TypeError, match=r"quadratic\(\) misses 'scale': it takes x, scale"):
        grad(quadratic)(np.ones(2))
    with pytest.raises(TypeError, match="misses 'x', 'scale'"):
        grad(quadratic)()
    with pytest.raises(ADError, match=r"argument x must hold numbers, in arrays or \(named\) tuples, got {'a': 1.0}"):
        grad(quadratic)({"a": 1.0}, 2.0)
    with pytest.raises(ADError, match=r"argument x is a masked array.*x\.filled"):
        grad(quadratic)(np.ma.array([1.0, 2.0], mask=[0, 1]), 2.0)


@pytest.mark.parametrize("argnums", ["x", 1.0, True, (0, 1.0), None])
def test_argnums_that_are_no_positions(argnums):
    with pytest.raises(TypeError, match="argnums must be the position of an argument or a tuple of positions, got"):
        grad(quadratic, argnums)


@pytest.mark.parametrize("argnums", [-1, (0, 0), ()])
def test_argnums_that_name_no_argument_or_one_twice(argnums):
    with pytest.raises(ValueError, match=r"argnums must name each argument once, by its position from 0 on, got"):
        value_and_grad(quadratic, argnums)


def test_argnums_may_come_from_numpy():
    assert grad(quadratic, np.int64(1))(np.array([1.0, 2.0]), 2.0) == 0.625
    assert grad(quadratic, [1])(np.array([1.0, 2.0]), 2.0) == (0.625,)


def test_what_is_no_function_is_refused_at_the_door():
    for call in (grad, value_and_grad, lambda f: check_grad(f, 1.0)):
        with pytest.raises(TypeError, match="function must be a function to differentiate, got 3"):
            call(3)
    for function in (np.sum, math.sin, functools.partial(quadratic, scale=1.0), grad(quadratic)):
        with pytest.raises(ADError, match=r"is not a Python function.*write one with def"):
            grad(function)(1.0)
    assert repr(grad(quadratic)) == "grad(quadratic, argnums=0)"
    assert repr(value_and_grad(quadratic, (0, 1))) == "value_and_grad(quadratic, argnums=(0, 1))"


@pytest.mark.either
def test_forms_of_numbers():
    def square(x):
        return np.sum(x * x)

    for x in (np.array([1, 2], np.float32), [1.0, 2.0], np.array([1, 2], np.uint8), np.array([1.0, 2.0], ">f8")):
        found = grad(square)(x)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, [2.0, 4.0])
    for x in (3, 3.0, np.float32(3.0), np.int64(3)):
        found = grad(square)(x)
        assert (found, type(found)) == (6.0, float)
    zero_d = grad(square)(np.array(3.0))
    assert (zero_d, zero_d.shape) == (6.0, ())
    for shape in ((0,), (0, 3), (2, 0)):
        value, found = value_and_grad(square)(np.zeros(shape))
        assert (value, found.shape) == (0.0, shape)
    assert grad(square)([]).shape == (0,)


@pytest.mark.nojit
def test_wrong_shapes():
    def captured(x):
        return np.sum(x * TABLE)

    with pytest.raises(ValueError, match=r"arguments do not fit: x has shape \(2,\), scale has shape \(3,\)"):
        grad(quadratic)(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"arguments do not fit: x has shape \(2,\), TABLE_array has shape \(3,\)"):
        grad(captured)(np.ones(2))


@numba.njit
def picky(n):
    if n > 2:
        raise KeyError("n is too large")
    return 2.0


@pytest.mark.nojit
def test_the_users_own_exception_comes_out():
    def f(x, n):
        return x * picky(n)

    assert grad(f)(1.0, 1) == 2.0
    with pytest.raises(KeyError, match="n is too large"):
        grad(f)(1.0, 3)


def test_source_and_explanation():
    vg = value_and_grad(quadratic)
    with pytest.raises(ADError, match="call it once first"):
        vg.source  # noqa: B018
    vg(np.ones(2), 2.0)
    assert vg.source.startswith("def quadratic_value_and_grad(arena, x, scale, x_grad):")
    assert vg.explain() == "nothing is taped or copied\ns: deferred, summed in the reverse sweep of the loop over i"

    def recurrence(x, n):
        h = x[0]
        for _ in range(n):
            h = math.tanh(h * x[1])
        return h

    g = grad(recurrence)
    g(np.array([0.3, 0.7]), 5)
    assert "h: taped, one number per iteration" in g.explain()
    assert "tape_" in g.source


def test_njit_functions_are_read():
    x = np.array([1.0, 2.0])
    np.testing.assert_allclose(grad(compiled_quadratic)(x, 2.0), x)
    assert check_grad(compiled_quadratic, x, 2.0).ok


@pytest.mark.nojit
def test_compiled_functions_of_data_are_left_as_they_are():
    assert value_and_grad(with_halvings)(np.array([3.0]), 5.0) == (27.0 * 0.625, np.array([27.0 * 0.625]))
    with pytest.raises(ADError, match="median"):
        grad(with_halvings, 1)(np.array([3.0]), 5.0)


@numba.njit
def total(v):
    s, k = 0.0, 0
    while k < v.shape[0]:
        s += v[k]
        k += 1
    return s


@numba.njit
def fill(v, by):
    for k in range(v.shape[0]):
        v[k] = by[k]


@numba.njit
def tail(v):
    return v[1:]


@numba.njit
def fill_medians(v, by):
    for k in range(v.shape[0]):
        v[k] = np.median(by[k : k + 1])


def with_filled(x, d):
    v = np.zeros(3)
    fill(v, d)
    v[0] += 1.0
    return x * total(v)


def with_tail(x, d):
    v = np.zeros(3)
    w = tail(v)
    for k in range(3):
        v[k] = d[k]
    return x * total(w)


def with_filled_medians(x, d):
    v = np.zeros(3)
    fill_medians(v, d)
    return x * total(v)


@pytest.mark.nojit
def test_compiled_functions_that_touch_memory_are_read():
    d = np.array([1.0, 2.0, 3.0])
    assert value_and_grad(with_filled)(2.0, d) == (14.0, 7.0)
    assert value_and_grad(with_tail)(2.0, d) == (10.0, 5.0)
    with pytest.raises(ADError, match="median"):
        value_and_grad(with_filled_medians)(2.0, d)


@pytest.mark.either
def test_lambdas_within_lambdas():
    assert (lambda *_: grad(lambda *xs: xs[0] * xs[1], 1)(2.0, 5.0))() == 2.0


@pytest.mark.either
def test_lambdas():
    f = lambda x: x**3  # noqa: E731
    assert grad(f)(2.0) == 12.0
    pair = (lambda x: x**2, lambda x: x**4)
    assert [grad(f)(1.0) for f in pair] == [2.0, 4.0]


def test_closures_are_constants():
    def power(n):
        def f(x):
            return x**n

        return f

    assert [grad(power(n))(2.0) for n in (1, 2, 3)] == [1.0, 4.0, 12.0]


@custom_vjp(lambda x, m: (2.0 * (x - m), 100.0))
def squared_distance(x, m):
    return (x - m) ** 2


def test_custom_vjp():
    def f(x, m):
        return np.sum(squared_distance(x, m)) + squared_distance(x[0], 0.0)

    assert squared_distance(3.0, 1.0) == 4.0
    np.testing.assert_allclose(grad(f)(np.array([1.0, 3.0]), 1.0), [2.0, 4.0])
    assert grad(f, 1)(np.array([1.0, 3.0]), 1.0) == 200.0  # the given partial counts, not the true one


def with_scipy_stats(x):
    return np.sum(scipy.stats.norm.logpdf(x))


def with_scipy_special(x):
    return np.sum(scipy.special.ellipk(x))


def with_fft(x):
    return np.fft.fft(x)[0]


def with_unknown_attribute(x):
    return x.length


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            with_scipy_stats,
            "'scipy.stats.norm.logpdf' has no derivative rule; use normal.logpdf of nbinfer",
        ),
        (with_scipy_special, "'ellipk' has no derivative rule; use nbinfer.vectormath or math"),
        (with_fft, "'np.fft.fft' has no derivative rule; write it with loops and NumPy"),
        (with_unknown_attribute, "an array has no attribute 'length'"),
    ],
)
def test_what_is_missing_is_named_with_what_to_use_instead(function, message):
    with pytest.raises(ADError, match=message):
        value_and_grad(function).derive(np.ones(2))


@custom_vjp(lambda x: 2.0)
def of_no_tuple(x):
    return 2.0 * x


@custom_vjp(lambda x, y: (1.0,))
def of_too_few(x, y):
    return x + y


@custom_vjp(lambda x: (np.ones(1),))
def of_arrays(x):
    return x


@custom_vjp(lambda x: (1.0,))
def not_for_numba(x):
    return np.fft.fft(np.ones(1) * x)[0].real


def test_custom_vjp_that_does_not_fit():
    with pytest.raises(ADError, match=r"of_no_tuple\(\) must return a tuple of 1 number, one for each .*, got 2.0"):
        grad(lambda x: of_no_tuple(x))(1.0)
    with pytest.raises(ADError, match=r"of_too_few\(\) must return a tuple of 2 numbers, one for each .*, got \(1"):
        grad(lambda x: of_too_few(x, 1.0))(1.0)
    with pytest.raises(ADError, match=r"of_arrays\(\) must return a tuple of 1 number"):
        grad(lambda x: of_arrays(x))(1.0)
    for bad in (3, math.sin):
        with pytest.raises(ADError, match="is not a Python function"):
            custom_vjp(bad)
        with pytest.raises(ADError, match="is not a Python function"):
            custom_vjp(lambda x: (1.0,))(bad)


@pytest.mark.nojit
def test_what_numba_cannot_compile_becomes_one_message():
    with pytest.raises(CompileError) as caught:
        grad(lambda x: not_for_numba(x))(1.0)
    message = str(caught.value)
    assert message.startswith("Numba cannot compile not_for_numba ")
    assert "return np.fft.fft" in message
    assert len(message.splitlines()) == 4


@custom_vjp(lambda x: (3.0 * x,))
def wrong(x):
    return x**2


@pytest.mark.either
def test_check_grad_names_the_worst_coordinate():
    def f(x):
        return x[0] ** 2 + 5.0 * wrong(x[1]) + 0.1 * wrong(x[2])

    check = check_grad(f, np.array([1.0, 2.0, 1.0]))
    assert not check.ok
    assert "2 of 3 coordinates are wrong; worst x[1]: gradient 30" in repr(check)
    good = check_grad(of_pair, Pair(3.0, np.ones((2, 2))), 2.0)
    assert good.ok
    assert "all 5 coordinates agree" in repr(good)


def test_arguments_by_name():
    def f(x, scale=2.0, *, shift=0.0):
        return x[0] * scale + shift

    def g(x, scale=2.0, power=1.0):
        return x[0] ** power * scale

    vg, x = value_and_grad(g), np.array([3.0])
    assert vg(x=x)[0] == 6.0
    assert vg(x, power=2.0)[0] == vg(power=2.0, x=x)[0] == 18.0
    assert vg(x, power=2.0)[1] == grad(g)(power=2.0, x=x) == 12.0
    assert grad(lambda p, d: p * d.y, wrt="y")(d={"y": 2.0}, p=3.0) == 3.0
    with pytest.raises(TypeError, match=r"g\(\): got an unexpected keyword argument 'shift'; it takes x, scale, power"):
        vg(x, shift=1.0)
    with pytest.raises(TypeError, match=r"g\(\): multiple values for argument 'x'; it takes"):
        vg(x, x=x)
    with pytest.raises(TypeError, match=r"f\(\) takes shift by name alone; make it a common argument"):
        value_and_grad(f)(x, shift=1.0)


def test_check_grad_where_the_function_is_not_finite():
    def root(x):
        return np.sqrt(x)

    with pytest.raises(ValueError, match="x must be a point at which the function is finite; there it is nan"):
        check_grad(root, -1.0)
    assert check_grad(root, 1e-9).ok  # not finite near by: nothing can be said


def test_recompiled_for_new_types_only():
    vg = value_and_grad(quadratic)
    for x in (np.ones(3), np.ones(7)):
        vg(x, 2.0)
    assert len(vg._known) == 1
    vg(np.ones((2, 2)), 2.0)
    assert len(vg._known) == 2


def test_importing_imports_no_numba():
    code = "import sys, nbinfer.autodiff; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
