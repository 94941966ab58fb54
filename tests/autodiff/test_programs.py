"""Programs at the edges of the subset, against finite differences; the generated code runs as plain Python."""

import math

import numpy as np
import pytest

from tests.autodiff.plain import assert_differentiates

RNG = np.random.default_rng(3)
X6 = RNG.normal(size=6) * 0.7
M43 = RNG.normal(size=(4, 3))
WEIGHTS = np.array([0.5, -1.0, 2.0])
SCALE = 1.7


def guarded(x, s):
    if s <= 0.0:
        return -math.inf
    return -x * x / s - math.log(s)


def f_nested_loops(x, n):
    s = 0.0
    for i in range(n):
        a = x[0]
        for j in range(i + 1):
            a = math.sin(a) * x[1] + x[j % 3]
        s += a * a
    return s


def f_two_carried(x, n):
    a, b, lp = x[0], x[1], 0.0
    for _ in range(n):
        a, b = b, a * x[2] + math.cos(b)
        if a > 0.3:
            lp += a * b
        else:
            lp -= math.exp(-a)
    return lp * 0.5


def f_inlined_guard(x, n):
    lp = 0.0
    for i in range(n):
        lp += guarded(x[i], math.exp(x[0]))
    return lp


def f_overwritten_state(x, n):
    a = np.zeros(3)
    for k in range(3):
        a[k] = x[k]
    for _ in range(n):
        for k in range(3):
            a[k] = math.tanh(a[k] * x[k] + a[(k + 1) % 3])
    return a[0] * a[1] + a[2] ** 3


def f_overwritten_after_use(x, n):
    a = np.empty(n)
    for i in range(n):
        a[i] = x[i] ** 2
    s = 0.0
    for i in range(n):
        s += math.exp(a[i] * 0.1)
    for i in range(n):
        a[i] = a[i] * x[0]
    for i in range(n):
        s += math.sin(a[i])
    return s


def f_rows_overwritten_in_an_inner_loop(x, n):
    a = np.zeros(n)
    s = 0.0
    for i in range(n):
        for j in range(3):
            a[i] = x[j] * x[i] + 0.1 * j
            for _ in range(2):
                s += a[i] ** 2
    return s


def f_recurrence_along_rows(x, n):
    P = np.empty((3, n))
    for i in range(3):
        P[i, 0] = x[i]
        for k in range(1, n):
            P[i, k] = math.tanh(P[i, k - 1] * x[k])
    return np.sum(P * P)


def f_inactive_store_clears(x, n):
    a = np.zeros(2)
    s = 0.0
    for i in range(n):
        a[0] = x[i]
        s += a[0] ** 2
        a[0] = 1.0
        s += a[0] * x[0]
    return s


def f_early_return_of_a_helper(x, n):
    return guarded(x[0], n - 10.0) if n > 20 else guarded(x[0], n + 0.0)


def f_returns_in_branches(x, n):
    y = x[0] * x[1]
    if y > 100.0:
        return y
    elif y > 50.0:
        return -y
    z = y**3 + x[2]
    return z if z > 0 else -z


def f_guard(x, n):
    if x[0] > 1e6:
        return -np.inf
    return math.log(x[0] ** 2 + 1.0) * x[1]


def f_continue(x, n):
    s = 0.0
    for i in range(n):
        if i == 1:
            continue
        if x[i] > 0.0:
            s += x[i] ** 3
            continue
        s -= x[i] * x[0]
    return s


def f_loops_backwards(x, n):
    s = 0.0
    h = np.empty(n)
    h[n - 1] = x[n - 1]
    for k in range(n - 2, -1, -1):
        h[k] = x[k] * h[k + 1] + math.sin(h[k + 1])
    for k in range(4, 0, -2):
        s = s * x[k] + h[k]
    return s


def f_loop_that_never_runs(x, n):
    s = x[1]
    for i in range(n, n):
        s += x[0] * x[i]
    for _ in range(3, 0):
        s = s * s
    return s


def f_loop_over_a_tuple(x, n):
    s = 1.0
    for t in (x[0], x[1] ** 2, 3.0):
        s = s * t + t
    return s


def f_integers_carried(x, n):
    count, s = 0, 0
    for i in range(n):
        if i % 2 == 0:
            count += 1
            s += x[count] * count
        else:
            s += x[0] ** 2
    return s


def f_result_used_twice(x, n):
    lp = 0.0
    for i in range(n):
        lp += x[i] ** 2
    return lp + math.exp(-lp)


def f_array_in_a_loop(x, n):
    lp = 0.0
    for t in range(n):
        a = np.empty(3)
        for k in range(3):
            a[k] = x[k] * t + x[t % 5]
        lp += math.log(np.sum(np.exp(0.1 * a)))
    return lp


def f_accumulates(x, n):
    e = np.zeros(4)
    where = np.array((0, 1, 1, 3, 2, 0))
    for i in range(n):
        e[where[i]] += x[i] * x[0]
        e[0] -= x[i]
    return np.sum(e**2)


def f_grows_in_a_loop(x, n):
    mean = x[0] * M43[:, 0]
    for k in range(1, 3):
        mean += x[k] * M43[:, k]
    for k in range(2):
        mean *= x[k]
    return np.sum(mean**2)


def f_writes_to_an_expression(x, n):
    y = x * 2.0
    y[0] = y[1] * y[2]
    y[3:] -= x[0]
    z = M43 @ x[:3]
    for i in range(4):
        z[i] *= y[i]
    return np.sum(y**2) + np.sum(z)


def f_unusual_names(x, n):
    value, total, weight_0, math_, sum_ = x[0], x[1], x[2], x[3], x[4]
    tape_h = np.zeros(3)
    for index in range(3):
        tape_h[index] = value * total
        value = math.sin(value)
    return value * weight_0 + math_ * sum_ + np.sum(tape_h)


