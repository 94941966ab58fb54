"""From functions and types of arguments to the text of one function that adds up value and gradient."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.autodiff.analysis import Analysis
from nbinfer.autodiff.cells import NUMBER, SHARED
from nbinfer.autodiff.chains import Root
from nbinfer.autodiff.drawing import Random
from nbinfer.autodiff.emit import Emitter
from nbinfer.autodiff.errors import ADError, Place
from nbinfer.autodiff.frontend import Frontend
from nbinfer.autodiff.generated import Generated, Leaf, Tuple, Type
from nbinfer.autodiff.ir import Storage, Value
from nbinfer.autodiff.lazy import is_array, is_number
from nbinfer.autodiff.linalg import HELPERS as LINALG_HELPERS
from nbinfer.autodiff.reader import Method, Record
from nbinfer.autodiff.rules import HELPERS
from nbinfer.autodiff.sequences import List, Table
from nbinfer.autodiff.source import read_source
from nbinfer.autodiff.writer import PREFIXES, Names
from nbinfer.compile.users import compilable

#: A name that stands for itself, and is no attribute.
_WORD = re.compile(r"(?<![.\w])[A-Za-z_]\w*")

#: Kinds as dtypes.
_KINDS = {"f": "float64", "i": "int64", "b": "bool"}

#: A program that does not settle after this many builds never will.
_MOST_BUILDS = 60


class Term(NamedTuple):
    """A function whose result is added up.

    Attributes
    ----------
    name : str
        What it is called in messages.
    function : callable
        The user's function.
    args : tuple
        Its arguments: `Leaf` and `Tuple`.
    weight : str
        How generated code reads its weight; '' for 1.
    sums : bool
        Whether it may return an array, whose sum counts.
    bar : Leaf or None
        The adjoint of what it returns, a number or an array: their product is summed.
    whole : bool
        Whether what it returns, a number or an array, is returned as it is; it is the only term then.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    weight: str = ""
    sums: bool = False
    bar: Leaf | None = None
    whole: bool = False


class _Inputs:
    """The inputs of a program: one value for each place that generated code reads."""

    def __init__(self, b: Frontend) -> None:
        self._b = b
        self.values: dict[str, Value] = {}
        self.leaves: dict[str, Leaf] = {}

    def value(self, hint: str, node: Any) -> Any:
        """Return what an argument is to the program."""
        if isinstance(node, Tuple):
            fields = {name: self.value(name if node.named else f"{hint}_{name}", f) for name, f in node.fields.items()}
            return Record(hint, fields) if node.named else tuple(fields.values())
        if not isinstance(node, Leaf):
            return self._b.wrap(node, hint)
        if node.access not in self.values:
            self.values[node.access] = self._make(hint, node)
            self.leaves[node.access] = node
        value = self.values[node.access]
        return Random(value) if value.kind == "g" else value

    def _make(self, hint: str, leaf: Leaf) -> Value:
        b = self._b
        kind = {"u": "i"}.get(leaf.type.kind[0], leaf.type.kind[0])
        active = bool(leaf.gradient) and kind == "f"
        varies = leaf.varies or active
        storage = Storage(active, False, b.top, varies=varies) if leaf.type.ndim else None
        varies = varies and not leaf.type.ndim  # the shape of a parameter is that of its support
        value = b.value(hint, kind, b.top, ndim=leaf.type.ndim, active=active, storage=storage, varies=varies)
        value.access = leaf.access
        value.cell = SHARED if leaf.without_axes else NUMBER
        for axis in leaf.type.units:
            b.top.known["dim", value.number, axis] = b.constant(1)
        return value


def _build(
    terms: Sequence[Term], arguments: Sequence[str], vectors: bool, gradient: bool, tried: bool
) -> tuple[Frontend, _Inputs, list[tuple[Value, Root]]]:
    facts: dict[Hashable, Any] = {}
    for _ in range(_MOST_BUILDS):
        b = Frontend(facts)
        b.arguments = tuple(arguments)
        b.vectors, b.tried = vectors, tried
        b.values_alone = not gradient
        inputs = _Inputs(b)
        try:
            results = [_read(b, inputs, term, k) for k, term in enumerate(terms)]
        except ADError:
            if not b.stale:  # otherwise it may be due to what is corrected now
                raise
            continue
        if not b.stale:
            return b, inputs, results
    raise ADError("the kinds of variables in loops do not settle; give each variable one kind (int or float)")


def _read(b: Frontend, inputs: _Inputs, term: Term, position: int) -> tuple[Value, Root]:
    source = read_source(term.function)
    names = [a.arg for a in source.arguments.args]
    hints = names[: len(term.args)] + [f"argument_{k}" for k in range(len(names), len(term.args))]
    b.weight = f"weight_{position}" if term.weight else ""
    values = [inputs.value(h, a) for h, a in zip(hints, term.args, strict=True)]
    result = b.inline(term.function, values, {}, main=not term.whole)
    place: Place | None = source.place(source.body[-1])
    if isinstance(result, tuple) or not (is_number(result) or is_array(result)):
        wanted = "a number or an array" if term.whole else "a number"
        raise ADError(f"{term.name} must return {wanted}, got {_what(result)}", place)
    if term.whole:
        return b.stored(result), Root("", "")
    if term.bar is not None:
        result = b.sum(b.apply("mul", result, inputs.value("bar", term.bar)))
    if is_array(result):
        if not term.sums:
            raise ADError(
                f"{term.name} must return a number, got an array of {result.ndim} axes; sum it with np.sum", place
            )
        result = b.sum(result)
    weight = f"weight_{position}" if term.weight else "1.0"
    total = f"total_{position}" if term.weight else "total"
    return b.to_float(result), Root(weight, total)


