"""Batches that a generator yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nbinfer.arguments import array
from nbinfer.errors import StreamingError
from nbinfer.streaming.feed import Feed


class GeneratorAdapter:
    """A generator of arrays of one kind, whose first item is known before it is asked for.

    Parameters
    ----------
    generator : iterator
        Of arrays or numbers with the same number of axes; lengths may differ.

    Attributes
    ----------
    dtype : dtype
        Of all items: int64, bool or float64, as the first one has it.
    shape : tuple of int
        Of the first item.

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
        self._first: np.ndarray | None = _numbers(first)
        self.dtype = _kind(self._first)
        self._first = self._first.astype(self.dtype)
        self.shape = self._first.shape
        self._example = self._first

    @property
    def example(self) -> np.ndarray:
        """The first item, which is not used up."""
        return self._example.copy()

    def __iter__(self) -> GeneratorAdapter:
        return self

    def __next__(self) -> np.ndarray:
        """Return a copy of the next item, the first one first; StopIteration at the end."""
        if self._first is not None:
            item, self._first = self._first, None
            return item.copy()
        return conform(_numbers(next(self._generator)), self._example)


class GeneratorData(Feed):
    """Data of which an iteration of a fit sees what a generator yields next; see `generator`.

    Parameters
    ----------
    gen : iterator or GeneratorAdapter
    default : array_like, optional
    name : str
        For messages.
    """

    def __init__(self, gen: Any, default: Any = None, name: str = "generator") -> None:
        self.name = name
        self._adapter = _adapter(gen)
        self._default: np.ndarray | None = None
        self.set_default(default)

    @property
    def example(self) -> np.ndarray:
        """The first batch, which is not used up."""
        return self._adapter.example

    def batch(self, number: int) -> np.ndarray:
        """Return what comes next, whatever the number.

        Parameters
        ----------
        number : int
            Has no meaning here.

        Returns
        -------
        batch : ndarray

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

    def __next__(self) -> np.ndarray:
        """Return the next batch; at the end the default, or StopIteration if there is none."""
        try:
            return next(self._adapter)
        except StopIteration:
            if self._default is None:
                raise
            return self._default.copy()

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
        conform(adapter.example, self.example, "an item of gen")
        self._adapter = adapter

    def set_default(self, value: Any) -> None:
        """Set what comes when the generator is exhausted.

        Parameters
        ----------
        value : array_like or None
            A batch; None means that a fit then ends with an error.
        """
        self._default = (
            None if value is None else conform(_numbers(value, "the default value"), self.example, "the default value")
        )

    def describe(self) -> dict[str, Any]:
        """Return words for messages."""
        return {"what": "a generator", "remedy": ""}

    def __repr__(self) -> str:
        return f"<batches of a generator, the first of shape {self.example.shape}, {self.example.dtype}>"


def generator(gen: Any, default: Any = None) -> GeneratorData:
    """Make an entry of a model's data of a generator: each iteration of a fit asks it for the next batch.

    Parameters
    ----------
    gen : iterator or GeneratorAdapter
        Of arrays or numbers with the same number of axes. Lengths may differ: with `total_size` each batch is scaled by
        its own.
    default : array_like, optional
        The batch that comes when it is exhausted. Default: the fit ends with an error.

    Returns
    -------
    data : GeneratorData
        With ``set_gen`` and ``set_default``.

    Raises
    ------
    TypeError
        If it is no iterator.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> batches = generator(rng.normal(size=5) for _ in iter(int, 1))
    >>> next(batches).shape
    (5,)
    """
    return GeneratorData(gen, default)


def _check_iterator(name: str, value: Any) -> None:
    if not hasattr(value, "__next__"):
        raise TypeError(
            f"{name} must be an iterator of arrays, such as (rows for rows in ...) or iter([...]), got "
            f"{type(value).__name__}."
        )


def _adapter(gen: Any) -> GeneratorAdapter:
    _check_iterator("gen", gen)
    return gen if isinstance(gen, GeneratorAdapter) else GeneratorAdapter(gen)


def _numbers(item: Any, name: str = "an item of the generator") -> np.ndarray:
    found = np.array(array(name, item))
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers or integers, got dtype {found.dtype}.")
    return found


def _kind(item: np.ndarray) -> np.dtype:
    return np.dtype({"b": np.bool_, "i": np.int64, "u": np.int64}.get(item.dtype.kind, np.float64))


def conform(item: np.ndarray, like: np.ndarray, name: str = "a batch") -> np.ndarray:
    """Return an item as the dtype of another; ValueError if it has other axes, or would lose what it says."""
    if item.ndim != like.ndim or not np.can_cast(_kind(item), like.dtype, "safe"):
        raise ValueError(
            f"{name} must have {like.ndim} axes and dtype {like.dtype}, as the first one, got {item.ndim} and "
            f"{item.dtype}."
        )
    return item.astype(like.dtype)
