r"""Preconditioned particles: kernel and forces in a metric, so that no coordinate waits for another one.

.. math:: \phi_i = \frac1n \sum_j Q^{-1} \big[k(x_j, x_i) \nabla\log p(x_j) + \nabla_{x_j} k(x_j, x_i)\big], \qquad
    k(x, y) = f\big((x - y)^T Q (x - y)\big)

That is Stein variational gradient descent with the matrix kernel of [1]_, of one constant preconditioner. With
``Q^{-1} = W W^T`` it is the plain one in coordinates ``y = W^{-1} x``: positions and scores are taken there, and what
comes of them is taken back. Of a normal posterior of precision H the gradients at any points are ``-H (x - m)``; the
symmetric ``S`` with ``S Cov(g) S = Cov(x)`` is then 1 / H, wherever the points are and however close together [2]_.

References
----------
.. [1] D. Wang, Z. Tang, C. Bajaj and Q. Liu, "Stein variational gradient descent with matrix-valued kernels",
   arXiv:1910.12794 (2019), sec. 3.2.
.. [2] A. Seyboldt, E. L. Carlson and B. Carpenter, "Preconditioning Hamiltonian Monte Carlo by minimizing Fisher
   divergence", arXiv:2603.18845 (2026).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Record, address_of, entry, floats_at, kernel, record_at
from nbinfer.engine.job import Status
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.engine.vectors import dot
from nbinfer.errors import FitError, ParametrizationError
from nbinfer.variational.job import Fit, FitStatus
from nbinfer.variational.stein.stage import Part, Stage
from nbinfer.variational.stein.state import Stein_, end_of

Floats = NDArray[np.float64]

_NO_SPREAD = int(FitStatus.NO_SPREAD)
#: Metrics that are found.
FOUND = ("diag", "dense")
#: What is added to correlation matrices, so that they have an inverse.
_JITTER = 1e-8

#: What the phases have: the address of what all phases share; whether matrices are full; those that take positions and
#: scores there and forces back, by rows; room for a row of each block.
Metric_ = np.dtype([(name, "i8") for name in ("stein", "is_dense", "there", "scores", "back", "rows")], align=True)


@kernel
def _transform(own: Record, matrix: int, vector: int, dim: int, room: int) -> None:
    """Multiply a vector by a matrix, or elementwise by a diagonal."""
    x, result = floats_at(vector, dim), floats_at(room, dim)
    if own.is_dense == 0:
        diagonal = floats_at(matrix, dim)
        for c in range(dim):
            x[c] *= diagonal[c]
        return
    for c in range(dim):
        result[c] = dot(dim, matrix + 8 * c * dim, vector)
    for c in range(dim):
        x[c] = result[c]


@entry("int64(intp, int64, int64)")
def whiten(address: int, block: int, piece: int) -> int:
    """Take positions and scores of a block into the coordinates of the metric: a phase."""
    own = record_at(address, Metric_)
    stein = record_at(own.stein, Stein_)
    dim, total = stein.dim, 0.0
    for i in range(block * stein.block, end_of(stein, block)):
        _transform(own, own.there, stein.points + 8 * i * dim, dim, own.rows + 8 * block * dim)
        _transform(own, own.scores, stein.scores + 8 * i * dim, dim, own.rows + 8 * block * dim)
        point, score = floats_at(stein.points + 8 * i * dim, dim), floats_at(stein.scores + 8 * i * dim, dim)
        for c in range(dim):
            total += 0.0 * point[c] + 0.0 * score[c]
    if total == 0.0:
        return 0
    stein.median = math.inf  # as particles are that lie so far apart
    record_at(stein.fit, Fit).status = _NO_SPREAD
    return _NO_SPREAD


@entry("int64(intp, int64, int64)")
def unwhiten(address: int, block: int, piece: int) -> int:
    """Take the forces on the particles of a block back: a phase."""
    own = record_at(address, Metric_)
    stein = record_at(own.stein, Stein_)
    dim = stein.dim
    for i in range(block * stein.block, end_of(stein, block)):
        _transform(own, own.back, stein.forces + 8 * i * dim, dim, own.rows + 8 * block * dim)
    return 0


def found_root(points: Floats, scores: Floats, dense: bool) -> tuple[Floats, Floats]:
    """Return the root W of the inverse of a metric that particles and scores suggest, and its inverse.

    Parameters
    ----------
    points, scores : ndarray, shape (n, dim)
    dense : bool
        Whether these are matrices; else diagonals.

    Returns
    -------
    root, inverse : ndarray, shape (dim, dim) or (dim,)

    Raises
    ------
    FloatingPointError
        If positions or scores do not differ in a coordinate, or too much; its number is the second argument.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scale, slope = points.std(axis=0), scores.std(axis=0)
    with np.errstate(all="ignore"):
        root = np.sqrt(scale / slope)
        bad = np.flatnonzero(~(np.isfinite(scale) & np.isfinite(slope) & np.isfinite(root) & np.isfinite(1.0 / root)))
    if bad.size:
        raise FloatingPointError("no spread", int(bad[0]))
    if not dense:
        return root, 1.0 / root
    # Of numbers of size 1: scaled such that the diagonal metric is 1.
    x, g = ((each - each.mean(axis=0)) for each in (points / root, scores * root))
    size = scale / root  # and of scores likewise
    ridge = np.diag(_JITTER * size**2)
    lower = np.linalg.cholesky(g.T @ g / len(g) + ridge)
    values, vectors = np.linalg.eigh(lower.T @ (x.T @ x / len(x) + ridge) @ lower)
    values = np.maximum(values, _JITTER**2 * values[-1]) ** 0.25
    turned = np.linalg.solve(lower.T, vectors * values)
    back: Floats = ((vectors / values).T @ lower.T) / root
    return root[:, None] * turned, back


