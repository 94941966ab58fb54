"""Stores: who hands out the memory that a run writes to, and what must hold of it at any moment.

Compiled chains know addresses only, so a store that is asked for memory before the run sees no call during it. A file
is a store whose arrays are memory maps; nothing that writes to them knows.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nbinfer.compile import aligned
from nbinfer.trace.columns import Column, Rows
from nbinfer.trace.rows import Counts, unfinished, whole_number

if TYPE_CHECKING:
    from nbinfer.trace.trace import Trace

_WARM_UP = "warmup_"

#: Words of a chain's "progress": the draws that it has counted, and those of them that a warm-up which ended early has
#: left out.
DONE, SKIPPED = 0, 6

#: Name of the note that says of what model draws are, where a store `remembers` it.
MODEL = "model"


class Store(ABC):
    """Memory for what a run draws: a contract.

    *Before the run* it is asked for `array` once per quantity and statistic, and for `words` once per name. All that
    can fail, a full disk above all, fails there: during the run bytes are stored by address, where nothing can be
    reported. *During the run* only `look` is called, now and then. Memory keeps its place until the store is gone.

    *At any moment*, that of a crash included, this holds:

    - Rows are written in order, chain by chain. A row that no draw has reached holds anything; `show` makes it
      `nbinfer.trace.fill_value`.
    - A chain counts its draws in its words. The counter is stored, with release, after the rows of the draw, so rows
      that it covers are whole. A row behind it may be there in part; it is written again.
    - Of two slots for a snapshot one is always whole. A slot is a chain's state block at a draw boundary, without
      meaning in its addresses, which are set anew.

    *After the run*, or between two draws of it, `show` is what a trace shows and `finished` how much of it counts.
    `notes` are texts about the run, JSON for what is no text; they outlive a run as the draws do. They are written
    before `ready`, which is called once between the last request for memory and the first draw, and after the run,
    before `close`; of a run that is gone on with also before `go_on`. At the same times `describe` takes over what else
    a trace knows, if there is one.

    A run keeps every `thin`-th draw after warm-up, the last of each group: row k holds draw ``(k + 1) * thin - 1`` of
    those after warm-up, and statistics likewise. So a row is there as soon as its group is complete, the last row is
    as far from the start as can be, and what is left over at the end, fewer draws than `thin`, is not kept. Warm-up is
    not thinned: its statistics show how the adaptation went, which takes every iteration to judge, and its draws are
    stored only where somebody asks for them.

    A warm-up that ends early leaves its last rows unfinished. The draws after it are where they always are.

    Parameters
    ----------
    chains, tune, draws : int
        Chains, and iterations of each: of warm-up, at most, and after it.
    thin : int
        Of how many draws after warm-up one is kept.

    Attributes
    ----------
    chains, tune, draws, thin : int
        As given.
    most : int
        Draws of each chain after warm-up that there may come to be, of a run that may have it `extended`.
    groups : dict of dict of ndarray, shape (chain, row, ...)
        The arrays by the name of their group and their own; a group that nobody has asked for is empty.
    notes : dict of str to str
        What is to be known of the run, by name.
    """

    groups: Mapping[str, Mapping[str, NDArray[Any]]]
    notes: MutableMapping[str, str]

    #: Whether it outlives the process, so that a run can be taken up again: then it is given snapshots and a recipe.
    outlives: ClassVar[bool] = False

    #: Whether its draws stay where those of other runs are: then its note `MODEL` says what model they are of.
    remembers: ClassVar[bool] = False

    def __init__(self, chains: int, tune: int, draws: int, thin: int = 1) -> None:
        self.chains, self.tune, self.draws, self.most = chains, tune, draws, draws
        self.thin = whole_number("thin", thin, 1)

    @abstractmethod
    def array(self, group: str, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Rows:
        """Return rows for each chain, unfinished; asked for again, the same with what is in them.

        Parameters
        ----------
        group : str
            Of the ArviZ schema. One whose name begins with ``warmup_`` takes the draws of warm-up.
        name : str
            Of the quantity or statistic.
        shape : tuple of int
            Of one draw of it.
        dtype : dtype_like
            float64, int64 or bool.

        Returns
        -------
        rows : Rows
            ``rows_in(group)`` of them for each chain.
        """

    @abstractmethod
    def words(self, name: str, count: int) -> NDArray[np.int64]:
        """Return zeroed memory of each chain that is no row of a trace: counters, snapshots of its state.

        Parameters
        ----------
        name : str
            "block", the chain itself; "progress", whose first word counts its draws; "slots" and "marks", its snapshots
            (`nbinfer.engine.snapshot`). Asked for again, it is the same memory, with what is in it: what is there
            outlives a run as the draws do.
        count : int
            Words of 8 bytes for each chain.

        Returns
        -------
        words : ndarray of int64, shape (chain, count)
            Words of a chain follow one another. Chains should not share a cache line: their workers write all the time.
        """

    def name_axes(self, dims: Mapping[str, Sequence[str]], coords: Mapping[str, Any]) -> None:  # noqa: B027 - memory leaves it to the trace
        """Take over, before anything else is asked for, what axes of variables are called, and labels along them."""

    def describe(self, trace: Trace) -> None:  # noqa: B027 - memory leaves it to the trace
        """Take over what a trace of the run knows beside draws: data, attributes, numbers of chains, metric, report."""

    def ready(self) -> None:  # noqa: B027 - memory is good at once
        """Make good what was asked for; nothing is asked for any more, and the first draw comes."""

    def go_on(self) -> None:  # noqa: B027 - memory has ended nothing
        """Make good what is known of a run that has ended before, and is about to make its next draw."""

    def look(self, done: Counts, skipped: Counts | int = 0, last: bool = False) -> None:  # noqa: B027 - memory is there
        """See what has been finished: called every now and then during the run, and once at its end.

        Parameters
        ----------
        done, skipped : ndarray of int, shape (chain,)
            See `finished`.
        last : bool
            Whether no more draws come.
        """

    def discard(self) -> None:  # noqa: B027 - memory goes by itself
        """Leave nothing behind, instead of `ready`."""

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """Call `ready` at the end of a block, or `discard` if anything in it fails."""
        try:
            yield
            self.ready()
        except BaseException:
            self.discard()
            raise

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end, and `close` was told so."""
        return False

    @property
    def file(self) -> Any:
        """What takes groups for the trace of the run, once it is finished; None: memory does."""
        return None

    def groups_beside(self) -> dict[str, Any]:
        """Return the groups that there are beside the draws already, once it is finished."""
        return {}

    def extended(self, draws: int) -> Store:
        """Return a store with what is in this one, and room for more draws; nobody uses this one any more.

        Parameters
        ----------
        draws : int
            After warm-up, of each chain, those there are included.
        """
        raise NotImplementedError

    def close(self, finished: bool = True) -> None:  # noqa: B027 - memory is good at once
        """Make good what the run has left, its notes above all; nothing is written any more.

        Parameters
        ----------
        finished : bool
            Whether the run came to its end, so that there is nothing to go on with.
        """

    def show(self, tune_done: Counts, draws_done: Counts) -> Mapping[str, Mapping[str, NDArray[Any]]]:
        """Return the groups of a trace; unfinished rows read as `nbinfer.trace.fill_value`, or are left out.

        Parameters
        ----------
        tune_done, draws_done : ndarray of int, shape (chain,)
            Finished rows, as `finished` counts them.
        """
        return self.groups

    def rows_in(self, group: str) -> int:
        """Return the number of rows that each chain has in a group."""
        return self.tune if _is_warm(group) else self.draws // self.thin

    def finished(self, done: Counts, skipped: Counts | int = 0) -> tuple[Counts, Counts]:
        """Return the finished rows of warm-up and those after it.

        Parameters
        ----------
        done : ndarray of int, shape (chain,)
            Draws that each chain has counted.
        skipped : ndarray of int, shape (chain,), optional
            Those of them that were not drawn because warm-up ended early.
        """
        return np.minimum(done, self.tune - skipped), np.maximum(done - self.tune, 0) // self.thin


