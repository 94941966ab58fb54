"""Groups: what was computed of a trace's draws, array by array beside them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer import html
from nbinfer.arguments import choice, instance
from nbinfer.arguments import mapping as mapping_of
from nbinfer.errors import NbinferWarning, calls_above, unseen
from nbinfer.spelling import public
from nbinfer.trace.axes import checked
from nbinfer.trace.checks import Arrays, adopted, common_shape, numbers, plain, rows_of, schema_attributes
from nbinfer.trace.names import UnknownNameError, has, listed, unknown
from nbinfer.trace.rows import Selection
from nbinfer.trace.show import variables_as_html

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace

#: Groups that there may be beside those of the run, named as in the ArviZ schema.
KINDS = ("posterior_predictive", "predictions", "prior", "prior_predictive", "log_likelihood", "log_prior")

#: Those of which each draw belongs to one of the trace; predictions may do so.
OF_DRAWS = ("posterior_predictive", "log_likelihood", "log_prior")


@public
class TraceGroup(Mapping[str, NDArray[Any]]):
    """Arrays (chain, draw, ...) by name that belong to the draws of a trace.

    Parameters
    ----------
    kind : str
        What it is: "posterior_predictive", "predictions", "prior", "prior_predictive", "log_likelihood" or "log_prior".
    values : mapping of str to ndarray, shape (chain, draw, ...)
        Adopted, not copied.
    chain_ids : sequence of int, optional
        Number of each chain. Default: 0, 1, ...
    draw_ids : sequence of int, optional
        Number of each draw in its chain, where there is not one for each draw of a trace. Default: 0, 1, ...
    dims : mapping of str to sequence of str, optional
        Names of the axes after chain and draw, and of those of `data`.
    coords : mapping of str to sequence, optional
        Labels along named axes.
    attrs : mapping, optional
        What else there is to know. Attributes of the ArviZ schema are added.
    data : mapping of str to ndarray, optional
        Data that it was computed with, if they are others than those of the run.

    Attributes
    ----------
    kind, chain_ids, draw_ids, dims, coords, attrs, data
        As above.

    See Also
    --------
    Trace.add_group : Have it beside the draws, and in their file.

    Examples
    --------
    >>> import numpy as np
    >>> group = TraceGroup("posterior_predictive", {"y": np.zeros((4, 100, 8))})
    >>> group["y"].shape
    (4, 100, 8)
    """

    def __init__(
        self,
        kind: str,
        values: Mapping[str, ArrayLike],
        *,
        chain_ids: Sequence[int] | None = None,
        draw_ids: Sequence[int] | None = None,
        dims: Mapping[str, Sequence[str]] | None = None,
        coords: Mapping[str, Any] | None = None,
        attrs: Mapping[str, Any] | None = None,
        data: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        choice("kind", kind, KINDS)
        self.kind = kind
        self._values: Arrays = adopted("values", values)
        chains, draws = common_shape("values", self._values)
        self.chain_ids = numbers(chain_ids if chains is not None else None, chains or 0)
        self.draw_ids: Sequence[int] = range(draws or 0)
        if draw_ids is not None:
            given = numbers(draw_ids, len(self.draw_ids), "draw_ids")
            self.draw_ids = self.draw_ids if given == list(self.draw_ids) else given
        self.data = plain("data", data)
        data_shapes = {name: array.shape for name, array in self.data.items()}
        shapes = {name: array.shape[2:] for name, array in self._values.items()}
        self.dims, self.coords = checked(dims, coords, data_shapes, shapes)
        self.attrs = schema_attributes() | dict(mapping_of("attrs", attrs))

    def __getitem__(self, name: str) -> NDArray[Any]:
        if not has(self._values, name):
            raise UnknownNameError(unknown("variable", name, self._values, owner=f"the group {self.kind!r}"))
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        lines = [f"  {name}  {values.shape}  {values.dtype}" for name, values in self.items()]
        return "\n".join([self._title, *lines])

    def _repr_html_(self) -> str:
        return html.block(html.headline(self._title), variables_as_html(self))

    @property
    def _title(self) -> str:
        return f"TraceGroup {self.kind!r}"

    def having(self, values: Mapping[str, NDArray[Any]], **changed: Any) -> TraceGroup:
        """Return a group of other arrays that is as this one is, but for what is given."""
        same = {"dims": self.dims, "coords": self.coords, "attrs": self.attrs, "data": self.data}
        return TraceGroup(self.kind, values, **{**same, "chain_ids": self.chain_ids, **changed})

    def is_of(self, chain_ids: Sequence[int], draws: int) -> bool:
        """Tell whether it has as many draws as a trace, of the same chains in the same order."""
        return self.chain_ids == list(chain_ids) and self.draw_ids == range(draws)


def check_fit(group: TraceGroup, trace: Trace) -> None:
    """Raise if a group has no place beside the draws of a trace."""
    instance("group", group, TraceGroup, "a TraceGroup, such as TraceGroup(kind, {name: array})")
    draws = rows_of(trace)
    strangers = [chain for chain in group.chain_ids if chain not in trace.chain_ids]
    late = [draw for draw in group.draw_ids if draw >= draws]
    if group.kind in OF_DRAWS and (strangers or late):
        found = f"chains {listed(strangers)}" if strangers else f"draws up to {max(late)}"
        raise ValueError(
            f"the group {group.kind!r} is of {found}, and the trace has chains {listed(trace.chain_ids)} of {draws} "
            "draws; a group belongs to the trace that it was computed of."
        )


def chosen_groups(trace: Trace, rows: Selection) -> dict[str, TraceGroup]:
    """Return the groups of some draws of a trace: those of its draws are cut as it is, others stay as they are."""
    found, lost = {}, []
    for kind, group in trace.groups.items():
        if group.is_of(trace.chain_ids, rows_of(trace)):
            found[kind] = group.having({name: rows.of(array) for name, array in group.items()})
        elif kind in OF_DRAWS:
            lost.append(kind)
        else:
            found[kind] = group
    _say_lost(lost, "they are of some draws only, and it has others; compute them of the shorter trace")
    return found


def joined_groups(traces: Sequence[Trace], chain_ids: list[int], join: Any) -> dict[str, TraceGroup]:
    """Return the groups of traces that are put together.

    Parameters
    ----------
    traces : sequence of Trace
    chain_ids : list of int
        Of the whole.
    join : callable
        From a function that takes a trace to its arrays, to the arrays of the whole.
    """
    found, lost = {}, []
    for kind in dict.fromkeys(kind for trace in traces for kind in trace.groups):
        groups = [trace.groups[kind] for trace in traces if kind in trace.groups]
        first = groups[0]
        alike = all(list(group) == list(first) and _same_arrays(group.data, first.data) for group in groups)
        if alike and all(kind in t.groups and t.groups[kind].is_of(t.chain_ids, rows_of(t)) for t in traces):
            whole = join(lambda trace, kind=kind: trace.groups[kind])
            found[kind] = first.having(whole, chain_ids=chain_ids)
        elif alike and kind not in OF_DRAWS and all(_same_arrays(group, first) for group in groups):
            found[kind] = first
        else:
            lost.append(kind)
    _say_lost(lost, "not all traces have them, or they are of different things; compute them of the whole")
    return found


def _same_arrays(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> bool:
    pairs = [(one[name], other[name]) for name in one.keys() & other.keys()]
    return one.keys() == other.keys() and all(
        a is b or np.array_equal(a, b, equal_nan=a.dtype.kind in "fc") for a, b in pairs
    )  # fmt: skip


def _say_lost(kinds: Iterable[str], why: str) -> None:
    names = list(kinds)
    if names:
        with unseen():
            warnings.warn(f"the new trace has no group {listed(names)}: {why}.", NbinferWarning, calls_above())
