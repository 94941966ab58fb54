"""The arrays of a run: one for each quantity and each statistic, and where rows of draws go among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbinfer.engine.blocks import Column, Placed

Arrays = dict[str, np.ndarray]


def posterior_arrays(
    bound: Any, kept: set[str] | None, chains: int, tune: int, draws: int, discard: bool
) -> tuple[Arrays, Arrays, list[Column]]:
    """Return the arrays of draws, those of warm-up, and the columns that lead there.

    Parameters
    ----------
    bound : Bound
    kept : set of str, optional
        Names to keep. Default: all.
    chains, tune, draws : int
    discard : bool
        Whether the draws of warm-up go nowhere.
    """
    main, warm, columns = {}, {}, []
    for c in bound.columns:
        if kept is not None and c.name not in kept:
            continue
        main[c.name] = _unfinished((chains, draws, *c.shape), c.dtype)
        if not discard:
            warm[c.name] = _unfinished((chains, tune, *c.shape), c.dtype)
        columns.append(Column(c.offset, c.size, str(np.dtype(c.dtype)), warm.get(c.name), main[c.name]))
    return main, warm, columns


def statistics_arrays(
    steps: Sequence[Placed], chains: int, tune: int, draws: int
) -> tuple[Arrays, Arrays, list[Column]]:
    """Return the arrays of statistics, those of warm-up, and the columns that lead there.

    A statistic of one step has shape (chain, draw); one that several steps have lies side by side, (chain, draw, step).
    But the log density after a draw is one number, which the last step knows.
    """
    owners: dict[str, list[int]] = {}
    offsets: dict[tuple[str, int], int] = {}
    kinds: dict[str, str] = {}
    for k, step in enumerate(steps):
        for name, dtype in step.method.statistics.items():
            owners.setdefault(name, []).append(k)
            offsets[name, k] = len(offsets)
            kinds.setdefault(name, dtype)
    main, warm, columns = {}, {}, []
    owners |= {name: steps_of[-1:] for name, steps_of in owners.items() if name == "lp"}
    for name, steps_of in owners.items():
        shape = (len(steps_of),) if len(steps_of) > 1 else ()
        main[name] = _unfinished((chains, draws, *shape), kinds[name])
        warm[name] = _unfinished((chains, tune, *shape), kinds[name])
        for place, k in enumerate(steps_of):
            of = (place, len(steps_of))
            columns.append(Column(offsets[name, k], 1, kinds[name], warm[name], main[name], of))
    return main, warm, columns


def _unfinished(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array that reads as not drawn yet: NaN, the least integer, False."""
    kind = np.dtype(dtype)
    return np.full(shape, {"f": np.nan, "i": np.iinfo(np.int64).min, "b": False}[kind.kind], kind)
