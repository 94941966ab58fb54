"""What a view shows of chains: their draws, read from the arrays that they write to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.live.asked import Asked, chosen
from nbinfer.live.scene import CHAINS, POINTS, Scene, Series, label_of, left_out, some
from nbinfer.trace.store import Store

#: The statistic that is shown as if it were a quantity: there is one in warm-up, too, whose draws are seldom kept.
LP = "lp"


class Draws:
    """The draws of a run, from moment to moment.

    Parameters
    ----------
    store : callable
        Returns the `Store` that takes them, which may be another one once a run without a given length has got longer.
    names : sequence of str
        Variables that are kept.
    numbers : sequence of int
        What chains are called.
    model : Model
        For the labels of axes.
    asked : Asked

    Raises
    ------
    ValueError
        If something is asked for that is not kept.
    """

    def __init__(
        self, store: Callable[[], Store], names: Sequence[str], numbers: Sequence[int], model: Any, asked: Asked
    ) -> None:
        self._store, self._asked = store, asked
        arrays = {name: _rows(store(), "posterior", name) for name in names}
        arrays = {name: rows for name, rows in arrays.items() if rows is not None}
        lp = _rows(store(), "sample_stats", LP)
        if lp is not None and LP not in arrays:
            arrays = {LP: lp} | arrays
        wanted = chosen(asked, arrays, arrays, "the run")
        self._groups = {name: "sample_stats" if arrays[name] is lp else "posterior" for name in wanted}
        shapes = {name: np.shape(arrays[name][0])[1:] for name in wanted}
        places = some([int(np.prod(shapes[name])) for name in wanted], asked.most)
        self._shown = [(wanted[k], i, label_of(model, wanted[k], shapes[wanted[k]], i)) for k, i in places]
        self._chains = np.unique(np.linspace(0, len(numbers) - 1, min(len(numbers), CHAINS)).astype(int)).tolist()
        self._names = [f"chain {numbers[c]}" for c in self._chains]
        whole = sum(int(np.prod(shape)) for shape in shapes.values())
        self._note = left_out(len(places), whole, len(self._chains), len(numbers))

    def __call__(self, progress: NDArray[Any]) -> Scene:
        """Return what there is."""
        # The store is asked for after the counts: it has all rows that they count.
        done, skipped = progress["done"].copy(), progress["skipped"].copy()
        store = self._store()
        warm, after = store.finished(done, skipped)
        return Scene([self._series(store, *each, warm, after) for each in self._shown], self._names, self._note)

    def _series(self, store: Store, name: str, element: int, label: str, warm: Any, after: Any) -> Series:
        group = self._groups[name]
        early, main = _rows(store, "warmup_" + group, name), _rows(store, group, name)
        values, at = [], []
        longest = max(int((warm + after)[c]) for c in self._chains)
        every = max(-(-longest // POINTS), 1)
        for c in self._chains:
            parts = [(early, int(warm[c]), 0, 1)] if early is not None else []
            parts.append((main, int(after[c]), store.tune + store.thin - 1, store.thin))
            found = [_part(rows[c], n, every, element) for rows, n, _, _ in parts]
            when = [np.arange(n)[::every] * step + begin for _, n, begin, step in parts]
            iterations, drawn = np.concatenate(when), np.concatenate(found)
            kept = iterations >= self._asked.skip_first
            values.append(drawn[kept])
            at.append(iterations[kept])
        return Series(label, values, at, store.tune)


def _rows(store: Store, group: str, name: str) -> Any:
    arrays: Mapping[str, Any] = store.groups.get(group, {})
    return arrays.get(name)


def _part(rows: Any, n: int, every: int, element: int) -> NDArray[Any]:
    """Copy an element of some of a chain's first rows."""
    flat = rows.reshape(len(rows), -1) if len(rows) else np.zeros((0, element + 1), rows.dtype)
    return np.array(flat[:n:every, element])
