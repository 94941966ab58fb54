"""Chains that go on from the last points of a trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.model import Model
from nbinfer.trace import Trace

_DEFAULT = 4  # chains of a run of which nobody says how many


class GoingOn(NamedTuple):
    """What a trace says of the run that is to follow.

    Attributes
    ----------
    numbers : list of int
        Of the chains: the trace's.
    start : list of dict
        Their last points.
    names : list of str
        What is kept.
    superchains : int
        How many the trace has; 1: none.
    """

    numbers: list[int]
    start: list[dict[str, Any]]
    names: list[str]
    superchains: int


def going_on(model: Model, trace: Trace, chains: int, chain_idx: int, superchains: int) -> GoingOn:
    """Return what the trace says; raise ValueError if arguments say something else."""
    numbers = trace.chains
    if chains not in (_DEFAULT, len(numbers)):
        raise ValueError(f"chains must be {len(numbers)}, those of the trace that they go on from, got {chains}.")
    if chain_idx not in (0, numbers[0]):
        raise ValueError(f"chain_idx must be {numbers[0]}, that of the trace that chains go on from, got {chain_idx}.")
    there = len(trace.attrs.get("superchains", ())) or 1
    if superchains not in (1, there):
        raise ValueError(f"superchains must be those of the trace that chains go on from, {there}, got {superchains}.")
    empty = [number for number, done in zip(numbers, trace.draws_done, strict=True) if not done]
    if empty:
        raise ValueError(f"trace has no draw of chain {empty[0]} to go on from; pass its names, and start.")
    missing = [name for name in model.parameters if name not in trace.posterior]
    if missing:
        raise ValueError(
            f"trace has no draws of {missing[0]!r}, so that no chain can go on from it; pass one of all parameters."
        )
    points = [trace.point(-1, chain=number) for number in numbers]
    return GoingOn(numbers, [{name: p[name] for name in model.parameters} for p in points], trace.varnames, there)


def later(sequences: Sequence[np.random.SeedSequence], trace: Trace) -> list[np.random.SeedSequence]:
    """Return seeds that are others than those of the trace, though the user gave the same."""
    done = int(trace.tune_done.max() + trace.draws_done.max())
    return [np.random.SeedSequence(s.entropy, spawn_key=(*s.spawn_key, done)) for s in sequences]
