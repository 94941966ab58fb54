"""`grad`: the gradient without the value, by arguments or by entries of the data."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.autodiff.api import ValueAndGrad, value_and_grad
from nbinfer.autodiff.entries import check_entries, named_entries
from nbinfer.autodiff.errors import ADError
from nbinfer.spelling import public


class ValueAndGradByEntries(ValueAndGrad):
    """A function's value and gradient by entries of the data, its last argument.

    Parameters
    ----------
    function : callable
        ``f(p, d)``, or ``f(d)``, with named tuples or mappings.
    wrt : str or sequence of str
        Names of entries.
    sums : bool
        Whether it may return an array, whose sum counts.
    """

    def __init__(self, function: Callable[..., Any], wrt: str | Sequence[str], sums: bool = False) -> None:
        super().__init__(function)
        self.wrt, self._fields, self._sums = wrt, named_entries(wrt), sums

    def __call__(self, *args: Any, **named: Any) -> tuple[float, Any]:
        if named:
            args = self._in_order(args, named)
        if not args:
            raise TypeError(f"{self._name}() misses the data, whose entries wrt={self.wrt!r} names")
        given = [_tuple_of(arg) for arg in args]
        data = given[-1]
        if not hasattr(data, "_fields"):
            raise ADError(f"the data must be a named tuple or a mapping, whose entries wrt names, got {data!r}")
        assert self._fields is not None
        check_entries("wrt", self._fields, data._asdict())
        self._active = (len(given) - 1,)
        value, call = self._evaluate(given)
        order = [name for name in data._fields if name in self._fields]
        found = dict(zip(order, call.gradients, strict=True))
        gradients = {name: found[name] if np.ndim(getattr(data, name)) else float(found[name]) for name in self._fields}
        return value, gradients[self.wrt] if isinstance(self.wrt, str) else gradients

    def __repr__(self) -> str:
        return f"value_and_grad({self._name}, wrt={self.wrt!r})"


def _tuple_of(thing: Any) -> Any:
    if not isinstance(thing, Mapping):
        return thing
    wrong = [name for name in thing if not isinstance(name, str) or not name.isidentifier()]
    if wrong:
        raise TypeError(f"parameters and data must have names that Python accepts as attributes, got {wrong[0]!r}")
    return collections.namedtuple("Data", list(thing))(**thing)


class Grad:
    """A function's gradient; as `ValueAndGrad`, without the value."""

    def __init__(self, both: ValueAndGrad) -> None:
        self._both = both
        self.__doc__ = f"Gradient of {both._name}."

    def __repr__(self) -> str:
        return repr(self._both).removeprefix("value_and_")

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._both(*args, **named)[1]

    @property
    def source(self) -> str:
        """The generated code of the last call."""
        return self._both.source

    def explain(self) -> str:
        """Tell what the generated code keeps for the reverse sweep, and what it computes there only."""
        return self._both.explain()


@public
def grad(
    function: Any, argnums: int | Sequence[int] = 0, *, wrt: str | Sequence[str] | None = None
) -> Callable[..., Any]:
    """Return the gradient of a function, without the value.

    Parameters
    ----------
    function : callable or Model
        A plain or ``njit`` function that returns a number; with `wrt` one of the data, ``f(p, d)`` or ``f(d)``, or a
        model, whose log density it is then.
    argnums : int or sequence of int
        Positions of the arguments by which to differentiate.
    wrt : str or sequence of str, optional
        Names of the entries of the data by which to differentiate instead: arrays or numbers that are floats. The data
        are the function's last argument, a named tuple or a mapping.

    Returns
    -------
    grad : Grad
        Takes the function's arguments; returns the gradient as `value_and_grad` does. With `wrt` it is like the entry,
        or a dict by name if `wrt` is a sequence; that of a model takes constrained values of all parameters, and is by
        the model's own data, at weights that `total_size` says.

    Raises
    ------
    ValueError, TypeError
        If `wrt` names what the data lack, what holds integers or truth values, or what comes in batches; of a function,
        when it is called.

    See Also
    --------
    value_and_grad : The gradient together with the value, at the same cost.

    Examples
    --------
    >>> import numpy as np
    >>> from nbinfer.autodiff import grad
    >>> def square(x):
    ...     return x**2
    >>> grad(square)(3.0)
    6.0
    >>> def residual(p, d):
    ...     return ((d.X @ d.W - p.y) ** 2).sum()
    >>> grad(residual, wrt="W")({"y": np.ones(2)}, {"X": np.eye(2), "W": np.zeros(2)})
    array([-2., -2.])
    """
    if wrt is None:
        return Grad(value_and_grad(function, argnums))
    if argnums != 0:
        raise TypeError("wrt names entries of the data, and argnums positions of arguments; pass one of them.")
    if hasattr(function, "gradient_by"):  # a model says itself what its density is
        return function.gradient_by(wrt)  # type: ignore[no-any-return]
    return Grad(ValueAndGradByEntries(function, wrt))
