"""Device functions: kernels, entries and users' functions, compiled for CUDA from the same Python functions.

A function is copied with other globals: a kernel among them becomes a device function, likewise at any depth; a twin
becomes its CUDA form (`nbinfer.compile.cuda_lowered`); and ``call_density`` and its kin, which follow an address on the
host, become functions that choose among device functions by number, see `Calls`. The functions themselves know nothing
of it. In the simulator everything stays plain Python.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import CellType, FunctionType, ModuleType
from typing import Any

import numpy as np

from nbinfer.compile import Elementwise, Entry, Kernel, memory
from nbinfer.compile.elementwise import Numbers
from nbinfer.compile.fingerprint import global_chains, nested
from nbinfer.compile.kernels import Twin
from nbinfer.compile.python_functions import is_dispatcher, python_function
from nbinfer.compile.users import cell_content
from nbinfer.cuda import backend
from nbinfer.errors import CompileError

#: What stands for ``call_density`` and its kin: by the name of the module that calls, '' for all others, and by the
#: name of the twin.
Calls = Mapping[str, Mapping[str, Callable[..., Any]]]

#: What was made of functions of nbinfer that call nothing by address, and how much each adds to its callers: it is the
#: same for all kernels of a process, and compiled once.
_FOR_ALL: dict[FunctionType, tuple[Any, int]] = {}

#: Bytes of Python's code beyond which a function, with what is pasted into it, is pasted into no caller. The compiler
#: would otherwise paste everything everywhere, which makes a hundred times the code.
_LARGEST = 1500


class Device:
    """Makes device functions; what was made is made once.

    Parameters
    ----------
    calls : Calls
        What code that these functions are made of calls by address on the host.
    """

    def __init__(self, calls: Calls | None = None) -> None:
        self._calls = calls or {}
        self._made: dict[int, Any] = {}
        self._costs: dict[int, int] = {}
        self._alive: list[Any] = []
        self._own: set[int] = set()  # ids of what was made here and depends on `calls`
        self._depends = False

    def function(self, thing: Any) -> Any:
        """Return a kernel, an entry, a dispatcher or a plain function as a device function."""
        return self._of(python_function(thing.py_func if isinstance(thing, Entry) else thing))

    def plain(self, thing: Any) -> FunctionType:
        """Return the Python function that a device function is made of: its globals are those of a device."""
        return self._copy(python_function(thing.py_func if isinstance(thing, Entry) else thing))

    def _of(self, function: Any) -> Any:
        if id(function) not in self._made:
            self._alive.append(function)  # ids stay unique while their objects live
            before, self._depends = self._depends, False
            made, cost = _FOR_ALL.get(function) or self._make(function)
            self._made[id(function)], self._costs[id(made)] = made, cost
            if self._depends:
                self._own.add(id(made))
            elif _is_lasting(function):
                _FOR_ALL[function] = made, cost
            self._depends = before
        made = self._made[id(function)]
        self._depends |= id(made) in self._own
        return made

    def _make(self, function: FunctionType) -> tuple[Any, int]:
        """Return a function as a device function, and how much it adds to its callers."""
        copy = self._copy(function)
        made, cost = device_function(copy), self._cost(copy)
        return (apart(made), 0) if cost > _LARGEST else (made, cost)

    def _cost(self, copy: FunctionType) -> int:
        """Return how much a function would add to its callers, in bytes of Python's code."""
        cost = 0
        for code in nested(copy.__code__):
            cost += len(code.co_code)
            for name, *attributes in global_chains(code):
                value = copy.__globals__.get(name)
                for attribute in attributes[:1] if isinstance(value, ModuleType) else ():
                    value = getattr(value, attribute, None)
                cost += self._costs.get(id(value), 0)
        return cost

    def _copy(self, function: FunctionType) -> FunctionType:
        """Copy a function, with what its globals are on a device."""
        names = {"__builtins__": function.__globals__["__builtins__"], "__name__": function.__globals__["__name__"]}
        uses: dict[str, set[str]] = {}
        for code in nested(function.__code__):
            for name, *attributes in global_chains(code):
                uses.setdefault(name, set()).update(attributes[:1])
        for name, taken in uses.items():
            if name in function.__globals__:
                names[name] = self._instead(function.__globals__[name], taken, function)
        cells = tuple(
            CellType(self._instead(cell_content(cell), set(), function)) for cell in function.__closure__ or ()
        )
        copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells or None)
        copy.__module__, copy.__qualname__, copy.__doc__ = function.__module__, function.__qualname__, None
        copy.__kwdefaults__ = function.__kwdefaults__
        return copy

    def _instead(self, value: Any, taken: set[str], caller: FunctionType) -> Any:
        """Return what stands for a global of a function, from which it takes attributes."""
        if isinstance(value, ModuleType):
            return self._module(value, taken, caller)
        if isinstance(value, np.ufunc) and not backend.simulated():
            return _functions_of_numbers().get(value, value)
        if isinstance(value, Twin):
            return self._twin(value.py_func.__name__, caller)
        if isinstance(value, Elementwise | Numbers) and backend.simulated():
            return value  # NumPy computes it, as in all plain Python
        if isinstance(value, Entry):
            return self._of(value.py_func)
        if isinstance(value, Kernel) or is_dispatcher(value) or isinstance(value, FunctionType):
            return self._of(python_function(value))
        return value

    def _module(self, module: ModuleType, taken: set[str], caller: FunctionType) -> ModuleType:
        """Return a module with what is taken from it replaced; the same one if nothing need be."""
        found = {name: getattr(module, name) for name in taken if hasattr(module, name)}
        replaced = {name: self._instead(value, set(), caller) for name, value in found.items()}
        if all(found[name] is replaced[name] for name in found):
            return module
        copy = ModuleType(module.__name__)
        copy.__dict__.update(replaced)
        return copy

    def _twin(self, name: str, caller: FunctionType) -> Any:
        for module in (caller.__module__, ""):
            if name in self._calls.get(module, {}):
                self._depends = True
                return self._calls[module][name]
        if backend.simulated():
            return getattr(memory, name).py_func
        form = _forms().get(name)
        if form is None:
            from nbinfer.compile.cuda_lowered import REFUSED

            raise CompileError(f"{caller.__module__}.{caller.__qualname__} cannot run on a GPU: {REFUSED[name]}.")
        return form


def _is_lasting(function: FunctionType) -> bool:
    """Tell whether a function is one of nbinfer's own modules, compiled, and not made for a model."""
    ours = function.__module__.startswith("nbinfer.") and "<locals>" not in function.__qualname__
    return ours and not function.__closure__ and not backend.simulated()


def device_function(function: Callable[..., Any]) -> Any:
    """Return a Python function whose globals are those of a device as one that kernels call."""
    return function if backend.simulated() else backend.compiled(function, device=True)


def apart(function: Any) -> Any:
    """Return a device function that does the same and is pasted into no caller."""
    if backend.simulated():
        return function
    code = function.py_func.__code__
    arguments, name = ", ".join(code.co_varnames[: code.co_argcount]), function.py_func.__name__
    names = {"stay_apart": _forms()["stay_apart"], "function": function}
    exec(f"def {name}({arguments}):\n    stay_apart()\n    return function({arguments})\n", names)
    return backend.compiled(names[name], device=True)


@functools.cache
def _functions_of_numbers() -> dict[Any, Any]:
    return backend.functions_of_numbers()


@functools.cache
def _forms() -> dict[str, Any]:
    """Return the CUDA form of each twin."""
    from nbinfer.compile.cuda_lowered import forms

    return forms(backend.intrinsic())
