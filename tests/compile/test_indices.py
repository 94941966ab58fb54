"""Which users' functions are compiled with checked indices."""

import numpy as np
import pytest

from nbinfer.compile.indices import may_leave


def plain_loops(p, d):
    lp = 0.0
    for i in range(len(d.y)):
        lp += d.y[i] * p.x[d.g[i]]
    for t in range(1, d.y.shape[0]):
        lp += d.y[t] * d.y[t - 1]
    return lp


def expressions(p, d):
    return np.sum(p.x[d.g] * d.y) + p.x[0] + p.x[-1] + np.sum(p.x[1:] * p.x[:-1])


def own_lengths(p, d):
    if p.s < 0:
        return -np.inf
    lp = 0.0
    for i in range(len(d.y)):
        lp += d.y[i]
    for i in range(d.M.shape[0]):
        for j in range(d.M.shape[1]):
            lp += d.M[i, j]
    return lp


def unpacked_shape(p, d):
    n, k = d.M.shape
    if p.s < 0:
        return -np.inf
    lp = 0.0
    for i in range(n):
        for j in range(k):
            lp += d.M[i, j]
    return lp


def enumerated(p, d):
    lp = 0.0
    for i, y in enumerate(d.y):
        lp += y * p.x[d.g[i]]
    return lp


def work_array(p, d):
    mu = np.empty(len(d.y))
    for i in range(len(d.y)):
        mu[i] = p.s * d.y[i]
    return np.sum(mu)


def by_discrete(p, d):
    return d.a[p.k]


def by_index_array(p, d):
    return np.sum(p.x[p.z])


def along_second_axis(p, d):
    return np.sum(d.M[:, p.k])


def loop_bound(p, d):
    lp = 0.0
    for i in range(p.k):
        lp += d.y[i]
    return lp


def other_length_in_branch(p, d):
    lp = 0.0
    if p.s > 0:
        for i in range(len(d.y)):
            lp += d.x[i]
    return lp


def wrong_axis(p, d):
    lp = 0.0
    if p.s > 0:
        for i in range(d.M.shape[1]):
            lp += d.M[i, 0]
    return lp


def written(p, d):
    w = np.zeros(3)
    w[int(p.s)] = 1.0
    return w[0]


def counted_while(p, d):
    i = 0
    while i < p.k:
        i += 1
    return d.a[i]


def summed_comparisons(p, d):
    k = 0
    for i in range(len(d.a)):
        k += p.x[0] > i
    return d.a[k]


def through_memory(p, d):
    index = np.zeros(3, np.int64)
    view = index[1:]
    view[0] = p.k
    return d.a[index[1]]


def by_mask(p, d):
    x = p.x.copy()
    x[p.x > 0] = 0.0
    return np.sum(x)


def in_closure(p, d):
    def taken(i):
        return d.a[i]

    return taken(p.k)


def by_argmax(p, d):
    return d.a[np.argmax(p.x)]


def length_of_the_point(p, d):
    return np.zeros(p.k)[3]


def first_of_a_mask(p, d):
    return np.flatnonzero(d.y > p.s)[0]


def filled(p, d):
    index = np.zeros(1, np.int64)
    index.fill(p.k)
    return d.a[index[0]]


def filled_part(p, d):
    index = np.zeros((2, 2), np.int64)
    index.ravel()[:] = p.k
    return d.a[index[0, 0]]


def after_an_ellipsis(p, d):
    lp = 0.0
    if p.s > 0:
        for i in range(d.M.shape[1]):
            lp += np.sum(d.M[..., None, i])
    return lp


FREE = [plain_loops, expressions, own_lengths, unpacked_shape, enumerated, work_array]
CHECKED = [
    by_discrete, by_index_array, along_second_axis, loop_bound, other_length_in_branch, wrong_axis, written,
    counted_while, summed_comparisons, through_memory, by_mask, in_closure, by_argmax,
    length_of_the_point, first_of_a_mask, filled, filled_part, after_an_ellipsis,
]  # fmt: skip


@pytest.mark.parametrize("f", FREE, ids=lambda f: f.__name__)
def test_loops_over_data_are_left_alone(f):
    assert not may_leave(f, (1,))


@pytest.mark.parametrize("f", CHECKED, ids=lambda f: f.__name__)
def test_what_a_point_may_lead_out_is_checked(f):
    assert may_leave(f, (1,))


def test_helpers_arguments_are_not_trusted():
    assert may_leave(plain_loops, ())
    assert not may_leave(own_lengths, ())
