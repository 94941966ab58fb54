"""Functions with one thing each that cannot be derived, and what is said of it."""

import math

import numpy as np

X = np.array([0.5, 0.7, -0.3])
POSITIONS = np.array([2, 0, 1])
OPEN = open


def loop_step_unknown(x):
    s = 0.0
    for i in range(0, 3, int(x.shape[0])):  # here
        s += x[i]
    return s


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


def writes_argument(x):
    x[0] = 1.0  # here
    return x[0]


def adds_to_argument(x):
    x += 1.0  # here
    return x[0]


def float_index(x):
    return x[x[0]]  # here


def too_many_indices(x):
    return x[0, 0]  # here


def unknown_function(x):
    return np.fft.fft(x)[0]  # here


def unknown_method(x):
    return x.partition(1)[0]  # here


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


def writes_part_of_argument(x):
    x[1:] = 0.0  # here
    return x[0]


def writes_view_of_argument(x):
    v = x[1:]
    v[0] = 1.0  # here
    return x[0]


def writes_argument_by_another_name(x):
    v = x
    v[0] = 1.0  # here
    return x[0]


def adds_to_view_of_argument(x):
    v = x[1:]
    v += 1.0  # here
    return x[0]


def helper_that_writes(v):
    v[0] = 1.0  # here
    return v[0]


def writes_argument_in_a_helper(x):
    return helper_that_writes(x)


def writes_to_an_expression(x):
    (x * 2.0)[0] = 1.0  # here
    return x[0]


def writes_to_a_diagonal(x):
    d = np.diag(np.outer(x, x) * np.zeros((3, 3)))
    e = np.zeros((3, 3))
    d = np.diag(e)
    d[0] = x[0]  # here
    return np.sum(e)


def adds_to_a_diagonal(x):
    e = np.zeros((3, 3))
    d = np.diag(e)
    d += x  # here
    return np.sum(e)


def step_zero(x):
    s = 0.0
    for i in range(0, 3, 0):  # here
        s += x[i]
    return s


def rounds_to_digits(x):
    return round(x[0], 2) * x[1]  # here


def hypotenuse_of_three(x):
    return math.hypot(x[0], x[1], x[2])  # here


def keyword_of_numpy(x):
    return np.sum(x, where=x > 0)  # here


def uses_with(x):
    with OPEN:  # here
        s = x[0]
    return s


def deletes(x):
    s = x[0]
    del s  # here
    return x[0]


def imports(x):
    import os  # noqa: F401  # here

    return x[0]


def matches(x):
    match x[0]:  # here
        case _:
            return x[0]


def walrus(x):
    return x[1] if x[0] > 1.0 and (y := x[1]) > y * y else x[0]  # here


def makes_set(x):
    return len({x[0], x[1]}) * x[0]  # here


def membership(x):
    return x[0] if 2.0 in x else x[1]  # here


CASES = {
    loop_step_unknown: "known in advance",
    tries: "return -math.inf",
    raises: "return -math.inf",
    writes_argument: "x.copy",
    adds_to_argument: "x = ... instead",
    float_index: "must be an integer",
    too_many_indices: "2 indices into an array of 1 axes",
    unknown_function: "custom_vjp",
    unknown_method: "partition",
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
    writes_part_of_argument: "x.copy",
    writes_view_of_argument: "write to a copy",
    writes_argument_by_another_name: "x.copy",
    adds_to_view_of_argument: r"it is an argument; write v = \.\.\. instead",
    writes_argument_in_a_helper: "x.copy",
    writes_to_an_expression: "make an array with np.empty and fill it",
    writes_to_a_diagonal: "result of an expression; make an array",
    adds_to_a_diagonal: r"it is a view; write d = \.\.\. instead",
    step_zero: "known in advance, not 0",
    rounds_to_digits: "round takes 1 argument here",
    hypotenuse_of_three: "hypot takes 2 arguments here",
    keyword_of_numpy: "np.sum: .*where.*arguments that are supported",
    uses_with: "with is not supported",
    deletes: "del is not supported",
    imports: "top of the module",
    matches: "use if and elif",
    walrus: "write the assignment before it",
    makes_set: "separate variables",
    membership: r"np.any\(array == value\)",
}
#: Where the refused line stands in a function that the density calls.
INSIDE = {writes_argument_in_a_helper: helper_that_writes}
