"""Compiled kernels on disk, so that a process which compiles a new model does not compile the kernels it calls again.

What is kept is LLVM's form of a kernel with all it calls; a caller links it in and is optimised with it, as if it had
just been compiled.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from typing import Any

from nbinfer.compile import objects
from nbinfer.compile.files import file_digest
from nbinfer.compile.keys import module_name, platform_tag, sources
from nbinfer.compile.numba_internals import arguments_of, put_together, taken_apart
from nbinfer.compile.origin import home
from nbinfer.compile.store import Place

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
        self._module = module_name(function)
        self._name = f"{function.__module__}.{function.__qualname__}"
        self._options = [f"{k}={sorted(v) if isinstance(v, set) else v}" for k, v in sorted(options.items())]

    def load_overload(self, signature: Any, context: Any) -> Any:
        """Return what a signature was compiled to, or None."""
        place = self._place(signature)
        stored = objects.read(place) if place else None
        if place is None or stored is None:
            return None
        try:
            return put_together(context, pickle.loads(stored[1]))
        except Exception as reason:
            _log.warning("%s is compiled again: %s", place.path, reason)
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep what a signature was compiled to."""
        place, parts = self._place(signature), taken_apart(result)
        if place and parts is not None:
            objects.write(place, self._name, pickle.dumps(parts), [])

    def _place(self, signature: Any) -> Place | None:
        """Return the place for a signature; None if it holds types whose names are not all there is to them."""
        arguments = arguments_of(signature)
        if not all(map(_is_plain, arguments)):
            return None
        digest = file_digest(platform_tag(), sources(self._module), *self._options, *map(repr, arguments))
        return Place("kernels", f"{self._name}-{digest}")


def _is_plain(kind: Any) -> bool:
    from numba import types

    return isinstance(getattr(kind, "dtype", kind), (types.Number, types.Boolean))


def can_be_kept(function: Callable[..., Any]) -> bool:
    """Tell whether a function's name identifies it: it is one of this package's, and made once."""
    return home(function) == "nbinfer" and "<" not in function.__qualname__
