"""Compiled kernels on disk, so that a process which compiles a new model does not compile the kernels it calls again.

What is kept is LLVM's form of a kernel with all it calls; a caller links it in and is optimised with it, as if it had
just been compiled. It lies in the engine's folder, whose name stands for all sources and tools.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbinfer.compile import objects
from nbinfer.compile.files import file_digest
from nbinfer.compile.origin import home

_log = logging.getLogger(__name__)


class Kept:
    """Stands in for the cache of one of Numba's dispatchers.

    Parameters
    ----------
    function : callable
        The kernel's function, which its name identifies.
    options : dict
        How it is compiled.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._options = [f"{k}={sorted(v) if isinstance(v, set) else v}" for k, v in sorted(options.items())]

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Return what a signature was compiled to, or None."""
        path = self._path(signature)
        stored = objects.read(path) if path else None
        if stored is None:
            return None
        from numba.core.compiler import CompileResult

        result: Any = CompileResult
        try:
            return result._rebuild(context, *pickle.loads(stored[1]))
        except Exception as reason:
            _log.warning("%s is compiled again: %s", path, reason)
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep what a signature was compiled to."""
        path = self._path(signature)
        if path and not result.library.has_dynamic_globals:
            objects.write(path, self._name, pickle.dumps(result._reduce()), [])

    def _path(self, signature: Any) -> Path | None:
        """Return the file for a signature; None if it holds types whose names are not all there is to them."""
        from numba.core import sigutils

        normalize: Any = sigutils.normalize_signature
        arguments, _ = normalize(signature)
        if not all(map(_is_plain, arguments)):
            return None
        digest = file_digest(*self._options, *map(repr, arguments))
        return objects.engine_folder() / "kernels" / f"{self._name}-{digest}"


def _is_plain(kind: Any) -> bool:
    from numba import types

    return isinstance(getattr(kind, "dtype", kind), (types.Number, types.Boolean))


def can_be_kept(function: Callable[..., Any]) -> bool:
    """Tell whether a function's name identifies it: it is one of this package's, and made once."""
    return home(function) == "nbinfer" and "<" not in function.__qualname__
