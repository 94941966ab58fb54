"""C functions of encoders: functions of the data that give the parameters of an approximation, and their pull-backs.

They share the model's context, and have a module of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nbinfer.autodiff.errors import ADError
from nbinfer.compile import Entry
from nbinfer.compile.files import file_digest
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.modules import generated_module
from nbinfer.compile.users import compilable
from nbinfer.model.code import generate, shells
from nbinfer.model.code.derived import Derivation, data_type, inputs_of, own_names, units_key, units_of
from nbinfer.model.code.plan import Plan, function, slopes
from nbinfer.model.code.stand_ins import Called, loaded
from nbinfer.model.definition import CompiledDefinition

#: Both have the signature of what writes rows: ``int64 f(int64 n, intp first, intp second, intp context)``.
_SIGNATURE = shells.SIGNATURES["record"]


class Encoders(NamedTuple):
    """The C functions of some encoders.

    Attributes
    ----------
    encode : Entry
        Writes what they return, one after the other, to its third argument; 1: one raised, or its shape is another.
    pull : Entry or None
        Adds, to the gradients by entries of the data in the context, the derivative of the sum of what they return
        times the numbers at its second argument. None, where no entry is learnt.
    """

    encode: Entry
    pull: Entry | None


def encoder_entries(
    definition: CompiledDefinition,
    functions: Mapping[str, Callable[..., Any]],
    shapes: Mapping[str, tuple[int, ...]],
    label: str,
) -> Encoders:
    """Return the C functions of encoders.

    Parameters
    ----------
    definition : CompiledDefinition
        Whose data they are functions of, and by whose learnt entries they are differentiated.
    functions : mapping of str to callable
        ``f(d)`` by a name that may be part of a name in Python.
    shapes : mapping of str to tuple of int
        Of what they return.
    label : str
        What messages call them before the name.

    Raises
    ------
    ADError
        If one cannot be differentiated.
    CompileError
        If one cannot be compiled.
    """
    plan = Plan(definition.layout, list(definition.data.values()), [], "", [], learnt=definition.learnt)
    parts = [shells.c_function("encode", "n, q, out, context", _encode(plan, shapes))]
    # Every index is looked at: batches are checked in what the density does with them, and not here.
    names: dict[str, Any] = {f"encoder_{name}": compilable(f) for name, f in functions.items()}
    if plan.learnt:
        for part in _derived(definition, functions, shapes, label):
            parts.insert(0, part.marked)
            names |= {name: compilable(thing) for name, thing in (part.globals | part.arrays).items()}
        parts.append(shells.c_function("pull", "n, q, out, context", _pull(plan, shapes)))
    data = definition.data.values()
    content = fingerprint(functions, list(shapes.items()), [d.key for d in data], units_key(data), plan.learnt)
    kinds = ["encode", "pull"] if plan.learnt else ["encode"]

    def build(kind: str, stand_ins: Derivation) -> Entry:
        copies = _copies(plan._replace(stand_ins=stand_ins.source), shapes)
        every = function("encode_all", "arena, data, out", copies, "Write all; tell of another shape.")
        texts = [generate.head(plan), stand_ins.source, every, *parts]
        source = "\n\n".join(text.strip("\n") + "\n" for text in texts if text)
        own = names | (stand_ins.names or {})
        digest = file_digest(content, stand_ins.content)
        return generated_module(source, digest, own, dict.fromkeys(kinds, _SIGNATURE)).entry(kind)

    named = [(f"{label} {name!r}", f) for name, f in functions.items()]
    calls = [_called(definition, f"encoder_{name}", *each) for name, each in zip(functions, named, strict=True)]
    found = [
        loaded(lambda s, kind=kind: build(kind, s), calls, content, named, {"Data": list(definition.data)})  # type: ignore[misc]
        for kind in kinds
    ]
    return Encoders(found[0], found[1] if plan.learnt else None)


def _called(definition: CompiledDefinition, name: str, label: str, f: Any) -> Called:
    """Tell how a module calls an encoder."""

    def inputs() -> list[Any]:
        return inputs_of((), definition.data, definition.active)[1:]

    return Called(name, label, f, "d", inputs, lambda: (definition.data_tuple,))


def _copies(plan: Plan, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Write statements that copy what each encoder returns to where it goes."""
    lines, start = [], 0
    for name, shape in shapes.items():
        wrong = " or ".join(f"value_{name}.shape[{axis}] != {length}" for axis, length in enumerate(shape))
        lines += [
            f"value_{name} = {plan.call(f'encoder_{name}', 'readonly(data)')}",
            f"if {wrong}:",
            "    return True",
            f"at = {start}",
            f"for element in value_{name}.flat:",
            "    out[at] = element",
            "    at += 1",
        ]
        start += math.prod(shape)
    return [*lines, "return False"]


def _encode(plan: Plan, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    total = sum(map(math.prod, shapes.values()))
    return [
        '"""C function: write what encoders give for the data; 1 if one raised, or its shape is another."""',
        *shells.unpack(["arena"], shells.data_lines(plan)),
        f"target = floats_at(out, {total} + 0 * n)",
        "failed = False",
        "try:",
        "    failed = encode_all(arena, data, target)",
        "except Exception:",
        "    failed = True",
        "return 1 if failed else 0",
    ]


def _pull(plan: Plan, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    total, start, calls = sum(map(math.prod, shapes.values())), 0, []
    for name, shape in shapes.items():
        calls.append(f"    pull_{name}(arena, data, part(bars, {start}, {shape}), slopes)")
        start += math.prod(shape)
    return [
        '"""C function: add what encoders contribute to the gradients by entries of the data; 1 if one raised."""',
        *shells.unpack(["arena"], shells.data_lines(plan)),
        f"bars = floats_at(q, {total} + 0 * n)",
        *slopes(plan),
        "failed = False",
        "try:",
        *calls,
        "except Exception:",
        "    failed = True",
        "return 1 if failed else 0",
    ]


def _derived(
    definition: CompiledDefinition,
    functions: Mapping[str, Callable[..., Any]],
    shapes: Mapping[str, tuple[int, ...]],
    label: str,
) -> list[Any]:
    """Return the pull-back of each encoder."""
    from nbinfer.autodiff import Type
    from nbinfer.autodiff.derive import derive_data_pullback

    data, found = {name: data_type(datum) for name, datum in definition.data.items()}, []
    for name, f in functions.items():
        bar = Type("float", len(shapes[name]), units_of(shapes[name]))
        try:
            part = derive_data_pullback(f, data, bar, name=f"pull_{name}", active=definition.learnt)
        except ADError as error:
            error.add_note(f"in {label} {name!r}, whose derivative by what is learnt is needed")
            raise
        found.append(own_names(part))
    return found
