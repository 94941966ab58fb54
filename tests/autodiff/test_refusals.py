"""Every refusal says what, where, and what to write instead; silent zeros are warned about."""

import math

import numpy as np
import pytest

from nbinfer.autodiff import ADError, DerivativeWarning, Type, value_and_grad
from nbinfer.autodiff.derive import derive
from nbinfer.distributions import half_cauchy

X = np.array([0.5, 0.7, -0.3])


def loop_while(x):
    while x[0] > 0:  # here
        x = x - 1.0
    return x[0]


def loop_break(x):
    s = 0.0
    for i in range(3):
        if x[i] > 0:
            break  # here
        s += x[i]
    return s


def loop_return(x):
    for i in range(3):
        if x[i] > 0:
            return x[i]  # here
    return 0.0


def loop_over_array(x):
    s = 0.0
    for v in x:  # here
        s += v
    return s


def loop_enumerate(x):
    s = 0.0
    for _, v in enumerate(x):  # here
        s += v
    return s


def loop_else(x):
    s = 0.0
    for i in range(3):  # here
        s += x[i]
    else:
        s = 0.0
    return s


def loop_step_unknown(x):
    s = 0.0
    for i in range(0, 3, int(x.shape[0])):  # here
        s += x[i]
    return s


def makes_dict(x):
    d = {}  # here
    d["a"] = x[0]
    return d["a"]


def makes_list(x):
    terms = [x[0], x[1]]  # here
    return terms[0]


def comprehension(x):
    return sum([v * v for v in x])  # here


def generator(x):
    return sum(v * v for v in x)  # here


def tries(x):
    try:  # here
        s = math.log(x[0])
    except ValueError:
        s = 0.0
    return s


def raises(x):
    if x[0] < -9.0:
        raise ValueError  # here
    return x[0]


def inner_function(x):
    def g(v):  # here
        return v

    return g(x[0])


def inner_lambda(x):
    g = lambda v: v  # noqa: E731  # here
    return g(x[0])


def writes_argument(x):
    x[0] = 1.0  # here
    return x[0]


def adds_to_argument(x):
    x += 1.0  # here
    return x[0]


def rebinds_in_loop(x):
    a = np.zeros(3)
    for i in range(3):
        a = a + x[i]  # here
    return np.sum(a)


def rebinds_in_branch(x):
    if x[0] > 0:
        a = x * 2.0
    else:
        a = x * 3.0
    return np.sum(a)  # here


def mask(x):
    return np.sum(x[x > 0])  # here


def float_index(x):
    return x[x[0]]  # here


def too_many_indices(x):
    return x[0, 0]  # here


def unknown_function(x):
    return np.fft.fft(x)[0]  # here


def determinant(x):
    return np.linalg.det(np.outer(x, x))  # here


def unknown_method(x):
    return x.argsort()[0]  # here


def unknown_name(x):
    return undefined_name * x[0]  # noqa: F821  # here


def recursion(x):
    return recursion(x) + x[0]  # here


def array_condition(x):
    if x > 0:  # here
        return 1.0
    return x[0]


def some_path_without_return(x):
    if x[0] > 0:  # here
        return x[0]


def one_sided_name(x):
    if x[0] > 0:
        y = x[0]
    return y  # here


def name_from_loop(x):
    for i in range(3):
        z = x[i]
    return z  # here


def returns_array(x):
    return x * 2.0  # here


def returns_tuple(x):
    return x[0], x[1]  # here


def returns_nothing(x):
    y = x[0]  # noqa: F841  # here


def wrong_shapes(x):
    return np.sum(np.zeros(2) + np.zeros(3)) * x[0]  # here


def text(x):
    return x[0] * len(f"{x}")  # here


def helper_with_while(v):
    while v > 1.0:  # here
        v = v / 2.0
    return v


def calls_helper(x):
    return helper_with_while(x[0])


