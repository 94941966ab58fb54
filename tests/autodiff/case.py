"""A random program ready to be compared: read, run, run with complex numbers, differentiated, compiled."""

from __future__ import annotations

import ast
import functools
import linecache
import math
import re
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.autodiff import Generated, Type, ValueAndGrad, value_and_grad
from nbinfer.autodiff.derive import derive
from nbinfer.compile import Kernel, empty
from nbinfer.compile.arena import Arenas
from nbinfer.compile.kernels import REASSOCIATE
from nbinfer.compile.quiet import quiet_function
from tests.autodiff.complex_step import NAMES, POISONED
from tests.autodiff.programs import ACTIVE, arguments

_PLAIN: dict[Any, Any] = {}


def plain(kernel: Any) -> Any:
    """Return a kernel, and all kernels that it calls, as plain Python."""
    if kernel not in _PLAIN:
        function, names = kernel.py_func, {}
        cells = tuple(types.CellType(as_plain(cell.cell_contents)) for cell in function.__closure__ or ())
        rest = function.__name__, function.__defaults__, cells or None
        _PLAIN[kernel] = types.FunctionType(function.__code__, names, *rest)
        # An attribute may bear the name of the kernel itself.
        used = [name for name in function.__code__.co_names if name in function.__globals__]
        names.update({name: as_plain(function.__globals__[name]) for name in used})
    return _PLAIN[kernel]


def as_plain(thing: Any) -> Any:
    return plain(thing) if type(thing) is Kernel else thing  # other kinds run as plain Python anyway


def _poisoned(arena: int, shape: Any, dtype: Any) -> np.ndarray:
    """Take memory that is not initialised, and show it."""
    array: np.ndarray = empty.py_func(arena, shape, dtype)
    array[...] = POISONED.empty(array.shape, array.dtype)
    return array


class Module:
    """The text of a program, for three purposes: to be read, to be run, to be run with complex numbers."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        file = f"<{name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        tree = ast.parse(text)
        real: dict[str, Any] = {"__name__": __name__}
        exec(compile(tree, file, "exec"), real)
        body = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
        self._code = compile(ast.Module(body, []), file, "exec")
        self.read = real
        self.real = self._run({**{name: as_plain(thing) for name, thing in real.items()}, "np": POISONED})
        self.complex = self._run({**self.real, **NAMES})

    def _run(self, names: dict[str, Any]) -> dict[str, Any]:
        names = {**names, "custom_vjp": lambda partials: lambda function: function, "__name__": __name__}
        exec(self._code, names)
        return names


class Case:
    """A program ready to be compared: what it computes, and the generated code."""

    def __init__(self, text: str, seed: int) -> None:
        self.module = Module(text, f"program {seed}")
        self.values = arguments(seed)
        self.seed = seed
        self.is_model = "prior" in self.module.read
        rng = np.random.default_rng([seed, 1])
        self.weights = rng.choice([0.0, 1.0, 1.0, 0.7, -1.3], 2)
        if not self.is_model:
            code = self.module.read["f"].__code__
            self.names = list(code.co_varnames[: code.co_argcount])
        else:
            self.names = [*ACTIVE, *(name for name in self.values if name not in ACTIVE)]
        self.active = [name for name in self.names if name in ACTIVE]

    @functools.cached_property
    def both(self) -> ValueAndGrad:
        """The function that users call."""
        return value_and_grad(self.module.read["f"], [self.names.index(name) for name in self.active])

    def derive(self) -> Generated:
        """Generate the code."""
        if not self.is_model:
            return self.both.derive(*(self.values[name] for name in self.names))
        kinds = {name: Type(np.asarray(v).dtype.name, np.ndim(v)) for name, v in self.values.items()}
        terms = {"likelihood": self.module.read["likelihood"]} if "likelihood" in self.module.read else {}
        return derive(
            {name: kinds[name] for name in ACTIVE},
            {name: kinds[name] for name in self.names if name not in ACTIVE},
            prior=self.module.read["prior"],
            terms=terms,
            vanishing=bool(np.any(self.weights == 0.0)),
        )

    def original(self, names: dict[str, Any], values: dict[str, Any]) -> Any:
        """Compute what the program says."""
        if not self.is_model:
            return names["f"](*(values[name] for name in self.names))
        p = names["Parameters"](*(values[name] for name in ACTIVE))
        d = names["Data"](*(values[name] for name in self.names if name not in ACTIVE))
        total = 0.0
        for weight, name in zip(self.weights, ("prior", "likelihood"), strict=True):
            if name in names and weight != 0.0:
                total = total + weight * np.sum(names[name](p, d))
        return total

    def generated(self, generated: Generated, start: float, quiet: bool = False) -> tuple[float, dict[str, Any]]:
        """Run generated code as plain Python; its gradients are added to `start`."""
        names = {"np": POISONED, "math": math, **{n: as_plain(thing) for n, thing in generated.globals.items()}}
        names |= {"_empty": _poisoned} if "_empty" in names else {}
        file = f"<generated {generated.name}>"
        if quiet:
            function = quiet_function(generated.source, file, generated.name, names)
        else:
            linecache.cache[file] = (len(generated.source), None, generated.source.splitlines(True), file)
            exec(compile(generated.source, file, "exec"), names)
            function = names[generated.name]
        try:
            return self.call(function, generated, start)
        except (ArithmeticError, ValueError) as reason:
            if quiet or (isinstance(reason, ValueError) and not re.search("domain|cannot convert float", str(reason))):
                raise
            return self.generated(generated, start, True)  # Python raises where compiled code goes on with infinity

    def call(self, function: Callable[..., Any], generated: Generated, start: float) -> tuple[float, dict[str, Any]]:
        """Call a generated function; it must leave its arguments as they are."""
        values = {n: v.copy() if isinstance(v, np.ndarray) else v for n, v in self.values.items()}
        arenas = Arenas(1)
        arena = int(arenas.addresses[0])
        grads = {name: np.full(np.shape(self.values[name]), start) for name in self.active}
        if self.is_model:
            p = self.module.read["Parameters"](*(values[name] for name in ACTIVE))
            d = self.module.read["Data"](*(values[name] for name in self.names if name not in ACTIVE))
            value = function(arena, p, d, type(p)(*grads.values()), self.weights)
        else:
            args = [values[name] for name in self.names]
            value = function(arena, *args, *grads.values(), *generated.arrays.values())
        for name, before in self.values.items():
            if not np.array_equal(before, values[name], equal_nan=True):
                raise AssertionError(f"the argument {name} was changed")
        return float(value), {name: g - start for name, g in grads.items()}

    def compiled(self, generated: Generated) -> tuple[float, dict[str, Any]]:
        """Run compiled code: what users call, or what models compile."""
        if not self.is_model:
            value, grads = self.both(*(self.values[name] for name in self.names))
            return value, dict(zip(self.active, grads, strict=True))
        names = {"np": np, "math": math, **generated.globals}
        exec(generated.source, names)
        return self.call(Kernel(names[generated.name], {"fastmath": REASSOCIATE}), generated, 0.0)
