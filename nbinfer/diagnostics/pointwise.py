"""Log likelihoods of single observations: what is asked of them, and how they are gone through."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.measure import as_chains
from nbinfer.diagnostics.quantities import listed

Floats = NDArray[np.float64]

#: Numbers that are copied at a time.
_BLOCK = 1 << 20
_SHOWN = 5


def as_pointwise(name: str, values: Any, chain_ids: Sequence[int] | None = None) -> NDArray[Any]:
    """Return log likelihoods, shape (chain, draw, *shape), of which all are finite.

    Parameters
    ----------
    name : str
        The observed variable, for messages.
    values : array_like, shape (chain, draw, *shape)
        One chain may come as (draw,).
    chain_ids : sequence of int, optional
        What the chains are called.

    Raises
    ------
    ValueError
        If there are none, or some are infinite or NaN: the message lists observations and draws.
    """
    found = as_chains(values, name)
    if not found.size:
        raise ValueError(f"the log likelihood of {name} has no values: its shape is {found.shape}.")
    bad = [
        (start + i, *divmod(int(np.flatnonzero(~np.isfinite(draws))[0]), found.shape[1]), int((~fine).sum()))
        for start, block in blocks(found)
        for i, (draws, fine) in enumerate(zip(block, np.isfinite(block), strict=True))
        if not fine.all()
    ]
    if bad:
        raise ValueError(_not_finite(name, found, bad, chain_ids or range(len(found))))
    return found


def _not_finite(name: str, values: NDArray[Any], bad: list[tuple[int, int, int, int]], chain_ids: Sequence[int]) -> str:
    """Write which observations have log likelihoods that are not finite, and at which draws."""
    shape = values.shape[2:]
    flat = values.reshape(*values.shape[:2], -1)
    parts = []
    for which, chain, draw, count in bad[:_SHOWN]:
        where = label(name, shape, which)
        value = flat[chain, draw, which]
        draws = f"{count} draw{'' if count == 1 else 's'}"
        parts.append(f"{where} at {draws}, first at draw {draw} of chain {chain_ids[chain]} ({value:g})")
    more = [f"{len(bad) - _SHOWN} more"] if len(bad) > _SHOWN else []
    return (
        f"the log likelihood of {name} is infinite or NaN for {len(bad)} of {math.prod(shape)} observations: "
        f"{listed(parts + more)}. A draw under which an observation is impossible cannot predict it: look at the "
        "model there, or at the data."
    )


def label(name: str, shape: tuple[int, ...], which: int) -> str:
    """Name one entry of a variable: ``y[3]``, ``y[1,2]``; ``y`` if it is a number."""
    place = ",".join(str(int(i)) for i in np.unravel_index(which, shape))
    return f"{name}[{place}]" if shape else name


def blocks(values: NDArray[Any]) -> Iterator[tuple[int, Floats]]:
    """Go through log likelihoods of shape (chain, draw, *shape).

    Yields
    ------
    start : int
        Index of the first observation of the block.
    block : ndarray, shape (observations, draws)
        A copy; chain after chain.
    """
    flat = values.reshape(*values.shape[:2], -1)
    draws = flat.shape[0] * flat.shape[1]
    step = max(1, _BLOCK // max(draws, 1))
    for start in range(0, flat.shape[2], step):
        part = np.moveaxis(flat[:, :, start : start + step], 2, 0)
        yield start, np.array(part, np.float64, order="C").reshape(len(part), draws)


def log_mean(block: Floats) -> Floats:
    """Return the logarithms of mean likelihoods, shape (observations,)."""
    return log_sum(block) - math.log(block.shape[1])


def log_sum(x: Floats) -> Floats:
    """Return logarithms of sums along the last axis."""
    top = x.max(axis=-1, keepdims=True)
    found: Floats = np.log(np.exp(x - top).sum(axis=-1)) + top[..., 0]
    return found
