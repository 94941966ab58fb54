"""Lists, dictionaries, comprehensions, functions inside functions; and statements that are refused."""

from __future__ import annotations

import math

import numpy as np

from nbinfer.distributions import censored, exponential, mixture, normal, truncated

#: Names of idioms that have no derivative, and words of what is said of them.
REFUSED: dict[str, str] = {
    "array_rebound_and_written": "both rebound and written to in place",
    "name_of_a_loop_after_it": "before the loop",
    "set_of_numbers": "sets are not supported",
    "exception_for_a_bad_point": "return -math.inf",
    "array_that_a_loop_returns": "return inside a loop takes numbers",
    "array_of_another_shape": "1 axes before the loop and 2 in it",
}

MATRIX = 0.1 * np.outer(np.arange(1.0, 7.0), np.ones(6)) + np.eye(6)
WEIGHTS = np.array([0.3, 0.7])


# Lists and dictionaries -----------------------------------------------------------------------------------------------


def list_of_terms(x):
    terms = [x[0], x[1] ** 2]
    terms.append(math.sin(x[2]))
    terms += [x[3]]
    return sum(terms) * terms[-1]


def list_as_an_array(x):
    weights = [x[0], x[1], 2.0]
    return np.sum(np.array(weights) ** 2)


def list_whose_item_changes(x):
    terms = [x[0], x[1]]
    terms[1] *= x[2]
    return terms[0] + terms[1] * len(terms)


def list_repeated(x):
    return np.dot(np.array([x[0]] * 3), x[:3])


def list_filled_in_a_loop(x):
    squares = [1.0]
    for v in x:
        squares.append(v * v)  # noqa: PERF401
    s = 0.0
    for a, b in zip(squares[1:], x, strict=True):
        s += a * b
    return s + squares[0]


def list_filled_in_a_short_loop(x):
    parts = []
    for k in range(3):
        parts.append(x[k : k + 2] * k)  # noqa: PERF401
    return np.sum(parts[1] * parts[2])


def dictionary(x):
    p = {"mu": x[0], "sigma": math.exp(x[1])}
    p["tail"] = x[2:]
    p["sigma"] *= 2.0
    return -((p["tail"][0] - p["mu"]) ** 2) / p["sigma"] + np.sum(p["tail"])


def dictionary_of_terms(x):
    terms = {"prior": x[0] ** 2, "data": x[1] * x[2]}
    return sum(weight * v for weight, (_, v) in zip((1.0, 2.0), terms.items(), strict=True))


def dictionary_by_comprehension(x):
    p = {name: x[k] for k, name in enumerate(("a", "b", "c"))}
    return p["a"] * p["b"] + p["c"] ** 2


# Comprehensions -------------------------------------------------------------------------------------------------------


def comprehension(x):
    squares = [v * v for v in x]
    return squares[0] * squares[-1] + len(squares) * sum(squares)


def comprehension_as_an_array(x):
    return np.sum(np.array([math.sin(v) for v in x]) * x)


def comprehension_over_a_range(x):
    return sum([x[i] * x[i + 1] for i in range(5)])


def comprehension_with_if(x):
    positive = [v for v in x if v > 0.0]
    return sum(positive) * positive[-1] * len(positive)


def comprehension_of_rows(x):
    rows = [row * x for row in MATRIX]
    return sum(np.sum(r) * r[0] for r in rows)


def comprehension_of_arrays(x):
    a, b, c = [x * k for k in (1.0, 2.0, x[0])]
    return np.sum(a * b * c)


def generator_summed(x):
    return sum(v * v for v in x)


def generator_with_if(x):
    return sum(math.exp(v) for v in x if v > 0.0)


def generator_over_pairs(x):
    return sum(a * b for i, a in enumerate(x) for b in x[i + 1 :] if a > b)


def largest_of_a_generator(x):
    return max(v * v for v in x) - min(math.cos(v) for v in x if v < 0.0)


