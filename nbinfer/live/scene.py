"""What a view shows at some moment: a few quantities, as far as a run has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.quantities import along, labels

Floats = NDArray[np.float64]

#: Of each chain so many values are looked at, and so many chains: a view has no more room, and may take no more time.
POINTS, CHAINS = 1000, 8


@dataclass(frozen=True, eq=False)
class Series:
    """A quantity.

    Attributes
    ----------
    label : str
        With the labels of its axes.
    values : list of ndarray, shape (values,)
        Of each chain, one after the other; of a fit, of all iterations; of particles, all of them.
    at : list of ndarray of int64, shape (values,)
        At which iterations; none for particles, which are all of one.
    begin : int
        The iteration from which on values count: those before are of warm-up.
    kind : {'draws', 'losses', 'particles'}
    """

    label: str
    values: list[NDArray[Any]]
    at: list[NDArray[np.int64]] = field(default_factory=list)
    begin: int = 0
    kind: str = "draws"

    @property
    def counted(self) -> list[Floats]:
        """Values that count and are finite, by chain."""
        parts = [np.asarray(values, np.float64) for values in self._after_warm_up]
        return [values[np.isfinite(values)] for values in parts]

    @property
    def not_finite(self) -> int:
        """How many of those that count are not."""
        return sum(map(len, self._after_warm_up)) - sum(map(len, self.counted))

    @property
    def common(self) -> NDArray[Any]:
        """Values that count of as many iterations as all chains have, shape (chain, value)."""
        parts = self._after_warm_up
        shortest = min(map(len, parts), default=0)
        return np.array([part[:shortest] for part in parts]).reshape(len(parts), shortest)

    @property
    def _after_warm_up(self) -> list[NDArray[Any]]:
        if not self.at:
            return self.values
        return [values[at >= self.begin] for values, at in zip(self.values, self.at, strict=True)]


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a view shows.

    Attributes
    ----------
    series : list of Series
        As many, with the same labels, at each moment of a run.
    chains : list of str
        What the values' chains are called.
    note : str
        What is left out; '' if nothing.
    """

    series: list[Series]
    chains: list[str]
    note: str


def some(lengths: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Choose among the elements of variables: some of each, rather than all of the first.

    Parameters
    ----------
    lengths : sequence of int
        How many elements each variable has.
    most : int

    Returns
    -------
    places : list of (int, int)
        Variable and element, in order.
    """
    taken = [0] * len(lengths)
    left = min(most, sum(lengths))
    while left:
        for k, length in enumerate(lengths):
            if left and taken[k] < length:
                taken[k], left = taken[k] + 1, left - 1
    return [(k, i) for k, n in enumerate(taken) for i in range(n)]


def label_of(model: Any, name: str, shape: tuple[int, ...], element: int) -> str:
    """Return what an element of a variable is called, of many without naming them all."""
    index = [int(i) for i in np.unravel_index(element, shape)] if shape else []
    axes = along(model, name, shape)
    if axes is None:
        return f"{name}[{','.join(map(str, index))}]" if shape else name
    return labels(name, (1,) * len(shape), [[axis[i]] for axis, i in zip(axes, index, strict=True)])[0]


def left_out(shown: int, of: int, chains: int = 0, of_chains: int = 0) -> str:
    """Say what a scene leaves out."""
    found = []
    if shown < of:
        found.append(f"{shown} of {of:,} quantities; most= and var_names= show others")
    if chains < of_chains:
        found.append(f"{chains} of {of_chains:,} chains")
    return "; ".join(found)
