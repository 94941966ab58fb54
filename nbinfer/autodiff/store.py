"""Generated functions on disk: what was derived once is not derived again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.autodiff.generated import Generated
from nbinfer.compile import JIT
from nbinfer.compile.fingerprint import contents, fingerprint
from nbinfer.compile.keys import sources
from nbinfer.compile.store import Place

#: What derives: other rules write another text.
_BY = "nbinfer.autodiff.derive"


class Found(NamedTuple):
    """A generated function, derived now or read from disk.

    Attributes
    ----------
    generated : Generated
        Without globals if it was read.
    content : str
        Fingerprint of the globals.
    is_read : bool
        Whether it was read from disk.
    """

    generated: Generated
    content: str
    is_read: bool


def find(function: Callable[..., Any], key: Any, derive: Callable[[], Generated]) -> Found:
    """Return what was generated of a function, from disk if it is there.

    Parameters
    ----------
    function : callable
        The user's function.
    key : object
        What else the generated code depends on: types of the arguments.
    derive : callable
        Generates the code.
    """
    digest, arrays = contents("derived", function, key, sources(_BY)) if JIT else (None, [])
    place = Place("derived", f"{digest}.json") if digest else None
    known = _read(place, arrays) if place else None
    if known is not None:
        return known
    generated = derive()
    found = Found(generated, fingerprint(generated.globals), False)
    # A warning tells the line of today's source.
    if place and not generated.warnings:
        _write(place, arrays, found)
    return found


def _write(place: Place, arrays: Sequence[np.ndarray], found: Found) -> None:
    """Write the text, and which of the arrays that the function reaches are its captured ones."""
    generated = found.generated
    places = {n: next((k for k, a in enumerate(arrays) if a is array), -1) for n, array in generated.arrays.items()}
    if -1 not in places.values():
        place.write_json(
            [generated.name, generated.source, generated.notes, places, generated.boundscheck, found.content]
        )


def _read(place: Place, arrays: Sequence[np.ndarray]) -> Found | None:
    known = place.read_json()
    if known is None:
        return None
    name, source, notes, places, boundscheck, content = known
    captured = {name: arrays[place] for name, place in places.items()}
    return Found(Generated(name, source, {}, (), tuple(notes), captured, boundscheck), content, True)
