"""Whose a function, class or module is: told by its file and by what it is, never by a name that it bears.

`functools.wraps` copies names and attributes, and a user's file may be called like a module of the standard library.
"""

from __future__ import annotations

import os
import sys
import types
from typing import Any

#: Packages that are known by their version.
_PACKAGES = ("nbinfer", "numpy", "numba", "scipy", "llvmlite")
#: Where the standard library lies, which Python's version stands for.
_STANDARD = {os.path.dirname(os.__file__)}
_STANDARD.add(os.path.join(sys.base_exec_prefix, sys.platlibdir, f"python{sys.version_info[0]}.{sys.version_info[1]}"))
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def _home_of_file(path: str) -> str:
    for name in _PACKAGES:
        folder, file = os.path.split(getattr(sys.modules.get(name), "__file__", None) or "")
        if file.startswith("__init__.") and path.startswith(folder + os.sep):
            return name
    for folder in _STANDARD:
        if path.startswith(folder + os.sep) and not any(part in path[len(folder) :] for part in _INSTALLED):
            return "python"
    return ""


def home(thing: Any) -> str:
    """Return the package that a function, class, module or built-in belongs to.

    Returns
    -------
    name : str
        "nbinfer", "numpy", "numba", "scipy", "llvmlite", "python" for the standard library; '' for everything else:
        that is the user's, and counts by its content.
    """
    if isinstance(thing, types.FunctionType):
        names = thing.__globals__
        module = sys.modules.get(names.get("__name__", ""))
        if module is None or vars(module) is not names:
            return ""
        file = thing.__code__.co_filename
        return _home_of_module(module) if file.startswith("<frozen ") else _home_of_file(file)
    if isinstance(thing, types.ModuleType):
        return _home_of_module(thing)
    module = sys.modules.get(_text(thing, "__module__"))
    if module is None:
        return ""
    found: Any = module
    for name in (_text(thing, "__qualname__") or _text(thing, "__name__")).split("."):
        found = getattr(found, name, None)
    return _home_of_module(module) if found is thing else ""


def _text(thing: Any, name: str) -> str:
    found = getattr(thing, name, "")
    return found if isinstance(found, str) else ""


def _home_of_module(module: types.ModuleType) -> str:
    name = module.__name__
    if sys.modules.get(name) is not module:
        return ""
    file = getattr(module, "__file__", None)
    if file:
        return _home_of_file(file)
    frozen = getattr(getattr(module, "__spec__", None), "origin", None) == "frozen" and name in sys.stdlib_module_names
    return "python" if name in sys.builtin_module_names or frozen else ""
