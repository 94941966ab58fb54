"""Lists whose length is found out on the way, and lists whose items change."""

from __future__ import annotations

import numpy as np

#: Names of idioms that have no derivative, and words of what is said of them.
REFUSED: dict[str, str] = {
    "list_in_a_while": "known before it is made; fill an array in loops",
    "list_of_dependent_ranges": "known before it is made; fill an array in loops",
    "list_in_a_closure_and_a_loop": "let that return what is new",
    "rows_of_zeros_by_the_turn": "must be a number known in advance; use an array",
    "sum_of_rows_that_are_lists": "make an array of it, by np.array",
}


def list_of_unknown_length(x):
    terms = []
    for v in x:
        if v > 0.0:
            terms.append(v)  # noqa: PERF401
    return sum(terms)


def list_read_while_it_grows(x):
    path = [x[0]]
    for v in x:
        path.append(path[-1] + v)
    return path[-1]


def nested_comprehension_of_unknown_length(x):
    return np.sum(np.array([a * b for a in x for b in x]))


# Appended to under conditions -----------------------------------------------------------------------------------------


def list_with_a_beginning(x):
    z = [x[0], 2.0]
    for i, v in enumerate(x):
        if v > 0.0:
            z.append(v * v * i)
        else:
            z.append(v)
    return np.sum(np.array(z) ** 2 * np.arange(8.0)) + z[-1]


def list_of_floats_and_integers(x):
    path = [0.5]
    for i in range(len(x)):
        path.append(i)  # noqa: PERF402
    return sum(path) * x[0]


def list_that_gets_several_items(x):
    z = []
    for v in x:
        z.append(v)
        z += [v * v]
        if v > 0.4:
            z.extend([v**3, 1.0])
    return np.sum(np.array(z) * np.arange(len(z)))


def list_up_to_a_break(x):
    z = []
    for v in x:
        if v > 1.0:
            break
        z.append(v * v)
    return sum(z) * len(z)


def list_read_before_a_return(x):
    z = []
    for v in x:
        if v > 1.0:
            return sum(z) * v
        z.append(v)
    return sum(z)


def list_in_two_loops(x):
    z = []
    for a in x:
        for b in x:
            if a > b:
                z.append(a * b)  # noqa: PERF401
    return sum(z) + z[3]


def list_in_each_turn(x):
    total = 0.0
    for a in x:
        z = []
        for b in x:
            if b > a:
                z.append(b * a)  # noqa: PERF401
        total += sum(z) ** 2
    return total


def list_in_one_loop_after_the_other(x):
    z = [1.0]
    for v in x:
        if v > 0.0:
            z.append(v)
            z.append(v * v)
    z.append(x[1])
    for v in x:
        z.append(v * v)  # noqa: PERF401
    return np.dot(np.array(z), np.arange(len(z))) + max(z)


def list_in_a_loop_that_is_written_out(x):
    z = []
    for v in x:
        for k in (1, 2, 3):
            if v > 0.0:
                z.append(v**k)  # noqa: PERF401
    return sum(z) * len(z)


def list_in_branches(x):
    z = [x[0]]
    if x[0] > 0.0:
        z.append(x[1])
    if x[1] > 0.0:
        z.append(x[2])
    for k in range(3):
        if x[k] > 0.0:
            z.append(x[k] ** 2)  # noqa: PERF401
    return sum(z) * len(z)


def list_that_a_function_fills(x):
    out = []
    _fill(out, x)
    _fill(out, x * 2.0)
    return sum(v * v for v in out)


def _fill(out, x):
    for v in x:
        if v > 0.0:
            out.append(v)


def list_by_recursion(x):
    f = [x[0], x[1]]
    for i in range(2, len(x)):
        f.append(f[i - 1] * x[i] + f[i - 2] + len(f))
    return f[-1] + f[3] ** 2 + np.mean(f)


def list_in_a_while(x):
    z, k = [], 0
    while k < 4:
        z.append(x[k])
        k += 1
    return sum(z)


def list_in_a_closure_and_a_loop(x):
    z = []

    def add(v):
        z.append(v)

    for v in x:
        add(v)
    return sum(z)


# Rows -----------------------------------------------------------------------------------------------------------------


def rows_under_a_condition(x):
    rows = []
    for v in x:
        if v > 0.0:
            rows.append(v * x[:3])  # noqa: PERF401
    return np.sum(np.array(rows) ** 2) + rows[0][1] + sum(row[0] for row in rows)


def rows_that_are_lists(x):
    rows = []
    for v in x:
        rows.append([v, v**2])  # noqa: PERF401
    return np.sum(np.array(rows) ** 2) + sum(a * b for a, b in rows) + rows[1][0]


def rows_that_are_tuples(x):
    rows = [(i, v) for i, v in enumerate(x) if v > 0.0]
    return sum(i * v for i, v in rows) + rows[1][1]


def comprehension_in_a_comprehension(x):
    rows = [[a * b for b in x] for a in x]
    return np.sum(np.array(rows) ** 2) + rows[1][2] + sum(sum(row) for row in rows)


def sum_of_rows_that_are_lists(x):
    rows = [[v, v**2] for v in x]
    return (rows[0] + rows[1])[2]


# Comprehensions -------------------------------------------------------------------------------------------------------


def comprehension_over_a_tuple_with_a_condition(x):
    z = [v for v in (x[0], x[1], x[2]) if v > 0.0]
    return sum(z) * len(z) + z[1]


def comprehension_over_two(x):
    z = [a * b for a in x for b in x if a > b]
    y = np.array([v * k for v in x for k in (1, 2, 3)]) + np.array([v * k for k in (1, 2, 3) for v in x])
    return sum(z) * len(z) + np.sum(y * np.arange(18.0))


def list_of_dependent_ranges(x):
    z = [x[i] * x[j] for i in range(len(x)) for j in range(i)]
    return sum(z) * len(z)


# Items that change ----------------------------------------------------------------------------------------------------


def items_set_in_a_loop(x):
    z = [0] * 6
    for i in range(len(x)):
        z[i] = x[i] ** 2
    return sum(z) * z[2]


def items_that_count(x):
    counts = [0, 0, 0]
    for g in np.array([0, 1, 1, 2, 1]):
        counts[g] += 1
    return x[counts[0]] * x[counts[1]] + counts[2] * x[0]


def items_set_in_a_branch(x):
    z = [0.0, 1.0]
    if x[0] > 0.0:
        z[0] = x[1]
    else:
        z[1] = x[2]
    return z[0] * z[1] * x[5] + sum(z)


def items_of_a_recursion(x):
    best = [0.0] * 7
    for i in range(1, 7):
        best[i] = max(best[i - 1], best[i - 2 if i > 1 else 0] + x[i - 1])
    return best[6]


def rows_of_zeros_by_the_turn(x):
    m = [[0.0] * 3 for _ in range(2)]
    for i in range(2):
        m[i][0] = x[i]
    return m[1][0]
