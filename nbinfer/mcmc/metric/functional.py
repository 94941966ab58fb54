"""Metrics that are two functions: one from a momentum to its velocity, one that draws a momentum.

The sparse metric is made of two of ours; a user's own of two of theirs. Both know their matrices by an array of float64
that is handed to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.compile import Entry, address_of, entry, floats_at
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.forks import cached_property
from nbinfer.compile.modules import generated_module
from nbinfer.compile.users import compilable
from nbinfer.engine.state import Memory
from nbinfer.errors import PositiveDefiniteError
from nbinfer.mcmc.metric.definite import coordinates
from nbinfer.mcmc.metric.potential import Floats, QuadPotential
from nbinfer.model.evaluate import call, check_arguments
from nbinfer.random import fill_normal, generator_functions
from nbinfer.spelling import public

_SIGNATURE = "int64(int64, intp, intp, intp)"


class _Functional(QuadPotential):
    """What metrics of two functions have in common."""

    dense = 2
    _data: np.ndarray

    @property
    def _functions(self) -> tuple[Entry, Entry]:
        """``int64 velocity(n, momentum, out, data)`` and ``int64 momentum(n, stream, out, data)``."""
        raise NotImplementedError

    @property
    def inv_mass(self) -> Floats:
        """The inverse mass, shape (n, n), from the velocities of unit momenta."""
        return np.array([self.velocity(row) for row in np.eye(self._size)]).T

    def connect(self, metric: Memory) -> None:
        metric.velocity, metric.momentum = (function.address for function in self._functions)
        metric.given = address_of(self._data)


@entry(_SIGNATURE)
def sparse_velocity(n: int, momentum: int, out: int, data: int) -> int:
    """Multiply a sparse covariance by a momentum."""
    count = int(floats_at(data, 1)[0])
    starts, columns = floats_at(data + 16, n + 1), floats_at(data + 8 * (n + 3), count)
    values = floats_at(data + 8 * (n + 3 + count), count)
    p, v = floats_at(momentum, n), floats_at(out, n)
    for i in range(n):
        total = 0.0
        for k in range(int(starts[i]), int(starts[i + 1])):
            total += values[k] * p[int(columns[k])]
        v[i] = total
    return 0


@entry(_SIGNATURE)
def sparse_momentum(n: int, stream: int, out: int, data: int) -> int:
    """Draw a momentum whose precision is the covariance F F': solve F' p = z in place, from the last column of F up."""
    head = floats_at(data, 2)
    at, count = data + 8 * (n + 3 + 2 * int(head[0])), int(head[1])
    starts, rows = floats_at(at, n + 1), floats_at(at + 8 * (n + 1), count)
    values, order = floats_at(at + 8 * (n + 1 + count), count), floats_at(at + 8 * (n + 1 + 2 * count), n)
    fill_normal(stream, out, n)
    p = floats_at(out, n)
    for i in range(n - 1, -1, -1):
        first = int(starts[i])  # the diagonal
        total = p[int(order[i])]
        for k in range(first + 1, int(starts[i + 1])):
            total -= values[k] * p[int(rows[k])]
        p[int(order[i])] = total / values[first]
    return 0


@public
class QuadPotentialSparse(_Functional):
    """A fixed metric given by a sparse covariance.

    Parameters
    ----------
    cov : sparse matrix, shape (n, n)
        The inverse mass: symmetric and positive definite. Its Cholesky factor is made in an order that keeps it sparse.
    random_seed : int, optional
        Of the momenta that `random` returns.

    Raises
    ------
    ValueError
        If `cov` is not square or not symmetric.
    PositiveDefiniteError
        If it is not positive definite; it names the entries at which there is no factor.
    """

    def __init__(self, cov: Any, random_seed: int | None = None) -> None:
        matrix = cov.tocsr().astype(np.float64)
        n = matrix.shape[0]
        if matrix.shape != (n, n):
            raise ValueError(f"cov must be a square matrix, got shape {matrix.shape}.")
        if abs(matrix - matrix.T).max() > 1e-8 * abs(matrix).max():
            raise ValueError("cov must be symmetric.")
        factor, order = _sparse_cholesky(matrix.tocsc())
        parts = [
            [matrix.nnz, factor.nnz],
            *(matrix.indptr, matrix.indices, matrix.data),
            *(factor.indptr, order[factor.indices], factor.data, order),
        ]
        self._data = np.concatenate([np.asarray(part, np.float64) for part in parts])
        super().__init__(n, random_seed)

    @property
    def _functions(self) -> tuple[Entry, Entry]:
        return sparse_velocity, sparse_momentum


def _sparse_cholesky(matrix: Any) -> tuple[Any, Any]:
    """Return a sparse lower factor F, and the order of rows and columns in which the matrix is F F'.

    SciPy has no sparse Cholesky; an LU decomposition whose pivots stay on the diagonal is one but for its scale.
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import splu

    bad = np.flatnonzero(~(matrix.diagonal() > 0.0))
    if not bad.size:
        try:
            lu = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        except RuntimeError:  # exactly singular
            raise PositiveDefiniteError("cov is singular.") from None
        order = np.argsort(lu.perm_c)
        pivots = lu.U.diagonal()
        bad = np.sort(order[~(pivots > 0.0)])
        if not bad.size and (lu.perm_r == lu.perm_c).all():
            factor = (lu.L @ diags(np.sqrt(pivots))).tocsc()
            factor.sort_indices()
            return factor, order
    raise PositiveDefiniteError(f"cov is not positive definite: it has no Cholesky factor at {coordinates(bad)}.", bad)