def _what(result: Any) -> str:
    if result is None:
        return "nothing: no return on some path"
    if isinstance(result, Method):
        return f"the method .{result.name}, which is not called"
    if isinstance(result, List | Table):
        return "a list" if isinstance(result, List) else "a dictionary"
    return "a tuple" if isinstance(result, (tuple, Record)) else type(result).__name__


def generate(
    name: str,
    signature: str,
    terms: Sequence[Term],
    is_call: bool = False,
    vectors: bool = True,
    gradient: bool = True,
    vanishing: bool = False,
) -> Generated:
    """Write the function `name(arena, signature)` that adds gradients and returns the weighted sum of the terms.

    Parameters
    ----------
    name, signature : str
        The head of the function.
    terms : sequence of Term
        What it computes; equal subexpressions are shared between terms.
    is_call : bool
        Write for arguments that are new in each call: every index is checked. Captured arrays are the last arguments of
        the function, as compiled code keeps a copy of a global array, and its address if it is large.
    vectors : bool
        Write for a processor with vector instructions: loops that they fit are worth arrays of their own. Otherwise, as
        for a thread among many, nothing is allocated for their sake.
    gradient : bool
        Whether to differentiate.
    vanishing : bool
        Write for weights that may be 0: such a term counts neither in the value nor in gradients, even where it is not
        finite. That takes comparisons; without them its derivatives are multiplied by 0, which may give NaN.
    """
    signature = f"arena, {signature}"
    arguments = [part.strip() for part in signature.split(",")]
    b, inputs, results = _build(terms, arguments, vectors, gradient, not is_call)
    returned = results[0][0] if terms[0].whole else None
    results = [] if returned is not None else results
    analysis = Analysis(b.top, results, returned)
    _name(b, inputs, arguments, [root.total for _, root in results])
    emitter = Emitter(analysis, vectors)
    begun = emitter.program(b.top, vanishing)
    body = emitter.lines
    tail = _tail(terms, results) if returned is None else [f"    return {returned.name}"]
    for access, value in inputs.values.items():
        leaf = inputs.leaves[access]
        if value.ndim == 0 and leaf.gradient and value in begun:
            body.append("    " + leaf.gradient.format(value.bar))
    text = "\n".join(body)
    used = set(re.findall(r"\w+", "\n".join([text, *tail])))
    arrays = {n: a for n, a in b.names.items() if is_call and n in used and isinstance(a, np.ndarray)}
    head = [f"def {name}({', '.join([signature, *arrays])}):", *_head(inputs, terms, used)]
    lines = [line for line in [*head, text, *tail] if line.strip()]
    return Generated(
        name,
        "\n".join(lines) + "\n",
        _found(b, used, arrays),
        tuple(b.notices),
        tuple(dict.fromkeys(emitter.notes)),
        arrays,
        b.boundscheck,
        "" if returned is None else _KINDS[returned.kind],
    )


def _name(b: Frontend, inputs: _Inputs, arguments: Sequence[str], totals: Sequence[str]) -> None:
    """Give every value of a program its name in generated code."""
    adjoints = [f"{a}_bar" for a in arguments]
    reached = " ".join(f"{leaf.access} {leaf.gradient}" for leaf in inputs.leaves.values())
    names = Names([*arguments, *adjoints, *b.names, *HELPERS, *LINALG_HELPERS, *totals, *_WORD.findall(reached)])
    for value in inputs.values.values():
        own = value.access in arguments and value.access + "_bar" not in arguments
        value.name = value.access if own and not value.access.startswith(PREFIXES) else names.new(value.hint)
    for value in b.captured:
        value.name = value.access
    names.assign(b.top)


def _head(inputs: _Inputs, terms: Sequence[Term], used: set[str]) -> list[str]:
    """Write where weights and inputs come from, of which those that are used."""
    head = [f"    weight_{k} = {term.weight}" for k, term in enumerate(terms) if term.weight]
    for access, value in inputs.values.items():
        if value.name in used and value.name != access:
            head.append(f"    {value.name} = {access}")
        if value.ndim and value.bar in used:
            head.append(f"    {value.bar} = {inputs.leaves[access].gradient}")
    return head


def _found(b: Frontend, used: set[str], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return what generated code finds among its globals."""
    helpers = {**HELPERS, **LINALG_HELPERS}
    found = {n: helpers[n] for n in sorted(used & set(helpers))}
    for n in (n for n in b.names if n in used and n not in arrays):
        found[n] = compilable(b.names[n], b.steady.get(n, ()))
    return found


def _tail(terms: Sequence[Term], results: Sequence[tuple[Value, Root]]) -> list[str]:
    if not any(term.weight for term in terms):
        return ["    return " + " + ".join(root.total for _, root in results)]
    lines = ["    value = 0.0"]
    for k, (_, root) in enumerate(results):
        lines += [f"    if weight_{k} != 0.0:", f"        value += weight_{k} * {root.total}"]
    return [*lines, "    return value"]


def structure(
    types: Mapping[str, Type | Leaf], access: str, gradient: str = "", active: Collection[str] | None = None
) -> Tuple:
    """Describe a named tuple of inputs; only floats have gradients, and of these all, or those that are `active`.

    Where there is a `Leaf`, generated code reaches the input in the way that this says.
    """
    fields = {}
    for name, t in types.items():
        varies = bool(gradient) and (active is None or name in active)
        if isinstance(t, Leaf):
            fields[name] = t
            continue
        where = f"{gradient}.{name}" if t.ndim else f"{gradient}.{name}[()] += {{}}"
        fields[name] = Leaf(t, f"{access}.{name}", where if varies and t.kind[0] == "f" else "", varies)
    return Tuple(fields)
