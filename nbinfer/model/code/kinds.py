"""The types of derived quantities: Numba infers them, since a few points cannot tell what all points give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbinfer.autodiff.errors import ADError
from nbinfer.compile import JIT
from nbinfer.compile.files import file_digest
from nbinfer.compile.keys import sources
from nbinfer.compile.store import Place
from nbinfer.model.code.stand_ins import Called, inferred

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
    called = next(c for c in definition.calls("derived") if c.name == f"derived_{name}")
    return kind_at_every_point(called, facts.derived[name][1], f"{content}-{name}")


def kind_at_every_point(called: Called, kind: str, key: str) -> str:
    """Return the dtype of what a function returns at every point, given the one that it had at some.

    Parameters
    ----------
    called : Called
        The function.
    kind : str
        "float64", "int64" or "bool".
    key : str
        Under which the answer is kept; it tells apart whatever the answer depends on.
    """
    if kind == "float64" or not JIT:  # plain Python looks at every value
        return kind
    place = Place("kinds", f"{key}.json")
    known = place.read_json()
    if known in _KINDS:
        return str(known)
    found = _inferred(called)
    if found is None:  # compiling it says why
        return kind
    place.write_json(found)
    return found


def _inferred(called: Called) -> str | None:
    """Return the dtype of what a function returns, as Numba infers it, or what generates it; None if neither can."""
    from numba import types

    result = inferred(called.function, called.example())
    if result is None:
        try:
            return called.generate().kind
        except ADError:
            return None
    dtype = getattr(result, "dtype", result)
    if isinstance(dtype, types.Boolean):
        return "bool"
    return "int64" if isinstance(dtype, types.Integer) else "float64"
