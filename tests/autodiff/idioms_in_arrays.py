"""NumPy on whole arrays: made, joined and shaped."""

from __future__ import annotations

import math

import numpy as np

REFUSED: dict[str, str] = {}

COUNTS = np.array([2, 0, 1, 3, 0, 1])
TABLE = np.arange(12.0).reshape(3, 4) / 7.0
DATA = np.array([0.4, 1.7, 1.2])
TRAPEZOID = getattr(np, "trapezoid", getattr(np, "trapz", None))  # which depends on the version


def sum_of_squares(x):
    return np.sum(x**2)


# Made -----------------------------------------------------------------------------------------------------------------


def constant_array(x):
    return np.sum(np.array([2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) * x**2)


def constant_of_integers(x):
    return np.sum(np.array([2, 3, 4]) * x[:3] ** 2)


def constant_matrix(x):
    return np.sum(np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]]) @ x[:3] ** 2)


def constant_with_dtype(x):
    return np.sum(np.array([1, 2, 3], dtype=float) / 2 * x[:3])


def constant_changed(x):
    a = np.array([1.0, 2.0, 3.0])
    a[1] = x[0] * x[1]
    return np.sum(a**2)


def array_of_numbers(x):
    return np.sum(np.array([x[0] * x[1], np.sin(x[2]), 3.0]) ** 2)


def matrix_of_numbers(x):
    a = np.array([[1.0 + x[0] ** 2, x[1]], [x[1], 2.0 + x[2] ** 2]])
    return np.linalg.slogdet(a)[1] + a[0, 1] * a[1, 1]


def matrix_of_tuples(x):
    return np.sum(np.array(((x[0], x[1]), (x[2], 0.5))) @ np.array((x[3], 1.0)))


def matrix_of_rows(x):
    return np.sum(np.array([x[:3], x[3:] ** 2]) * TABLE[:2, :3])


def copy_of_argument(x):
    z = np.array(x)
    z[0] *= z[1]
    return np.sum(z**2)


def as_array(x):
    return np.sum(np.asarray(x, dtype=float) ** 3) + np.sum(np.asarray([x[0], x[1]]) ** 2)


def linspace_constant(x):
    return np.sum(np.linspace(0.0, 1.0, 6) * x**2)


def linspace_of_parameters(x):
    return np.sum(np.linspace(x[0], x[1] ** 2, 5) ** 2)


def linspace_open(x):
    return np.sum(np.linspace(0.0, x[0], len(x), endpoint=False) * x)


def arange_of_size(x):
    return np.sum(np.arange(len(x)) * x**2)


def arange_between(x):
    return np.sum(np.arange(1, len(x) + 1) * x**2)


def arange_with_step(x):
    return np.sum(x[np.arange(0, 6, 2)] ** 2) + np.sum(np.arange(0.0, 3.0, 0.5) * x) + np.sum(np.arange(5, -1, -1) * x)


def zeros_and_ones(x):
    a = np.zeros((2, 3))
    a[0] = x[:3] ** 2
    return np.sum(a + np.ones((2, 1))) + np.sum(np.ones_like(x) * x) + np.sum(np.zeros_like(x) + x)


def full_of_a_parameter(x):
    return np.sum(np.full(3, x[0]) * x[1:4]) + np.sum(np.full((2, 3), x[1]) * TABLE[:2, :3])


def full_of_a_row(x):
    return np.sum(np.full((2, 3), x[:3]) ** 2 * TABLE[:2, :3]) + np.sum(np.full_like(x, 2.0) * x**2)


def empty_filled(x):
    a = np.empty(len(x))
    a[:] = x**2
    return a @ x


def identity(x):
    a = np.eye(3) * 2.0 + np.outer(x[:3], x[:3])
    return np.linalg.slogdet(a)[1] + np.sum(np.identity(3) * a)


# Joined ---------------------------------------------------------------------------------------------------------------


def stack_rows(x):
    return np.sum(np.stack((x[:3], x[3:] ** 2)) * TABLE[:2, :3])


def stack_columns(x):
    return np.sum(np.stack([x, x**2], axis=1) ** 2) + np.sum(np.stack([x, x**2], axis=-1)[1])


def vstack(x):
    return np.sum(np.vstack((x[:4], TABLE)) ** 2)


def hstack(x):
    return np.sum(np.hstack((x, x[0] * x[1], [3.0, x[2]])) ** 2)


def hstack_of_matrices(x):
    return np.sum(np.hstack((TABLE, x[:3, None])) ** 2 @ np.arange(5.0))


