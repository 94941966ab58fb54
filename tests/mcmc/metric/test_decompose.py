"""Decompositions against NumPy's, of matrices of every condition and magnitude."""

import numpy as np
import pytest

from nbinfer.compile import JIT, address_of, entry
from nbinfer.mcmc.metric import decompose

EPS = np.finfo(float).eps


@entry("int64(intp, int64, int64)")
def _triangle(columns, count, length):
    decompose.triangle(columns, count, length)
    return 0


@entry("int64(intp, int64, intp)")
def _solve(columns, count, values):
    decompose.solve_triangle(columns, count, values)
    return 0


@entry("int64(intp, int64, int64, intp)")
def _span(vectors, count, length, sizes):
    return decompose.span(vectors, count, length, sizes)


@entry("int64(intp, int64, int64, intp)")
def _singular(rows, count, length, sizes):
    return 1 if decompose.singular(rows, count, length, sizes) else 0


def triangle(matrix):
    columns = np.array(matrix.T, order="C")
    _triangle(address_of(columns), *columns.shape)
    return np.triu(columns.T[: len(columns)])


def span(vectors):
    """Return the basis, as rows."""
    rows, sizes = np.array(vectors, float), np.zeros(len(vectors))
    return rows[: _span(address_of(rows), *rows.shape, address_of(sizes))]


def singular(matrix):
    """Return singular values and right singular vectors, as rows; None if there are none."""
    rows, sizes = np.array(matrix, float), np.zeros(len(matrix))
    return (sizes, rows) if _singular(address_of(rows), *rows.shape, address_of(sizes)) else None


def rotation(rng, n):
    return np.linalg.qr(rng.normal(size=(n, n)))[0]


def matrices():
    rng = np.random.default_rng(4)
    square = {n: rng.normal(size=(n, n)) for n in (1, 2, 7, 30)}
    grades = 10.0 ** np.linspace(0, -12, 20)
    return {
        **{f"random {n}": a for n, a in square.items()},
        "graded": rotation(rng, 20) @ np.diag(grades) @ rotation(rng, 20),
        "graded rows": grades[:, None] * rng.normal(size=(20, 20)),
        "graded columns": rng.normal(size=(20, 20)) * grades,
        "rank 3 of 12": rng.normal(size=(12, 3)) @ rng.normal(size=(3, 12)),
        "equal": np.eye(8),
        "with a row and a column of zeros": np.pad(rng.normal(size=(5, 5)), ((0, 1), (1, 0))),
        "zeros": np.zeros((4, 4)),
        "tiny": 1e-150 * square[7],
        "huge": 1e150 * square[7],
    }


MATRICES = matrices()
every = pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)


@every
def test_singular_values_and_vectors(matrix):
    sizes, vectors = singular(matrix)
    wanted = np.linalg.svd(matrix, compute_uv=False)
    n, scale = len(matrix), wanted[0]
    np.testing.assert_allclose(sizes, wanted, rtol=1e-12, atol=20 * n * EPS * scale)
    assert (np.diff(sizes) <= 1e-14 * scale).all()
    kept = vectors[sizes > 1e-13 * scale]
    np.testing.assert_allclose(kept @ kept.T, np.eye(len(kept)), atol=20 * n * EPS)
    left = (matrix / (scale or 1.0)) @ vectors.T  # left singular vectors times singular values
    np.testing.assert_allclose(left.T @ left, np.diag((sizes / (scale or 1.0)) ** 2), atol=20 * n * EPS)


def test_small_singular_values_keep_their_digits():
    """Of well-conditioned rows times scales; the values are known from the transpose in extended precision."""
    rng = np.random.default_rng(1)
    scales = 10.0 ** np.linspace(0, -12, 6)
    matrix = scales[:, None] * (np.eye(6) + 0.1 * rng.normal(size=(6, 6)))
    sizes, vectors = singular(matrix)
    product = np.prod(sizes / scales)  # |det|, which needs no small difference
    assert product == pytest.approx(abs(np.linalg.det(matrix / scales[:, None])), rel=1e-13)
    cosines = vectors @ vectors.T
    np.testing.assert_allclose(cosines, np.eye(6), atol=1e-14)


def test_singular_vectors_of_a_large_matrix():
    rng = np.random.default_rng(2)
    rows, length = (128, 128) if JIT else (20, 30)
    matrix = rng.normal(size=(rows, length))
    sizes, vectors = singular(matrix)
    np.testing.assert_allclose(sizes, np.linalg.svd(matrix, compute_uv=False), rtol=1e-11)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(rows), atol=1e-13)


@every
def test_a_triangle_has_the_same_products(matrix):
    tall = np.vstack([matrix, 0.5 * matrix[:, ::-1]])
    scale = np.abs(tall).max() or 1.0
    r, wanted = triangle(tall) / scale, np.linalg.qr(tall / scale, mode="r")
    lengths = np.linalg.norm(tall / scale, axis=0)  # errors are small beside each column
    bound = 50 * len(tall) * EPS * np.outer(lengths, lengths)
    assert (np.abs(r.T @ r - wanted.T @ wanted) <= bound).all()
    assert (np.tril(r, -1) == 0).all()


def test_a_triangle_is_solved():
    rng = np.random.default_rng(3)
    r = np.triu(rng.normal(size=(6, 6))) + 3 * np.eye(6)
    x, columns = rng.normal(size=6), np.ascontiguousarray(r.T)
    y = r @ x
    _solve(address_of(columns), 6, address_of(y))
    np.testing.assert_allclose(y, x, rtol=1e-13)


@every
def test_a_basis_is_orthonormal_and_spans(matrix):
    wide = np.hstack([matrix, matrix[::-1]])
    basis, scale = span(wide), np.abs(wide).max() or 1.0
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=50 * EPS)
    rest = wide / scale - (wide / scale) @ basis.T @ basis
    assert np.abs(rest).max() < 1e-9 * len(wide)
    assert len(basis) <= np.linalg.matrix_rank(wide / scale, tol=1e-11)
    if matrix.any():
        assert len(basis) >= np.linalg.matrix_rank(wide / scale, tol=1e-8)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_a_failure(bad):
    matrix = np.random.default_rng(5).normal(size=(5, 5))
    matrix[3, 2] = bad
    assert singular(matrix) is None
    with np.errstate(invalid="ignore"):  # infinity less infinity, in plain Python
        assert not np.isfinite(triangle(matrix)).all()
        assert len(span(matrix)) < 5