def f_index_wraps(x, n):
    a = x * 1.0
    s = 0.0
    for t in range(n):
        s += a[t - 1] ** 2
        a[t] = x[t] * a[t - 1]
    return s


def f_index_guarded(x, n):
    h = np.empty(n)
    for t in range(n):
        if t == 0:
            h[t] = x[t]
        else:
            h[t] = math.tanh(h[t - 1] * x[t])
    return np.sum(h)


def f_kinds_settle(x, n):
    a, b, c = 0, 0, 0
    for i in range(n):
        c += b
        b += a
        a += x[i]
        c = c * b
    return c + a


def f_same_on_both_sides(x, n):
    if x[0] > 0.0:
        v, w = n, 1.0
    else:
        v, w = n, 1.0
    return v * x[1] * w


def f_views_share_memory(x, n):
    a = np.zeros((2, 3))
    b = a.T
    c = a[:, None, 1:]
    d = np.asarray(a)
    for i in range(3):
        a[0, i] = x[i]
    b[1, 1] = x[4] * x[0]
    c[0, 0, 1] += x[5]
    d[1, 2] = x[3] ** 2
    return np.sum(a**3) + np.sum(b @ x[:2]) + np.sum(c * x[:2]) * b[1, 1]


def f_slices(x, n):
    a = np.zeros(n)
    a[:] = x[:n] * 2.0
    a[1 : n - 1] += x[1 : n - 1] ** 2
    a[2:] *= x[0]
    a[1:] = a[:-1]
    a[-1] = x[-1] * x[-2]
    return np.sum(a * a)


def f_matrix_writes(x, n):
    a = np.zeros((3, 3))
    a[0] = x[:3]
    a[1, :] = x[:3] ** 2
    a[:, 2] += x[3:]
    a[1:, 0] *= 2.0
    return np.sum(a * a * a) + a[1][2] * a[0, -1]


def f_broadcasting(x, n):
    D = (x[:, None] - M43[None, :, 0]) ** 2
    return -np.sum(np.exp(-D)) + np.sum(M43 * x[:3]) ** 2


def f_where(x, n):
    v = x[0] * x
    return np.sum(np.where(v > 0.0, np.sqrt(np.abs(v)) * x[1], v * x[2]))


def f_where_spares_the_other_side(x, n):
    return np.sum(np.where(x > 0.0, np.log(x), x))


def f_gathers(x, n):
    group = np.array((0, 1, 1, 2))
    alpha = x[0] + x[1] * x[3:]
    rows = M43[group]
    return np.sum(alpha[group] ** 2) + np.sum(rows * x[:3]) + np.sum(M43[group, 1] * x[group]) + x[group][2]


def f_axes(x, n):
    y = M43 * x[:3]
    s = np.sum(np.sum(y, axis=1) ** 2) + np.sum(np.mean(y, axis=0) ** 3) + np.sum(y.T.sum(axis=-1) * x[3:])
    return s + np.sum(np.prod(y, axis=1)) + np.sum(np.max(y, axis=0) ** 2)


def f_reductions(x, n):
    return np.prod(x) + np.max(x) * np.min(x) + np.var(x) + np.std(x) + x.mean() + np.dot(x, x) + np.linalg.norm(x)


def f_running(x, n):
    return np.sum(np.cumsum(x) ** 2) + np.sum(np.cumprod(x) * x) + np.sum(np.diff(x) ** 2)


def f_joined(x, n):
    y = np.concatenate((x, np.exp(x[:2])))
    return np.sum(y**2) + np.sum(np.arange(n) * x) + np.sum(np.eye(3) * x[:3]) + np.sum(np.clip(x, -0.5, 0.5))


def f_made_arrays(x, n):
    a = np.full(n, 2.0)
    b = np.ones_like(x)
    c = np.zeros((n, 2))
    for i in range(n):
        a[i] *= x[i]
        c[i, i % 2] = x[i] ** 2
    b[0] = x[0]
    c2 = c.copy()
    c2[0, 0] = 3.0
    return np.sum(a * b) + np.sum(c2) + c.size * x[0] + c.shape[1] * x[1] + len(c) * x[2]


def f_globals(x, n):
    return np.sum(WEIGHTS * x[:3]) * SCALE + WEIGHTS[1] * x[5]


def f_views(x, n):
    w = x[2:5]
    s = 0.0
    for i in range(M43.shape[0]):
        s += np.tanh(np.dot(M43[i], w))
    return s + np.sum(w[1:] ** 3) + np.sum(x[::-1] * x) + np.sum(x[::2])


def f_logical(x, n):
    s = 0.0
    for i in range(n):
        if (i > 0 and x[i - 1] > 0.0) or not x[i] < 0.2:
            s += x[i] ** 2
        elif -1.0 < x[i] <= 0.0 and i != 3:
            s -= x[i]
    return s


def f_constant(x, n):
    return 3.0


def f_unused_array(x, n):
    z = np.empty(n)
    for i in range(n):
        z[i] = x[i] * 2.0
    return x[0] ** 2


def f_sum_nested_in_if(x, n):
    lp = 0.0
    for i in range(n):
        if x[i] > 0:
            for j in range(3):
                lp += x[i] * x[j]
        else:
            lp -= x[i] ** 2
    return lp


def f_means(x, n):
    return np.mean(M43 @ x[:3]) + np.log(np.mean(x**2))


PROGRAMS = [f for name, f in list(globals().items()) if name.startswith("f_")]


@pytest.mark.either
@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_program(f):
    x = np.abs(X6) if f is f_returns_in_branches else X6
    with np.errstate(all="ignore"):
        assert_differentiates(f, x, 6)
