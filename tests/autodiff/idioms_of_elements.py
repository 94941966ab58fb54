"""NumPy on whole arrays: reduced, multiplied, read and written by index."""

from __future__ import annotations

import numpy as np

REFUSED: dict[str, str] = {}

INDEX = np.array([0, 2, 5])
TWICE = np.array([1, 3, 1, 1])
CHOSEN = np.array([True, False, True, True, False, True])
GROUP = np.array([2, 0, 1, 1, 0, 2])
TABLE = np.arange(12.0).reshape(3, 4) / 7.0
EDGES = np.array([0.0, 1.0, 2.0])
DATA = np.array([0.4, 1.7, 1.2])


# Reduced --------------------------------------------------------------------------------------------------------------


def methods(x):
    return x.sum() + x.mean() ** 2 + x.std() * x.var() + x.prod() + x.max() * x.min() + x.dot(x) + x.copy()[0]


def keepdims(x):
    a = np.outer(x[:3], x[2:])
    return np.sum((a - a.mean(axis=1, keepdims=True)) ** 2) + np.sum(a / (3.0 + np.sum(a, axis=0, keepdims=True) ** 2))


def softmax(x):
    a = TABLE * x[:4]
    e = np.exp(a - np.max(a, axis=1, keepdims=True))
    return np.sum(np.log(e / e.sum(axis=1, keepdims=True))[:, 1])


def keepdims_of_all(x):
    return np.sum(x / (2.0 + np.sum(x**2, keepdims=True)))


def axis_tuple(x):
    a = x.reshape(1, 2, 3)
    return np.sum(np.sum(a**2, axis=(0, 2)) * x[:2]) + np.sum(np.mean(a, axis=(0, 1)) ** 2)


def spread_along_axis(x):
    a = TABLE * x[:4]
    return np.sum(np.std(a + 1.0, axis=1)) + np.sum(a.var(axis=0) ** 2) + np.var(x, ddof=1) + np.std(x, ddof=1)


def extremes_along_axis(x):
    a = TABLE * x[:4] + 2.0 * x[:3, None]
    return np.sum(np.max(a, axis=0) * x[:4]) + np.sum(a.min(axis=1, keepdims=True)) + np.ptp(x)


def products_along_axis(x):
    return np.sum(np.prod(1.0 + TABLE * x[:4], axis=1)) + np.prod(x, keepdims=True)[0]


def cumulative_sum(x):
    return np.sum(np.cumsum(x) ** 2) + np.sum(x.cumsum() * np.arange(6.0))


def cumulative_along_axis(x):
    a = TABLE * x[:4]
    return np.sum(np.cumsum(a, axis=0) ** 2) + np.sum(np.cumsum(a, axis=1)[:, -1]) + np.sum(np.cumsum(a) ** 2)


def cumulative_product(x):
    stick = np.cumprod(1.0 - 0.3 * x)
    return np.sum(stick**2) + np.sum(np.cumprod(1.0 + TABLE * x[:4], axis=-1) ** 2)


def stick_breaking(x):
    v = 1.0 / (1.0 + np.exp(-x))
    w = v * np.concatenate((np.ones(1), np.cumprod(1.0 - v)[:-1]))
    return np.sum(np.log(w))


def difference(x):
    return np.sum(np.diff(x) ** 2) + np.sum(np.diff(x, n=2) ** 2)


def difference_along_axis(x):
    a = TABLE * x[:4]
    return np.sum(np.diff(a, axis=0) ** 2) + np.sum(np.diff(a) ** 3)


def norms(x):
    a = TABLE * x[:4] + 1.0
    return np.linalg.norm(x) + np.sum(np.linalg.norm(a, axis=1))


def any_and_all(x):
    return x[0] ** 2 if np.all(x < 5.0) and np.any(x > 1.0) else x[1]


def count_of_data(x):
    return np.sum(x * np.sum(CHOSEN)) + np.count_nonzero(GROUP) * x[0]


def reductions_of_functions(x):
    return np.add.reduce(x**2) + np.maximum.reduce(x) * np.multiply.reduce(x) + np.logaddexp.reduce(x) + np.average(x)


