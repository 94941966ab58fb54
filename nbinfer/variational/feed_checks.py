"""What may be wrong with data that come in batches, found before a fit begins."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbinfer.model.data import Datum, convert
from nbinfer.model.definition import Definition
from nbinfer.model.evaluate import call
from nbinfer.streaming import Feed, Minibatch

#: From a definition to one that has as many rows of local parameters as its data have: it runs the encoders.
Place = Callable[[Definition], Definition]


def unscaled(definition: Definition, feeds: Mapping[str, Feed]) -> list[str]:
    """Return warnings of likelihood terms of batches that count for no more than these."""
    names = [name for name in feeds if name in definition.likelihood and name not in definition.total_size]
    if feeds and not names and not definition.total_size:
        names = list(feeds)[-1:]
    remedy = "Pass prior and likelihood, and " if not definition.likelihood else "Pass "
    return [
        f"data {name!r} come in batches, and no total_size says how many observations they stand for: the posterior is "
        f"that of a single batch. {remedy}total_size={{{name!r}: number of all}}."
        for name in names
    ]


def unaligned(definition: Definition, feeds: Mapping[str, Feed]) -> list[str]:
    """Return a warning if entries of one length, which a likelihood term takes together, draw other rows each."""
    batches = {name: feed for name, feed in feeds.items() if isinstance(feed, Minibatch)}
    apart = [
        (one, other, length)
        for one, other in itertools.combinations(batches, 2)
        for length, streams in batches[one].streams.items()
        if not streams & batches[other].streams.get(length, streams)
    ]
    together = _read_together(definition) if apart else []
    return [
        f"data {one!r} and {other!r}, which a likelihood term takes together, draw different indices of {length}, for "
        "their random_seed or the axis that is sampled differ: rows of a batch do not belong together. Give both the "
        "same seed, and the rows the same axis."
        for one, other, length in apart
        if any({one, other} <= names for names in together)
    ][:1]


class _Recorder:
    """Data that note which of them a function reads."""

    def __init__(self, data: Any) -> None:
        self._data, self.read = data, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self._data, name)


def _read_together(definition: Definition) -> list[set[str]]:
    """Return, for each likelihood term, the names of data that it reads; nothing of one that cannot tell."""
    arguments = definition.arguments(definition.constrain(np.zeros(definition.dim)))
    found = []
    for term in definition.likelihood.values():
        recorder = _Recorder(arguments[-1])
        try:
            with np.errstate(all="ignore"):
                call(term, *arguments[:-1], recorder)
        except Exception:  # others say what is wrong
            pass
        found.append(recorder.read)
    return found


def check_sources(definition: Definition, place: Place) -> None:
    """Raise IndexError if integers behind a Minibatch hold an index that is out of range in the model or an encoder.

    Both are evaluated, in plain Python, at a batch that is made of the row with the largest, and one of that with the
    smallest number: no other is out of range if these are not.

    Parameters
    ----------
    definition : Definition
    place : callable
        See `nbinfer.variational.feeding.Feeds`.
    """
    batches = {name: feed for name, feed in definition.feeds.items() if isinstance(feed, Minibatch)}
    for name, feed in batches.items():
        if definition.data[name].kind != "int64":
            continue
        for value, row in feed.extremes():
            places = {(k, length): i for k, (length, i) in enumerate(zip(feed.shape_of_all, row, strict=True))}
            at = {other: convert(other, f.batch_at(places), True) for other, f in batches.items()}
            raise_index(having(definition, at), name, value, row, place)


def raise_index(
    definition: Definition, name: str, value: int, row: tuple[int, ...], place: Place, which: str = ""
) -> None:
    """Raise IndexError, with entry and row, if the density or an encoder raises one."""
    error = index_error(definition, place)
    if error is not None:
        where = f"row {row[0]}" if len(row) == 1 else str(row)
        raise IndexError(
            f"data {name!r} holds {value} in {where}{which}, which is out of range where the model takes it for an "
            f"index: {error}"
        )


def index_error(definition: Definition, place: Place) -> IndexError | None:
    """Return what encoders or density raise if an index leaves its array; what else is wrong there, others say."""
    try:
        there = place(definition)
        there.pieces(there.constrain(np.zeros(there.dim)))
    except IndexError as error:
        return error
    except Exception:
        return None
    return None


def having(definition: Definition, data: Mapping[str, Datum]) -> Definition:
    """Return a definition with other data."""
    return dataclasses.replace(definition, data={**definition.data, **data})
