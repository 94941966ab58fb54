"""Pages: what is written down of a trace beside its rows, for back ends that store rows and nothing else."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.errors import BackendError
from nbinfer.model.fingerprint import differences
from nbinfer.trace import about
from nbinfer.trace.merge import agreed
from nbinfer.trace.metric import joined_metrics
from nbinfer.trace.names import listed
from nbinfer.trace.rows import Counts, unfinished
from nbinfer.trace.trace import Trace

_FORMAT = 1

_DATA = ("observed_data", "constant_data")

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
    runs : tuple of mapping
        What is to be known of each run whose rows are here, see `notes_of`.
    """

    kinds: Kinds = MappingProxyType({})
    chains: tuple[int, ...] = ()
    runs: tuple[Mapping[str, Any], ...] = ()

    def as_text(self) -> str:
        """Return it as JSON."""
        return json.dumps({"format": _FORMAT} | self._asdict())

    @staticmethod
    def of_text(text: str, place: object) -> Page:
        """Read what `as_text` has written, in a place that errors name."""
        try:
            found: dict[str, Any] = json.loads(text)
            if found["format"] != _FORMAT:
                raise BackendError(
                    f"{place} is of format {found['format']!r}; this version of nbinfer reads {_FORMAT}."
                )
            kinds = {g: {n: Kind(d, tuple(s)) for n, (d, s) in arrays.items()} for g, arrays in found["kinds"].items()}
            return Page(kinds, tuple(found["chains"]), tuple(found["runs"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackendError(f"{place} cannot be read: {error!r}.") from None

    def joined(self, kinds: Kinds, notes: Mapping[str, Any], place: object) -> Page:
        """Return a page of one more run; raise BackendError if it is none that may stand beside those there are."""
        groups = sorted({*self.kinds, *kinds}, key=lambda group: group != "posterior")
        for group in groups if self.runs else ():
            ours, theirs = (dict(of_all.get(group, {})) for of_all in (self.kinds, kinds))
            if ours != theirs:
                raise BackendError(
                    f"{place} holds {group} of {_described(ours)}, and these are of {_described(theirs)}. "
                    "Choose another name."
                )
        for run in self.runs:
            _require_alike(run, notes, place)
        begun = {**notes, "about": notes["about"] | {"interrupted": True}}  # until its end is told
        return Page(kinds, tuple(sorted({*self.chains, *notes["chains"]})), (*self.runs, begun))

    def told(self, notes: Mapping[str, Any]) -> Page:
        """Return a page that knows more of its last run."""
        return self._replace(runs=(*self.runs[:-1], notes))


def notes_of(trace: Trace, chains: Sequence[int], model: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what is to be known of a run beside its rows, as JSON has it.

    Parameters
    ----------
    trace : Trace
        Of the run.
    chains : sequence of int
        Numbers of the chains whose rows are stored.
    model : mapping of str to str, optional
        What the model is (`nbinfer.model.fingerprint.parts_of`). None: a trace that comes from anywhere.
    """
    known: dict[str, Any] = {"about": json.loads(about.text_of(trace))}
    for group in _DATA:
        arrays = getattr(trace, group)
        known[group] = {name: (a.dtype.name, a.shape, a.ravel().tolist()) for name, a in arrays.items()}
    return {"chains": list(chains), "model": None if model is None else dict(model)} | known


def _require_alike(one: Mapping[str, Any], other: Mapping[str, Any], place: object) -> None:
    """Raise BackendError if two runs are of different models or data, or are the same draws twice."""
    if one["model"] is not None and other["model"] is not None:
        found = differences(one["model"], other["model"])
        if found:
            raise BackendError(
                f"{place} holds draws of another model; there -> here: {'; '.join(found)}. Choose another name."
            )
        again = [chain for chain, seed in _seeds(one).items() if _seeds(other).get(chain) == seed]
        if again:
            raise BackendError(
                f"{place} has draws of chain {again[0]} with this random_seed already, and would have them twice; "
                "choose another random_seed, another chain_idx or another name."
            )
    for group in _DATA:
        for name in one.get(group, {}).keys() & other[group].keys():
            if json.dumps(one[group][name]) != json.dumps(other[group][name]):
                raise BackendError(f"{place} holds draws given other data {name!r}. Choose another name.")


def _seeds(run: Mapping[str, Any]) -> dict[int, Any]:
    """Return the seed of each chain of a run."""
    chains, seed = run["chains"], run["about"]["attrs"].get("seed")
    several = isinstance(seed, list) and len(seed) == len(chains)
    return dict(zip(chains, seed if several else [seed] * len(chains), strict=True))


def flat_names(name: str, shape: tuple[int, ...]) -> list[str]:
    """Return the names of the elements of an array: ``x``, or ``x__0_1`` for that at (0, 1)."""
    return ["__".join([name, "_".join(map(str, index))]) if index else name for index in np.ndindex(shape)]


def check_kinds(kinds: Kinds, what: str, types: Collection[str]) -> None:
    """Raise TypeError if there is an array of another type than those that `what` holds, by their names."""
    for of_group in kinds.values():
        for name, kind in of_group.items():
            if kind.dtype not in types:
                raise TypeError(
                    f"{what} cannot hold {name!r}, an array of {kind.dtype}; it holds {', '.join(types)}. "
                    "Of complex numbers keep the parts as two variables."
                )


def _described(kinds: Mapping[str, Kind]) -> str:
    return listed(f"{name}{list(kind.shape) if kind.shape else ''} {kind.dtype}" for name, kind in kinds.items())


def assembled(pieces: Mapping[str, Sequence[Rows]], page: Page, place: object) -> Trace:
    """Return a trace of rows that were read.

    Parameters
    ----------
    pieces : mapping of str to sequence
        The rows of each chain, by group; draws without statistics, and the reverse, are left out.
    page : Page
    place : object
        Where they were, for errors.
    """
    groups: dict[str, Any] = {}
    done = {}
    for warm in (True, False):
        chosen = {group: of_chains for group, of_chains in pieces.items() if group.startswith("warmup_") == warm}
        of_each = zip(*chosen.values(), strict=True)
        counts = [min((len(array) for rows in of_chain for array in rows.values()), default=0) for of_chain in of_each]
        done[warm] = np.array(counts or [0] * len(page.chains), np.int64)
        for group, of_chains in chosen.items():
            groups[group] = _whole(of_chains, done[warm])
    try:
        return _told(page, groups, done[True], done[False])
    except (KeyError, ValueError, TypeError) as error:
        raise BackendError(f"{place} is damaged: {error!r}.") from error


def _whole(of_chains: Sequence[Rows], done: Counts) -> dict[str, NDArray[Any]]:
    """Put chains side by side."""
    found = {}
    for name, first in of_chains[0].items():
        found[name] = unfinished((len(of_chains), int(done.max()), *first.shape[1:]), first.dtype)
        for row, rows in enumerate(of_chains):
            found[name][row, : done[row]] = rows[name][: done[row]]
    return found


def _told(page: Page, groups: Mapping[str, Any], tune_done: Counts, draws_done: Counts) -> Trace:
    """Return a trace with what is known of its runs, joined as `Trace.append` joins them."""
    texts = [about.from_text(json.dumps(run["about"])) for run in page.runs]
    parts = [about.arguments_of(text) for text in texts]
    data = {
        group: {n: np.array(values, dtype).reshape(shape) for n, (dtype, shape, values) in found.items()}
        for group, found in ((group, page.runs[0].get(group, {})) for group in _DATA)
    }
    chains = list(page.chains)
    trace = Trace(
        **groups,
        tune_done=tune_done,
        draws_done=draws_done,
        **data,
        chain_ids=chains,
        attrs=parts[0]["attrs"] if len(parts) == 1 else agreed([part["attrs"] for part in parts]),
        interrupted=any(part["interrupted"] for part in parts),
        dims=parts[0]["dims"],
        coords=parts[0]["coords"],
        metric=joined_metrics([part.get("metric") for part in parts], chains),
    )
    if len(texts) == 1 and texts[0]["draws_done"] == trace.draws_done.tolist():
        trace.report = about.report_of(texts[0], trace)
    return trace
