"""A value that several hold: parameters of approximations, and what optimisers move outside of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import numbers
from nbinfer.errors import ParametrizationError
from nbinfer.spelling import public


class Shared:
    """Numbers whose value may change; two are equal only if they are the same object.

    Parameters
    ----------
    value : array_like
        First value; copied.
    name : str, optional
        For messages.
    """

    def __init__(self, value: ArrayLike, name: str | None = None) -> None:
        self.name = name
        self._value: NDArray[np.float64] = numbers("value", value)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self._value.shape

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._value.size

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._value.ndim

    def get_value(self, borrow: bool = False) -> NDArray[np.float64]:
        """Return the value.

        Parameters
        ----------
        borrow : bool
            Whether it may be the memory itself, which changes later; else it is a copy.

        Returns
        -------
        value : ndarray
        """
        return self._value if borrow else self._value.copy()

    def set_value(self, value: ArrayLike, borrow: bool = False) -> None:
        """Set the value.

        Parameters
        ----------
        value : array_like
            Of the same shape.
        borrow : bool
            Means nothing here: the numbers are copied.

        Raises
        ------
        ValueError
            If it has another shape.
        """
        new = numbers("value", value)
        if new.shape != self.shape:
            raise ValueError(f"value must have shape {self.shape} as before, got {new.shape}.")
        self._value[...] = new

    def move_to(self, memory: NDArray[np.float64]) -> None:
        """Live in other memory from now on, with the same value."""
        if self._value is not memory:
            memory[...] = self._value
            self._value = memory

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._value, dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "_value": self._value.copy()}

    def __repr__(self) -> str:
        return f"shared({self.name or ''}{': ' if self.name else ''}{np.array2string(self._value, threshold=8)})"


def given_value(name: str, value: Any, shape: tuple[int, ...], whose: str = "") -> Shared:
    """Return a parameter that a user gives; axes of length 1 do not count.

    Raises
    ------
    ParametrizationError
        If it has another shape.
    """
    found = value if isinstance(value, Shared) else Shared(numbers(f"params[{name!r}]", value), name)
    if [k for k in found.shape if k != 1] != [k for k in shape if k != 1]:
        raise ParametrizationError(f"params[{name!r}] must have shape {shape}{whose}, got {found.shape}.")
    return found


@public
def shared(value: ArrayLike, name: str | None = None) -> Shared:
    """Make a value that optimisers may change.

    Parameters
    ----------
    value : array_like
        First value; copied.
    name : str, optional
        For messages.

    Returns
    -------
    shared : Shared
        With ``get_value`` and ``set_value``.

    Examples
    --------
    >>> import nbinfer as nb
    >>> a = nb.shared(1.0)
    >>> updates = nb.adam(lambda a: a**2, [a], learning_rate=0.01)
    >>> updates()
    >>> round(float(a.get_value()), 6)
    0.99
    """
    return Shared(value, name)
