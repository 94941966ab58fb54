"""Entries of the data by which something is differentiated: their names, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import words

#: Kinds of dtypes whose numbers nothing is differentiated by.
_KINDS = {"i": "integers", "u": "integers", "b": "truth values"}


def named_entries(wrt: Any) -> tuple[str, ...]:
    """Return the names of entries, each once.

    Parameters
    ----------
    wrt : str or sequence of str
    """
    names = tuple(words("wrt", wrt))
    if not names or len(set(names)) < len(names):
        raise ValueError(f"wrt must name each entry of the data once, got {wrt!r}.")
    return names


def check_entries(label: str, names: Sequence[str], data: Mapping[str, Any], whose: str = "the data") -> None:
    """Raise an error if something that is named is no entry of the data, or holds no floats.

    Parameters
    ----------
    label : str
        Of the argument that names entries, for messages.
    names : sequence of str
    data : mapping of str to ndarray or number
    whose : str
        What has the entries.

    Raises
    ------
    ValueError
        If there is no such entry.
    TypeError
        If it holds integers or truth values.
    """
    for name in names:
        if name not in data:
            known = ", ".join(data) or "none"
            raise ValueError(f"{label} names {name!r}, which {whose} lacks; there are {known}.")
        dtype = np.asarray(data[name]).dtype
        if dtype.kind not in "iubf":
            raise TypeError(f"{label} names {name!r}, which must be real numbers in {whose}, got dtype {dtype}.")
        kind = _KINDS.get(dtype.kind)
        if kind is not None:
            raise TypeError(
                f"{label} names {name!r}, which holds {kind}: they count or serve as indices, and nothing is "
                "differentiated by them. If it is a quantity, pass it as float64."
            )
