"""A user's function as compiled code has it, and whether its indices are to be checked.

A check costs a comparison for each element that is read, and it keeps loops from becoming vector code. What depends on
data alone and runs at every point needs none: plain Python has run it, with these data, before anything is compiled.
"""

# Numba's intermediate form has no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from types import FunctionType
from typing import Any

import numpy as np

from nbinfer.compile.forks import cached_property
from nbinfer.compile.kernels import OPTIONS, Kernel

#: What is no index of an element.
_NO_ELEMENTS = (None, Ellipsis)

#: What makes an array of new memory, as long as its arguments say.
_NEW = (np.empty, np.zeros, np.ones, np.full, np.empty_like, np.zeros_like, np.ones_like, np.full_like)


_log = logging.getLogger(__name__)


class UserFunction(Kernel[..., Any]):
    """A user's function; its indices are checked where they might leave an array, unless it was told what to do.

    Called from Python it is compiled if the user's was.
    """

    def __init__(self, function: FunctionType, options: dict[str, Any], data: Collection[int], compiled: bool) -> None:
        super().__init__(function, options)
        self._function, self._data, self._compiled = function, data, compiled

    @cached_property
    def options(self) -> dict[str, Any]:
        # Not those of the base: the same name would keep what that returns.
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
    from nbinfer.compile.numba_internals import reconstruct_ssa, run_frontend

    try:
        read = reconstruct_ssa(run_frontend(function))
        return _Reading(read, data).may_leave()
    except Exception as reason:  # compiling will say it better
        _log.debug("%s cannot be read, so its indices are checked: %r", function.__name__, reason)
        return True