CASES = {
    loop_while: "for i in range",
    loop_break: "under an if",
    loop_return: "return it after",
    loop_over_array: r"for i in range\(x.shape\[0\]\)",
    loop_enumerate: "for i in range",
    loop_else: "for ... else",
    loop_step_unknown: "known in advance",
    makes_dict: "separate variables",
    makes_list: "np.empty",
    comprehension: "np.empty",
    generator: "a loop that adds",
    tries: "return -math.inf",
    raises: "return -math.inf",
    inner_function: "top of the module",
    inner_lambda: "top of the module",
    writes_argument: "x_new = np.empty",
    adds_to_argument: "x = ... instead",
    rebinds_in_loop: r"write a\[:\] =",
    rebinds_in_branch: "np.where",
    mask: "np.where",
    float_index: "must be an integer",
    too_many_indices: "2 indices into an array of 1 axes",
    unknown_function: "custom_vjp",
    determinant: "slogdet",
    unknown_method: "argsort",
    unknown_name: "undefined_name",
    recursion: "loop",
    array_condition: "np.where",
    some_path_without_return: "on every path",
    one_sided_name: "before the branch",
    name_from_loop: "before the loop",
    returns_array: "np.sum",
    returns_tuple: "must return a number",
    returns_nothing: "must return a number",
    wrong_shapes: "shapes do not fit: 2 and 3",
    text: "text is not supported",
    calls_helper: "for i in range",
}


def line_marked(function):
    """Return the number and text of the line that ends in the mark."""
    import inspect

    lines, first = inspect.getsourcelines(function)
    found = [k for k, line in enumerate(lines) if line.rstrip().endswith("# here")]
    return first + found[0], lines[found[0]].strip()


@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_refusal(function):
    with pytest.raises(ADError, match=CASES[function]) as caught:
        value_and_grad(function).derive(X)
    line, text = line_marked(helper_with_while if function is calls_helper else function)
    assert (caught.value.file, caught.value.line, caught.value.source_line) == (__file__, line, text)
    assert f'File "{__file__}", line {line}' in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_missing_source():
    names = {}
    exec("def f(x):\n    return x[0]\n", names)
    with pytest.raises(ADError, match="not available"):
        value_and_grad(names["f"])(X)


def test_not_a_function():
    with pytest.raises(ADError, match="no source"):
        value_and_grad(math.sin)(1.0)


def test_argument_that_holds_no_numbers():
    with pytest.raises(ADError, match="must hold numbers"):
        value_and_grad(returns_array)(np.array(["a"]))


def test_prior_that_returns_an_array():
    def prior(p, d):
        return -(p.x**2)

    with pytest.raises(ADError, match=r"prior must return a number.*np\.sum"):
        derive({"x": Type("float", 1)}, {}, prior=prior)


def test_unknown_field():
    def logp(p, d):
        return p.sigma

    with pytest.raises(ADError, match="p has no field 'sigma'; its fields: x"):
        derive({"x": Type("float", 1)}, {}, logp=logp)


# Silent zeros ---------------------------------------------------------------------------------------------------------


def casts(x):
    return x[int(x[0])]  # here


def floors(x):
    return np.sum(np.floor(x))  # here


def floor_divides(x):
    return x[0] // 2.0  # here


def counts_positive(x):
    return np.sum(x > 0) + x[0]  # here


def multiplies_by_comparison(x):
    return x[1] * (x[0] > 0)  # here


def signs(x):
    return np.sign(x[0]) * x[1]  # here


@pytest.mark.parametrize("function", [casts, floors, floor_divides, counts_positive, multiplies_by_comparison, signs])
def test_silent_zero_is_warned_about(function):
    line, text = line_marked(function)
    with pytest.warns(DerivativeWarning, match="has derivative 0") as caught:
        generated = value_and_grad(function).derive(X)
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    assert text in str(caught[0].message)
    assert [(note.file, note.line, note.text) for note in generated.warnings] == [(__file__, line, text)]


def conditions(x):
    s = 0.0
    if x[0] > 0 and x[1] < 5.0:
        s += x[0]
    return s + np.sum(np.where(x > 0, x, -x)) + half_cauchy.logpdf(abs(x[0]), 1.0)


def test_conditions_are_no_silent_zeros():
    assert not value_and_grad(conditions).derive(X).warnings


def inactive_casts(x, t):
    return x[int(t)] * (t > 0.5)


def test_data_may_be_cast():
    assert not value_and_grad(inactive_casts).derive(X, 1.5).warnings
