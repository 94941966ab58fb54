"""Kernels compiled in the order that callers ask for them, or in the reverse one, and what they are compiled to.

``python -m tests.compile.order sample PATH`` compiles callers, and with them what they call; it writes name, types and
hash of the code of each kernel that this reached. ``python -m tests.compile.order again PATH`` reads that, compiles
each kernel by itself, the last one first, and writes what comes of it.
"""

import hashlib
import importlib
import pickle
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np

import nbinfer
from nbinfer.compile import Elementwise, Kernel, kernel
from nbinfer.compile.entries import Entry
from nbinfer.compile.kept import Kept, can_be_kept

_SYMBOL = re.compile(r"@(\"[^\"]*\"|[\w.$-]+)")
_NUMBERED = re.compile(r"(#|!)\d+")


def normalised(llvm):
    """Return the functions of a module without names that count how often and in which order something was compiled."""
    functions = []
    for body in re.findall(r"^define .*?^}", llvm, re.MULTILINE | re.DOTALL):
        names = {}
        body = _SYMBOL.sub(lambda m, names=names: f"@{names.setdefault(m[1], len(names))}", body)
        functions.append(_NUMBERED.sub("", body))
    return sorted(functions)


def digest(result):
    """Hash what a kernel was compiled to."""
    return hashlib.sha256("\n".join(normalised(result.library.get_llvm_str())).encode()).hexdigest()[:16]


def kernels(modules) -> Iterator[Kernel]:
    """Find the kernels of modules, those that they are made of included."""
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Kernel):
                yield value
                for part in (getattr(value, "numbers", None), getattr(value, "_run", None)):
                    if isinstance(part, Kernel):
                        yield part


def name_of(function):
    return f"{function.__module__}.{function.__qualname__}"


def loaded():
    """Return the modules of this package that are imported."""
    return [module for name, module in sorted(sys.modules.items()) if name.startswith("nbinfer.")]


def sample():
    """Compile a caller that may reorder sums, of functions that would suffer."""
    from nbinfer import vectormath
    from nbinfer.distributions import normal, poisson

    @kernel(reassociate=True)
    def caller(x, y):
        total = vectormath.floor(x) + vectormath.gammainc(x, 2.0) + vectormath.row_sum(y)
        total += 1.0 if vectormath.is_whole(x) else 0.0
        return total + poisson.logpmf(x, 2.0) + np.sum(normal.logpdf(y, 0.0, 1.0)) + np.sum(vectormath.is_whole(y))

    numba.njit(lambda x, y: caller(x, y))(0.5, np.ones(2))


def everything():
    """Compile the engine, densities of models, and each elementwise function for a caller that may reorder sums."""
    from tests import posteriors

    for module in loaded():
        for value in vars(module).values():
            if isinstance(value, Entry):
                value.load()
    for name in posteriors.NAMES:
        bound = posteriors.load(name).model.bind(1)
        assert 0 not in (bound.density, bound.value_density, bound.record)
    for function in {id(f): f for f in kernels(loaded()) if isinstance(f, Elementwise) and not any(f.cores)}.values():
        caller = kernel(_caller(function), reassociate=True)
        caller.dispatcher.compile((numba.float64,) * len(function.names))


def _caller(function):
    names = ", ".join(function.names)
    space = {"function": function}
    exec(f"def caller({names}):\n    return function({names})", space)
    return space["caller"]


def by_callers(compile_all):
    """Compile callers; return what this reached: name, types and hash of each kernel."""
    found = {}

    def keep(self, signature, result):
        if self._place(signature):
            found[self._name, numba.core.sigutils.normalize_signature(signature)[0]] = digest(result)

    Kept.load_overload = lambda *_: None
    Kept.save_overload = keep
    compile_all()
    return [(name, types, code) for (name, types), code in found.items()]


def by_themselves(found):
    """Compile the same kernels, the last one first; return what came of it."""
    Kept.load_overload = lambda *_: None
    Kept.save_overload = lambda *_: None
    known = {name_of(k.py_func): k for k in kernels(loaded()) if can_be_kept(k.py_func)}
    result = []
    for name, types, _ in reversed(found):
        dispatcher = known[name]._inner
        dispatcher.compile(types)
        result.append((name, types, digest(dispatcher.overloads[types])))
    return result[::-1]


if __name__ == "__main__":
    for module in pkgutil.walk_packages(nbinfer.__path__, "nbinfer."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    task, path = sys.argv[1], Path(sys.argv[2])
    if task == "again":
        result = by_themselves(pickle.loads(path.read_bytes()))
    else:
        result = by_callers({"sample": sample, "everything": everything}[task])
    path.write_bytes(pickle.dumps(result))
