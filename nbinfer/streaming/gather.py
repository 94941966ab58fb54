"""Rows of an array, chosen at random and copied to memory of their own: the kernel, and the records that it reads.

A batch is an outer product: each axis contributes indices, drawn or all of them, and an element of the batch lies where
the offsets of its indices add up. What lies together at the end of the axes is copied in one run.

An axis draws from the stream of (its seed, `Purpose.MINIBATCH`, axis and length), each batch anew from its number: two
arrays of one length and one seed give the same rows, two axes of one array, or two lengths, independent ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Record, address_of, bytes_at, entry, floats_at, ints_at, kernel, record_at, words_at
from nbinfer.random import STREAM_WORDS, Purpose, generator, key_of, seed_sequences, start, uniform
from nbinfer.streaming.axes import Axis

_MINIBATCH = int(Purpose.MINIBATCH)
#: More axes than NumPy has.
_AXES = 64
#: Bytes that processors fetch together.
_LINE = 64

#: What elements are where they come from, and what they become.
FLOAT64, FLOAT32, INT64, INT32, BYTE = range(5)
_SOURCES = {"float64": FLOAT64, "float32": FLOAT32, "int64": INT64, "int32": INT32, "uint8": BYTE, "bool": BYTE}
_TARGETS = {"float64": FLOAT64, "int64": INT64, "bool": BYTE}

#: A drawn axis: first of its offsets, number of indices, length, bytes from index to index, number of its stream.
_FIELDS = 5

#: What the kernel reads of an array.
_NAMES = """source source_kind target target_kind itemsize run pieces places n_outer counts at offsets n_offsets n_axes
    axes keys words touched"""
GatherRecord = np.dtype([(name, "i8") for name in _NAMES.split()], align=True)


def stream_number(axis: int, length: int) -> int:
    """Return the number of the stream that an axis of some length draws from."""
    return _AXES * length + axis


def indices(axis: Axis, place: int, length: int, number: int) -> NDArray[np.int64]:
    """Return the indices of an axis in one batch: those that the kernel draws.

    Parameters
    ----------
    axis : Axis
    place : int
        Which axis it is.
    length : int
        How many there are to choose from.
    number : int
        Of the batch.
    """
    if axis.size is None:
        return np.arange(length)
    rng = generator(key_of(seed_sequences(axis.seed, 1)[0]), number, stream_number(place, length), Purpose.MINIBATCH)
    return (rng.random(axis.size) * length).astype(np.int64)


@kernel
def _draw_offsets(job: Record, number: int) -> None:
    """Draw the indices of a batch, and write how far from the first element they are."""
    words, keys = words_at(job.words, STREAM_WORDS), words_at(job.keys, 2 * job.n_axes)
    axes, offsets = ints_at(job.axes, _FIELDS * job.n_axes), ints_at(job.offsets, job.n_offsets)
    for k in range(job.n_axes):
        first, count, length = axes[_FIELDS * k], axes[_FIELDS * k + 1], axes[_FIELDS * k + 2]
        stride = axes[_FIELDS * k + 3]
        words[4], words[5] = keys[2 * k], keys[2 * k + 1]
        start(job.words, number, axes[_FIELDS * k + 4], _MINIBATCH)
        for j in range(count):
            offsets[first + j] = np.int64(uniform(job.words) * length) * stride


@kernel
def _find_places(job: Record) -> None:
    """Write where each run of a batch begins."""
    counts, at = ints_at(job.counts, job.n_outer), ints_at(job.at, job.n_outer)
    offsets, places = ints_at(job.offsets, job.n_offsets), ints_at(job.places, job.pieces)
    for k in range(job.n_outer):
        at[k] = 0
    for piece in range(job.pieces):
        place, first = job.source, 0
        for k in range(job.n_outer):
            place += offsets[first + at[k]]
            first += counts[k]
        places[piece] = place
        k = job.n_outer - 1
        at[k] += 1
        while k > 0 and at[k] == counts[k]:  # as an odometer
            at[k] = 0
            k -= 1
            at[k] += 1


@kernel
def _touch(job: Record) -> None:
    """Read a byte of each line of a batch: none waits for another, so that the processor fetches many at once."""
    places, size = ints_at(job.places, job.pieces), job.run * job.itemsize
    total = np.int64(0)
    for piece in range(job.pieces):
        for far in range(0, size, _LINE):
            total = total ^ np.int64(bytes_at(places[piece] + far, 1)[0])
    job.touched = total  # or it would be left out


@kernel
def _copy_floats(job: Record) -> None:
    places, kind, run = ints_at(job.places, job.pieces), job.source_kind, job.run
    for piece in range(job.pieces):
        place, out = places[piece], floats_at(job.target + 8 * run * piece, run)
        if kind == FLOAT64:
            doubles = floats_at(place, run)
            for i in range(run):
                out[i] = doubles[i]
        elif kind == FLOAT32:
            singles = bytes_at(place, 4 * run).view(np.float32)
            for i in range(run):
                out[i] = singles[i]
        elif kind == INT64:
            longs = ints_at(place, run)
            for i in range(run):
                out[i] = longs[i]
        elif kind == INT32:
            shorts = bytes_at(place, 4 * run).view(np.int32)
            for i in range(run):
                out[i] = shorts[i]
        else:
            octets = bytes_at(place, run)
            for i in range(run):
                out[i] = octets[i]


@kernel
def _copy_ints(job: Record) -> None:
    places, kind, run = ints_at(job.places, job.pieces), job.source_kind, job.run
    for piece in range(job.pieces):
        place, out = places[piece], ints_at(job.target + 8 * run * piece, run)
        if kind == INT64:
            longs = ints_at(place, run)
            for i in range(run):
                out[i] = longs[i]
        elif kind == INT32:
            shorts = bytes_at(place, 4 * run).view(np.int32)
            for i in range(run):
                out[i] = shorts[i]
        else:
            octets = bytes_at(place, run)
            for i in range(run):
                out[i] = octets[i]


@kernel
def _copy_bytes(job: Record) -> None:
    places, run = ints_at(job.places, job.pieces), job.run
    for piece in range(job.pieces):
        out, octets = bytes_at(job.target + run * piece, run), bytes_at(places[piece], run)
        for i in range(run):
            out[i] = octets[i]


@kernel
def gather(address: int, number: int) -> None:
    """Write a batch of an array to its memory.

    Parameters
    ----------
    address : int
        Of a `GatherRecord`.
    number : int
        Of the batch.
    """
    job = record_at(address, GatherRecord)
    _draw_offsets(job, number)
    _find_places(job)
    _touch(job)
    if job.target_kind == FLOAT64:
        _copy_floats(job)
    elif job.target_kind == INT64:
        _copy_ints(job)
    else:
        _copy_bytes(job)


@kernel
def gather_all(table: int, count: int, number: int) -> None:
    """Write a batch of each of some arrays, whose records lie at the addresses of a table."""
    addresses = ints_at(table, count)
    for k in range(count):
        gather(addresses[k], number)


@entry("int64(intp, int64, int64)")
def fill(table: int, count: int, number: int) -> int:
    """Write a batch of each of some arrays, outside of a fit's iterations."""
    gather_all(table, count, number)
    return 0