def given_root(metric: Any, dim: int) -> tuple[Floats, Floats]:
    """Return the root W of the inverse of a metric that was given, and its inverse.

    Raises
    ------
    ParametrizationError
        If it is no precision of this many coordinates.
    """
    try:
        found = np.asarray(metric, np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape not in ((dim,), (dim, dim)):
        got = f"shape {found.shape}" if found.size else repr(metric)
        raise ParametrizationError(
            f"metric must be 'diag', 'dense' or a precision on the unconstrained scale, of shape ({dim},) or ({dim}, "
            f"{dim}), got {got}."
        )
    is_symmetric = found.ndim == 1 or bool(np.allclose(found, found.T, rtol=1e-8, atol=0.0))
    eigenvalues = found if found.ndim == 1 else np.linalg.eigvalsh(found)
    if not is_symmetric or not np.isfinite(found).all() or not (eigenvalues > 0.0).all():
        raise ParametrizationError(
            "metric must be positive definite: a precision, such as the inverse of a covariance."
        )
    if found.ndim == 1:
        return 1.0 / np.sqrt(found), np.sqrt(found)
    upper = np.asarray(np.linalg.cholesky(found).T.copy(), np.float64)
    return np.asarray(np.linalg.inv(upper), np.float64), upper


class Preconditioner(Stage):
    """The stage.

    Parameters
    ----------
    crew : Crew
    metric : {'diag', 'dense'} or array_like, shape (dim,) or (dim, dim)
        The metric: found anew in each iteration, or given.
    """

    judged = True

    def __init__(self, crew: Any, metric: Any) -> None:
        self._crew, dim = crew, crew.dim
        is_found = isinstance(metric, str)
        self._dense = metric == "dense"
        if is_found:
            check_found(metric, crew.n, dim)
            roots = np.ones((2, dim, dim) if self._dense else (2, dim))
        else:
            roots = np.array(given_root(metric, dim))
            self._dense = roots.ndim > 2
        self._ask = PythonEntry(self._measure, 3)
        self._there, self._scores, self._back = (np.zeros(roots[0].size) for _ in range(3))
        self._write(*roots)
        self._rows, own = np.zeros(crew.n_blocks * dim), np.zeros(1, Metric_)
        own[0] = (
            int(crew.stein.address),
            self._dense,
            *map(address_of, (self._there, self._scores, self._back, self._rows)),
        )
        self._own, where = own, address_of(own)
        asked = [Part(self._ask, where)] if is_found else []
        self.before = [*asked, Part(whiten, where, crew.n_blocks)]
        self.after = [Part(unwhiten, where, crew.n_blocks)]

    def _write(self, root: Floats, inverse: Floats) -> None:
        self._there[:], self._scores[:], self._back[:] = inverse.ravel(), root.T.ravel(), root.ravel()

    def _measure(self, address: int, row: int, piece: int) -> None:
        """Find the metric: a phase of one row."""
        stein, dim = self._crew.stein, self._crew.dim
        count = int(stein.count)
        points, scores = (each[: count * dim].reshape(count, dim) for each in (stein.points, stein.scores))
        try:
            self._write(*found_root(points, scores, self._dense))
        except (FloatingPointError, np.linalg.LinAlgError) as error:
            self._crew.status = Status.RAISED
            which = error.args[1:] and f" of coordinate {error.args[1]}"
            raise FitError(
                f"positions or gradients{which or ''} of {count} particles do not differ, or beyond all measure, "
                f"in iteration {piece}, and give no metric. Begin closer to the posterior (start, jitter), lower the "
                "learning rate, or give metric the precision, of shape (n,) or (n, n)."
            ) from None

    def failure(self) -> BaseException | None:
        error, self._ask.error = self._ask.error, None
        return error


def check_found(metric: str, n: int, dim: int) -> None:
    """Raise an error if so many particles or draws do not tell a metric."""
    if metric not in FOUND:
        raise ValueError(f"metric must be 'diag', 'dense' or a precision, got {metric!r}.")
    least = 2 if metric == "diag" else dim + 2
    if n < least:
        raise ParametrizationError(
            f"metric={metric!r} is found from particles, at least {least} of {dim} coordinates, got {n}; take more"
            f"{', or metric=' + repr('diag') if metric == 'dense' else ''}, or give a precision."
        )
