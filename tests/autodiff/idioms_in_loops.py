"""What loops run over, how they end, what they and branches rebind."""

from __future__ import annotations

import math

import numpy as np

REFUSED: dict[str, str] = {}

MATRIX = 0.1 * np.outer(np.arange(1.0, 7.0), np.ones(6)) + np.eye(6)
TABLE = np.array([[0.5, 1.0], [-0.3, 0.2], [2.0, 0.7]])
GROUPS = np.array([0, 1, 0, 2, 1, 2])


def loop_over_positions(x):
    s = 0.0
    for i in range(len(x)):
        s += x[i] ** 2
    return s


# What loops run over --------------------------------------------------------------------------------------------------


def loop_over_an_array(x):
    s = 0.0
    for v in x:
        s += v * v
    return s


def loop_over_rows(x):
    s = 0.0
    for row in MATRIX:
        s += np.sum(row * x) ** 2
    return s


def loop_over_rows_unpacked(x):
    s = 0.0
    for a, b in TABLE:
        s += (a * x[0] + b * x[1]) ** 2
    return s


def loop_over_a_slice(x):
    s = 1.0
    for v in x[1:5:2]:
        s *= 1.0 + v * v
    return s


def loop_over_an_expression(x):
    s = 0.0
    for v in np.exp(x) - 1.0:
        s += math.sin(v)
    return s


def loop_over_integers(x):
    s = 0.0
    for g in GROUPS:
        s += x[g] ** 2
    return s


def loop_over_a_transpose(x):
    s = 0.0
    for column in TABLE.T:
        s += math.sin(column[0] * x[0] - column[2] * x[3])
    return s


def loop_over_zip(x):
    s = 0.0
    for a, b in zip(x, x[::-1], strict=True):
        s += a * math.sin(b)
    return s


def loop_over_zip_of_different_lengths(x):
    s = 0.0
    for now, before in zip(x[1:], x, strict=False):
        s -= 0.5 * (now - 0.8 * before) ** 2
    return s


def loop_over_zip_with_a_tuple(x):
    s = 0.0
    for weight, v in zip((0.2, 0.3, x[5]), x, strict=False):
        s += weight * v * v
    return s


def loop_over_zip_with_a_range(x):
    s = 0.0
    for k, v in zip(range(2, 20, 3), x, strict=False):
        s += k * v * v
    return s


def loop_over_enumerate(x):
    s = 0.0
    for i, v in enumerate(x):
        s += i * v * v
    return s


def loop_over_enumerate_from_one(x):
    s = 0.0
    for i, v in enumerate(x, start=1):
        s += v**2 / i
    return s


def loop_over_enumerate_of_zip(x):
    s = 0.0
    for i, (a, row) in enumerate(zip(x, MATRIX, strict=True)):
        s += a * row[i] * np.sum(row * x)
    return s


def loop_over_reversed(x):
    s = 0.0
    for v in reversed(x):
        s = 0.5 * s + v * v
    return s


def loop_over_reversed_range(x):
    s = 0.0
    for i in reversed(range(1, 6, 2)):
        s = s * x[i] + x[i - 1]
    return s


def loop_over_reversed_enumerate_of_a_tuple(x):
    s = 0.0
    for k, v in enumerate(reversed((x[0], x[1], x[2]))):
        s += (k + 1) * v * v
    return s


def loop_over_a_tuple_with_continue(x):
    s = 0.0
    for v in (x[0], x[1], x[2]):
        if v < 0.0:
            continue
        s += v * v
    return s


def loop_over_a_tuple_of_arrays(x):
    s = 0.0
    for part in (x[:2], x[2:5], np.sin(x)):
        s += np.sum(part) ** 2
    return s


def loop_over_a_map(x):
    s = 0.0
    for v in map(math.exp, x):
        s += v
    return s


def loop_that_writes_what_it_runs_over(x):
    z = x * 1.0
    for i, v in enumerate(z[:-1]):
        z[i + 1] += 0.5 * v * v
    return np.sum(z * z)


# How loops end --------------------------------------------------------------------------------------------------------


def loop_with_break(x):
    s = 0.0
    for v in x:
        if v > 1.0:
            break
        s += v * v
    return s


def loop_with_break_by_a_sum(x):
    s = 0.0
    for v in x:
        s += v * v
        if s > 0.5:
            break
    return s * s


def loop_with_break_and_continue(x):
    s = 0.0
    for i in range(6):
        if x[i] < 0.0:
            continue
        if s > 1.2:
            break
        s += x[i] * x[(i + 1) % 6]
    return s


