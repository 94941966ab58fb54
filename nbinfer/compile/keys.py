"""What compiled code depends on outside of itself, as hashes that its names are made of.

Machine code changes with the tools, the processor and our compiler, which `platform_tag` covers, and with what it is
made of. Of a user's function that is its content (see `nbinfer.compile.fingerprint`). Of ours it is the text of its
module and of all that this module imports, at any depth: a kernel reaches nothing else. The texts are read, not
imported, so that a process which finds everything on disk stays fast.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from nbinfer.compile import numba_internals
from nbinfer.compile.files import file_digest

#: Where the package lies.
_FOLDER = str(Path(__file__).resolve().parent.parent)
#: Settings of Numba that do not change the code it emits.
_RUN_TIME = {"NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR", "NUMBA_THREADING_LAYER", "NUMBA_DISABLE_JIT"}

#: What is imported for types alone never runs.
_FOR_TYPES = re.compile(r"\nif TYPE_CHECKING:\n(?:[ \t]+.*\n|\n)+")
#: Imports as this package writes them: in full. An expression that begins with a word is found fastest.
_FROM = re.compile(r"from (nbinfer[\w.]*) import (\([^)]*\)|.*)")
_WHOLE = re.compile(r"import (nbinfer[\w.]*)")
_NAME = re.compile(r"(\w+)(?: as \w+)?")


@functools.cache
def platform_tag() -> str:
    """Name everything outside a function that its machine code depends on: our compiler, the tools, the processor."""
    import llvmlite.binding as llvm
    import numpy as np

    digest = hashlib.sha256()
    for name in sorted(name for name in _modules() if name.startswith("nbinfer.compile")):
        digest.update(name.encode() + b"\0" + _text(name))
    digest.update(numba_internals.version_text())
    with contextlib.suppress(OSError):  # Numba's settings may stand in a file, too
        digest.update(Path(".numba_config.yaml").read_bytes())
    # A vendor's vector library changes what Numba emits; whether it is there is part of the platform.
    tools = (np.__version__, llvm.llvm_version_info, sys.version_info[:3], platform.machine())
    processor = (llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    settings = sorted((k, v) for k, v in os.environ.items() if k.startswith("NUMBA_") and k not in _RUN_TIME)
    digest.update(repr((tools, processor, settings, importlib.util.find_spec("icc_rt") is not None)).encode())
    return digest.hexdigest()[:16]


@functools.cache
def sources(*modules: str) -> str:
    """Hash the texts of modules of this package and of all that they import.

    Parameters
    ----------
    *modules : str
        Names in full: ``"nbinfer.mcmc.hamiltonian.nuts"``.

    Returns
    -------
    digest : str
        A fresh random number if a module has no text here: whatever is filed under it is never found again.
    """
    if not all(name in _modules() for name in modules):
        return os.urandom(16).hex()
    return file_digest(*(part for name in sorted(closure(modules)) for part in (name, _text(name))))


def closure(modules: Iterable[str]) -> set[str]:
    """Return modules of this package with all that they import, and what that imports."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imports(name)
    return found


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Return the modules of this package that one of them imports, at its import or later."""
    return imported(_text(module).decode())


def imported(text: str) -> frozenset[str]:
    """Return the modules of this package that the text of a module imports, wherever in it."""
    text = _FOR_TYPES.sub("\n", text)
    names = [match[1] for match in _statements(_WHOLE, text)]
    for match in _statements(_FROM, text):
        names += [f"{match[1]}.{name}" for name in _NAME.findall(match[2])]
    known = _modules().keys()
    return frozenset({name if name in known else name.rpartition(".")[0] for name in names} & known)


def _statements(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Find what stands at the beginning of a line."""
    for match in pattern.finditer(text):
        start = text.rfind("\n", 0, match.start()) + 1
        if not text[start : match.start()].strip():
            yield match


def version(root: str, module: str) -> str:
    """Return what stands for the content of a package's module: the package's version; of ours, the texts."""
    return sources(module) if root == "nbinfer" else getattr(sys.modules.get(root), "__version__", "")


def module_name(thing: Any) -> str:
    """Return the name of the module that a function, class or module is of; '' if it tells none."""
    if isinstance(thing, ModuleType):
        return thing.__name__
    # A function may have been given another's `__module__`.
    names = getattr(thing, "__globals__", None)
    return str(names.get("__name__", "") if isinstance(names, dict) else getattr(thing, "__module__", ""))


@functools.cache
def _modules() -> Mapping[str, str]:
    """Return the files of this package by the names of their modules."""
    found = {}
    for folder, _, files in os.walk(_FOLDER):
        package = "nbinfer" + folder[len(_FOLDER) :].replace(os.sep, ".")
        for file in files:
            if file.endswith(".py"):
                found[f"{package}.{file[:-3]}".removesuffix(".__init__")] = os.path.join(folder, file)
    return found


@functools.cache
def _text(module: str) -> bytes:
    with open(_modules()[module], "rb") as file:
        return file.read()
