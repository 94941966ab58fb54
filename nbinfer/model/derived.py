"""Derived gradients of models: found once, kept beside the machine code, found again only to be compiled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nbinfer.autodiff.errors import ADError
from nbinfer.compile import JIT
from nbinfer.compile.modules import write_once
from nbinfer.compile.objects import cache_root
from nbinfer.model.data import Datum
from nbinfer.model.layout import Layout

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated, Type

#: Name of the derived function in a model's module.
NAME = "derived_gradient"


class Derivation(NamedTuple):
    """What came of deriving a gradient.

    Attributes
    ----------
    source : str
        Text of the function; '' if there is none.
    reason : str
        Why there is none.
    warnings : tuple of str
        Derivatives that vanish silently, each with its place.
    names : dict or None
        What the function needs among its globals; None if the derivation was read from disk.
    """

    source: str
    reason: str
    warnings: tuple[str, ...]
    names: dict[str, Any] | None


def derivation(content: str, derive: Callable[[], Generated]) -> Derivation:
    """Return the derivation for a model's content, from disk if it is there."""
    path = cache_root() / "models" / "derived" / f"{content}.json"
    if JIT:
        known = _read(path)
        if known is not None:
            return known
    found = _derived(derive)
    if JIT:
        write_once(path, json.dumps([found.source, found.reason, found.warnings]))
    return found


def _derived(derive: Callable[[], Generated]) -> Derivation:
    try:
        generated = derive()
    except ADError as error:
        return Derivation("", str(error), (), {})
    return Derivation(generated.source, "", tuple(map(str, generated.warnings)), generated.globals | generated.arrays)


def _read(path: Path) -> Derivation | None:
    try:
        source, reason, warnings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Derivation(source, reason, tuple(warnings), None)


def parameter_types(layout: Layout) -> dict[str, Type]:
    """Return what the fields of ``p`` are to a derivation."""
    from nbinfer.autodiff import Type

    return {
        p.name: Type("int" if p.support.discrete else "float", len(p.shape), _units(p.shape))
        for p in layout.parameters.values()
    }


def data_type(datum: Datum) -> Type:
    """Return what an entry of the data is to a derivation."""
    from nbinfer.autodiff import Type

    return Type(datum.kind, 0, ()) if datum.scalar else Type(datum.kind, datum.array.ndim, _units(datum.array.shape))


def units_key(data: Iterable[Datum]) -> list[tuple[int, ...]]:
    """Return what derived code depends on beyond the types of the data: which axes have one element."""
    return [() if d.scalar else _units(d.array.shape) for d in data]


def _units(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(i for i, length in enumerate(shape) if length == 1)
