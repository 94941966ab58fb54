"""Batches that a generator yields: of one entry of the data, or of several at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nbinfer.arguments import array, is_number
from nbinfer.errors import StreamingError
from nbinfer.spelling import public
from nbinfer.streaming.feed import Feed

#: Arrays of an item by key; one that is no tuple and no dict has a single array, under this key.
Parts = dict[Any, np.ndarray]
_WHOLE = None


@public
class GeneratorAdapter:
    """A generator of arrays of one kind, whose first item is known before it is asked for.

    Parameters
    ----------
    generator : iterator
        Of arrays or numbers with the same number of axes; lengths may differ. Or of tuples or dicts of such.

    Attributes
    ----------
    dtype : dtype
        Of all items: int64, bool or float64, as the first one has it. Of tuples and dicts it is a dict.
    shape : tuple of int
        Of the first item. Of tuples and dicts it is a dict.

    Raises
    ------
    TypeError
        If it is no iterator, or its items are no numbers.
    StreamingError
        If it yields nothing.

    Examples
    --------
    >>> adapter = GeneratorAdapter(iter([[1, 2], [3, 4]]))
    >>> adapter.shape, next(adapter), next(adapter)
    ((2,), array([1, 2]), array([3, 4]))
    """

    def __init__(self, generator: Iterator[Any]) -> None:
        _check_iterator("generator", generator)
        self._generator = generator
        try:
            first = next(generator)
        except StopIteration:
            raise StreamingError("generator yields nothing; there is no first batch.") from None
        self._example = {key: part.astype(_kind(part)) for key, part in _parts(first).items()}
        self._waits = True  # the first one has been pulled and not been given
        self.dtype = _alone({key: part.dtype for key, part in self._example.items()})
        self.shape = _alone({key: part.shape for key, part in self._example.items()})

    @property
    def example(self) -> Any:
        """The first item, which is not used up."""
        return _alone(_copied(self._example))

    def __iter__(self) -> GeneratorAdapter:
        return self

    def __next__(self) -> Any:
        """Return a copy of the next item, the first one first, tuples as dicts by number; StopIteration at the end."""
        return _alone(_copied(self.next_parts()))

    def next_parts(self) -> Parts:
        """Return the arrays of the next item by key."""
        if self._waits:
            self._waits = False
            return self._example
        return self.conform(next(self._generator))

    def conform(self, item: Any, name: str = "a batch") -> Parts:
        """Return an item's arrays as those of the first one; ValueError if others are there, or of other kinds.

        Parameters
        ----------
        item : object
        name : str
            Of the item, for messages.
        """
        found = _parts(item, name)
        if set(found) != set(self._example):
            wanted, got = _described(self._example), _described(found)
            raise ValueError(f"{name} must be {wanted}, as the first one, got {got}.")
        return {key: conform(found[key], like, _named(name, key)) for key, like in self._example.items()}


@public
class GeneratorData(Feed):
    """Data of which an iteration of a fit sees what a generator yields next; see `generator`.

    Parameters
    ----------
    gen : iterator or GeneratorAdapter
    default : array_like, tuple or dict, optional
    name : str
        For messages.
    """

    def __init__(self, gen: Any, default: Any = None, name: str = "generator") -> None:
        self.name = name
        self._adapter = _adapter(gen)
        self._default: Parts | None = None
        self.set_default(default)

    @property
    def example(self) -> Any:
        """The first batch, which is not used up."""
        return self._adapter.example

    @property
    def parts(self) -> list[Any]:
        """What to ask for entries by, where it yields tuples or dicts: ``data={"X": rows[0], "y": rows[1]}``."""
        shape = self._adapter.shape
        return list(shape) if isinstance(shape, dict) else []

    def __getitem__(self, key: Any) -> GeneratorPart:
        return GeneratorPart(self, key)

    def batch(self, number: int) -> Any:
        """Return what comes next, whatever the number.

        Parameters
        ----------
        number : int
            Has no meaning here.

        Returns
        -------
        batch : ndarray, or dict of them
            A dict where the generator yields tuples or dicts.

        Raises
        ------
        StreamingError
            If the generator is exhausted, and there is no default.
        """
        try:
            return next(self)
        except StopIteration:
            raise StreamingError(
                f"the {self.name} is exhausted. Pass an endless one, such as one over itertools.cycle, or a default; "
                "set_gen sets another."
            ) from None

    def __iter__(self) -> GeneratorData:
        return self

    def __next__(self) -> Any:
        """Return the next batch; at the end the default, or StopIteration if there is none."""
        try:
            return next(self._adapter)
        except StopIteration:
            if self._default is None:
                raise
            return _alone(_copied(self._default))

    def set_gen(self, gen: Any) -> None:
        """Go on with another generator, from the next iteration on.

        Parameters
        ----------
        gen : iterator or GeneratorAdapter
            Of the same dtype and number of axes.

        Raises
        ------
        ValueError
            If its first item is of another kind.
        """
        adapter = _adapter(gen)
        self._adapter.conform(adapter.example, "an item of gen")
        self._adapter = adapter

    def set_default(self, value: Any) -> None:
        """Set what comes when the generator is exhausted.

        Parameters
        ----------
        value : array_like, tuple, dict or None
            A batch; None means that a fit then ends with an error.
        """
        self._default = None if value is None else self._adapter.conform(value, "the default value")

    def describe(self) -> dict[str, Any]:
        """Return words for messages."""
        return {"what": "a generator", "remedy": ""}

    def __repr__(self) -> str:
        return f"<batches of a generator, the first of {_described(_keyed(self._adapter.example))}>"


class GeneratorPart(Feed):
    """One array of each tuple or dict that a generator yields: an entry of a model's data.

    Several of one generator are of the same item: it is asked once for each iteration.

    Parameters
    ----------
    source : GeneratorData
    key : int or object
        Which array.

    Raises
    ------
    KeyError
        If there is none.
    """

    def __init__(self, source: GeneratorData, key: Any) -> None:
        if key not in source.parts:
            there = f"has {', '.join(map(repr, source.parts))}" if source.parts else "is of arrays, which have no parts"
            raise KeyError(f"{key!r} is no part of what the generator yields, which {there}.")
        self._source, self._key = source, key

    @property
    def source(self) -> Feed:
        return self._source

    @property
    def example(self) -> np.ndarray:
        return self.part_of(self._source.example)

    def part_of(self, batch: Any) -> np.ndarray:
        return batch[self._key]  # type: ignore[no-any-return]

    def batch(self, number: int) -> np.ndarray:
        return self.part_of(self._source.batch(number))

    def describe(self) -> dict[str, Any]:
        return self._source.describe()


@public
def generator(gen: Any, default: Any = None) -> GeneratorData:
    """Make an entry of a model's data of a generator: each iteration of a fit asks it for the next batch.

    Parameters
    ----------
    gen : iterator or GeneratorAdapter
        Of arrays or numbers with the same number of axes. Lengths may differ: with `total_size` each batch is scaled by
        its own. Or of tuples or dicts of such, for several entries at once.
    default : array_like, tuple or dict, optional
        The batch that comes when it is exhausted. Default: the fit ends with an error.

    Returns
    -------
    data : GeneratorData
        With ``set_gen`` and ``set_default``. Where items are tuples or dicts, ``data[0]`` or ``data["X"]`` is an entry.

    Raises
    ------
    TypeError
        If it is no iterator, or does not yield numbers.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> batches = generator(rng.normal(size=5) for _ in iter(int, 1))
    >>> next(batches).shape
    (5,)
    >>> pairs = generator((rng.normal(size=(5, 2)), rng.normal(size=5)) for _ in iter(int, 1))
    >>> entries = {"X": pairs[0], "y": pairs[1]}
    """
    return GeneratorData(gen, default)


def _check_iterator(name: str, value: Any) -> None:
    if not hasattr(value, "__next__"):
        raise TypeError(
            f"{name} must be an iterator of arrays, or of tuples or dicts of them, such as (rows for rows in ...) or "
            f"iter([...]), got {type(value).__name__}."
        )


def _adapter(gen: Any) -> GeneratorAdapter:
    _check_iterator("gen", gen)
    return gen if isinstance(gen, GeneratorAdapter) else GeneratorAdapter(gen)


def _parts(item: Any, name: str = "an item of the generator") -> Parts:
    """Return the arrays of an item by key; a tuple of numbers alone is an array."""
    if hasattr(item, "_asdict"):
        item = item._asdict()
    elif isinstance(item, tuple) and not all(map(is_number, item)):
        item = dict(enumerate(item))
    return {key: _numbers(part, _named(name, key)) for key, part in _keyed(item).items()}


def _keyed(item: Any) -> dict[Any, Any]:
    return dict(item) if isinstance(item, Mapping) else {_WHOLE: item}


def _alone(parts: dict[Any, Any]) -> Any:
    """Return what is not one of several without its key."""
    return parts.get(_WHOLE, parts)


def _copied(parts: Parts) -> Parts:
    return {key: part.copy() for key, part in parts.items()}


def _named(name: str, key: Any) -> str:
    return name if key is _WHOLE else f"{key!r} of {name}"


def _described(parts: dict[Any, Any]) -> str:
    if _WHOLE in parts:
        return f"an array of shape {np.shape(parts[_WHOLE])}, {parts[_WHOLE].dtype}"
    return f"arrays for {', '.join(map(repr, parts)) or 'nothing'}"


def _numbers(item: Any, name: str) -> np.ndarray:
    try:
        found = np.array(array(name, item))
    except TypeError:
        raise TypeError(
            f"{name} must be an array; of several arrays yield a tuple or a dict, got {type(item).__name__}."
        ) from None
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers or integers, got dtype {found.dtype}.")
    return found


def _kind(item: np.ndarray) -> np.dtype:
    return np.dtype({"b": np.bool_, "i": np.int64, "u": np.int64}.get(item.dtype.kind, np.float64))


def conform(item: np.ndarray, like: np.ndarray, name: str) -> np.ndarray:
    """Return an item as the dtype of another; ValueError if it has other axes, or would lose what it says."""
    if item.ndim != like.ndim or not np.can_cast(_kind(item), like.dtype, "safe"):
        raise ValueError(
            f"{name} must have {like.ndim} axes and dtype {like.dtype}, as the first one, got {item.ndim} and "
            f"{item.dtype}."
        )
    return item.astype(like.dtype)