_USERS = '''"""Metric of a Hamiltonian step, written by nbinfer; named by a hash of its content, never edited."""

from nbinfer.compile import floats_at, generator_at, ints_at


def velocity(n, momentum, out, given):
    """C function: fill `out` with the user's velocity; 1 if that raised."""
    t = ints_at(given, 3)
    failed = False
    try:
        users_velocity(floats_at(momentum, n), floats_at(out, n), floats_at(t[0], t[1]))
    except Exception:
        failed = True
    return 1 if failed else 0


def momentum(n, stream, out, given):
    """C function: fill `out` with the user's momentum; 1 if that raised."""
    t = ints_at(given, 3)
    failed = False
    try:
        users_random(generator_at(stream, t[2]), floats_at(out, n), floats_at(t[0], t[1]))
    except Exception:
        failed = True
    return 1 if failed else 0
'''


@public
class QuadPotentialFunctions(_Functional):
    """A fixed metric of your own.

    Parameters
    ----------
    velocity : callable
        ``velocity(momentum, out, data)`` fills ``out`` with the inverse mass times ``momentum``, both of shape (n,).
    random : callable
        ``random(rng, out, data)`` fills ``out`` with a momentum from N(0, M); ``rng`` is a NumPy Generator.
    data : array_like, optional
        Numbers that both functions get as a flat array of float64.
    n : int, optional
        Number of coordinates. Default: as many as the step moves.
    random_seed : int, optional
        Of the momenta that the method `random` returns.

    Raises
    ------
    ModelError
        If a function does not take these arguments.

    Notes
    -----
    The functions are plain or njit; they are compiled. One that raises makes the transition a divergence. That momenta
    have the covariance M is for you to see to: if they have not, the chain draws from another distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from nbinfer.mcmc import QuadPotentialFunctions
    >>> def velocity(momentum, out, data):
    ...     out[:] = data * momentum
    >>> def random(rng, out, data):
    ...     for i in range(out.size):
    ...         out[i] = rng.standard_normal() / np.sqrt(data[i])
    >>> potential = QuadPotentialFunctions(velocity, random, data=[1.0, 4.0], n=2)
    >>> potential.velocity([1.0, 1.0])
    array([1., 4.])
    """

    def __init__(
        self,
        velocity: Callable[..., Any],
        random: Callable[..., Any],
        data: ArrayLike = (),
        n: int | None = None,
        random_seed: int | None = None,
    ) -> None:
        check_arguments(velocity, "velocity", ("momentum", "out", "data"))
        check_arguments(random, "random", ("rng", "out", "data"))
        self._users = {"users_velocity": velocity, "users_random": random}
        self._values = np.array(data, np.float64).ravel()
        self._data = np.array([address_of(self._values), self._values.size, generator_functions()], np.int64)
        super().__init__(n, random_seed)

    @cached_property
    def _functions(self) -> tuple[Entry, Entry]:
        names = {name: compilable(function) for name, function in self._users.items()}
        signatures = {"velocity": _SIGNATURE, "momentum": _SIGNATURE}
        module = generated_module(_USERS, fingerprint(self._users), names, signatures)
        return module.entry("velocity"), module.entry("momentum")

    def placed(self, site: Any) -> QuadPotential:
        """Return the metric for a place in a model, if its velocity is that of a quadratic energy."""
        rng = np.random.default_rng(0)
        a, b = rng.normal(size=(2, site.n))
        u, v, w = (self._plain_velocity(x) for x in (a, b, a + b))
        scale = np.abs(a) @ np.abs(v) + np.abs(b) @ np.abs(u)
        if not abs(a @ v - b @ u) <= 1e-8 * scale or not np.allclose(u + v, w, rtol=1e-8, atol=1e-8 * math.sqrt(scale)):
            raise ValueError(
                "velocity(momentum, out, data) must fill out with a symmetric matrix times momentum, and does not."
            )
        if not a @ u > 0.0 or not b @ v > 0.0:
            raise PositiveDefiniteError("the matrix of velocity(momentum, out, data) is not positive definite.")
        return super().placed(site)

    def _plain_velocity(self, momentum: Floats) -> Floats:
        out = np.zeros(len(momentum))
        call(self._users["users_velocity"], momentum.copy(), out, self._values)
        return out
