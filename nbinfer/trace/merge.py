"""Putting traces side by side, and one behind the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import several
from nbinfer.spelling import public
from nbinfer.trace.groups import joined_groups
from nbinfer.trace.metric import joined_metrics
from nbinfer.trace.names import listed
from nbinfer.trace.rows import Counts, unfinished

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace

Group = Mapping[str, NDArray[Any]]


@public
def merge_traces(traces: Iterable[Trace]) -> Trace:
    """Put the chains of several traces side by side.

    Parameters
    ----------
    traces : iterable of Trace
        Of the same variables and the same observed data, with different chain numbers.

    Returns
    -------
    trace : Trace
        A new trace, ordered by chain number. Shorter chains end in NaN (integers: their smallest value). It
        has the statistics that all of the traces have, the attributes on which they agree, the sum of their
        sampling times, the metrics of all chains if all of the traces have them, and no report. Groups that were
        computed of the draws of all traces are put together likewise; a warning names those that are left out.

    Raises
    ------
    ValueError
        If a chain number occurs twice, or the variables, their shapes or the observed data differ.

    See Also
    --------
    Trace.append : More draws of the same chains.

    Examples
    --------
    >>> from nbinfer.trace import Trace
    >>> first = Trace({"x": np.array([[1.0, 2.0]])}, chain_ids=[0])
    >>> second = Trace({"x": np.array([[3.0]])}, chain_ids=[1])
    >>> merge_traces([first, second])["x"]
    array([[ 1.,  2.],
           [ 3., nan]])
    """
    traces = several("traces", traces)
    for trace in traces:
        if not hasattr(trace, "chains"):
            raise TypeError(f"traces must be Trace objects, got one of {type(trace).__name__}.")
    if not traces:
        raise ValueError("traces must hold at least one trace, got none")
    numbers = [chain for trace in traces for chain in trace.chains]
    twice = sorted(chain for chain, times in Counter(numbers).items() if times > 1)
    if twice:
        raise ValueError(
            f"traces must have different chain numbers, but more than one has {listed(twice)}. "
            "Sample with another chain_idx, or use trace.append for more draws of the same chains."
        )
    return joined(traces)


def joined(traces: Sequence[Trace]) -> Trace:
    """Return a new trace of all chains of all traces; draws of the same chain follow one another."""
    _require_alike(traces)
    numbers = sorted({chain for trace in traces for chain in trace.chains})
    warm = _Pieces(traces, numbers, lambda trace: trace.tune_done)
    kept = _Pieces(traces, numbers, lambda trace: trace.draws_done)
    whole = type(traces[0])(
        kept.group(lambda trace: trace.posterior),
        kept.group(lambda trace: trace.sample_stats),
        warmup_posterior=warm.group(lambda trace: trace.warmup_posterior),
        warmup_sample_stats=warm.group(lambda trace: trace.warmup_sample_stats),
        observed_data=_union([trace.observed_data for trace in traces]),
        constant_data=_union([trace.constant_data for trace in traces]),
        draws_done=kept.done,
        tune_done=warm.done,
        chain_ids=numbers,
        attrs=agreed([trace.attrs for trace in traces]),
        interrupted=any(trace.interrupted for trace in traces),
        dims=_union([trace.dims for trace in traces]),
        coords=_union([trace.coords for trace in traces]),
        metric=joined_metrics([trace.metric for trace in traces], numbers),
    )
    whole.groups = joined_groups(traces, numbers, kept.group)
    return whole


class _Pieces:
    """Where the rows of every chain come from, in order."""

    def __init__(self, traces: Sequence[Trace], numbers: list[int], count: Callable[[Trace], Counts]) -> None:
        place = {number: row for row, number in enumerate(numbers)}
        self.traces = [trace for trace in traces if count(trace).any()]  # the others have no rows to give
        self.empty = list(traces) if not self.traces else []
        self.done: Counts = np.zeros(len(numbers), np.int64)
        self.pieces: list[tuple[int, int, int, int, int]] = []  # trace, its chain, rows; ours, first row
        for which, trace in enumerate(self.traces):
            for chain, (number, rows) in enumerate(zip(trace.chains, count(trace).tolist(), strict=True)):
                ours = place[number]
                self.pieces.append((which, chain, rows, ours, int(self.done[ours])))
                self.done[ours] += rows

    def group(self, values: Callable[[Trace], Group]) -> dict[str, NDArray[Any]]:
        """Return the arrays that all traces have."""
        sources = [values(trace) for trace in self.traces or self.empty]
        together: dict[str, NDArray[Any]] = {}
        for name in sources[0]:
            arrays = [source[name] for source in sources if name in source]
            if len(arrays) < len(sources) or len({array.shape[2:] for array in arrays}) > 1:
                continue
            dtype = np.result_type(*arrays)
            shape = (len(self.done), int(self.done.max()), *arrays[0].shape[2:])
            together[name] = unfinished(shape, dtype)
            for which, chain, rows, ours, first in self.pieces:
                together[name][ours, first : first + rows] = arrays[which][chain, :rows]
        return together


def _require_alike(traces: Sequence[Trace]) -> None:
    first = traces[0]
    for trace in traces[1:]:
        missing = [name for name in first.varnames if name not in trace.posterior]
        extra = [name for name in trace.varnames if name not in first.posterior]
        if missing or extra:
            raise ValueError(
                f"traces must have the same variables, but only one of them has {listed(missing + extra)} "
                f"(chains {listed(first.chains)} against {listed(trace.chains)})"
            )
        for name, array in first.posterior.items():
            shape, other = array.shape[2:], trace.posterior[name].shape[2:]
            if shape != other:
                raise ValueError(f"variable {name!r} must have the same shape in all traces, got {shape} and {other}")
    _require_same_axes(traces)
    for group in ("observed", "constant"):
        seen: dict[str, NDArray[Any]] = {}
        for trace in traces:
            for name, data in getattr(trace, f"{group}_data").items():
                if not _same(seen.setdefault(name, data), data):
                    raise ValueError(f"{group} data {name!r} must be the same in all traces; these saw different data")


def _require_same_axes(traces: Sequence[Trace]) -> None:
    """Require the names of axes that several traces have, and the labels along them, to be the same in all."""
    dims: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    for trace in traces:
        for name, axes in trace.dims.items():
            if tuple(dims.setdefault(name, axes)) != tuple(axes):
                raise ValueError(
                    f"the axes of {name!r} must have the same names in all traces, got {listed(dims[name])} and "
                    f"{listed(axes)}; merge traces of one model"
                )
        for axis, labels in trace.coords.items():
            first = coords.setdefault(axis, labels)
            if not _same(first, labels):
                raise ValueError(
                    f"coords {axis!r} must be the same in all traces, got {_some(first)} and {_some(labels)}: rows "
                    "with other labels would be taken for the same. Put them in one order before the models are made"
                )


def _some(labels: Any) -> str:
    return listed([str(label) for label in np.asarray(labels)[:3]]) + (", …" if len(labels) > 3 else "")


def _same(one: Any, other: Any) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc" and other.dtype.kind in "fc")


def _union(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return all entries; the first to have a name wins."""
    every: dict[str, Any] = {}
    for mapping in mappings:
        every |= {name: value for name, value in mapping.items() if name not in every}
    return every


def agreed(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all agree on, the total sampling time, and when the last was made."""
    agreed = {
        name: value
        for name, value in every[0].items()
        if all(name in attrs and _same(attrs[name], value) for attrs in every[1:])
    }
    if all("sampling_time" in attrs for attrs in every):
        agreed["sampling_time"] = sum(attrs["sampling_time"] for attrs in every)
    agreed["created_at"] = max(str(attrs["created_at"]) for attrs in every)
    return agreed
