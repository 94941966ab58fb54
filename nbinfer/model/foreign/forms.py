"""The forms that a function of a flat position may have, told by its arguments."""

from __future__ import annotations

from typing import Any

from nbinfer.compile.python_functions import python_function
from nbinfer.errors import ModelError

_ONE_ARGUMENT = "data come as one argument, logp(x, d), whose entries are d.a and d.b with data={'a': ..., 'b': ...}"


def form_of(f: Any, has_data: bool) -> str:
    """Tell what a function takes: names among "x", "grad" and "data", joined by ", "."""
    code = getattr(python_function(f), "__code__", None)
    if code is None:
        if not has_data:
            return "x"
        return "x, data"
    bound = 1 if hasattr(f, "__self__") else 0
    names = code.co_varnames[bound : code.co_argcount]
    second_is_data = len(names) == 2 and (has_data or names[1] in ("data", "d", "args"))
    forms = {1: "x", 2: "x, data" if second_is_data else "x, grad", 3: "x, grad, data"}
    if len(names) not in forms or code.co_kwonlyargcount or (has_data and len(names) == 1):
        wanted = "logp_grad(x, grad, data) or logp(x, data)" if has_data else "logp_grad(x, grad) or logp(x)"
        several = f"; {_ONE_ARGUMENT}" if len(names) > 3 else ""
        raise ModelError(f"f must be {wanted}, got {code.co_name}({', '.join(names)}){several}")
    return forms[len(names)]


def misread(f: Any, form: str) -> str | None:
    """Tell how a function was called whose second argument is not named like a gradient; None without doubt."""
    code = getattr(python_function(f), "__code__", None)
    if code is None:
        return None
    names = code.co_varnames[1 if hasattr(f, "__self__") else 0 : code.co_argcount]
    if "grad" not in form or len(names) < 2 or "grad" in names[1].lower():
        return None
    return f"{code.co_name}({', '.join(names)}) was called as logp_grad({form}), which fills grad; {_ONE_ARGUMENT}"


def gradient_form_of(grad: Any, has_data: bool) -> str:
    """Tell what a gradient in a function of its own takes, as `form_of` does."""
    code = getattr(python_function(grad), "__code__", None)
    if code is None:
        return "x, grad, data" if has_data else "x, grad"
    names = code.co_varnames[1 if hasattr(grad, "__self__") else 0 : code.co_argcount]
    forms = {3: "x, grad, data"} | ({} if has_data else {2: "x, grad"})
    if len(names) not in forms or code.co_kwonlyargcount:
        wanted = "grad(x, grad, data)" if has_data else "grad(x, grad)"
        raise ModelError(f"grad must be {wanted}, got {code.co_name}({', '.join(names)})")
    return forms[len(names)]


def chosen(form: str, arguments: dict[str, Any]) -> tuple[Any, ...]:
    """Return the arguments of a form in its order."""
    return tuple(arguments[name] for name in form.split(", "))
