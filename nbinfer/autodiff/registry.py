"""What functions mean: a table from NumPy's functions and our own to what stands for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Handler = Callable[..., Any]
HANDLERS: dict[Any, Handler] = {}

#: Functions for which lists are not tuples: indices, where NumPy tells them apart.
TELL_LISTS: list[Any] = []
#: Functions that make functions of others: they are called while a program is built.
MAKERS: list[Any] = []


def handles(*functions: Any) -> Callable[[Handler], Handler]:
    """Mark what stands for a function; it takes the frontend first."""

    def mark(handler: Handler) -> Handler:
        for function in functions:
            HANDLERS[function] = handler
        return handler

    return mark
