"""Functions with one thing each that cannot be derived, and what is said of it."""

import math

import numpy as np

X = np.array([0.5, 0.7, -0.3])
POSITIONS = np.array([2, 0, 1])
OPEN = open


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


def writes_to_positions(x):
    a = np.zeros(3)
    a[POSITIONS] = x  # here
    return np.sum(a)


def writes_by_mask(x):
    a = np.zeros(3)
    a[x > 0] = 1.0  # here
    return np.sum(a * x)


def ternary_of_arrays(x):
    v = x if x[0] > 0 else 2.0 * x  # here
    return np.sum(v)


def tuple_in_a_loop(x):
    t = (x[0], x[1])
    for _ in range(3):
        t = (t[1], t[0] * x[2])  # here
    return t[0]


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
    return (y := x[0]) * y  # here


def makes_set(x):
    return len({x[0], x[1]}) * x[0]  # here


def makes_dict_by_comprehension(x):
    d = {k: x[k] for k in (0, 1)}  # here
    return d[0]


def membership(x):
    return x[0] if 2 in (1, 2) else x[1]  # here


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
    comprehension: "np.empty",
    generator: "a loop that adds",
    tries: "return -math.inf",
    raises: "return -math.inf",
    inner_function: "top of the module",
    inner_lambda: "top of the module",
    writes_argument: "x.copy",
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
    writes_part_of_argument: "x.copy",
    writes_view_of_argument: "write to a copy",
    writes_argument_by_another_name: "x.copy",
    adds_to_view_of_argument: r"it is an argument; write v = \.\.\. instead",
    writes_argument_in_a_helper: "x.copy",
    writes_to_an_expression: "make an array with np.empty and fill it",
    writes_to_a_diagonal: "result of an expression; make an array",
    adds_to_a_diagonal: r"it is a view; write d = \.\.\. instead",
    writes_to_positions: "for an array of positions write a loop",
    writes_by_mask: "write to elements and slices only",
    ternary_of_arrays: "np.where",
    tuple_in_a_loop: "use numbers",
    step_zero: "known in advance, not 0",
    rounds_to_digits: "round takes 1 argument here",
    hypotenuse_of_three: "hypot takes 2 arguments here",
    keyword_of_numpy: "np.sum: .*where.*arguments that are supported",
    uses_with: "with is not supported",
    deletes: "del is not supported",
    imports: "top of the module",
    matches: "use if and elif",
    walrus: "a statement of its own",
    makes_set: "separate variables",
    makes_dict_by_comprehension: "np.empty",
    membership: "compare with each value",
}
#: Where the refused line stands in a function that the density calls.
INSIDE = {calls_helper: helper_with_while, writes_argument_in_a_helper: helper_that_writes}
