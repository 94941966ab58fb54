"""The metric that the chains of a run ended with, for reading."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.problem import plural, two_digits
from nbinfer.diagnostics.quantities import labels
from nbinfer.spelling import public
from nbinfer.trace.names import listed

Floats = NDArray[np.float64]


@public
class Metric:
    """The metric of a Hamiltonian step, as each chain ended with it.

    The inverse mass, an estimate of the posterior covariance on the unconstrained scale, is S (I + U (Λ - I) Uᵀ) S: a
    diagonal of scales S, and orthonormal directions U in which the posterior, once scaled, has variances Λ instead
    of 1.

    Parameters
    ----------
    scale : ndarray, shape (chain, n)
        Scale of each unconstrained coordinate.
    directions : sequence of ndarray, shape (rank, n)
        Of each chain, the rows of Uᵀ.
    eigenvalues : sequence of ndarray, shape (rank,)
        Of each chain, the diagonal of Λ.
    variables : mapping of str to (tuple of int, int)
        Variables that the coordinates belong to, in order, with their shapes and numbers of coordinates.
    chain_ids : sequence of int
        Numbers of the chains.
    capacity : int
        How many directions there is room for; 0 if the metric is a diagonal.
    is_learnt : bool
        Whether it was learnt in warm-up; else it was given.
    matrix : ndarray, shape (chain, n, n), optional
        The inverse mass, if it is known as a matrix. Then scales, directions and eigenvalues come from it.

    Attributes
    ----------
    scale : ndarray, shape (chain, n)
        Square roots of the diagonal that is stretched.
    chain_ids : tuple of int
    capacity : int
    is_learnt : bool

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model(parameters={"x": nb.real(2)}, logp=lambda p, d: -0.5 * (p.x[0] ** 2 + p.x[1] ** 2))
    >>> metric = nb.sample(model, random_seed=1).metric
    >>> metric.labels
    ['x[0]', 'x[1]']
    >>> metric.inv_mass(1).shape
    (2, 2)
    """

    def __init__(
        self,
        scale: Floats,
        directions: Sequence[Floats],
        eigenvalues: Sequence[Floats],
        variables: Mapping[str, tuple[tuple[int, ...], int]],
        chain_ids: Sequence[int],
        capacity: int = 0,
        is_learnt: bool = True,
        matrix: Floats | None = None,
    ) -> None:
        self.scale = _fixed(scale)
        self.chain_ids = tuple(chain_ids)
        self.capacity, self.is_learnt = capacity, is_learnt
        self._variables, self._matrix = dict(variables), matrix
        parts = tuple(map(_fixed, directions)), tuple(map(_fixed, eigenvalues))
        self._parts = None if matrix is not None else parts

    @property
    def n(self) -> int:
        """Number of unconstrained coordinates."""
        return int(self.scale.shape[1])

    @property
    def labels(self) -> list[str]:
        """Names of the coordinates: ``theta[0]``; ``w{1}`` where a variable has fewer coordinates than elements."""
        found = []
        for name, (shape, size) in self._variables.items():
            plain = size == math.prod(shape)
            found += labels(name, shape) if plain else [f"{name}{{{i}}}" for i in range(size)]
        return found

    @property
    def variables(self) -> list[str]:
        """Name of the variable that each coordinate belongs to."""
        return [name for name, (_, size) in self._variables.items() for _ in range(size)]

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], int]]:
        """Shape and number of coordinates of each of these variables, once."""
        return dict(self._variables)

    @property
    def matrix(self) -> Floats | None:
        """The inverse mass of each chain, shape (chain, n, n), if it is known as a matrix."""
        return self._matrix

    @property
    def directions(self) -> tuple[Floats, ...]:
        """Of each chain, shape (rank, n): orthonormal rows in scaled coordinates x / s, the most extreme first."""
        return self._stretches[0]

    @property
    def eigenvalues(self) -> tuple[Floats, ...]:
        """Of each chain, shape (rank,): the variances along these directions; across them it is 1."""
        return self._stretches[1]

    @property
    def rank(self) -> NDArray[np.int64]:
        """Number of directions of each chain, shape (chain,); all of them for a matrix."""
        return np.array([len(values) for values in self.eigenvalues], np.int64)

    @property
    def condition_number(self) -> Floats:
        """Largest over smallest variance in scaled coordinates, shape (chain,): what correlation leaves a diagonal.

        A posterior of condition number 100 is ten times as long as wide, however its coordinates are scaled one by
        one. With a diagonal metric a trajectory takes about so many times as many steps.
        """
        found = np.ones(len(self.chain_ids))
        for chain, values in enumerate(self.eigenvalues):
            if len(values):
                every = values if len(values) == self.n else np.append(values, 1.0)
                found[chain] = every.max() / every.min()
        return found

    @property
    def diagonal(self) -> Floats:
        """Diagonal of the inverse mass, shape (chain, n): variances of the unconstrained coordinates; a copy."""
        if self._matrix is not None:
            return np.array(np.diagonal(self._matrix, axis1=1, axis2=2))
        found = np.ones_like(self.scale)
        for chain, (u, values) in enumerate(zip(self.directions, self.eigenvalues, strict=True)):
            if len(values):
                found[chain] += (values - 1.0) @ u**2
        return np.asarray(found * self.scale**2)

    def inv_mass(self, chain: int | None = None) -> Floats:
        """Return the inverse mass of a chain as a matrix.

        Parameters
        ----------
        chain : int, optional
            Its number. Default: the highest.

        Returns
        -------
        inv_mass : ndarray, shape (n, n)
            The learnt covariance of the unconstrained coordinates, in the order of `labels`.

        Raises
        ------
        ValueError
            If there is no chain of that number.
        """
        chain = max(self.chain_ids) if chain is None else chain
        if isinstance(chain, bool | float) or chain not in self.chain_ids:
            raise ValueError(f"chain must be among {listed(self.chain_ids)}, got {chain!r}.")
        row = self.chain_ids.index(chain)
        if self._matrix is not None:
            return np.array(self._matrix[row])
        u, values = self.directions[row], self.eigenvalues[row]
        scaled = np.eye(self.n) + (u.T * (values - 1.0)) @ u
        return np.asarray(self.scale[row][:, None] * scaled * self.scale[row])

    def __repr__(self) -> str:
        chains = plural(len(self.chain_ids), "chain")
        coordinates = plural(self.n, "coordinate")
        what = f"{'learnt' if self.is_learnt else 'given'}, {chains}, {coordinates} ({listed(self._variables)})"
        return f"Metric: {what}\n  {self.in_words}"

    @property
    def in_words(self) -> str:
        """Rank and condition number, for all chains: ``rank 2 to 3, condition number up to 7100``."""
        if not self.capacity:
            return "diagonal"
        rank, worst = self.rank, float(self.condition_number.max(initial=1.0))
        low, high = int(rank.min(initial=self.n)), int(rank.max(initial=0))
        text = f"rank {low}" if low == high else f"rank {low} to {high}"
        return f"{text}, condition number {'up to ' if len(rank) > 1 else ''}{two_digits(worst)}" if high else text

    @cached_property
    def _stretches(self) -> tuple[tuple[Floats, ...], tuple[Floats, ...]]:
        """Directions and eigenvalues; of a matrix, found when first asked for."""
        if self._parts is not None:
            return self._parts
        assert self._matrix is not None
        with np.errstate(all="ignore"):
            values, vectors = np.linalg.eigh(self._matrix / (self.scale[:, :, None] * self.scale[:, None, :]))
            order = np.argsort(-np.abs(np.log(values)), axis=1, kind="stable")
        values = np.take_along_axis(values, order, axis=1)
        rows = np.take_along_axis(vectors.swapaxes(1, 2), order[:, :, None], axis=1)
        return tuple(rows), tuple(values)


def _fixed(array: Floats) -> Floats:
    """Return an array that cannot be written to: traces share their metric."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def joined_metrics(found: Sequence[Any], chain_ids: Sequence[int]) -> Any:
    """Put the metrics of several traces together: of each chain the last, in the order of `chain_ids`.

    Returns
    -------
    metric : Metric, tuple of Metric, or None
        None unless all traces have metrics, of steps on the same variables.
    """
    if any(metric is None for metric in found):
        return None
    steps = [metric if isinstance(metric, tuple) else (metric,) for metric in found]
    if len({len(step) for step in steps}) > 1:
        return None
    together = [_joined(metrics, chain_ids) for metrics in zip(*steps, strict=True)]
    if any(metric is None for metric in together):
        return None
    return tuple(together) if isinstance(found[0], tuple) else together[0]


