"""Generated modules: source text on disk, its C functions beside it.

A module lies in a folder named by the hash of its text and of everything it uses, and is never rewritten. Each C
function in it is compiled on first use; a process that finds all of them does not import Numba.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
import tempfile
import threading
import types
from pathlib import Path
from typing import Any

from nbinfer.compile.entries import Entry
from nbinfer.compile.fingerprint import file_digest
from nbinfer.compile.kernels import JIT
from nbinfer.compile.objects import cache_root, private_folder

_LOCK = threading.RLock()
_LOADED: dict[str, GeneratedModule] = {}


class GeneratedModule:
    """A module whose text we wrote, and its C functions.

    Attributes
    ----------
    module : module
        The Python module; `folder` holds its text and its machine code.
    """

    def __init__(self, digest: str, source: str, names: dict[str, Any], signatures: dict[str, str]) -> None:
        self.folder = cache_root() / "models" / digest
        path = self.folder / "model.py"
        write_once(path, source)
        name = f"nbinfer_model_{digest}"
        self.module = types.ModuleType(name)
        self.module.__file__ = str(path)
        self.module.__dict__.update(names)
        if JIT:
            sys.modules[name] = self.module
            code = importlib.machinery.SourceFileLoader(name, str(path)).get_code(name)
            assert code is not None
            exec(code, self.module.__dict__)
        else:
            from nbinfer.compile.quiet import run_quietly

            run_quietly(source, str(path), self.module.__dict__)
        self._signatures = signatures
        self._entries: dict[str, Entry] = {}

    def entry(self, name: str) -> Entry:
        """Return the C function `name`."""
        if name not in self._entries:
            function = getattr(self.module, name)
            if not JIT:
                from nbinfer.compile.quiet import without_warnings

                function = without_warnings(function)
            self._entries[name] = Entry(function, self._signatures[name], self.folder / f"{name}.object")
        return self._entries[name]


def write_once(path: Path, text: str) -> None:
    """Write a file unless it exists; it appears whole or not at all."""
    if path.exists():
        return
    private_folder(path.parent)
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path)


def generated_module(source: str, content: str, names: dict[str, Any], signatures: dict[str, str]) -> GeneratedModule:
    """Load a generated module, writing its text if it is new.

    Parameters
    ----------
    source : str
        Text of the module.
    content : str
        Fingerprint of everything in `names`.
    names : dict
        What the module finds among its globals: users' functions, transforms.
    signatures : dict
        C functions by name, in Numba's notation.

    Returns
    -------
    module : GeneratedModule
        With the JIT on, one object for equal content; with the JIT off a new one each time.
    """
    digest = file_digest(source, content)
    with _LOCK:
        if JIT and digest in _LOADED:
            return _LOADED[digest]
        loaded = GeneratedModule(digest, source, names, signatures)
        if JIT:
            _LOADED[digest] = loaded
        return loaded