def loop_with_break_in_a_loop(x):
    s = 0.0
    for i in range(6):
        for j in range(i, 6):
            if x[j] < -1.0:
                break
            s += x[i] * x[j]
    return s


def loop_with_else(x):
    s = 0.0
    for v in x:
        if v > 5.0:
            break
        s += v
    else:
        s *= 2.0
    return s


def loop_with_else_that_is_left_out(x):
    s = 0.0
    for v in x:
        if v > 1.0:
            s += math.exp(v)
            break
    else:
        s = 7.0
    return s * x[0]


def loop_with_return(x):
    for v in x:
        if v > 1.0:
            return v**3
    return x[0]


def loop_with_return_of_infinity(x):
    s = 0.0
    for v in x:
        if v > 9.0:
            return -math.inf
        s -= v * v
    return s


def helper_that_searches(x):
    place, value = _first_above(x, 1.0)
    return place * value + x[0]


def _first_above(x, bound):
    for i, v in enumerate(x):
        if v > bound:
            return i, v * v
    return -1, 0.0


def return_in_nested_loops(x):
    for a in x:
        for b in x:
            if a * b > 1.2:
                return a * b * x[5]
    return 0.0


def loop_over_a_tuple_with_return(x):
    for v in (x[0], x[1], x[2]):
        if v > 1.0:
            return v * x[4]
    return 0.0


def while_with_a_counter(x):
    s, k = 0.0, 0
    while k < 4:
        s = 0.5 * s + x[k] ** 2
        k += 1
    return s


def while_until_it_converges(x):
    y = 1.0
    while abs(y * y - math.exp(x[0])) > 1e-12:
        y = 0.5 * (y + math.exp(x[0]) / y)
    return y * x[1]


def while_true_with_break(x):
    term, s, k = 1.0, 0.0, 0
    while True:
        s += term
        k += 1
        term *= x[0] / k
        if abs(term) < 1e-14:
            break
    return s


def while_with_else(x):
    k = 0
    while x[k] < 1.0:
        k += 1
        if k == 5:
            break
    else:
        k += 1
    return x[k] * x[k - 1]


def while_of_many_turns(x):
    s, t = 0.0, x[0]
    while s < 400.0:
        t = math.sin(t) + 0.9
        s += t * t
    return s + t


def while_in_a_loop(x):
    s = 0.0
    for v in x:
        t, k = v, 0
        while k < 3 and t * t > 0.1:
            t = math.sin(t) * t
            k += 1
        s += t
    return s


def while_over_an_array(x):
    z = x * 1.0
    while np.sum(z * z) > 0.1:
        z = 0.5 * z
    return np.sum(z)


# What loops and branches rebind ---------------------------------------------------------------------------------------


def array_rebound_in_a_loop(x):
    z = x * 1.0
    for _ in range(3):
        z = MATRIX @ z
    return np.sum(z)


def array_rebound_by_recursion(x):
    state = np.zeros(6)
    for row in MATRIX:
        state = np.tanh(0.5 * state + row * x)
    return np.sum(state * x)


def two_arrays_rebound(x):
    z, before = x * 1.0, x * 2.0
    for _ in range(4):
        z, before = 0.5 * z * before + x, z
    return np.sum(before * z)


def array_rebound_until_break(x):
    z = np.cos(x)
    for _ in range(10):
        if np.sum(z) > 20.0:
            break
        z = z + z * z
    return np.sum(np.log(z * z))


def array_by_branch(x):
    if x[0] > 0.0:
        z = x * 2.0
    else:
        z = np.exp(x)
    return np.sum(z * z)


def array_by_branch_of_different_lengths(x):
    if x[0] > 0.0:
        z = x[:2]
    else:
        z = x[1:5]
    return np.sum(z * z) * len(z)


def array_by_a_conditional_expression(x):
    z = x if x[1] > 0.0 else 2.0 * x
    return np.sum(z**3)


def array_returned_by_branch(x):
    return np.sum(_scaled(x, x[0]) * _scaled(x, x[1]))


def _scaled(v, s):
    if s > 0.0:
        return v * s
    return v - s


def tuple_rebound_in_a_loop(x):
    pair = (x[0], x[1])
    for _ in range(3):
        pair = (pair[1], pair[0] * x[2])
    return pair[0] + pair[1]


def tuple_of_arrays(x):
    parts = (x[:3], x[3:])
    (a, b), c = parts, 2.0
    return np.sum(a * b) * c + parts[1][0]