def _joined(metrics: Sequence[Metric], chain_ids: Sequence[int]) -> Metric | None:
    first = metrics[0]
    where = {chain: (metric, row) for metric in metrics for row, chain in enumerate(metric.chain_ids)}
    if any(metric._variables != first._variables for metric in metrics) or set(where) != set(chain_ids):
        return None
    places = [where[chain] for chain in chain_ids]
    matrices = [metric._matrix[row] for metric, row in places if metric._matrix is not None]
    plain = len(matrices) < len(places)
    return Metric(
        np.array([metric.scale[row] for metric, row in places]),
        [metric.directions[row] for metric, row in places] if plain else (),
        [metric.eigenvalues[row] for metric, row in places] if plain else (),
        first._variables,
        chain_ids,
        max(metric.capacity for metric in metrics),
        all(metric.is_learnt for metric in metrics),
        None if plain else np.array(matrices),
    )


def attributes(metric: Any) -> dict[str, list[float]]:
    """Return rank and condition number of each chain, for a file: flat lists, numbered if there are several steps."""
    steps = metric if isinstance(metric, tuple) else (metric,) if metric is not None else ()
    found: dict[str, list[float]] = {}
    for k, step in enumerate(steps):
        number = f"_{k}" if len(steps) > 1 else ""
        found[f"metric_rank{number}"] = step.rank.tolist()
        found[f"metric_condition_number{number}"] = step.condition_number.tolist()
    return found
