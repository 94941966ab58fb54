"""What goes into a generated function, and the function: without the machinery that generates it."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nbinfer.autodiff.errors import ADError, Notice
from nbinfer.compile import python_functions


class Type(NamedTuple):
    """The type of a number or an array.

    Attributes
    ----------
    kind : str
        "float", "int" or "bool"; NumPy's names of dtypes will do. "generator" of what random numbers come from.
    ndim : int
        Number of axes; 0 for a number.
    units : tuple of int
        Axes that are known to have one element, so that they broadcast.
    """

    kind: str
    ndim: int = 0
    units: tuple[int, ...] = ()


class Leaf(NamedTuple):
    """An input of a generated function.

    Attributes
    ----------
    type : Type
        Its type.
    access : str
        How generated code reads it.
    gradient : str
        The array to which its derivative is added; of a number, the statement that adds ``{}``. '' if it is inactive.
    varies : bool
        Whether it is a parameter, discrete ones included.
    without_axes : bool
        Whether it is a number that the caller has in an array.
    """

    type: Type
    access: str
    gradient: str = ""
    varies: bool = False
    without_axes: bool = False


class Tuple(NamedTuple):
    """A tuple of inputs, with or without names of fields."""

    fields: dict[str, Any]
    named: bool = True


class Generated(NamedTuple):
    """A generated function.

    Attributes
    ----------
    name : str
        Of the function.
    source : str
        Its text: one definition.
    globals : dict
        What it needs besides ``np`` and ``math``: name and object. Arrays, helpers, users' functions.
    warnings : tuple of Notice
        Derivatives that vanish silently: message, file, line and text of the line.
    notes : tuple of str
        What is taped, copied and deferred.
    arrays : dict
        Captured arrays that the function takes as its last arguments, instead of finding them among the globals.
    boundscheck : bool
        Whether a function that it was made of was to be compiled with checked indices.
    kind : str
        Of a function that returns what another does, the dtype of that: "float64", "int64" or "bool".
    """

    name: str
    source: str
    globals: dict[str, Any]
    warnings: tuple[Notice, ...]
    notes: tuple[str, ...]
    arrays: dict[str, np.ndarray]
    boundscheck: bool = False
    kind: str = ""

    @property
    def takes_memory(self) -> bool:
        """Whether it takes memory from the arena that it is given."""
        return len(re.findall(r"\barena\b", self.source)) > 1

    @property
    def marked(self) -> str:
        """The text with its mark as a kernel."""
        return f"@kernel(reassociate=True{', boundscheck=True' if self.boundscheck else ''})\n{self.source}"


def python_function(function: Callable[..., Any], name: str = "") -> types.FunctionType:
    """Return the function itself, or what a compiled one was made of.

    Raises
    ------
    ADError
        If there is none.
    """
    plain = python_functions.python_function(function)
    if not isinstance(plain, types.FunctionType):
        raise ADError(
            f"{name}{function!r} is not a Python function: there is no source to differentiate; write one with def"
        )
    return plain
