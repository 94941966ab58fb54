"""Functions of arrays over batches of such arrays: one element after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nbinfer.autodiff.indexing import view
from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import EXPENSIVE, Index, Lazy

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

_FULL = slice(None, None, None)


def one_by_one(b: Frontend, function: Callable[..., Any], cores: Sequence[int], args: Sequence[Any]) -> Any:
    """Read a function of arrays with `cores` axes; arguments with more axes are batches, which broadcast."""
    whole = [b.stored(b.operand(arg)) for arg in args]
    for arg, core in zip(whole, cores, strict=True):
        if arg.ndim < core:
            raise b.error(f"{function.__name__} takes arrays of {core} or more axes here, got {arg.ndim}")
    outer = [b.dims_of(arg)[: arg.ndim - core] for arg, core in zip(whole, cores, strict=True)]
    if not any(outer):
        return b.inline(function, whole, {})
    frames = [Lazy(b, sizes, lambda index: b.constant(0.0), "f") for sizes in outer]

    def at(index: Index) -> Value:
        parts = []
        for arg, frame, core in zip(whole, frames, cores, strict=True):
            own = b.spread(frame, index, dims)
            parts.append(view(b, arg, [*own, *[_FULL] * core]) if core else b.load(arg, own) if own else arg)
        result: Value = b.inline(function, parts, {})
        return result

    dims = b.broadcast([sizes for sizes in outer if sizes])
    active = any(arg.active for arg in whole)
    return Lazy(b, dims, at, "f", active=active, cost=EXPENSIVE)