def weighted_average(x):
    return np.average(x[:3] ** 2, weights=DATA)


# Products -------------------------------------------------------------------------------------------------------------


def outer(x):
    return np.sum(np.outer(x[:3], x[3:]) ** 2) + np.sum(np.add.outer(x[:2], x[2:]) ** 2)


def inner(x):
    return np.inner(x, x**2) + np.sum(np.inner(TABLE, TABLE * x[:4]))


def einsum_product(x):
    return np.sum(np.einsum("ij,j->i", TABLE, x[:4]) ** 2)


def einsum_quadratic_form(x):
    return np.einsum("i,ij,j->", x[:3], TABLE[:, :3], x[3:])


def einsum_by_rows(x):
    a = np.outer(x[:3], x[:4])
    return np.sum(np.einsum("ij,ij->i", TABLE, a) ** 2) + np.sum(np.einsum("ij,kj->ik", TABLE, a) ** 2)


def einsum_of_one(x):
    a = np.outer(x, x)
    return np.einsum("ii", a) + np.sum(np.einsum("ij->ji", a)[0]) + np.einsum("ij->", a) + np.sum(np.einsum("ii->i", a))


def quadratic_form(x):
    return x[:4] @ TABLE.T @ TABLE @ x[:4] + np.sum(TABLE.T.dot(x[:3]))


def tensordot(x):
    return np.sum(np.tensordot(TABLE, x[:4], axes=1) ** 2) + np.sum(np.cross(x[:3], x[3:]) ** 2)


# Read by index --------------------------------------------------------------------------------------------------------


def mask_of_data(x):
    return np.sum(x[CHOSEN] ** 2)


def mask_computed(x):
    return np.sum(x[x > 0.0] ** 2)


def mask_made_of_data(x):
    return np.sum(np.log(1.0 + x[GROUP == 1] ** 2)) + np.sum(x[~CHOSEN]) + np.sum(x[(GROUP > 0) & CHOSEN])


def mask_of_matrix(x):
    a = TABLE * x[:4]
    return np.sum(a[TABLE > 0.5] ** 2) + np.sum(a[TABLE[:, 0] > 0.3] ** 2) + np.sum(a[:, TABLE[0] > 0.2])


def mask_of_both(x):
    return np.sum(x[CHOSEN] * np.arange(6.0)[CHOSEN])


def positions_of_mask(x):
    return np.sum(x[np.where(GROUP == 1)[0]] ** 2) + np.sum(x[np.flatnonzero(CHOSEN)]) + np.sum(x[np.nonzero(GROUP)])


def index_array(x):
    return np.sum(x[INDEX] ** 2) + np.sum(x[[0, 0, 3]] * DATA) + np.sum(x[-INDEX])


def index_of_two_axes(x):
    return np.sum(x[np.array([[0, 1], [2, 3]])] ** 2) + np.sum(x[GROUP.reshape(2, 3)] * TABLE[:2, :3])


def index_by_group(x):
    return np.sum((x[:3][GROUP] - 0.5) ** 2)


def pairs_of_indices(x):
    a = np.outer(x, x)
    return np.sum(a[INDEX, GROUP[:3]]) + np.sum(a[GROUP, 1]) + np.sum(a[0, INDEX]) + np.sum(a[:, INDEX] ** 2)


def index_with_new_axis(x):
    return np.sum(x[INDEX][:, None] * TABLE) + np.sum(x[INDEX, None] * TABLE)


def take(x):
    return np.sum(np.take(x, INDEX) ** 2) + np.sum(np.take(TABLE * x[:4], INDEX[:2], axis=1))


def slices(x):
    return np.sum(x[::2] * x[1::2]) + np.sum(x[::-1] * np.arange(6.0)) + np.sum(x[4:0:-2]) + np.sum(x[-3:-1] ** 2)


def ellipsis_and_new_axes(x):
    a = x.reshape(2, 3)
    return np.sum(a[..., 0] ** 2) + np.sum(a[..., None] * np.ones(2)) + np.sum(x[None, :, None] ** 2) + a[1, ...][0]