class _Reading:
    """A function as Numba reads it, before types are known."""

    def __init__(self, function: Any, data: Collection[int]) -> None:
        from nbinfer.compile.numba_internals import build_definitions, ir

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
            doubtful = conditional or index.name in self._varying or not self._has_fixed_shape(array)
            if doubtful and not self._counts_to(index, array, axis):
                return True
        return False

    def _expression(self, statement: Any, *kinds: str) -> Any:
        """Return the expression that a statement assigns, if it is of one of these kinds."""
        value = statement.value if isinstance(statement, self._ir.Assign) else None
        return value if _op(value) in kinds else None

    def _find_varying(self) -> set[str]:
        """Return the variables that may depend on parameters."""
        ir = self._ir
        writes = (ir.SetItem, ir.StaticSetItem)
        varying: set[str] = set()
        size = -1
        while len(varying) > size:
            size = len(varying)
            for s in self._statements:
                if isinstance(s, ir.Assign):
                    is_parameter = isinstance(s.value, ir.Arg) and s.value.index not in self._data
                    if not is_parameter and varying.isdisjoint(v.name for v in _variables(s.value)):
                        continue
                    varying.add(s.target.name)
                    call = self._expression(s, "call")
                    if call is not None:  # which may write to what it gets
                        varying.update(*map(self._owners, self._reached(call)))
                elif isinstance(s, writes) and not varying.isdisjoint(v.name for v in s.list_vars()):
                    varying |= self._owners(s.target)
        return varying

    def _owners(self, variable: Any) -> set[str]:
        """Return a variable and those whose memory it may share; the data are read-only."""
        found: set[str] = set()
        left = [variable.name]
        while left:
            name = left.pop()
            definitions = self._definitions.get(name, ())
            if name in found or any(isinstance(definition, self._ir.Arg) for definition in definitions):
                continue
            found.add(name)
            for definition in definitions:
                if isinstance(definition, self._ir.Var):
                    left.append(definition.name)
                elif _op(definition) in _PARTS:
                    left.append(definition.value.name)
                elif _op(definition) == "call" and self._called(definition) not in _NEW:
                    left += [v.name for v in self._reached(definition)]
        return found

    def _reached(self, call: Any) -> list[Any]:
        """List what a call may write to, or return a view of: its arguments, and the object whose method it is."""
        method = self._only(call.func)
        owner = method.value if _op(method) == "getattr" else None
        is_object = owner is not None and not isinstance(self._only(owner), (self._ir.Global, self._ir.FreeVar))
        return [*call.args, *(v for _, v in call.kws), *([owner] if is_object else [])]

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
            if self._is_shape(array) or _op(self._only(array)) == "exhaust_iter":  # whose length is known, and checked
                continue
            parts = self._only(index)
            items = parts.items if _op(parts) == "build_tuple" else [index]
            for axis, item in enumerate(items):
                if not self._is_slice(item):
                    yield array, -1 if any(map(self._is_no_element, items[:axis])) else axis, item

    def _is_shape(self, variable: Any) -> bool:
        found = self._only(variable)
        return _op(found) == "getattr" and found.attr == "shape"

    def _has_fixed_shape(self, array: Any) -> bool:
        """Tell whether the shape of an array is the same at all points."""
        found = self._only(array)
        is_new = _op(found) == "call" and self._called(found) in _NEW
        return self._path(array) is not None or (is_new and not {v.name for v in found.list_vars()} & self._varying)

    def _only(self, variable: Any) -> Any:
        """Return what a variable is, if that is one thing."""
        found = self._definitions.get(getattr(variable, "name", None), ())
        while len(found) == 1 and isinstance(found[0], self._ir.Var):
            found = self._definitions.get(found[0].name, ())
        return found[0] if len(found) == 1 else None

    def _is_slice(self, variable: Any) -> bool:
        found = self._only(variable)
        return self._is_no_element(variable) or (_op(found) == "call" and self._called(found) is slice)

    def _is_no_element(self, variable: Any) -> bool:
        found = self._only(variable)
        return isinstance(found, self._ir.Const) and any(found.value is thing for thing in _NO_ELEMENTS)

    def _called(self, call: Any) -> Any:
        """Return the function that is called, if it is a global or belongs to a global module."""
        found = self._only(call.func)
        if _op(found) == "getattr":
            return getattr(self._global(found.value), found.attr, None)
        return self._global(call.func)

    def _global(self, variable: Any) -> Any:
        found = self._only(variable)
        return found.value if isinstance(found, (self._ir.Global, self._ir.FreeVar)) else None

    def _counts_to(self, index: Any, array: Any, axis: int) -> bool:
        """Tell whether an index counts from 0 or 1 to the length of the very axis that it goes along."""
        range_call = self._range_of(index)
        path = self._path(array)
        if range_call is None or path is None or len(range_call.args) > 2:
            return False
        if len(range_call.args) == 2 and self._constant(range_call.args[0]) not in (0, 1):
            return False
        return self._length(range_call.args[-1]) == (path, axis)

    def _range_of(self, index: Any) -> Any:
        """Return the call of range that an index counts through, if it is the counter of a loop."""
        from numba import prange

        found = self._only(index)
        for kind in ("pair_first", "iternext", "getiter"):
            if _op(found) != kind:
                return None
            found = self._only(found.value)
        return found if _op(found) == "call" and self._called(found) in (range, prange) else None

    def _length(self, variable: Any) -> tuple[str | None, int] | None:
        """Tell of which array and axis a number is the length, if it is that."""
        end = self._only(variable)
        if _op(end) == "call":
            return (self._path(end.args[0]), 0) if self._called(end) is len else None
        if _op(end) not in ("getitem", "static_getitem"):
            return None
        owner = end.value
        if _op(self._only(owner)) == "exhaust_iter":  # n, k = x.shape
            owner = self._only(owner).value
        axis = end.index if end.op == "static_getitem" else self._constant(end.index)
        if not self._is_shape(owner) or not isinstance(axis, int):
            return None
        return self._path(self._only(owner).value), axis

    def _constant(self, variable: Any) -> Any:
        found = self._only(variable)
        return found.value if isinstance(found, (self._ir.Const, self._ir.Global, self._ir.FreeVar)) else None

    def _path(self, variable: Any) -> str | None:
        """Write which argument, or which field of one, a variable is."""
        found = self._only(variable)
        if isinstance(found, self._ir.Arg):
            return str(found.name)
        if _op(found) == "getattr":
            owner = self._path(found.value)
            return None if owner is None else f"{owner}.{found.attr}"
        return None


#: What is a part of something, or an element, and shares its memory.
_PARTS = ("getitem", "static_getitem", "getattr", "cast", "getiter", "iternext", "pair_first", "exhaust_iter")


def _op(value: Any) -> str:
    """Return what kind of expression something is; Numba's expressions have no attributes but those of their kind."""
    return str(value.op) if type(value).__name__ == "Expr" else ""


def _variables(value: Any) -> list[Any]:
    """List the variables that a right side reads."""
    if hasattr(value, "list_vars"):
        return list(value.list_vars())
    return [value] if hasattr(value, "scope") and hasattr(value, "name") else []
