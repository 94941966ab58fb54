"""Generated modules: source text on disk, its C functions beside it.

A module lies in a folder named by the hash of its text and of everything it uses. Each C function in it is compiled on
first use; a process that finds all of them does not import Numba.
"""

from __future__ import annotations

import linecache
import sys
import types
from typing import Any

from nbinfer.compile.entries import Entry
from nbinfer.compile.files import file_digest
from nbinfer.compile.forks import GATE
from nbinfer.compile.kernels import JIT
from nbinfer.compile.keys import imported, sources
from nbinfer.compile.store import Place

_LOADED: dict[str, GeneratedModule] = {}


class GeneratedModule:
    """A module whose text we wrote, and its C functions.

    Attributes
    ----------
    module : module
        The Python module; its machine code lies beside its text.
    """

    def __init__(self, digest: str, source: str, names: dict[str, Any], signatures: dict[str, str]) -> None:
        self._digest = digest
        place = Place("models", f"{digest}/model.py")
        if place.read() != source.encode():
            place.write(source.encode())
        path = place.path
        name = f"nbinfer_model_{digest}"
        self.module = types.ModuleType(name)
        self.module.__file__ = str(path)
        self.module.__dict__.update(names)
        if JIT:
            sys.modules[name] = self.module
        # What is on disk is for readers; what runs is the text at hand, of which tracebacks quote lines.
        text = "\n" + source  # on disk a line stands before it
        linecache.cache[str(path)] = (len(text), None, text.splitlines(True), str(path))
        if JIT:
            exec(compile(text, str(path), "exec"), self.module.__dict__)
        else:
            from nbinfer.compile.quiet import run_quietly

            run_quietly(text, str(path), self.module.__dict__)
        self._signatures = signatures
        self._entries: dict[str, Entry] = {}

    def entry(self, name: str) -> Entry:
        """Return the C function `name`."""
        if name not in self._entries:
            function = getattr(self.module, name)
            if not JIT:
                from nbinfer.compile.quiet import without_warnings

                function = without_warnings(function)
            place = Place("models", f"{self._digest}/{name}.object")
            self._entries[name] = Entry(function, self._signatures[name], place)
        return self._entries[name]


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
    digest = file_digest(source, content, sources(*sorted(imported(source))))
    with GATE:
        if JIT and digest in _LOADED:
            return _LOADED[digest]
        loaded = GeneratedModule(digest, source, names, signatures)
        if JIT:
            _LOADED[digest] = loaded
        return loaded
