"""The types of derived quantities: Numba infers them, since a few points cannot tell what all points give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbinfer.compile import JIT
from nbinfer.compile.files import file_digest
from nbinfer.compile.keys import sources
from nbinfer.compile.store import Place
from nbinfer.compile.users import compilable

if TYPE_CHECKING:
    from nbinfer.model.definition import CompiledDefinition
    from nbinfer.model.evaluate import Facts

_KINDS = ("float64", "int64", "bool")


def with_kinds(definition: CompiledDefinition, facts: Facts) -> Facts:
    """Return facts in which the dtypes of derived quantities hold at every point.

    What was a float at one point is stored as float64. Where plain Python gave an integer or a truth value, Numba tells
    whether it always does: ``max(0, p.x)`` does not. Its answer is kept beside the machine code.
    """
    doubtful = [name for name, (_, kind) in facts.derived.items() if kind != "float64"]
    if not doubtful or not JIT:  # plain Python looks at every value
        return facts
    content = file_digest(definition.content(definition.is_written), sources(__name__))
    kinds = {name: _kind(definition, facts, name, content) for name in doubtful}
    return facts._replace(derived={n: (shape, kinds.get(n, kind)) for n, (shape, kind) in facts.derived.items()})


def _kind(definition: CompiledDefinition, facts: Facts, name: str, content: str) -> str:
    place = Place("kinds", f"{content}-{name}.json")
    known = place.read_json()
    if known in _KINDS:
        return str(known)
    found = _inferred(definition.derived[name], definition.arguments(definition.initial_point()))
    if found is None:  # compiling the row says why
        return facts.derived[name][1]
    place.write_json(found)
    return found


def _inferred(function: Any, arguments: tuple[Any, ...]) -> str | None:
    """Return the dtype of what a function returns, as Numba infers it; None if it cannot compile the function."""
    import numba
    from numba import types

    dispatcher = compilable(function, (1,))._inner
    signature = tuple(map(numba.typeof, arguments))
    try:
        dispatcher.compile(signature)
    except Exception:
        return None
    result: Any = dispatcher.overloads[signature].signature.return_type
    dtype = getattr(result, "dtype", result)
    if isinstance(dtype, types.Boolean):
        return "bool"
    return "int64" if isinstance(dtype, types.Integer) else "float64"
