"""Data of a model: conversion to plain arrays, and the table of addresses through which compiled code sees them."""

from __future__ import annotations

import hashlib
import keyword
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import address_of
from nbinfer.errors import ModelError, StreamingError
from nbinfer.model.arrays import KINDS, check_nan, columns_of, is_pandas, is_table, plain_array, type_name
from nbinfer.spelling import meant
from nbinfer.streaming import Feed, GeneratorAdapter, GeneratorData


class Datum(NamedTuple):
    """One entry of the data: a C-contiguous array of float64, int64 or bool, or a number of these types.

    One that comes in batches has a `feed`, and the first of them for an array; `shape_of_all` is that of what these are
    drawn from, if it is known, and stays known where the feed is not.
    """

    name: str
    array: np.ndarray
    scalar: bool
    feed: Feed | None = None
    shape_of_all: tuple[int, ...] | None = None

    @property
    def kind(self) -> str:
        """Name of the dtype."""
        return self.array.dtype.name

    @property
    def key(self) -> tuple[str, str, int]:
        """What compiled code depends on: name, dtype, number of dimensions (-1: a number)."""
        return (self.name, self.kind, -1 if self.scalar else self.array.ndim)

    @property
    def value(self) -> Any:
        """What the user's functions see: an array, or a NumPy number."""
        if not self.scalar:
            return self.array
        return {"float64": np.float64, "int64": int, "bool": bool}[self.kind](self.array[()])

    def __repr__(self) -> str:
        kind = self.kind  # which takes as long as all else
        of_numbers = {"float64": "float", "int64": "int"}.get(kind, kind)
        text = f"{of_numbers} {self.array[()]}" if self.scalar else f"{kind} {self.array.shape}"
        return text if self.feed is None else f"{text} of {self.feed.describe()['what']}"

    def copied(self) -> Datum:
        """Return the same in memory of its own, which consists of whole words, and without a feed."""
        size = self.array.nbytes
        words = np.zeros(max(-(-size // 8), 1), np.int64)
        array = words.view(np.uint8)[:size].view(self.array.dtype).reshape(self.array.shape)
        array[...] = self.array
        return Datum(self.name, array, self.scalar, None, self.shape_of_all)


def convert(name: str, value: Any, allow_nan: bool = False) -> Datum:
    """Turn what a user gives into a `Datum`.

    Parameters
    ----------
    name : str
        Name of the entry, for messages.
    value : array_like or Feed
        Array of any dtype of real numbers and any layout, number, list, pandas Series or DataFrame; or what gives
        batches of such. An array that is C-contiguous float64, int64 or bool is not copied.
    allow_nan : bool
        Whether NaN may occur.

    Returns
    -------
    datum : Datum

    Raises
    ------
    ModelError
        If the entry is masked, holds NaN, or is not made of real numbers.
    """
    if isinstance(value, Feed | GeneratorAdapter):
        return _convert_feed(name, value if isinstance(value, Feed) else GeneratorData(value), allow_nan)
    array = plain_array(name, value)
    scalar = array.ndim == 0
    array = np.asarray(array, KINDS[array.dtype.kind], order="C")
    if not allow_nan:
        check_nan(name, array)
    return Datum(name, array, scalar)


def _convert_feed(name: str, feed: Feed, allow_nan: bool) -> Datum:
    if isinstance(feed, GeneratorData) and feed.parts:
        raise ModelError(
            f"data {name!r} must be an array, got a generator of several, {', '.join(map(repr, feed.parts))}; pass "
            f"one, {name}[{feed.parts[0]!r}]"
        )
    if feed.whole is not None and not allow_nan:
        convert(name, feed.whole)  # for its NaN
    try:
        first = feed.example
    except StreamingError as error:
        raise StreamingError(f"data {name!r}: {error}") from None
    return convert_batch(name, feed, 0, first, allow_nan)._replace(feed=feed, shape_of_all=feed.shape_of_all)


def convert_batch(name: str, feed: Feed, number: int, batch: np.ndarray, allow_nan: bool) -> Datum:
    """Turn a batch into a `Datum` without a feed; messages say where in all data an element is.

    Parameters
    ----------
    name : str
        Name of the entry.
    feed : Feed
        What it comes from.
    number : int
        Of the batch.
    batch : ndarray
    allow_nan : bool
        As in `convert`.
    """
    datum = convert(name, batch, True)
    if not allow_nan:
        check_nan(name, datum.array, lambda index: feed.place(index, number))
    return datum


def check_name(name: Any, what: str) -> None:
    """Require a name to be usable as the field of a named tuple."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise ModelError(
            f"{what} {name!r} must be a name that Python accepts as an attribute, without a leading underscore"
        )


def entries_of(data: Any) -> Mapping[str, Any]:
    """Return data as a mapping; a named tuple is taken apart, and so is a table, into its columns."""
    if data is None:
        data = {}
    if hasattr(data, "_asdict"):
        data = data._asdict()
    if is_table(data):
        data = columns_of(data)
    if not isinstance(data, Mapping):
        got = f"a {type_name(data)} without columns" if is_pandas(data) else type_name(data)
        raise ModelError(
            f"data must be a mapping of names to arrays, or a table with named columns, got {got}; write "
            "data={'y': y}"
        )
    return data


def convert_all(data: Any, allow_nan: Collection[str], instead: Mapping[str, Any] | None = None) -> dict[str, Datum]:
    """Convert all entries of a mapping, a named tuple or a table; what is given `instead` is in place of some."""
    entries = {**entries_of(data), **(instead or {})}
    try:
        for name in entries:
            check_name(name, "the data name")
        unknown = sorted(set(allow_nan) - set(entries))
        if unknown:
            raise ModelError(
                f"allow_nan names no data: {unknown}; data are {sorted(entries)}.{meant(unknown[0], entries)}"
            )
        return {name: convert(name, value, name in allow_nan) for name, value in entries.items()}
    except ModelError as error:
        if is_table(data):
            names = [name for name, value in entries.items() if not _is_datum(name, value, name in allow_nan)]
            error.add_note(
                f"each column of a table is an entry of the data, and {names} cannot be: leave out what no function "
                f"reads, data=table.drop({'columns=' if is_pandas(data) else ''}{names}), or change it before"
            )
        raise


def _is_datum(name: Any, value: Any, allow_nan: bool) -> bool:
    """Tell whether a column can be an entry."""
    try:
        check_name(name, "the data name")
        convert(name, value, allow_nan)
    except ModelError:
        return False
    return True


def replace(old: Mapping[str, Datum], new: Mapping[str, Any], allow_nan: Collection[str]) -> dict[str, Datum]:
    """Exchange some entries for others of the same type; new shapes are welcome."""
    unknown = sorted(set(new) - set(old))
    if unknown:
        raise ModelError(f"set_data got unknown names {unknown}; data are {sorted(old)}.{meant(unknown[0], old)}")
    result = dict(old)
    for name, value in new.items():
        datum = convert(name, value, name in allow_nan)
        if datum.key != old[name].key:
            raise ModelError(
                f"data {name!r} must stay {_describe(old[name])}, got {_describe(datum)}; "
                "convert it, or make a new Model for data of another dtype"
            )
        result[name] = datum
    return result


def _describe(datum: Datum) -> str:
    return f"a {datum.kind} number" if datum.scalar else f"a {datum.array.ndim}-dimensional {datum.kind} array"


class Table:
    """Data in memory as compiled code finds them: for each array its address, then its lengths; numbers themselves.

    Attributes
    ----------
    words : ndarray of int64
        The table.
    alive : list of ndarray
        The arrays.
    """

    def __init__(self, data: Iterable[Datum]) -> None:
        self.alive: list[np.ndarray] = []
        words: list[int] = []
        for datum in data:
            if datum.scalar:
                words.append(int(datum.array[()]) if datum.kind != "float64" else int(datum.array.view(np.int64)[()]))
                continue
            memory = _memory(datum)
            self.alive.append(memory)
            words += [address_of(memory), *datum.array.shape]
        self.words = np.array(words or [0], np.int64)


def _memory(datum: Datum) -> np.ndarray:
    if datum.kind == "bool" and not _has_whole_words(datum.array):  # seen as words, then as bytes
        padded = np.zeros(-(-datum.array.size // 8) * 8, bool)
        padded[: datum.array.size] = datum.array.ravel()
        return padded
    return datum.array


def _has_whole_words(array: np.ndarray) -> bool:
    words = array.base
    return isinstance(words, np.ndarray) and words.dtype == np.int64 and words.ctypes.data == array.ctypes.data


def view_source(datum: Datum, start: int) -> tuple[str, int]:
    """Write the expression by which compiled code views an entry.

    Its words start at `start` in the table, which is ``t`` as integers and ``f`` as floats.

    Returns
    -------
    expression : str
    end : int
        Where the next entry's words start.
    """
    if datum.scalar:
        word = f"read_at({'f' if datum.kind == 'float64' else 't'}, {start})"
        return f"{word} != 0" if datum.kind == "bool" else word, start + 1
    end = start + 1 + datum.array.ndim
    lengths = [f"read_at(t, {i})" for i in range(start + 1, end)]
    count = " * ".join(lengths)
    if datum.kind == "float64":
        flat = f"floats_at(read_at(t, {start}), {count})"
    elif datum.kind == "int64":
        flat = f"ints_at(read_at(t, {start}), {count})"
    else:
        flat = f"ints_at(read_at(t, {start}), ({count} + 7) // 8).view(np.bool_)[: {count}]"
    return (flat if datum.array.ndim == 1 else f"part({flat}, 0, ({', '.join(lengths)}))"), end


def content_key(data: Iterable[Datum]) -> str:
    """Hash data for looking up facts that may depend on their values, such as the shape of a derived quantity."""
    digest = hashlib.sha256()
    for datum in data:
        digest.update(repr((datum.key, datum.array.shape)).encode())
        digest.update(datum.array.reshape(-1).view(np.uint8).data if datum.array.size else b"")
    return digest.hexdigest()[:16]
