"""Batches of a fit: memory that they go to, which the model's contexts point to, and what writes them there."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nbinfer.compile import address_of
from nbinfer.errors import NbinferError, StreamingError
from nbinfer.model import Model
from nbinfer.model.data import Datum, convert, convert_batch
from nbinfer.model.definition import Definition
from nbinfer.streaming import Feed, Minibatch
from nbinfer.streaming.gather import Gather, fill
from nbinfer.streaming.sources import extremes
from nbinfer.variational.feed_checks import Place, check_sources, having, index_error, raise_index, unaligned, unscaled

#: Numbers that all data may have to be taken together unasked: a density then takes milliseconds.
MOST_NUMBERS = 2_000_000


class Feeds:
    """What of a model's data comes in batches, and where the batch of the moment is.

    Parameters
    ----------
    model : Model
    place : callable, optional
        From a definition to one that has as many rows of local parameters as its data have. Default: itself.

    Attributes
    ----------
    model : Model
        The same with the batch of the moment for data; itself, if nothing comes in batches.
    by_python : dict of str to Feed
        Entries that Python must read.
    table : ndarray of int64
        Addresses of the records of all others, see `nbinfer.streaming.gather`.
    """

    def __init__(self, model: Model, place: Place = lambda definition: definition) -> None:
        self._place = place
        definition = model.definition
        self._feeds = definition.feeds
        self._versions = [feed.version for feed in self._feeds.values()]
        self._read = -1  # the batch that Python has read last
        self._known: dict[str, tuple[int, int]] = {}  # smallest and largest index that is in range
        own = {name: convert(name, feed, True).copied() for name, feed in self._feeds.items()}
        self.model = model
        if own:
            self.model = Model.of(definition)
            self.model.definition = having(definition, own)
        jobs = {name: feed.gather(own[name].array) for name, feed in self._feeds.items() if not own[name].scalar}
        self._jobs: dict[str, Gather] = {name: job for name, job in jobs.items() if job is not None}
        self.by_python: dict[str, Feed] = {n: f for n, f in self._feeds.items() if n not in self._jobs}
        self.table = np.array([job.address for job in self._jobs.values()], np.int64)
        if own:
            check_sources(definition, place)

    def __bool__(self) -> bool:
        return bool(self._feeds)

    @property
    def are_old(self) -> bool:
        """Whether the data behind the batches are others since."""
        return [feed.version for feed in self._feeds.values()] != self._versions

    @property
    def size_of_all(self) -> int:
        """Number of all numbers behind the batches, where it is known."""
        return sum(math.prod(feed.shape_of_all or ()) for feed in self._feeds.values())

    @property
    def are_few(self) -> bool:
        """Whether densities by all data, as far as these are known, take little time and memory."""
        return self.size_of_all <= MOST_NUMBERS

    @property
    def problems(self) -> list[str]:
        """What to warn about."""
        return [*unscaled(self.model.definition, self._feeds), *unaligned(self.model.definition, self._feeds)]

    def explain(self, error: BaseException, definition: Definition) -> None:
        """Have an error of the model's functions tell what shapes these see, where some come in batches.

        Parameters
        ----------
        error : BaseException
        definition : Definition
            With the data that they see.
        """
        if self and not isinstance(error, NbinferError):
            shapes = ", ".join(f"{n} {datum.array.shape}" for n, datum in definition.data.items() if not datum.scalar)
            error.add_note(f"data come in batches, {', '.join(self._feeds)}; here arrays are {shapes}")

    @contextlib.contextmanager
    def explained(self, definition: Definition) -> Iterator[None]:
        """Have errors explained, see `explain`."""
        try:
            yield
        except Exception as error:
            self.explain(error, definition)
            raise

    def check(self) -> None:
        """Raise StreamingError if what compiled code reads is no longer there."""
        for name in self._jobs:
            with _named(name):
                self._feeds[name].check()

    def search(self, first: int, end: int) -> None:
        """Raise ModelError if a batch from `first` until `end` holds NaN, of those that compiled code reads from files.

        They are not looked at on their way, and a fit has this done where a density is not finite.
        """
        allowed = self.model.definition.allow_nan
        for name in self._jobs:
            feed = self._feeds[name]
            for number in range(first, end) if feed.whole is None and name not in allowed else ():
                convert_batch(name, feed, number, feed.batch(number), False)

    def gather(self, number: int) -> None:
        """Write the batch of an iteration, of all that compiled code reads."""
        self.check()
        fill(address_of(self.table), len(self.table), number)

    def sample(self, number: int, definition: Definition) -> None:
        """Write a batch of all but generators, outside of iterations.

        Parameters
        ----------
        number : int
        definition : Definition
            Where batches are.
        """
        self.gather(number)
        for name, feed in self.by_python.items():
            if isinstance(feed, Minibatch):
                with _named(name):
                    definition.data[name].array[...] = feed.batch(number)

    def ask(self, number: int, definition: Definition) -> dict[str, Datum]:
        """Read the batch of an iteration, of all that Python reads, once.

        Parameters
        ----------
        number : int
            The iteration.
        definition : Definition
            With the batch before it.

        Returns
        -------
        others : dict of str to Datum
            Those that do not fit where the batch before it is; the others are there.
        """
        if number == self._read or not self.by_python:
            return {}
        others: dict[str, Datum] = {}
        new: dict[str, Datum] = {}
        batches: dict[Feed, Any] = {}  # entries of one source are of one batch
        for name, feed in self.by_python.items():
            with _named(name):
                if feed.source not in batches:
                    batches[feed.source] = feed.source.batch(number)
                batch = feed.part_of(batches[feed.source])
                new[name] = convert_batch(name, feed, number, batch, name in definition.allow_nan)
        self._check_indices(having(definition, new), new)
        self._read = number
        for name, datum in new.items():
            here = definition.data[name].array
            if datum.scalar or here.shape != datum.array.shape:
                others[name] = datum.copied()
            else:
                here[...] = datum.array
        return others

    def _check_indices(self, definition: Definition, new: Mapping[str, Datum]) -> None:
        """Raise IndexError if a batch of a generator holds an index that is out of range."""
        for name, datum in new.items():
            if datum.kind != "int64" or isinstance(self._feeds[name], Minibatch) or not datum.array.size:
                continue
            (low, first), (high, last) = extremes(datum.array.reshape(-1, 1))
            known = self._known.get(name, (high + 1, low - 1))
            if (low < known[0] or high > known[1]) and index_error(definition, self._place) is not None:
                for value, place in ((high, last), (low, first)):
                    filled = datum._replace(array=np.full_like(datum.array, value))
                    where = tuple(int(i) for i in np.unravel_index(place[0], datum.array.shape))
                    there = having(definition, {name: filled})
                    raise_index(there, name, value, where, self._place, " of this batch")
            self._known[name] = (min(low, known[0]), max(high, known[1]))


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Have what goes wrong with a batch name its entry."""
    try:
        yield
    except StreamingError as error:
        raise StreamingError(f"data {name!r}: {error}") from None
    except Exception as error:
        error.add_note(f"raised by what gives the batches of data {name!r}")
        raise