def _is_warm(group: str) -> bool:
    return group.startswith(_WARM_UP)


class MemoryStore(Store):
    """Memory of this process, gone with it.

    Parameters
    ----------
    chains, tune, draws, thin : int
        See `Store`.
    """

    def __init__(self, chains: int, tune: int, draws: int, thin: int = 1) -> None:
        super().__init__(chains, tune, draws, thin)
        self.groups: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        self.notes: dict[str, str] = {}
        self._words: dict[str, NDArray[np.int64]] = {}

    def array(self, group: str, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return one array, shape (chain, row, *shape)."""
        if name not in self.groups[group]:
            self.groups[group][name] = unfinished((self.chains, self.rows_in(group), *shape), dtype)
        return self.groups[group][name]

    def show(self, tune_done: Counts, draws_done: Counts) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the groups of a trace; rows that no chain has reached are left out."""
        shown: dict[str, dict[str, NDArray[Any]]] = defaultdict(dict)
        for group, arrays in self.groups.items():
            most = int((tune_done if _is_warm(group) else draws_done).max())
            shown[group] |= {name: array[:, :most] for name, array in arrays.items()}
        return shown

    def extended(self, draws: int) -> MemoryStore:
        """Return this store, with longer arrays."""
        self.draws = draws
        for group, arrays in self.groups.items():
            for name, before in arrays.items():
                if not _is_warm(group):
                    longer = unfinished((self.chains, self.rows_in(group), *before.shape[2:]), before.dtype)
                    longer[:, : before.shape[1]] = before
                    arrays[name] = longer  # whole, for a view may look at it
        return self

    def words(self, name: str, count: int) -> NDArray[np.int64]:
        """Return words of each chain, which begin on a cache line."""
        if name not in self._words:
            self._words[name] = aligned(self.chains, count, np.int64)
        return self._words[name][:, :count]


def columns_of_draws(
    store: Store, quantities: Sequence[Any], kept: Collection[str] | None = None, warm_up: bool = False
) -> list[Column]:
    """Ask a store for the draws of parameters and derived quantities, and return the columns that lead there.

    Parameters
    ----------
    store : Store
    quantities : sequence of Quantity
        What a row of draws holds, see `nbinfer.model.bound`.
    kept : collection of str, optional
        Names to keep. Default: all.
    warm_up : bool
        Whether the draws of warm-up are stored too.

    Returns
    -------
    columns : list of Column
    """
    columns = []
    for q in quantities:
        if kept is None or q.name in kept:
            main = store.array("posterior", q.name, q.shape, q.dtype)
            warm = store.array(_WARM_UP + "posterior", q.name, q.shape, q.dtype) if warm_up else None
            columns.append(Column(q.offset, q.size, warm, main))
    return columns


def columns_of_statistics(store: Store, statistics: Sequence[Mapping[str, str]]) -> list[Column]:
    """Ask a store for the statistics of steps, those of warm-up too, and return the columns that lead there.

    A statistic of one step has shape (chain, draw); one that several steps have lies side by side, (chain, draw, step).
    But the log density after a draw is one number, which the last step knows.

    Parameters
    ----------
    store : Store
    statistics : sequence of mappings
        Name and type of what each step writes; they follow one another in the row.

    Returns
    -------
    columns : list of Column
    """
    owners: dict[str, list[int]] = {}  # where in the row each statistic is
    kinds: dict[str, str] = {}
    for offset, (name, dtype) in enumerate(item for of_step in statistics for item in of_step.items()):
        owners.setdefault(name, []).append(offset)
        kinds.setdefault(name, dtype)
    columns = []
    for name, offsets in owners.items():
        chosen = offsets[-1:] if name == "lp" else offsets
        shape = (len(chosen),) if len(chosen) > 1 else ()
        warm, main = (store.array(group + "sample_stats", name, shape, kinds[name]) for group in (_WARM_UP, ""))
        columns += [Column(offset, 1, warm, main, (place, len(chosen))) for place, offset in enumerate(chosen)]
    return columns
