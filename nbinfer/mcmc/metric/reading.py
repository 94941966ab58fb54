"""From the metrics that chains hold to one that people read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbinfer.engine.chains import Chains, Placed
from nbinfer.engine.state import Memory
from nbinfer.mcmc.metric.kernel import DIRECTIONS, FUNCTIONS, MATRIX, Adaptation
from nbinfer.mcmc.metric.potential import QuadPotential
from nbinfer.trace.metric import Metric


def metrics_of(chains: Chains, numbers: Sequence[int]) -> Metric | tuple[Metric, ...] | None:
    """Return a copy of the metric of every step that has one: one, one for each of several steps, or None.

    A metric that is known by its functions alone is left out.
    """
    found = []
    for k, placed in enumerate(chains.steps):
        potential, own = getattr(placed.method, "kinetic", None), chains.own(k)
        own = own.own if placed.site.is_part else own
        if isinstance(potential, QuadPotential) and potential.dense != FUNCTIONS:
            found.append(_metric(own.metric, potential, placed, numbers))
        elif placed.method.together:
            found.append(_of_ensemble(own, placed, numbers))
    return found[0] if len(found) == 1 else tuple(found) or None


def _variables(placed: Placed) -> dict[str, tuple[tuple[int, ...], int]]:
    """Return shapes and sizes of the variables that a step moves."""
    site = placed.site
    layout = site.bound.definition.layout
    names = site.names if site.is_part else [p.name for p in layout.continuous]
    chosen = [layout.parameters[name] for name in names]
    return {p.name: (p.shape, p.size) for p in chosen if not p.support.discrete}


def _of_ensemble(own: Memory, placed: Placed, numbers: Sequence[int]) -> Metric:
    """Return the diagonal that all chains of an ensemble have: the first one's."""
    count = len(numbers)
    directions, eigenvalues = [np.zeros((0, placed.site.n))] * count, [np.zeros(0)] * count
    return Metric(np.tile(own.scale[0], (count, 1)), directions, eigenvalues, _variables(placed), numbers, 0, True)


def _metric(memory: Memory, potential: QuadPotential, placed: Placed, numbers: Sequence[int]) -> Metric:
    n, variables = placed.site.n, _variables(placed)
    learnt = potential.adaptation != Adaptation.NONE
    if potential.dense == MATRIX:
        matrix = np.array(memory.inv_mass[:, : n * n].reshape(-1, n, n))
        scale = np.sqrt(np.diagonal(matrix, axis1=1, axis2=2))
        return Metric(scale, (), (), variables, numbers, n, learnt, matrix)
    low, nothing = memory.low_rank, (np.zeros((0, n)), np.zeros(0))
    ranks = np.where(memory.dense == DIRECTIONS, low.rank, 0).tolist()
    vectors, stretches = low.vectors, low.stretches
    parts = [_directions(vectors[c], stretches[c], rank, n) if rank else nothing for c, rank in enumerate(ranks)]
    return Metric(
        np.sqrt(memory.inv_mass[:, :n]),
        [directions for directions, _ in parts],
        [eigenvalues for _, eigenvalues in parts],
        variables,
        numbers,
        int(low.most[0]),
        learnt,
    )


def _directions(vectors: np.ndarray, stretches: np.ndarray, rank: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the directions of a chain and their eigenvalues, the most extreme first."""
    more, less = stretches[: 2 * rank].reshape(2, rank)  # λ - 1, exact where λ is large; 1/√λ - 1, where it is small
    eigenvalues = np.where(more > 0.0, 1.0 + more, (1.0 + less) ** -2.0)
    order = np.argsort(-np.abs(np.log(eigenvalues)), kind="stable")
    return vectors[: rank * n].reshape(rank, n)[order], eigenvalues[order]
