"""What `Model.flat` takes: functions to compile, C functions by address, Python callables."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from nbinfer.arguments import MOST, flag
from nbinfer.errors import ModelError
from nbinfer.model.data import convert, convert_all
from nbinfer.model.definition import Definition
from nbinfer.model.fingerprint import of_object
from nbinfer.model.foreign.c_functions import CDefinition
from nbinfer.model.foreign.callables import CallableDefinition
from nbinfer.model.foreign.flat import FlatDefinition, check_compilable
from nbinfer.model.foreign.forms import form_of, gradient_form_of
from nbinfer.model.foreign.pointers import c_address, check_signature, knows_null, pointer
from nbinfer.model.layout import Layout
from nbinfer.model.support.supports import real


def flat_definition(
    f: Any, dim: Any, data: Any, *, grad: Any, context: Any, compile: bool, name: str | None
) -> Definition:
    """Define the density that `Model.flat` describes."""
    flag("compile", compile)
    layout = Layout({"x": real(_checked_dim(dim))})
    address = c_address(f)
    if address is not None:
        check_signature(f)
        if address == 0:
            raise ModelError("f must be a C function, got a null pointer")
        if grad is not None:
            raise ModelError("a C function writes its gradient itself; leave grad= out")
        if data is not None:
            raise ModelError("a C function gets its data through context=, not through data=")
        return _of_c_function(f, address, getattr(f, "user_data", None) if context is None else context, layout, name)
    if context is not None:
        raise ModelError("context= is for C functions; pass data= to a Python function")
    if not callable(f):
        raise ModelError(
            f"f must be a function logp_grad(x, grad, data) or logp(x, data), or a C function, got {type(f).__name__}"
        )
    if grad is not None and (c_address(grad) is not None or not callable(grad)):
        raise ModelError(f"grad must be a function grad(x, grad, data), got {type(grad).__name__}")
    if compile:
        return _of_functions(f, grad, layout, data, name)
    given = _forms(f, grad, data is not None)
    content = "" if data is None else of_object(data)
    return CallableDefinition(name=name, layout=layout, given=data, content=content, **given)


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


def _of_functions(f: Any, grad: Any, layout: Layout, data: Any, name: str | None) -> FlatDefinition:
    has_data = data is not None
    bare = has_data and not isinstance(data, Mapping) and not hasattr(data, "_asdict")
    entries = {"data": convert("data", data)} if bare else convert_all(data, ())
    check_compilable(f, "f")
    if grad is not None:
        check_compilable(grad, "grad")
    given = _forms(f, grad, has_data)
    return FlatDefinition(name=name, layout=layout, data=entries, bare=bare, has_data=has_data, **given)


def _forms(f: Any, grad: Any, has_data: bool) -> dict[str, Any]:
    """Return the functions, and what each takes, as a definition has them."""
    form = form_of(f, has_data)
    if grad is None:
        return {"form": form, "logp_grad" if "grad" in form else "logp_function": f}
    if "grad" in form:
        raise ModelError(
            f"f must be logp({form.replace(', grad', '')}) beside grad=, got a function of {form}; a function that "
            "returns the density and fills its gradient goes without grad="
        )
    return {"form": form, "logp_function": f, "grad": grad, "grad_form": gradient_form_of(grad, has_data)}
