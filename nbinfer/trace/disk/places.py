"""Where the arrays of a file are, told a second time, in the texts, which have a checksum.

The HDF5 library reads what describes an array without one. A single byte that is wrong there makes an array vanish, or
be another one, and nobody would notice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from nbinfer.errors import BackendError
from nbinfer.trace.disk.layout import STATE
from nbinfer.trace.disk.space import Extent

#: The text about it.
ARRAYS = "arrays"

#: The array of texts itself, which begins elsewhere once another program has written the file anew.
_TEXTS = "notes"

Extents = Mapping[str, Mapping[str, Extent]]


def places_of(extents: Extents) -> str:
    """Return a text that says where arrays are, of what shape and type."""
    return json.dumps({group: {name: _place(e) for name, e in arrays.items()} for group, arrays in extents.items()})


def check_places(path: Path, text: str, extents: Extents) -> None:
    """Raise `BackendError` if arrays are not where a text of their file says.

    Of a file that another program has written anew, as a compressed one, only names, shapes and types are compared.
    """
    known: Mapping[str, Mapping[str, list[object]]] = json.loads(text)
    moved = known.get(STATE, {}).get(_TEXTS) != _place(extents[STATE][_TEXTS])
    for group, places in known.items():
        for name, place in places.items():
            found = extents.get(group, {}).get(name)
            if found is None or _place(found)[moved:] != place[moved:]:
                raise BackendError(f"{path} is damaged: {name!r} of {group} is not what it was made as.")


def _place(extent: Extent) -> list[object]:
    """Return the place, then what does not change when an array is moved."""
    return [extent.offset if extent.size else 0, list(extent.shape), extent.dtype.str]
