"""Pages: what is written down of a trace beside its rows, for back ends that store rows and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import BackendError
from nbinfer.trace import about
from nbinfer.trace.names import listed
from nbinfer.trace.rows import unfinished
from nbinfer.trace.trace import Trace

_FORMAT = 1

#: Draws of one chain, or statistics of them, by name; shape (row, ...).
Rows = Mapping[str, NDArray[Any]]


class Kind(NamedTuple):
    """Type and shape of one draw of a quantity, or of a statistic."""

    dtype: str
    shape: tuple[int, ...]


#: By group and name.
Kinds = Mapping[str, Mapping[str, Kind]]


def kinds_of(groups: Mapping[str, Mapping[str, NDArray[Any]]]) -> Kinds:
    """Return type and shape of one row of each array, of groups that have any."""
    found = {g: {n: Kind(a.dtype.name, a.shape[2:]) for n, a in arrays.items()} for g, arrays in groups.items()}
    return {group: arrays for group, arrays in found.items() if arrays}


class Page(NamedTuple):
    """What is known of stored rows.

    Attributes
    ----------
    kinds : mapping
        What the rows are of, by group and name.
    chains : tuple of int
        Numbers of the chains.
    notes : mapping
        What is to be known of the run, see `notes_of`; empty before its end.
    """

    kinds: Kinds = MappingProxyType({})
    chains: tuple[int, ...] = ()
    notes: Mapping[str, Any] = MappingProxyType({})

    def as_text(self) -> str:
        """Return it as JSON."""
        return json.dumps({"format": _FORMAT, "kinds": self.kinds, "chains": self.chains, "notes": dict(self.notes)})

    @staticmethod
    def of_text(text: str, place: object) -> Page:
        """Read what `as_text` has written, in a place that errors name."""
        try:
            found: dict[str, Any] = json.loads(text)
            number = found["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise BackendError(f"{place} cannot be read: {error!r}.") from None
        if number != _FORMAT:
            raise BackendError(f"{place} is of format {number!r}; this version of nbinfer reads {_FORMAT}.")
        kinds = {g: {n: Kind(d, tuple(s)) for n, (d, s) in arrays.items()} for g, arrays in found["kinds"].items()}
        return Page(kinds, tuple(found["chains"]), found["notes"])

    def joined(self, kinds: Kinds, chains: Sequence[int], place: object) -> Page:
        """Return a page of more kinds and chains; raise BackendError if the kinds are others than are there."""
        for group in self.kinds.keys() & kinds.keys():
            if dict(self.kinds[group]) != dict(kinds[group]):
                raise BackendError(
                    f"{place} holds {group} of {_described(self.kinds[group])}, and these are of "
                    f"{_described(kinds[group])}. Choose another name."
                )
        return Page({**self.kinds, **kinds}, tuple(sorted({*self.chains, *chains})))


def notes_of(trace: Trace) -> dict[str, Any]:
    """Return what is to be known of a trace beside its rows, as JSON has it."""
    observed = {name: (a.dtype.name, a.shape, a.ravel().tolist()) for name, a in trace.observed_data.items()}
    return {"about": json.loads(about.text_of(trace)), "observed_data": observed}


def flat_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """Return the names of the elements of an array: ``x``, or ``x__0_1`` for that at (0, 1)."""
    return ["__".join([name, "_".join(map(str, index))]) if index else name for index in np.ndindex(shape)]


def _described(kinds: Mapping[str, Kind]) -> str:
    return listed(f"{name}{list(kind.shape) if kind.shape else ''} {kind.dtype}" for name, kind in kinds.items())


def assembled(pieces: Mapping[str, Sequence[Rows]], numbers: Sequence[int], notes: Mapping[str, Any]) -> Trace:
    """Return a trace of rows that were read.

    Parameters
    ----------
    pieces : mapping of str to sequence
        The rows of each chain, by group; draws without statistics, and the reverse, are left out.
    numbers : sequence of int
        The chains' numbers.
    notes : mapping
        What `notes_of` returns; empty if the run has not ended.
    """
    groups: dict[str, Any] = {}
    done = {}
    for warm in (True, False):
        chosen = {group: of_chains for group, of_chains in pieces.items() if group.startswith("warmup_") == warm}
        of_each = zip(*chosen.values(), strict=True)
        counts = [min((len(array) for rows in of_chain for array in rows.values()), default=0) for of_chain in of_each]
        done[warm] = np.array(counts or [0] * len(numbers), np.int64)
        for group, of_chains in chosen.items():
            groups[group] = {}
            for name, array in of_chains[0].items():
                whole = unfinished((len(numbers), int(done[warm].max()), *array.shape[1:]), array.dtype)
                for chain, rows in enumerate(of_chains):
                    whole[chain, : done[warm][chain]] = rows[name][: done[warm][chain]]
                groups[group][name] = whole
    observed = notes.get("observed_data", {})
    known = about.from_text(json.dumps(notes.get("about", {})))
    trace = Trace(
        **groups,
        observed_data={n: np.array(values, dtype).reshape(shape) for n, (dtype, shape, values) in observed.items()},
        tune_done=done[True],
        draws_done=done[False],
        **{"interrupted": True} | about.arguments_of(known) | {"chain_ids": list(numbers)},
    )
    if known and known["chain_ids"] != trace.chain_ids:  # a later run has added to some of the chains
        trace.metric = None
    elif known and known["draws_done"] == trace.draws_done.tolist():
        trace.report = about.report_of(known, trace)
    return trace
