"""`Minibatch`: rows of data, drawn anew for each iteration of a fit."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import MOST, count, function, instance, several
from nbinfer.errors import NbinferWarning, StreamingError, calls_above
from nbinfer.random import key_of, seed_sequences
from nbinfer.spelling import public
from nbinfer.streaming.axes import sampled_axes, static_slices
from nbinfer.streaming.feed import Feed
from nbinfer.streaming.gather import Gather, can_gather, indices
from nbinfer.streaming.sources import (
    as_source,
    cast,
    dtype_of_batches,
    extremes,
    is_closed,
    is_mapped,
    is_read_by_python,
    missing_bytes,
    read,
)

_ALL: weakref.WeakSet[Minibatch] = weakref.WeakSet()


@public
class Minibatch(Feed):
    """Data of which an iteration of a fit sees a batch, drawn with replacement.

    As an entry of a model's data it has the fixed shape of a batch. With ``Model(total_size={"y": len(y)})`` the
    likelihood counts for all rows.

    Parameters
    ----------
    data : array_like, memory map or h5py dataset
        Of real numbers. Maps and datasets stay where they are: of a map, compiled code reads the rows of a batch; of a
        dataset, Python does, before each iteration.
    batch_size : int, None or list
        So many rows; None means all of them. A list has an entry for each leading axis: an int, ``(size, seed)``, None
        for the whole axis, or one Ellipsis for all axes between; what stands behind it is of trailing axes. Axes
        combine as an outer product.
    dtype : dtype, optional
        Of batches. Default: that of the data if these are integers or booleans, else float64.
    broadcastable : object
        Has no meaning here.
    name : str
        For messages.
    random_seed : int, SeedSequence or Generator
        Of the indices. Axes of the same number and length draw the same indices where their seeds are equal, so that X
        and y stay together; those of different numbers or lengths draw independent ones.
    update_shared_f : callable, optional
        Returns new data, for `update_shared`.
    in_memory_size : int or list, optional
        The part of the data that is read into memory, and that batches are taken from: so many rows, or for each axis
        an int, a slice, None or one Ellipsis.

    Attributes
    ----------
    shared : ndarray or dataset
        All data.
    dtype : dtype
        Of batches.
    shape : tuple of int
        Of a batch.

    Raises
    ------
    TypeError
        If the data are no numbers, or an argument is of another kind.
    ValueError
        If sizes do not fit the axes, or the file of a dataset was closed.

    Warns
    -----
    NbinferWarning
        If a batch has more indices along an axis than there are to choose from.

    Examples
    --------
    >>> import numpy as np
    >>> data = np.random.default_rng(1).normal(size=(100, 100))
    >>> Minibatch(data, batch_size=10).eval().shape
    (10, 100)
    >>> Minibatch(data, batch_size=[(10, 42), (10, 42)], dtype="int32").eval().dtype
    dtype('int32')
    >>> moredata = np.random.default_rng(1).normal(size=(10, 20, 30, 40, 50))
    >>> Minibatch(moredata, [2, None, 20, ..., 10]).eval().shape
    (2, 20, 20, 40, 10)
    """

    def __init__(
        self,
        data: Any,
        batch_size: Any = 128,
        dtype: Any = None,
        broadcastable: Any = None,
        name: str = "Minibatch",
        random_seed: Any = 42,
        update_shared_f: Callable[[], Any] | None = None,
        in_memory_size: Any = None,
    ) -> None:
        self.name = instance("name", name, str, "a str")
        if update_shared_f is not None:
            function("update_shared_f", update_shared_f)
        self.update_shared_f = update_shared_f
        self.random_seed = _seed("random_seed", random_seed)
        source = as_source(f"data of {name}", data)
        if not source.shape:
            raise ValueError(f"data of {name} must have rows, got a number.")
        if in_memory_size is not None:
            source = np.array(source[tuple(static_slices(in_memory_size, len(source.shape)))])
        self.dtype = dtype_of_batches(dtype, source.dtype)
        self.batch_size, self.in_memory_size, self.broadcastable = batch_size, in_memory_size, broadcastable
        self._axes = sampled_axes(batch_size, len(source.shape), self.random_seed)
        self._number = 0
        self._take(source)
        _ALL.add(self)

    def _take(self, source: Any) -> None:
        """Draw from these data from now on."""
        empty = [k for k, length in enumerate(source.shape) if length == 0]
        if empty:
            raise ValueError(f"data of {self.name} must not be empty, got shape {tuple(source.shape)}.")
        in_place = is_mapped(source) or is_read_by_python(source)
        self.shared: Any = source if in_place else cast(source, self.dtype)
        self._shape_of_all = tuple(int(length) for length in source.shape)
        self._extremes: list[tuple[int, tuple[int, ...]]] | None = None
        for axis, length in zip(self._axes, self._shape_of_all, strict=True):
            if axis.size is not None and axis.size > length:
                warnings.warn(
                    f"{self.name} draws {axis.size} indices, with replacement, of {length}: a batch has more than all "
                    "there is. Take a smaller batch_size, or the data themselves.",
                    NbinferWarning,
                    stacklevel=calls_above(),
                )

    # ---- as a feed

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(
            length if axis.size is None else axis.size
            for axis, length in zip(self._axes, self._shape_of_all, strict=True)
        )

    @property
    def shape_of_all(self) -> tuple[int, ...]:
        """Shape of the data that batches are taken from."""
        return self._shape_of_all

    @property
    def example(self) -> np.ndarray:
        """The first batch."""
        return self.batch(0)

    @property
    def whole(self) -> np.ndarray | None:
        """All data, if they are in memory."""
        in_place = is_mapped(self.shared) or is_read_by_python(self.shared)
        return None if in_place else np.asarray(self.shared)

    @property
    def streams(self) -> dict[int, set[Any]]:
        """What the indices of its sampled axes are drawn from, by their length: equal ones give equal indices."""
        found: dict[int, set[Any]] = {}
        for k, (axis, length) in enumerate(zip(self._axes, self._shape_of_all, strict=True)):
            if axis.size is not None:
                found.setdefault(length, set()).add((k, tuple(key_of(seed_sequences(axis.seed, 1)[0]))))
        return found

    def indices(self, number: int) -> list[np.ndarray]:
        """Return the indices of a batch, for each axis.

        Parameters
        ----------
        number : int
            Of the batch: in a fit, the iteration, counted from 0.

        Returns
        -------
        indices : list of ndarray of int64
        """
        found = zip(self._axes, self._shape_of_all, strict=True)
        return [indices(axis, k, length, number) for k, (axis, length) in enumerate(found)]

    def batch(self, number: int) -> np.ndarray:
        """Return a batch.

        Parameters
        ----------
        number : int
            As in `indices`.

        Returns
        -------
        batch : ndarray
        """
        self.check()
        drawn = [axis.size is not None for axis in self._axes]
        return cast(read(self.shared, self.indices(number), drawn), self.dtype)

    def place(self, index: tuple[int, ...], number: int) -> str:
        """Return in words where in all data an element of a batch is.

        Parameters
        ----------
        index : tuple of int
            In the batch.
        number : int
            Of the batch.
        """
        chosen = tuple(int(of_axis[i]) for of_axis, i in zip(self.indices(number), index, strict=True))
        return f"index {chosen} of all"

    def batch_at(self, places: Mapping[tuple[int, int], int]) -> np.ndarray:
        """Return a batch that might be drawn: some axes that are sampled repeat one index.

        Parameters
        ----------
        places : mapping of (int, int) to int
            The index by number and length of the axis; others are as in the first batch.

        Returns
        -------
        batch : ndarray
        """
        chosen = self.indices(0)
        for k, axis in enumerate(self._axes):
            place = places.get((k, self._shape_of_all[k]))
            if axis.size is not None and place is not None:
                chosen[k][:] = place
        return cast(read(self.shared, chosen, [axis.size is not None for axis in self._axes]), self.dtype)

    def extremes(self) -> list[tuple[int, tuple[int, ...]]]:
        """Return the smallest and the largest number of all data, each with its place; they are looked at once."""
        if self._extremes is None:
            self._extremes = extremes(self.shared)
        return self._extremes

    def check(self) -> None:
        """Raise StreamingError if there are fewer data than there were, or none."""
        if is_closed(self.shared):
            raise StreamingError(
                f"the file of {self.name} was closed; keep it open as long as a fit lasts, or pass in_memory_size to "
                "read the data once."
            )
        now = tuple(self.shared.shape)
        if any(n < before for n, before in zip(now, self._shape_of_all, strict=True)):
            raise StreamingError(
                f"the data of {self.name} have shrunk from shape {self._shape_of_all} to {now}; batches are drawn from "
                "all of them. Tell it by set_value."
            )
        missing = missing_bytes(self.shared) if is_mapped(self.shared) else 0
        if missing > 0:
            raise StreamingError(
                f"the file of {self.name}, {self.shared.filename}, lacks {missing} of the bytes that are mapped: it "
                "has shrunk. Tell it by set_value."
            )

    def gather(self, target: np.ndarray) -> Gather | None:
        source = self.shared
        if is_read_by_python(source) or not can_gather(source, self.dtype, target):
            return None
        return Gather(source, self._axes, target)

    def describe(self) -> dict[str, Any]:
        """Return words for messages."""
        return {"what": f"a Minibatch of {self._shape_of_all}", "remedy": ".shared"}

    # ---- by hand

    @property
    def minibatch(self) -> np.ndarray:
        """The batch that `eval` gave last; before, the first one."""
        return self.batch(max(self._number - 1, 0))

    def eval(self) -> np.ndarray:
        """Return the next batch; fits do not count.

        Returns
        -------
        batch : ndarray
        """
        self._number += 1
        return self.batch(self._number - 1)

    def align(self) -> None:
        """Begin again with the first batch."""
        self._number = 0

    def set_value(self, value: Any) -> None:
        """Take other data, of as many rows as they have; a fit takes them at the next iteration after a callback.

        Parameters
        ----------
        value : array_like, memory map or h5py dataset
            It is cast to `dtype`. Axes that are not sampled keep their length.

        Raises
        ------
        ValueError
            If the shape does not fit.
        """
        source = as_source(f"value of {self.name}", value)
        fits = len(source.shape) == len(self._axes) and all(
            axis.size is not None or n == before
            for axis, n, before in zip(self._axes, source.shape, self._shape_of_all, strict=True)
        )
        if not fits:
            raise ValueError(
                f"value must have the shape {self._shape_of_all}, where sampled axes may have another length, got "
                f"{tuple(source.shape)}."
            )
        self._take(source)
        self.version += 1

    def update_shared(self) -> None:
        """Take what `update_shared_f` returns.

        Raises
        ------
        NotImplementedError
            If there is no such function.
        """
        if self.update_shared_f is None:
            raise NotImplementedError(f"{self.name} has no update_shared_f; pass one, or call set_value.")
        self.set_value(self.update_shared_f())

    def clone(self) -> Minibatch:
        """Return another Minibatch of the same data, sizes, seeds and name, which begins with the first batch.

        Returns
        -------
        other : Minibatch
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NbinferWarning)  # said once
            return Minibatch(
                self.shared, self.batch_size, self.dtype, self.broadcastable, self.name, self.random_seed,
                self.update_shared_f,
            )  # fmt: skip

    @staticmethod
    def rslice(total: int, size: int | None, seed: Any = 42, axis: int = 0, number: int = 0) -> Any:
        """Return indices of one axis.

        Parameters
        ----------
        total : int
            Length of the axis.
        size : int or None
            How many indices; None means all, as a slice.
        seed : int, SeedSequence or Generator
            Of the indices.
        axis : int
            Which axis it is.
        number : int
            Of the batch.

        Returns
        -------
        indices : ndarray of int64, or slice
        """
        count("total", total, 1, MOST)
        count("axis", axis, 0, 63)
        count("number", number, 0, MOST)
        (chosen,) = sampled_axes([size], 1, _seed("seed", seed), "size")
        return slice(None) if chosen.size is None else indices(chosen, axis, total, number)

    @staticmethod
    def make_random_slices(
        in_memory_shape: Sequence[int], batch_size: Any, default_random_seed: Any = 42, number: int = 0
    ) -> list[Any]:
        """Return the indices of a batch, for each axis.

        Parameters
        ----------
        in_memory_shape : sequence of int
            Shape of the data.
        batch_size : int, None or list
            As in `Minibatch`.
        default_random_seed : int, SeedSequence or Generator
            Of axes that have no seed of their own.
        number : int
            Of the batch.

        Returns
        -------
        indices : list of ndarray of int64 or slice
        """
        shape = several("in_memory_shape", in_memory_shape, "a sequence of int")
        for length in shape:
            count("a length of in_memory_shape", length, 1, MOST)
        if not shape:
            raise ValueError("in_memory_shape must have an axis at least, got none.")
        count("number", number, 0, MOST)
        axes = sampled_axes(batch_size, len(shape), _seed("default_random_seed", default_random_seed))
        return [
            slice(None) if axis.size is None else indices(axis, k, int(length), number)
            for k, (axis, length) in enumerate(zip(axes, shape, strict=True))
        ]

    @staticmethod
    def make_static_slices(user_size: Any) -> list[Any]:
        """Return the part of the data that `in_memory_size` means.

        Parameters
        ----------
        user_size : int, None or list
            As in `Minibatch`.

        Returns
        -------
        slices : list of slice or Ellipsis
        """
        return static_slices(user_size, name="user_size")

    def __repr__(self) -> str:
        return f"<{self.name}: batches of shape {self.shape} of {self._shape_of_all}, {self.dtype}>"


@public
def align_minibatches(batches: Iterable[Minibatch] | None = None) -> None:
    """Have Minibatches begin again with their first batch, so that `eval` of all of them gives the same rows.

    In a fit they are aligned in any case: its iterations count.

    Parameters
    ----------
    batches : iterable of Minibatch, optional
        Default: all there are.
    """
    for batch in list(_ALL) if batches is None else several("batches", batches, "Minibatches"):
        instance("batches", batch, Minibatch, "Minibatches").align()


def _seed(name: str, given: Any) -> np.random.SeedSequence:
    """Return the sequence that a seed means."""
    try:
        return seed_sequences(given, 1)[0]
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None
