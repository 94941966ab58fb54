"""A user's function as compiled code has it, and whether its indices are to be checked.

A check costs a comparison for each element that is read, and it keeps loops from becoming vector code. What depends on
data alone and runs at every point needs none: plain Python has run it, with these data, before anything is compiled.
"""

# Numba's intermediate form has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Collection, Iterator
from types import FunctionType
from typing import Any

from nbinfer.compile.forks import cached_property
from nbinfer.compile.kernels import OPTIONS, Kernel

#: What is no index of an element.
_NO_ELEMENTS = (None, Ellipsis)


class UserFunction(Kernel[..., Any]):
    """A user's function; its indices are checked where they might leave an array, unless it was told what to do.

    Called from Python it is compiled if the user's was.
    """

    def __init__(self, function: FunctionType, options: dict[str, Any], data: Collection[int], compiled: bool) -> None:
        super().__init__(function, options)
        self._function, self._data, self._compiled = function, data, compiled

    @cached_property
    def options(self) -> dict[str, Any]:
        if "boundscheck" in self._options:
            return OPTIONS | self._options
        return OPTIONS | self._options | {"boundscheck": may_leave(self._function, self._data)}

    def __call__(self, *args: Any, **named: Any) -> Any:
        return (self.dispatcher if self._compiled else self.py_func)(*args, **named)


def may_leave(function: FunctionType, data: Collection[int]) -> bool:
    """Tell whether an index in a function might leave its array at some point, for all that Numba's reading tells.

    Parameters
    ----------
    function : function
        What is to be compiled.
    data : collection of int
        Positions of the arguments that hold data with which plain Python has run the function.
    """
    from numba.core.compiler import run_frontend
    from numba.core.ssa import reconstruct_ssa

    try:
        read = reconstruct_ssa(run_frontend(function))
        return _Reading(read, data).may_leave()
    except Exception:  # whatever it is, compiling will say it better
        return True


