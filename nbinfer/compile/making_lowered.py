"""``np.empty`` and ``np.zeros`` lowered where they are called. Imported only to compile.

Numba compiles three functions for each kind of shape and each way to write the type of the elements, and inlines them.
"""

# Numba runs the code generators below with its own builder objects, for which it has no types.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from nbinfer.compile.numba_internals import cgutils, empty_array, lowering_registry, shape_of

#: Types of elements by how they are written.
_KINDS: dict[Any, Any] = {
    float: types.float64,
    np.float64: types.float64,
    np.int64: types.int64,
    np.bool_: types.boolean,
}


def made_in_place(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Return the signature of a call of `function` with arguments of these types, and what identifies its lowering.

    None if it is not one of these functions, or the call is one of those that are left to Numba.
    """
    if function not in _LOWERED or not 1 <= len(args) <= 2:
        return None
    shape, kind = args[0], _kind(args[1:])
    is_tuple = isinstance(shape, types.UniTuple)
    if kind is None or (shape.dtype if is_tuple else shape) is not types.intp:
        return None
    signature = types.Array(kind, len(shape) if is_tuple else 1, "C")(*args)
    key = (_LOWERED[function], signature)
    if key not in _KNOWN:
        lowering_registry.lower(key, *args)(_LOWERED[function])
        _KNOWN.add(key)
    return signature, key


def _kind(written: tuple[Any, ...]) -> Any:
    """Return the type of the elements as an argument, if there is one, says it; None for one that we do not know."""
    if not written or isinstance(written[0], types.Omitted):
        return types.float64
    kind = _KINDS.get(getattr(written[0], "typing_key", None)) or getattr(written[0], "dtype", None)
    return kind if isinstance(kind, (types.Number, types.Boolean)) else None


def _empty(context, builder, signature, args):
    shape = shape_of(context, builder, signature.args[0], args[0])
    return empty_array(context, builder, signature.return_type, shape)._getvalue()


def _zeros(context, builder, signature, args):
    shape = shape_of(context, builder, signature.args[0], args[0])
    array = empty_array(context, builder, signature.return_type, shape)
    cgutils.memset(builder, array.data, builder.mul(array.itemsize, array.nitems), 0)
    return array._getvalue()


_LOWERED: dict[Any, Callable[..., Any]] = {np.empty: _empty, np.zeros: _zeros}
_KNOWN: set[Any] = set()
