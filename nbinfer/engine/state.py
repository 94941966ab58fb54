"""State declared once: what a step keeps, from which its memory, its addresses and its statistics follow.

A declaration names numbers, arrays that draws depend on, arrays that no draw depends on, and statistics. From it come
the record that kernels see, the named row of statistics, the place of everything in a chain's block, and the table of
links by which a block that was copied elsewhere finds its arrays again. Numbers that are addresses of something else, a
C function or a user's array, are written by whoever knows them each time a run is wired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile.files import file_digest

#: Spaces of memory: a chain's block, its work space, and the row that its steps' statistics fill.
BLOCK, WORK, ROW = range(3)

_LINE = 8  # fields of a cache line: parts begin on one, so that no two chains share any

_NOTHING: Mapping[str, Any] = MappingProxyType({})

Size = int | Callable[[Any, Any], int]


class Array(NamedTuple):
    """A part that is an array.

    Attributes
    ----------
    kind : str
        "f8" or "i8".
    size : int or callable
        Number of elements; a function gets who keeps it and where that acts.
    """

    kind: str
    size: Size


class Inner(NamedTuple):
    """A part that another object declares: it has a `state`, and sizes are asked of it.

    Attributes
    ----------
    of : callable
        From who keeps the part to that object.
    """

    of: Callable[[Any], Any]


def floats(size: Size) -> Array:
    """Declare float64."""
    return Array("f8", size)


def integers(size: Size) -> Array:
    """Declare int64."""
    return Array("i8", size)


def per_coordinate(owner: Any, site: Any) -> int:
    """Size of what each coordinate that a step sees has one of."""
    return int(site.n)


def per_discrete(owner: Any, site: Any) -> int:
    """Size of what each discrete value that a step moves has one of."""
    return len(site.discrete)


class State:
    """What something keeps from draw to draw.

    Parameters
    ----------
    fields : mapping of str to str
        Numbers by name: "i8" or "f8". They begin as 0.
    parts : mapping of str to Array, State or Inner
        Arrays and further records that draws depend on; the record holds their addresses.
    work : mapping of str to Array
        Arrays that no draw depends on, likewise.
    statistics : mapping of str to str
        dtype by name of what is written for each draw; the record holds the address of the row as ``statistics``.
    base : State, optional
        What is kept as well, and comes first.
    leads : bool
        Whether the whole record of `base` stands at the beginning of this one's, with its addresses: who knows that
        one alone can read this one. Numba takes such records for one kind, so that no kernel may be given both.

    Attributes
    ----------
    record : dtype
        Fields, then addresses of parts, work space and statistics.
    row : dtype
        The statistics as float64 by name.
    """

    def __init__(
        self,
        fields: Mapping[str, str] = _NOTHING,
        *,
        parts: Mapping[str, Array | State | Inner] = _NOTHING,
        work: Mapping[str, Array] = _NOTHING,
        statistics: Mapping[str, str] = _NOTHING,
        base: State | None = None,
        leads: bool = False,
    ) -> None:
        self.fields, self.parts, self.work = dict(fields), dict(parts), dict(work)
        self.statistics = dict(statistics)
        if base is not None:
            self.fields, self.parts = base.fields | self.fields, base.parts | self.parts
            self.work, self.statistics = base.work | self.work, base.statistics | self.statistics
        addresses = [*self.parts, *self.work, *(["statistics"] if self.statistics else [])]
        kinds = self.fields | dict.fromkeys(addresses, "i8")
        taken = [name for name in (*kinds, *self.statistics) if hasattr(np.record, name)]
        if taken:  # records in plain Python would return their own
            raise ValueError(f"NumPy's records have attributes called {', '.join(taken)}; choose other names.")
        first = (base.record.names or ()) if base is not None and leads else ()
        self.record: np.dtype = np.dtype([(name, kinds[name]) for name in dict.fromkeys((*first, *kinds))], align=True)
        self.row = np.dtype([(name, "f8") for name in self.statistics])

    def offset(self, name: str) -> int:
        """Return where a number or an address is in the record, in 8-byte fields."""
        fields: Any = self.record.fields
        return int(fields[name][1]) // 8


class Span(NamedTuple):
    """The place of an array: which space, first field, number of elements, kind."""

    space: int
    at: int
    size: int
    kind: str


class Place(NamedTuple):
    """The place of a record and its parts in a block.

    Attributes
    ----------
    state : State
    at : int
        First 8-byte field of the record.
    parts : dict of str to Span or Place
        Parts and work space by name.
    """

    state: State
    at: int
    parts: dict[str, Any]


class Plan:
    """Places of everything that a block, its work space and its row of statistics hold.

    Attributes
    ----------
    sizes : list of int
        Fields of each of the three spaces.
    """

    def __init__(self) -> None:
        self.sizes = [0, 0, 0]
        self._links: list[tuple[int, int, int]] = []
        self._listing: list[str | int] = []

    def place(self, state: State, owner: Any, site: Any) -> Place:
        """Find room for a record, and for all that it holds addresses of.

        Parameters
        ----------
        state : State
        owner, site : object
            Who keeps it, and where that acts; sizes are asked with these.
        """
        at = self._take(BLOCK, state.record.itemsize // 8)
        self._listing += [str(state.record), str(state.statistics)]
        parts: dict[str, Any] = {}
        for name, part in state.parts.items():
            if isinstance(part, Array):
                parts[name] = self._span(BLOCK, part, owner, site)
            else:
                inner = part.of(owner) if isinstance(part, Inner) else owner
                parts[name] = self.place(part.of(owner).state if isinstance(part, Inner) else part, inner, site)
            self.link(at + state.offset(name), BLOCK, parts[name].at)
        for name, array in state.work.items():
            parts[name] = self._span(WORK, array, owner, site)
            self.link(at + state.offset(name), WORK, parts[name].at)
        if state.statistics:
            self.link(at + state.offset("statistics"), ROW, self.sizes[ROW])
            self.sizes[ROW] += len(state.statistics)
        return Place(state, at, parts)

    def link(self, field: int, space: int, target: int) -> None:
        """Have a field of the block hold an address."""
        self._links.append((field, space, target))

    def relocate(self, blocks: NDArray[np.int64], bases: NDArray[np.int64]) -> None:
        """Write the addresses that blocks hold of their own memory.

        Parameters
        ----------
        blocks : ndarray, shape (chains, sizes[BLOCK])
        bases : ndarray, shape (chains, 3)
            Addresses of each chain's three spaces.
        """
        if self._links:
            fields, spaces, targets = np.array(self._links, np.int64).T
            blocks[:, fields] = bases[:, spaces] + 8 * targets

    @property
    def fingerprint(self) -> str:
        """A hash of names, kinds, sizes and places: blocks are of one form where it is equal."""
        return file_digest(*self._listing, *(number for link in self._links for number in link), *self.sizes)

    def _span(self, space: int, array: Array, owner: Any, site: Any) -> Span:
        count = array.size(owner, site) if callable(array.size) else array.size
        return Span(space, self._take(space, count), count, array.kind)

    def _take(self, space: int, count: int) -> int:
        at = self.sizes[space]
        self.sizes[space] += -(-count // _LINE) * _LINE
        return at


def address_of_rows(array: np.ndarray) -> Any:
    """Return the address of an array, or those of its rows, if it has two axes."""
    first = int(array.ctypes.data)
    return first if array.ndim < 2 else first + array.strides[0] * np.arange(len(array))


class Memory:
    """A record with its parts, by name: numbers, arrays, further records; of one chain, or of all at once.

    Parameters
    ----------
    place : Place
    block, work : ndarray of int64, shape (fields,) or (chains, fields)
        Block and work space of the chain or of all chains. Of all, each number is an array over the chains, and each
        array has them as its first axis, so that what is the same for all is written by broadcasting.
    """

    __slots__ = ("_block", "_place", "_work", "record")

    record: Any

    def __init__(self, place: Place, block: NDArray[np.int64], work: NDArray[np.int64]) -> None:
        size = place.state.record.itemsize // 8
        record = block[..., place.at : place.at + size].view(place.state.record)[..., 0]
        record = record if block.ndim > 1 else record[()]
        for name, value in (("_place", place), ("_block", block), ("_work", work), ("record", record)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        part = self._place.parts.get(name)
        if isinstance(part, Place):
            return Memory(part, self._block, self._work)
        if isinstance(part, Span):
            space = self._work if part.space == WORK else self._block
            return space[..., part.at : part.at + part.size].view(part.kind)
        if name not in self._place.state.fields:
            raise AttributeError(f"no {name!r} is declared")
        return self.record[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._place.state.fields:
            raise AttributeError(f"{name!r} is no declared number")
        self.record[name] = value

    def clear(self) -> None:
        """Set all numbers and arrays to 0, as they began; addresses of parts stay."""
        for name in self._place.state.fields:
            self.record[name] = 0
        for name, part in self._place.parts.items():
            if isinstance(part, Place):
                getattr(self, name).clear()
            else:
                getattr(self, name)[...] = 0

    @property
    def address(self) -> Any:
        """Address of the record, or those of all."""
        return address_of_rows(self._block) + 8 * self._place.at
