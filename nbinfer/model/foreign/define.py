"""What `Model.flat` takes: functions to compile, C functions by address, Python callables."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from nbinfer.arguments import MOST, flag
from nbinfer.errors import ModelError
from nbinfer.model.data import convert, convert_all
from nbinfer.model.definition import Definition
from nbinfer.model.foreign.c_functions import CDefinition
from nbinfer.model.foreign.callables import CallableDefinition
from nbinfer.model.foreign.flat import FlatDefinition, check_compilable
from nbinfer.model.foreign.forms import form_of
from nbinfer.model.foreign.pointers import c_address, check_signature, knows_null, pointer
from nbinfer.model.layout import Layout
from nbinfer.model.support.supports import real


def flat_definition(f: Any, dim: int, data: Any, *, context: Any, compile: bool, name: str | None) -> Definition:
    """Define the density that `Model.flat` describes."""
    flag("compile", compile)
    layout = Layout({"x": real(_checked_dim(dim))})
    address = c_address(f)
    if address is not None:
        check_signature(f)
        if address == 0:
            raise ModelError("f must be a C function, got a null pointer")
        if data is not None:
            raise ModelError("a C function gets its data through context=, not through data=")
        return _of_c_function(f, address, getattr(f, "user_data", None) if context is None else context, layout, name)
    if context is not None:
        raise ModelError("context= is for C functions; pass data= to a Python function")
    if not callable(f):
        raise ModelError(
            f"f must be a function logp_grad(x, grad, data) or logp(x, data), or a C function, got {type(f).__name__}"
        )
    return _of_function(f, layout, data, name) if compile else _of_callable(f, layout, data, name)


def _checked_dim(dim: Any) -> int:
    try:
        size = operator.index(dim)
    except TypeError:
        raise ModelError(f"dim must be an integer, got {dim!r}") from None
    if size < 1:
        raise ModelError(f"dim must be at least 1, got {size}")
    if size > MOST:
        raise ModelError(f"dim must be at most 2**48, got {size}")
    return size


def _of_c_function(f: Any, address: int, context: Any, layout: Layout, name: str | None) -> CDefinition:
    contexts = [pointer(c) for c in context] if isinstance(context, (list, tuple)) else pointer(context)
    return CDefinition(
        name=name, layout=layout, address=address, takes_null=knows_null(f), contexts=contexts, keep=(f, context)
    )


def _of_function(f: Any, layout: Layout, data: Any, name: str | None) -> FlatDefinition:
    has_data = data is not None
    bare = has_data and not isinstance(data, Mapping) and not hasattr(data, "_asdict")
    entries = {"data": convert("data", data)} if bare else convert_all(data, ())
    check_compilable(f)
    form = form_of(f, has_data)
    functions = {"logp_grad" if "grad" in form else "logp_function": f}
    return FlatDefinition(name=name, layout=layout, data=entries, form=form, bare=bare, has_data=has_data, **functions)


def _of_callable(f: Any, layout: Layout, data: Any, name: str | None) -> CallableDefinition:
    form = form_of(f, data is not None)
    functions = {"logp_grad" if "grad" in form else "logp_function": f}
    return CallableDefinition(name=name, layout=layout, given=data, form=form, **functions)