def column_stack(x):
    return np.sum(np.column_stack((x, x**2)) ** 2)


def column_stack_as_design(x):
    design = np.column_stack([np.ones(3), DATA, DATA**2])
    return np.sum((design @ x[:3] - 1.0) ** 2)


def column_stack_of_matrix(x):
    return np.sum(np.column_stack((TABLE, x[:3], DATA)) ** 3)


def concatenate(x):
    return np.sum(np.concatenate((x[:2] ** 2, x[3:], DATA)) * np.arange(8.0))


def concatenate_with_list(x):
    return np.sum(np.concatenate(([0.0], np.cumsum(x), [x[0]])) ** 2)


def concatenate_along_axis(x):
    a = np.outer(x[:3], x[:2])
    return np.sum(np.concatenate((TABLE, a), axis=1) ** 2) + np.sum(np.concatenate((TABLE.T, a.T[:, :3], TABLE.T)) ** 2)


def concatenate_many(x):
    return np.sum(np.concatenate((x, x**2, x[:1], DATA, x[2:4], x[::-1], x * 0.5)) ** 2 * np.arange(30.0))


def concatenate_indexed(x):
    z = np.concatenate((x[:3] ** 2, x[4:]))
    s = 0.0
    for i in range(len(z)):
        s += z[i] * z[i - 1]
    return s


def sum_to_zero(x):
    z = np.append(x, -np.sum(x))
    return np.sum(z**2 * np.arange(7.0))


def append_array(x):
    return np.sum(np.append(x[:2], x[4:] ** 2) ** 2) + np.sum(np.append(TABLE, x[:4][None, :], axis=0) ** 2)


def cut_points(x):
    cuts = np.concatenate((np.array([-9.0]), np.cumsum(np.exp(x[:3])), np.array([9.0])))
    return np.sum(1.0 / (1.0 + np.exp(-cuts[1:])) - 1.0 / (1.0 + np.exp(-cuts[:-1])) ** 2)


def repeat(x):
    return np.sum(np.repeat(x[:3], 2) * x**2) + np.sum(np.repeat(x[0], 3) * DATA)


def repeat_by_counts(x):
    return np.sum(np.repeat(x, COUNTS) ** 2 * np.arange(7.0))


def repeat_rows(x):
    return np.sum(np.repeat(TABLE, 2, axis=0) * x[:, None])


def tile(x):
    return np.sum(np.tile(x[:3], 2) * x**2) + np.sum(np.tile(x[:2], (3, 2)) * TABLE)


def meshgrid(x):
    a, b = np.meshgrid(x[:3], x[3:5])
    return np.sum(np.sin(a * b) + a)


def kronecker(x):
    return np.sum(np.kron(np.outer(x[:2], x[:2]), TABLE[:2, :2]) ** 2)


# Shaped ---------------------------------------------------------------------------------------------------------------


def reshape(x):
    return np.sum(x.reshape((2, 3)) * TABLE[:2, :3])


def reshape_by_numbers(x):
    return np.sum(x.reshape(3, 2) @ x[:2]) + np.sum(np.reshape(x, (2, 3))[1] ** 2)


def reshape_unknown(x):
    return np.sum(x.reshape(-1, 2)[:, 1] ** 3) + np.sum(x.reshape(2, -1)[0] ** 2)


def reshape_to_column(x):
    return np.sum(x.reshape(-1, 1) * np.ones((1, 2)) * x.reshape((6, 1)))


def reshape_matrix(x):
    return np.sum(np.outer(x[:2], x[:3]).reshape(3, 2) @ x[:2])


def ravel_of_matrix(x):
    return np.sum(np.outer(x[:2], x[:3]).ravel() * x) + np.sum(np.ravel(TABLE.T)[:6] * x)


def flatten(x):
    return np.sum((TABLE * x[:4]).flatten() ** 2) + np.sum(x.flatten())


def reshape_of_memory(x):
    a = np.zeros(6)
    b = a.reshape(2, 3)
    a[4] = x[0] * x[1]
    return np.sum(b * TABLE[:2, :3])


def transpose_axes(x):
    a = x.reshape(1, 2, 3)
    return np.sum(np.transpose(a, (2, 0, 1))[:, 0] * TABLE[:, :2]) + np.sum(a.transpose(1, 2, 0)[..., 0] ** 2)


def transpose_method(x):
    return np.sum((TABLE * x[:4]).transpose() @ x[:3]) + np.sum(np.outer(x, x).T[0])