def searched(x):
    return np.sum(x[np.searchsorted(EDGES, DATA)] ** 2) + x[np.argmax(DATA)] + x[np.argmin(DATA)]


def sorted_data(x):
    return np.sum(x[np.argsort(DATA)] * np.sort(DATA)) + np.sum(np.bincount(GROUP) * x[:3])


def sorted_parameters(x):
    return np.sum(np.sort(x) * np.arange(6.0)) + np.sum(x[np.argsort(x)][:2])


# Written by index -----------------------------------------------------------------------------------------------------


def write_at_positions(x):
    z = np.zeros(6)
    z[INDEX] = x[:3] ** 2
    return np.sum(z * x)


def write_a_number_at_positions(x):
    z = x * 1.0
    z[INDEX] = x[0] * x[1]
    return np.sum(z**2)


def write_twice(x):
    z = np.zeros(6)
    z[TWICE] = x[:4] ** 2
    return np.sum(z * np.arange(6.0))


def add_at_positions(x):
    z = x**2
    z[INDEX] += x[:3]
    return np.sum(z**2)


def add_twice(x):
    z = x**2
    z[TWICE] += x[:4]
    z[TWICE] *= 2.0
    return np.sum(z**2)


def add_at(x):
    z = np.zeros(3)
    np.add.at(z, GROUP, x**2)
    np.subtract.at(z, INDEX[:2], 0.5)
    return np.sum(z**2)


def write_by_mask(x):
    z = x * 2.0
    z[CHOSEN] = x[0]
    z[x > 1.0] = 0.0
    return np.sum(z**2)


def write_array_by_mask(x):
    z = np.zeros(6)
    z[CHOSEN] = x[:4] ** 2
    z[~CHOSEN] = x[4:]
    return np.sum(z * np.arange(6.0))


def add_by_mask(x):
    z = x * 1.0
    z[x < 0.0] += x[0] ** 2
    z[CHOSEN] *= x[CHOSEN]
    return np.sum(z**2)


def write_slices(x):
    z = np.zeros(6)
    z[::2] = x[:3] ** 2
    z[1::2] = x[3:]
    z[::-1] += x
    return np.sum(z**2 * np.arange(6.0))


def write_columns(x):
    z = np.zeros((3, 4))
    z[:, 0] = x[:3]
    z[1] = x[0] ** 2
    z[..., 3] += x[3:]
    z[:, INDEX[:2]] += x[:2]
    return np.sum(z * TABLE)


def write_pairs(x):
    z = np.zeros((6, 6))
    z[INDEX, GROUP[:3]] = x[:3]
    z[np.arange(6), np.arange(6)] = x**2
    z[0, INDEX] += x[3:]
    return np.sum(z * np.outer(x, x))


def missing_values_filled(x):
    y = np.array([0.3, np.nan, 1.2, np.nan, 0.1, 0.7])
    z = y.copy()
    z[np.isnan(y)] = x[:2]
    return np.sum((z - x[2]) ** 2)


def lower_triangle_filled(x):
    a = np.zeros((3, 3))
    a[np.tril_indices(3)] = x
    return np.sum((a @ a.T) ** 2)


# Choices --------------------------------------------------------------------------------------------------------------


def where_of_numbers(x):
    return np.where(x[0] > 0.0, -x[0], -np.inf)


def where_of_arrays(x):
    return np.sum(np.where(x > 0.0, x**2, -x))


def select(x):
    return np.sum(np.select([x > 1.0, x > 0.0], [x**2, x**3], default=-1.0)) + np.sum(np.select((x > 0.5,), (x,)))


def choices_of_extremes(x):
    return np.sum(np.clip(x, -0.5, 0.8)) + np.sum(x.clip(-1.0, 0.5)) + np.sum(np.maximum(x, 0.0) ** 2)


def nan_to_num(x):
    return np.sum(np.nan_to_num(x) ** 2) + np.nansum(x) + np.sum(np.heaviside(x, 0.5) * x)
