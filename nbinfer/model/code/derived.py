"""Derived gradients of models and of their bounds: found once, kept beside the machine code."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nbinfer.autodiff.errors import ADError
from nbinfer.compile import JIT
from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.keys import sources
from nbinfer.compile.store import Place
from nbinfer.compile.users import compilable
from nbinfer.model.code.places import Places
from nbinfer.model.data import Datum
from nbinfer.model.layout import Layout, Parameter

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated, Type
    from nbinfer.autodiff.generated import Leaf

#: Names, in a model's module, of the derived gradient, and of the value alone.
NAME, VALUE_NAME = "density_gradient", "density_value"
#: What derives, and asks for it: with other rules there is another text.
_BY = "nbinfer.model"


def pull_name(argument: str, p: Parameter) -> str:
    """Return the name of the function that adds what a bound contributes to the gradients of earlier parameters."""
    return f"pull_{argument}_{p.name}"


class Derivation(NamedTuple):
    """What came of deriving gradients.

    Attributes
    ----------
    source : str
        Text of the functions; '' if there are none.
    reason : str
        Why there are none.
    warnings : tuple of str
        Derivatives that vanish silently, each with its place.
    names : dict or None
        What the functions need among their globals; None if the derivation was read from disk.
    content : str
        Fingerprint of the names.
    """

    source: str
    reason: str
    warnings: tuple[str, ...]
    names: dict[str, Any] | None
    content: str = ""


def derivation(content: str, derive: Callable[[], Sequence[Generated]]) -> Derivation:
    """Return the derivation for a model's content, from disk if it is there."""
    place = Place("derived", f"{file_digest(content, sources(_BY))}.json")
    known = kept(place)
    if known is not None:
        return known
    found = derive_now(derive)
    # Why a function cannot be derived may lie outside of it, as where its source was sought; and warnings tell lines.
    if JIT and not found.reason and not found.warnings:
        place.write_json([found.source, found.content])
    return found


def kept(place: Place) -> Derivation | None:
    """Return what a place on disk holds; None if that is nothing."""
    known = place.read_json() if JIT else None
    return None if known is None else Derivation(known[0], "", (), None, known[1])


def derive_now(derive: Callable[[], Sequence[Generated]]) -> Derivation:
    """Derive without a look at the disk."""
    try:
        parts = derive()
    except ADError as error:
        return Derivation("", str(error), (), {})
    names: dict[str, Any] = {}
    for part in parts:
        names |= part.globals | part.arrays
    content = fingerprint(names)
    seen: dict[int, Any] = {}
    names = {name: compilable(thing, seen=seen) for name, thing in names.items()}
    source = "\n\n".join(part.marked for part in parts)
    return Derivation(source, "", tuple(str(warning) for part in parts for warning in part.warnings), names, content)


def derive_bounds(layout: Layout, data: Mapping[str, Type], active: Collection[str] = ()) -> list[Generated]:
    """Derive, for each bound that is a function, ``pull(q, ..., grad, d, bar)``.

    It adds the derivative of ``sum(bar * f(p, d))``, where `bar` is like the value between the bounds; and to another
    argument, `slopes`, that by the entries of the data that are `active`.
    """
    from nbinfer.autodiff import Type
    from nbinfer.autodiff.derive import derive_pullback

    leaves, arguments = parameter_leaves(layout), f"{Places(layout).reached}, d, bar"
    found = []
    for p in layout.dependent:
        before = {name: leaves[name] for name in p.before._fields}
        bar = Type("float", len(p.shape), units_of(p.shape))
        for argument, bound in p.functions.items():
            name = pull_name(argument, p)
            part = derive_pullback(bound, before, data, bar, arguments=arguments, name=name, active=active)
            found.append(own_names(part))
    return found


def own_names(part: Generated) -> Generated:
    """Put a function's name before those of its globals: another derived function may use the same for other things."""

    def own(names: dict[str, Any]) -> dict[str, Any]:
        return {f"{part.name}_{name}": thing for name, thing in names.items()}

    source = part.source
    for name in part.globals | part.arrays:
        source = re.sub(rf"(?<![\w.]){name}(?!\w)", f"{part.name}_{name}", source)
    return part._replace(source=source, globals=own(part.globals), arrays=own(part.arrays))


def parameter_leaves(layout: Layout) -> dict[str, Leaf]:
    """Return what the fields of ``p`` are to a derivation, and how derived code reaches them."""
    from nbinfer.autodiff.generated import Leaf

    at, found = Places(layout), {}
    for p in layout.parameters.values():
        added = "" if p.support.discrete else at.added(p)
        found[p.name] = Leaf(parameter_type(p), at.value(p), added, varies=True)
    return found


def parameter_type(p: Parameter) -> Type:
    """Return what a parameter is to a derivation."""
    from nbinfer.autodiff import Type

    return Type("int" if p.support.discrete else "float", len(p.shape), units_of(p.shape))


def inputs_of(parameters: Iterable[Parameter], data: Mapping[str, Datum], active: Collection[str]) -> list[Any]:
    """Return what ``p`` and ``d`` are to a derivation, as functions take them: named tuples."""
    from nbinfer.autodiff.program import structure

    types = {p.name: parameter_type(p) for p in parameters}
    of_data = {name: data_type(datum) for name, datum in data.items()}
    return [structure(types, "p", "grad"), structure(of_data, "d", "slopes", active)]


def data_type(datum: Datum) -> Type:
    """Return what an entry of the data is to a derivation."""
    from nbinfer.autodiff import Type

    return Type(datum.kind, 0, ()) if datum.scalar else Type(datum.kind, datum.array.ndim, units_of(datum.array.shape))


def units_key(data: Iterable[Datum]) -> list[tuple[int, ...]]:
    """Return what derived code depends on beyond the types of the data: which axes have one element."""
    return [() if d.scalar else units_of(d.array.shape) for d in data]


def units_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes that have one element."""
    return tuple(i for i, length in enumerate(shape) if length == 1)