class _Reading:
    """A function as Numba reads it, before types are known."""

    def __init__(self, function: Any, data: Collection[int]) -> None:
        from numba.core import ir
        from numba.core.ir_utils import build_definitions

        self._ir = ir
        self._data = data
        self._definitions = build_definitions(function.blocks)
        self._statements = [s for label in sorted(function.blocks) for s in function.blocks[label].body]
        self._varying = self._find_varying()

    def may_leave(self) -> bool:
        """Tell whether an index might leave its array."""
        ir = self._ir
        if any(self._expression(s, "make_function") for s in self._statements):
            return True
        branches = (s for s in self._statements if isinstance(s, ir.Branch))
        conditional = any(branch.cond.name in self._varying for branch in branches)
        for array, axis, index in self._accesses():
            if (conditional or index.name in self._varying) and not self._counts_to(index, array, axis):
                return True
        return False

    def _expression(self, statement: Any, *kinds: str) -> Any:
        """Return the expression that a statement assigns, if it is of one of these kinds."""
        value = getattr(statement, "value", None)
        is_one = isinstance(statement, self._ir.Assign) and isinstance(value, self._ir.Expr) and value.op in kinds
        return value if is_one else None

    def _find_varying(self) -> set[str]:
        """Return the variables that may depend on parameters."""
        ir = self._ir
        varying: set[str] = set()
        size = -1
        while len(varying) > size:
            size = len(varying)
            for s in self._statements:
                read = {v.name for v in s.list_vars()} & varying
                if isinstance(s, ir.Assign):
                    is_parameter = isinstance(s.value, ir.Arg) and s.value.index not in self._data
                    if is_parameter or {v.name for v in _variables(s.value)} & varying:
                        varying.add(s.target.name)
                    call = self._expression(s, "call")
                    if call is not None and read:  # which may write to what it gets
                        varying |= {name for v in call.args for name in self._owners(v)}
                elif isinstance(s, (ir.SetItem, ir.StaticSetItem)) and read:
                    varying |= set(self._owners(s.target))
        return varying

    def _owners(self, variable: Any) -> Iterator[str]:
        """List a variable and those whose memory it may share; the data are read-only."""
        names = [variable.name]
        for name in names:
            if name in names[: names.index(name)]:
                continue
            yield name
            for definition in self._definitions.get(name, ()):
                if isinstance(definition, self._ir.Var):
                    names.append(definition.name)
                elif getattr(definition, "op", "") in ("getitem", "static_getitem", "getattr", "cast"):
                    owner = definition.value.name
                    is_argument = any(isinstance(d, self._ir.Arg) for d in self._definitions.get(owner, ()))
                    names += [] if is_argument else [owner]
                names = list(dict.fromkeys(names))

    def _accesses(self) -> Iterator[tuple[Any, int, Any]]:
        """List what reads or writes elements: array, axis, index."""
        ir = self._ir
        for s in self._statements:
            read = self._expression(s, "getitem", "static_getitem")
            if read is not None:
                array, index = read.value, read.index_var if read.op == "static_getitem" else read.index
            elif isinstance(s, (ir.SetItem, ir.StaticSetItem)):
                array, index = s.target, s.index_var if isinstance(s, ir.StaticSetItem) else s.index
            else:
                continue
            if getattr(self._only(array), "attr", "") == "shape":
                continue
            parts = self._only(index)
            items = parts.items if getattr(parts, "op", "") == "build_tuple" else [index]
            for axis, item in enumerate(items):
                if not self._is_slice(item):
                    yield array, axis, item

    def _only(self, variable: Any) -> Any:
        """Return what a variable is, if that is one thing."""
        found = self._definitions.get(getattr(variable, "name", None), ())
        while len(found) == 1 and isinstance(found[0], self._ir.Var):
            found = self._definitions.get(found[0].name, ())
        return found[0] if len(found) == 1 else None

    def _is_slice(self, variable: Any) -> bool:
        found = self._only(variable)
        if isinstance(found, self._ir.Const):
            return found.value in _NO_ELEMENTS if not hasattr(found.value, "shape") else False
        return getattr(found, "op", "") == "call" and self._called(found) is slice

    def _called(self, call: Any) -> Any:
        return getattr(self._only(call.func), "value", None)

    def _counts_to(self, index: Any, array: Any, axis: int) -> bool:
        """Tell whether an index counts from 0 or 1 to the length of the very axis that it goes along."""
        range_call = self._range_of(index)
        path = self._path(array)
        if range_call is None or path is None or len(range_call.args) > 2:
            return False
        if len(range_call.args) == 2 and getattr(self._only(range_call.args[0]), "value", -1) not in (0, 1):
            return False
        return self._length(range_call.args[-1]) == (path, axis)

    def _range_of(self, index: Any) -> Any:
        """Return the call of range that an index counts through, if it is the counter of a loop."""
        from numba import prange

        found = self._only(index)
        for kind in ("pair_first", "iternext", "getiter"):
            if getattr(found, "op", "") != kind:
                return None
            found = self._only(found.value)
        return found if getattr(found, "op", "") == "call" and self._called(found) in (range, prange) else None

    def _length(self, variable: Any) -> tuple[str | None, int] | None:
        """Tell of which array and axis a number is the length, if it is that."""
        end = self._only(variable)
        kind = getattr(end, "op", "")
        if kind == "call":
            return (self._path(end.args[0]), 0) if self._called(end) is len else None
        shape = self._only(end.value) if kind in ("getitem", "static_getitem") else None
        if getattr(shape, "attr", "") != "shape":
            return None
        axis = end.index if kind == "static_getitem" else getattr(self._only(end.index), "value", None)
        return (self._path(getattr(shape, "value", None)), axis) if isinstance(axis, int) else None

    def _path(self, variable: Any) -> str | None:
        """Write which argument, or which field of one, a variable is."""
        found = self._only(variable)
        if isinstance(found, self._ir.Arg):
            return str(found.name)
        if getattr(found, "op", "") == "getattr":
            owner = self._path(found.value)
            return None if owner is None else f"{owner}.{found.attr}"
        return None


def _variables(value: Any) -> list[Any]:
    """List the variables that a right side reads."""
    if hasattr(value, "list_vars"):
        return list(value.list_vars())
    return [value] if hasattr(value, "scope") and hasattr(value, "name") else []