def can_gather(source: np.ndarray, through: np.dtype, target: np.ndarray) -> bool:
    """Tell whether compiled code can read elements of a source, which are cast to a dtype on the way to a target."""
    kind, wanted = source.dtype, target.dtype.name
    if not kind.isnative or not source.flags.aligned or kind.name not in _SOURCES:
        return False
    if wanted == "bool" and kind.name != "bool":
        return False
    return np.can_cast(kind, through, "safe") and np.can_cast(kind, target.dtype, "safe")


class Gather:
    """An array, how its axes are sampled, and where batches go.

    Parameters
    ----------
    source : ndarray
        Of any layout; `can_gather` says which dtypes.
    axes : sequence of Axis
        For each axis.
    target : ndarray of float64, int64 or bool
        C-contiguous, of the shape of a batch.

    Attributes
    ----------
    record : ndarray of GatherRecord, shape (1,)
    """

    def __init__(self, source: np.ndarray, axes: Sequence[Axis], target: np.ndarray) -> None:
        run, outer = source.itemsize, source.ndim
        while outer and axes[outer - 1].size is None and source.strides[outer - 1] == run:
            outer -= 1
            run *= source.shape[outer]
        shape, strides = target.shape[:outer] or (1,), source.strides[:outer] or (0,)
        drawn = [k for k in range(outer) if axes[k].size is not None]
        firsts = np.cumsum([0, *shape])
        offsets = np.concatenate([np.arange(n) * stride for n, stride in zip(shape, strides, strict=True)])
        table = [(firsts[k], shape[k], source.shape[k], strides[k], stream_number(k, source.shape[k])) for k in drawn]
        keys = [key_of(seed_sequences(axes[k].seed, 1)[0]) for k in drawn]
        own = {
            "source": source,
            "target": target,
            "counts": np.array(shape, np.int64),
            "at": np.zeros(len(shape), np.int64),
            "places": np.zeros(math.prod(shape), np.int64),
            "offsets": offsets.astype(np.int64),
            "axes": np.array(table, np.int64).reshape(-1),
            "keys": np.array(keys, np.uint64).reshape(-1),
            "words": np.zeros(STREAM_WORDS, np.uint64),
        }
        self.record, self._alive = np.zeros(1, GatherRecord), own
        for name, array in own.items():
            self.record[name] = array.ctypes.data
        self.record["source_kind"], self.record["target_kind"] = (
            _SOURCES[source.dtype.name],
            _TARGETS[target.dtype.name],
        )
        self.record["itemsize"] = source.itemsize
        self.record["run"], self.record["pieces"] = run // source.itemsize, math.prod(shape)
        self.record["n_outer"], self.record["n_offsets"], self.record["n_axes"] = len(shape), len(offsets), len(drawn)

    @property
    def address(self) -> int:
        """Address of the record."""
        return address_of(self.record)
