"""Values of `and` and `or`, what is true, lists and dictionaries outside of the function, what is unpacked."""

from __future__ import annotations

import numpy as np

REFUSED: dict[str, str] = {
    "list_outside_that_changes": "a list outside of the function is changed in it; change a copy",
    "dictionary_outside_that_changes": "a dictionary outside of the function is changed in it; change a copy",
    "type_that_is_asked_for": "made of numbers and arrays",
    "function_that_a_branch_chooses": "different kinds of things, exp and sin",
    "array_that_grows_in_a_loop": "the array z gets another shape in a loop; fill one of the shape",
}


# What is true ---------------------------------------------------------------------------------------------------------


def or_of_numbers(x):
    return (x[0] or x[1]) * x[2] + (x[0] * 0.0 or x[4]) ** 2


def and_of_numbers(x):
    return (x[0] and x[1] and x[2] * x[3]) + (x[0] > 0.0 and x[1]) * x[2] + (x[0] * 0.0 and x[1]) * x[5]


def or_of_a_comparison_and_a_number(x):
    return ((x[0] > 5.0) or x[2] ** 2) * x[1]


def or_of_integers(x):
    turns = len(x[:0]) or 3
    return x[0] ** turns + x[1] ** (turns and 2)


def default_by_or(x):
    return _scaled(x[0]) + _scaled(x[1], x[2]) + _scaled(x[3], f=np.sin, name="half")


def _scaled(v, w=None, f=None, name=""):
    f = f or np.exp
    return f(v) * (w or 2.0) * (0.5 if name else 1.0)


def array_by_or(x):
    z = None
    z = z or x
    return np.sum(z**2)


def empty_or_not(x):
    terms, pair = [], ()
    if not terms:
        terms.append(x[0])
    if terms and not pair:
        terms.append(x[1] ** 2)
    return sum(terms) + (x[2] if {} else x[3])


def empty_or_not_of_unknown_length(x):
    some, none = [v for v in x if v > 0.0], [v for v in x if v > 90.0]
    return sum(some) / len(some) + x[0] if some and not none else x[1]


def flag_that_is_carried(x):
    below, above = True, False
    for i, v in enumerate(x):
        below = below and v < 1.0
        above = above or x[i] > 1.0
    return x[0] * x[1] if above and not below else x[2]


def index_that_a_condition_guards(x):
    k, total = 5, 0.0
    while k and x[k] < 5.0:
        total += x[k] ** 2
        k -= 1
    return total + (x[0] if k > 6 and x[k + 90] > 0.0 else x[1])


# Lists and dictionaries outside of the function -----------------------------------------------------------------------

WEIGHTS = [1.0, 2.0, 3.0]
ORDER = [0, 2, 1]
ROWS = [[1.0, 2.0], [3.0, 4.0]]
LONG = [[0.01 * k, 1.0] for k in range(200)]
SETTINGS = {
    "scale": 1.5,
    "offset": np.array([1.0, 2.0]),
    "names": np.array(["u", "v"]),
    "inner": {"n": 3, "rows": [1.0, 2.0]},
    3: 2.5,
}


def dictionary_outside(x):
    total = SETTINGS["scale"] * x[0] + np.sum(SETTINGS["offset"] * x[:2]) + SETTINGS["inner"]["n"] * x[2] ** 2
    return total + SETTINGS[3] * x[3] + sum(SETTINGS["inner"]["rows"]) * x[4] + SETTINGS.get("none", 2.0) * x[5]


def list_outside(x):
    total = sum(a * b for a, b in zip(WEIGHTS, x, strict=False)) + len(WEIGHTS) * x[1] + WEIGHTS[-1] * x[2]
    return total + np.sum(np.array(WEIGHTS) * x[:3] ** 2) + np.sum(x[ORDER] * x[:3]) + np.sum(x[3:] * WEIGHTS)


def list_outside_by_the_turn(x):
    total = 0.0
    for i in range(len(WEIGHTS)):
        total += WEIGHTS[i] * x[i] ** 2
    for i in range(2):
        total += ROWS[i][1] * x[i] * (0.5, 2.0)[i]
    return total


def rows_outside(x):
    return ROWS[1][0] * x[0] + sum(a * x[i] ** 2 for i, (a, b) in enumerate(ROWS)) + np.sum(np.array(ROWS) @ x[:2])


def long_list_outside(x):
    total = 0.0
    for a, b in LONG:
        total += a * x[0] ** 2 + b * x[1]
    return total + LONG[7][0] * x[2] + len(LONG) * x[3]


