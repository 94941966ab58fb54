"""Arguments of a trace, checked and brought into shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import array as array_of
from nbinfer.arguments import mapping, several
from nbinfer.trace.rows import Counts, fill_unfinished, fill_value, unfinished, whole_number

Arrays = dict[str, NDArray[Any]]


def adopted(group: str, values: Mapping[str, ArrayLike] | None) -> Arrays:
    """Return the arrays of a group; checks that each has chains, draws and a type with a fill value."""
    arrays = {name: array_of(f"{group}[{name!r}]", value) for name, value in mapping(group, values).items()}
    for name, array in arrays.items():
        if array.ndim < 2:
            raise ValueError(f"{group}[{name!r}] must have shape (chain, draw, ...), got {array.shape}")
        fill_value(array.dtype)
    return arrays


def plain(group: str, values: Mapping[str, ArrayLike] | None) -> Arrays:
    """Return the arrays of a group of data, of any shape."""
    return {name: array_of(f"{group}[{name!r}]", value) for name, value in mapping(group, values).items()}


def common_shape(groups: str, *mappings: Arrays) -> tuple[int, int] | tuple[None, None]:
    """Return the number of chains and of rows that all arrays have, or None twice if there is no array."""
    shapes = {name: array.shape[:2] for mapping in mappings for name, array in mapping.items()}
    found = sorted(set(shapes.values()))
    if len(found) > 1:
        raise ValueError(f"all arrays of {groups} must have the same chains and draws, got {shapes}")
    return (int(found[0][0]), int(found[0][1])) if found else (None, None)


def sizes(
    drawn: Sequence[Arrays], warm: Sequence[Arrays], draws_done: ArrayLike | None
) -> tuple[int, int | None, int | None]:
    """Return the number of chains, and of rows after warm-up and in it; None where there are no arrays."""
    chains, draws = common_shape("posterior and sample_stats", *drawn)
    warm_chains, tune = common_shape("the warm-up groups", *warm)
    if chains is None:
        chains = warm_chains if draws_done is None else len(np.atleast_1d(draws_done))
    if not chains:
        raise ValueError("posterior must hold at least one array with at least one chain, got none")
    if warm_chains not in (None, chains):
        raise ValueError(f"all groups must have {chains} chains like posterior, the warm-up has {warm_chains}")
    return chains, draws, tune


def rows_of(trace: Any) -> int:
    """Return how many rows the arrays of a trace have, or how far its chains have come if there are none."""
    _, rows = common_shape("posterior and sample_stats", trace.posterior, trace.sample_stats)
    return int(trace.draws_done.max()) if rows is None else rows


def counts(name: str, done: ArrayLike | None, chains: int, rows: int | None) -> Counts:
    """Return the finished rows of each chain; all `rows` by default, any number where there are no arrays."""
    finished = np.asarray(np.full(chains, rows or 0) if done is None else array_of(name, done))
    if finished.dtype.kind not in "iu" or finished.shape != (chains,):
        raise ValueError(f"{name} must be {chains} integers, one per chain, got {done!r}")
    if finished.min() < 0 or (rows is not None and finished.max() > rows):
        limit = "0 or more" if rows is None else f"between 0 and the {rows} rows there are"
        raise ValueError(f"{name} must be {limit}, got {finished.tolist()}")
    return np.asarray(finished, np.int64)


def numbers(given: Sequence[int] | None, count: int, name: str = "chain_ids") -> list[int]:
    """Return the number of each chain, or of each of something else."""
    ids = [whole_number(name, n, 0) for n in (range(count) if given is None else several(name, given))]
    if len(ids) != count or len(set(ids)) != count:
        raise ValueError(f"{name} must be {count} different integers, got {ids[:20]}{'...' * (len(ids) > 20)}")
    return ids


def schema_attributes() -> dict[str, Any]:
    """Return what the ArviZ schema wants to know of every result."""
    from datetime import UTC, datetime

    from nbinfer._version import __version__

    return {
        "inference_library": "nbinfer",
        "inference_library_version": __version__,
        "creation_library": "nbinfer",
        "creation_library_version": __version__,
        "created_at": datetime.now(UTC).isoformat(),
        "sample_dims": ["chain", "draw"],
    }


def fitted(name: str, array: NDArray[Any], draws: int, done: Counts) -> NDArray[Any]:
    """Return values for a variable shaped (chain, draws, ...), unfinished rows filled.

    Adopts what has that shape if all chains are complete; otherwise a copy. One row per finished draw, chain after
    chain, will do as well.
    """
    shape, total = (len(done), draws), int(done.sum())
    if array.shape[:2] == shape:
        return array if (done == draws).all() else fill_unfinished(array.copy(), done)
    if array.shape[:1] != (total,):
        raise ValueError(
            f"values of {name!r} must have shape ({len(done)}, {draws}, ...) or ({total}, ...), got {array.shape}. "
            "Chains and draws come first."
        )
    whole = unfinished((*shape, *array.shape[1:]), array.dtype)
    for row, part in enumerate(np.split(array, np.cumsum(done)[:-1])):
        whole[row, : len(part)] = part
    return whole