def any_and_all(x):
    if any(v > 1.0 for v in x) and not all(v > 0.0 for v in x):
        return x[0] * x[1]
    return 0.0


# Functions ------------------------------------------------------------------------------------------------------------


def inner_function(x):
    scale = 2.0

    def power(v, p=2):
        return scale * v**p

    scale = 3.0
    return power(x[0]) + power(x[1], p=3)


def inner_function_with_a_loop(x):
    def grown(v):
        for k in range(5):
            if v > 1.0:
                return v * k
            v = v * 1.7 + 0.1
        return v

    return grown(x[0]) + grown(x[3])


def inner_lambda(x):
    square = lambda v: v * v * x[5]  # noqa: E731
    return square(x[0]) + sum(map(square, x))


def lambda_as_an_argument(x):
    return _twice(lambda v: math.sin(v) * x[1], x[0])


def _twice(function, v):
    return function(function(v))


def positional_arguments(x):
    return _total(x[0], *_pair(x), scale=x[3])


def _pair(x):
    return x[1] * x[2], x[4]


def _total(*terms, scale=1.0):
    return scale * sum(terms)


def keyword_arguments(x):
    p = {"mu": x[0], "sigma": 1.5}
    return normal.logpdf(x[1], **p) + _scaled_by(x[2], factor=x[3], shift=1.0)


def _scaled_by(v, **options):
    return v * options["factor"] + options.get("shift", 0.0)


def assertion(x):
    assert len(x) == 6, "six numbers"
    for v in x:
        assert math.isfinite(v)
    return x[0] * x[1]


def prints(x):
    print("at", x[0])  # noqa: T201
    return x[0] * x[1]


# Families made inside -------------------------------------------------------------------------------------------------


def mixture_made_inside(x):
    return np.sum(mixture(normal).logpdf(x[0], WEIGHTS, x[1:3], 1.5))


def truncated_made_inside(x):
    cut = truncated(normal)
    return cut.logpdf(x[0], x[1], math.exp(x[2]), -1.0, np.inf)


def censored_made_inside(x):
    return np.sum(censored(exponential).logpdf(np.exp(x[:2]), math.exp(x[2]), 0.0, 9.0))


# Refused --------------------------------------------------------------------------------------------------------------


def array_rebound_and_written(x):
    z = x * 1.0
    for i in range(6):
        z = z * 0.5
        z[i] = x[i]
    return np.sum(z)


def name_of_a_loop_after_it(x):
    for v in x:
        last = v * v
    return last


def set_of_numbers(x):
    return x[0] * len({x[0], x[1]})


def walrus_in_a_condition(x):
    return y if (y := x[0]) > 0.0 else x[1]


def exception_for_a_bad_point(x):
    if x[0] < 0.0:
        raise ValueError("negative")
    return x[0]


def array_that_a_loop_returns(x):
    return np.sum(_first_row(x))


def _first_row(x):
    for row in MATRIX:
        if row[0] > 0.0:
            return row * x
    return x


def array_of_another_shape(x):
    z = x * 1.0
    for _ in range(2):
        z = np.outer(x, x)
    return np.sum(z)


def membership_in_a_tuple(x):
    return x[0] if len(x) in (5, 6) else x[1]


def membership_by_the_turn(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] ** 2 if i in (1, 4) else x[i] if i not in [0, 2] else 0.0
    return total


def membership_in_a_set_and_a_dictionary(x):
    scales = {"a": 2.0, "b": 3.0}
    total = x[0] * scales["a"] if "a" in scales else x[1]
    return total if 7 not in {1, len(x)} else x[2]


def walrus_in_a_while(x):
    total, k = 0.0, 0
    while (v := x[k]) < 1.0:
        total += v * v
        k += 1
    return total


def determinant(x):
    return np.linalg.det(np.reshape(x[:4], (2, 2)) + np.eye(2))