def swapaxes(x):
    return np.sum(np.swapaxes(x.reshape(2, 3), 0, 1) * TABLE[:, :2]) + np.sum(np.moveaxis(x.reshape(2, 3), 0, 1)[0])


def flip(x):
    return np.sum(np.flip(x) * np.arange(6.0)) + np.sum(np.flip(x.reshape(2, 3), axis=1) * TABLE[:2, :3])


def roll(x):
    return (
        np.sum(np.roll(x, 1) * x)
        + np.sum(np.roll(x, -2) * np.arange(6.0))
        + np.sum(np.roll(TABLE, 1, axis=0)[0] * x[:4])
    )


def squeeze(x):
    return np.sum(np.squeeze(x.reshape(6, 1)) * x) + np.sum(x[None, :].squeeze(0) ** 2)


def expand_dims(x):
    return np.sum(np.expand_dims(x[:3], 1) * TABLE) + np.sum(np.expand_dims(x[:4], axis=0) * TABLE)


def at_least(x):
    return np.sum(np.atleast_1d(x[0]) * x) + np.sum(np.atleast_2d(x[:4]) * TABLE)


def broadcast_to(x):
    return np.sum(np.broadcast_to(x[:4], (3, 4)) * TABLE) + np.sum(np.broadcast_to(x[0], (3,)) * DATA)


def triangles(x):
    a = np.outer(x, x)
    return np.sum(np.tril(a)) + 2.0 * np.sum(np.triu(a, 1)) - np.sum(np.tril(a, k=-1) ** 2)


def trace_and_diagonal(x):
    a = np.outer(x, x**2)
    return np.trace(a) + np.sum(np.diag(a) ** 2) + np.sum(np.diag(x[:3]) @ x[:3])


def squared_distances(x):
    return np.sum(np.exp(-((x[:, None] - x[None, :]) ** 2)))


# Spelled out ----------------------------------------------------------------------------------------------------------


def polynomials(x):
    total = np.polyval(x[:3], x[3]) + np.sum(np.polyval(x[:3], DATA) ** 2) + np.polyval([1.0, 2.0], x[0])
    return total + np.sum((np.vander(DATA, 4, increasing=True) @ x[:4]) ** 2) + np.sum(np.vander(x[:3]) ** 2)


def distance(x):
    return math.dist(x[:2], x[2:4]) + math.dist((x[0], x[1]), (0.0, 1.0))


def trapezoids(x):
    trapezoid = TRAPEZOID
    rows = trapezoid(np.reshape(x, (2, 3)), np.array([0.0, 0.5, 2.0]))  # of each row
    return trapezoid(x**2, np.linspace(0.0, 1.0, 6) ** 2) + trapezoid(x, dx=0.5) + rows[0] * rows[1]


def membership_of_elements(x):
    return np.sum(x[np.isin(COUNTS, [0, 3])] ** 2) + np.sum(x[np.isin(COUNTS, np.array([1]), invert=True)])


def diagonals_written(x):
    k = np.outer(x[:3], x[:3])
    k[np.diag_indices(3)] += 1.0
    k[np.diag_indices_from(k)] *= 1.0 + x[0]
    np.fill_diagonal(k, np.diag(k) ** 2)
    return np.linalg.slogdet(k)[1]


def elements_along_an_axis(x):
    a = np.outer(DATA, x)
    total = np.sum(np.take_along_axis(a, np.array([[0], [2], [5]]), axis=1) ** 2) + np.sum(a[np.ix_([0, 1], [2, 3])])
    return total + np.sum(np.take_along_axis(a, np.array([[0, 1, 2, 0, 1, 2]]), axis=0) ** 2)


def sorted_in_place(x):
    z = x.copy()
    z.sort()
    return np.sum(z * np.arange(6.0))


def identities(x):
    a = np.outer(x, x)
    total = np.sum(a[np.eye(6, dtype=bool)] ** 3) + np.sum(np.eye(6, k=1) * a) + np.sum(np.eye(6, 3, -1) @ x[:3])
    return total + np.sum(np.eye(N=2, M=3) @ x[:3]) + np.sum(np.eye(2, dtype=int) @ x[:2])


def roots_and_angles(x):
    total = np.exp2(x[0]) + np.cbrt(x[1]) + np.reciprocal(x[2]) + np.deg2rad(x[0]) + math.degrees(x[1])
    return total + np.sum(np.cbrt(x)) + np.sum(np.exp2(x))