def copies_of_what_is_outside(x):
    weights, settings = WEIGHTS.copy(), SETTINGS.copy()
    weights.append(x[0])
    settings["scale"] = x[1]
    again = list(WEIGHTS)
    again[0] = x[2]
    return sum(weights) * settings["scale"] + sum(again) ** 2


def list_in_a_closure(x):
    return _POWERS(x)


def _made():
    powers = [1, 2, 3]
    return lambda x: sum(v**k for v, k in zip(x, powers, strict=False))


_POWERS = _made()


def list_outside_that_changes(x):
    WEIGHTS.append(2.0)
    return x[0]


def dictionary_outside_that_changes(x):
    SETTINGS["scale"] = x[0]
    return x[0]


# What is unpacked -----------------------------------------------------------------------------------------------------


def rest_of_an_array(x):
    first, *rest = x
    a, *middle, b, c = x
    return first * np.sum(np.array(rest) ** 2) + rest[1] * len(rest) + a * b * c**2 + sum(v * v for v in middle)


def rest_of_a_tuple(x):
    first, *rest, last = (x[0], x[1], x[2], x[3])
    (a, b), *_ = (x[:2], x[2], x[3])
    return first * rest[0] * rest[1] * last + a * b


def rest_in_a_loop(x):
    total = 0.0
    for first, *rest in ((x[0], x[1], x[2]), (x[3], x[4])):
        total += first * sum(rest)
    return total


def rest_is_a_copy(x):
    z = x * 1.0
    first, *rest = z
    z[0], z[1] = 5.0, 7.0
    return first + rest[0] ** 2


def two_lists_at_once(x):
    values, squares = [], []
    for v in x:
        values.append(v)
        squares.append(v * v)
    values, squares = squares, values
    return np.dot(np.array(values), np.array(squares)) + values[1]


def unpacked_generators(x):
    a, b = (v * v for v in (x[0], x[1]))
    c, d = map(np.exp, x[:2])
    return a * b + c * d


# What changes its shape -----------------------------------------------------------------------------------------------


def array_that_grows_in_a_loop(x):
    z = np.array([])
    for v in x:
        z = np.append(z, v * v)
    return np.sum(z)


def array_that_keeps_its_shape(x):
    z = x * 1.0
    for _ in range(3):
        z = np.concatenate((z[1:], [z[0] * 2.0]))
    return np.sum(z**2 * np.arange(6.0))


# What a loop leaves behind --------------------------------------------------------------------------------------------


def position_that_a_loop_found(x):
    i, v = 0, 0.0
    for i, v in enumerate(x):  # noqa: B007
        if v > 1.0:
            break
    return i * v * x[i]


def position_after_a_loop_without_turns(x):
    i = 3
    for i in range(len(x[:0])):  # noqa: B007
        pass
    for _ in x[:2]:
        i += 1
    return x[i] ** 2


# Masks that are made of masks -----------------------------------------------------------------------------------------

TABLE = np.array([[1.0, -1.0], [-1.0, -2.0], [3.0, 1.0]])


def masks_along_an_axis(x):
    some, every = np.any(TABLE > 0.0, axis=1), np.all(TABLE > 0.0, axis=1)
    total = np.sum(x[:3][some] ** 2) + np.sum(x[3:][every]) + np.sum(x[:3][~some]) * x[0]
    total += np.sum(np.where(np.any(TABLE > 0.0, axis=1, keepdims=True), x[:3, None], 2.0))
    return total + np.sum(x[:3][np.max(TABLE > 0.0, axis=1)]) + np.sum(x[:2][(TABLE > 0.0).all(0)])


def masks_by_arithmetic(x):
    a, b = TABLE[:, 0] > 0.0, TABLE[:, 1] > 0.0
    return np.sum(x[:3][a * b]) + np.sum(x[:3][a + b] ** 2) + np.sum(x[3:][np.maximum(a, b)]) + x[np.sum(a * b)]


# Texts and dictionaries -----------------------------------------------------------------------------------------------


def infinity_by_a_text(x):
    largest = float("-inf")
    for v in x:
        largest = max(largest, v)
    return largest + float("1.5") * x[0]


def dictionary_of_a_dictionary(x):
    p = {"mu": x[0]}
    p = {**p, "sigma": x[1]}
    p.setdefault("tail", x[2])
    p.setdefault("mu", 0.0)
    return p["mu"] * p["sigma"] * p["tail"]


def type_that_is_asked_for(x):
    return x[0] if isinstance(x, np.ndarray) else 0.0


def function_that_a_branch_chooses(x):
    f = np.exp if x[0] > 0.0 else np.sin
    return f(x[1])
