"""What a model is, in words and hashes that outlive a process: to tell whether two are the same, and what differs."""

from __future__ import annotations

from typing import Any

from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import written
from nbinfer.model.data import Datum, content_key
from nbinfer.model.definition import DRAWING, Definition

#: Stands for what cannot be known, such as the text of a C function; it is compared with nothing.
UNKNOWN = "?"


def parts_of(definition: Definition) -> dict[str, str]:
    """Return what the density and the draws of a model depend on, by the names that messages use.

    Of a function that is its bytecode, constants, defaults and what it reaches, closures and globals among them; not
    its name, place or comments. Of data it is name, type, shape and every byte; of a parameter its support and shape.
    Functions that predict, or draw from the prior, are left out: no draw depends on them.

    Parameters
    ----------
    definition : Definition
        Of the model.

    Returns
    -------
    parts : dict of str to str
        Short texts; what follows a ``#`` is a hash, `UNKNOWN` where there is none.
    """
    parts = {"parameters": ", ".join(definition.parameters)}
    for p in definition.parameters.values():
        support = p.support
        digest = file_digest(support.name, repr(p.shape), support.constants.tobytes())
        parts[f"parameter {p.name!r}"] = f"{support}, shape {p.shape} #{digest[:12]}"
    conditional = [(f"conditional {name!r}", f) for name, f in definition.conditional.items()]
    for label, function in [*definition.functions, *conditional]:
        if not label.startswith(DRAWING):
            parts[f"function {label}"] = of_object(function)
    parts |= {f"data {name!r}": _of_datum(datum) for name, datum in definition.data.items()}
    parts |= {f"total_size {name!r}": repr(total) for name, total in definition.total_size.items()}
    return parts | definition.other_parts


def of_object(thing: Any) -> str:
    """Return a text for a function or any other thing: its name, or that of its class, and a hash of its content."""
    content = written(thing)
    name = getattr(thing, "__name__", type(thing).__name__)
    return f"{name} #{UNKNOWN if content is None else content[:12]}"


def _of_datum(datum: Datum) -> str:
    return f"{datum!r} #{content_key([datum])}"


def differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return what differs between two of these, one line each: ``data 'y': float64 (8,) #12ab -> ...``.

    Parameters
    ----------
    before, now : dict of str to str
        As `parts_of` returns them.
    """
    found = []
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name, "none"), now.get(name, "none")
        if UNKNOWN not in (_content(old), _content(new)) and _content(old) != _content(new):
            found.append(f"{name}: {old} -> {new}")
    return found


def _content(text: str) -> str:
    """Return what counts of a text: its hash, if it ends in one; a function's name does not."""
    return text.rpartition(" #")[2]
