"""Stand-ins: of the user's functions that a module calls, those that Numba refuses are generated.

What generates gradients reads more of Python and NumPy than Numba compiles. It writes a function of the same name and
arguments into the module, which returns the same. Which functions need that is found out once, and kept beside the
machine code.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbinfer.autodiff.errors import ADError
from nbinfer.compile import JIT, Entry
from nbinfer.compile.files import file_digest
from nbinfer.compile.keys import sources
from nbinfer.compile.store import Place
from nbinfer.compile.users import compilable
from nbinfer.errors import CompileError
from nbinfer.model.code.derived import Derivation, derive_now, inputs_of, kept, own_names
from nbinfer.model.evaluate import raise_if_written
from nbinfer.model.support.bounds import called as label_of_bound

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated
    from nbinfer.model.definition import Definition
    from nbinfer.model.layout import Parameter

_DEFINED = re.compile(r"^def (\w+)\(", re.MULTILINE)
_NONE = Derivation("", "", (), {})


class Called(NamedTuple):
    """A function of the user's, as a module calls it.

    Attributes
    ----------
    name : str
        In the module.
    label : str
        How messages call it.
    function : callable
    arguments : str
        Names of what the module gives it, joined by ", ".
    inputs : callable
        Returns what its arguments are to a derivation: `Leaf` and `Tuple`, in terms of `arguments`.
    example : callable
        Returns arguments in plain Python.
    """

    name: str
    label: str
    function: Any
    arguments: str
    inputs: Callable[[], Sequence[Any]]
    example: Callable[[], Sequence[Any]]

    def generate(self) -> Generated:
        """Write the function anew.

        Raises
        ------
        ADError
            If it cannot be read.
        """
        from nbinfer.autodiff.derive import derive_function

        given = {"name": self.name, "arguments": self.arguments, "label": self.label}
        return derive_function(self.function, self.inputs(), **given)

    @property
    def is_refused(self) -> bool:
        """Whether Numba does not compile it."""
        return inferred(self.function, self.example()) is None


def called_with(
    definition: Definition, name: str, label: str, function: Any, *, rng: bool = False, index: str = ""
) -> Called:
    """Tell how a module calls a function of parameters and data.

    Parameters
    ----------
    definition : Definition
        Of named parameters.
    name, label : str
        As of `Called`.
    function : callable
        As well.
    rng : bool
        Whether it takes a generator of random numbers, too.
    index : str
        What it calls an index that it takes, too.
    """
    words = ["p", "d", *(["rng"] if rng else []), *([index] if index else [])]

    def inputs() -> list[Any]:
        from nbinfer.autodiff.generated import Leaf, Type

        found = inputs_of(definition.parameters.values(), definition.data, definition.active)
        found += [Leaf(Type("generator"), "rng")] if rng else []
        return found + ([Leaf(Type("int"), index, varies=True)] if index else [])

    def example() -> tuple[Any, ...]:
        more = [*([np.random.Generator(np.random.Philox(key=5))] if rng else []), *([0] if index else [])]
        return *definition.arguments(definition.initial_point()), *more

    return Called(name, label, function, ", ".join(words), inputs, example)


def bounds_called(definition: Definition) -> list[Called]:
    """Tell how a module calls bounds that are functions: with the parameters before."""
    return [
        _bound_called(definition, argument, p, function)
        for p in definition.layout.dependent
        for argument, function in p.functions.items()
    ]


def _bound_called(definition: Definition, argument: str, p: Parameter, function: Any) -> Called:
    layout = definition.layout

    def inputs() -> list[Any]:
        return inputs_of([layout.parameters[name] for name in p.before._fields], definition.data, definition.active)

    def example() -> tuple[Any, ...]:
        return layout.before(p, definition.initial_point()), definition.data_tuple

    label = label_of_bound(argument, p.name)
    return Called(f"bound_{argument}_{p.name}", label, function, "p, d", inputs, example)


def inferred(function: Any, arguments: Sequence[Any]) -> Any:
    """Return the type of what a function returns, as Numba infers it; None if it cannot compile the function."""
    import numba

    dispatcher = compilable(function, (1,))._inner
    signature = tuple(map(numba.typeof, arguments))
    try:
        dispatcher.compile(signature)
    except Exception:
        return None
    return dispatcher.overloads[signature].signature.return_type


def loaded(
    build: Callable[[Derivation], Entry],
    calls: Sequence[Called],
    content: str,
    labelled: Sequence[tuple[str, Any]],
    fields: Mapping[str, Sequence[str]],
    prepare: Callable[[dict[str, Any]], None] | None = None,
    otherwise: str = "",
) -> Entry:
    """Return a C function, ready to be called; of the functions that its module calls, Numba may refuse some.

    Parameters
    ----------
    build : callable
        Makes the entry with some stand-ins, whose text and names go into the module.
    calls : sequence of Called
        All functions that may be generated.
    content : str
        Fingerprint of all that they depend on.
    labelled : sequence of (str, callable)
        The user's functions, as for `nbinfer.compile.readable.readable`.
    fields : mapping of str to sequence of str
        As well.
    prepare : callable, optional
        Completes the globals of the module before it is compiled.
    otherwise : str
        What to do where nothing better is known, as for `readable`; '' for what that says of densities.

    Raises
    ------
    CompileError
        If Numba refuses a function that cannot be generated: one message with both reasons.
    """

    def refusal(entry: Entry, found: Derivation) -> str:
        try:
            entry.load(lambda: _complete(entry.py_func.__globals__, found, calls, prepare))
        except Exception as error:
            from nbinfer.compile.readable import readable

            raise_if_written(error)
            message = readable(error, labelled, fields, **({"otherwise": otherwise} if otherwise else {}))
            if message is None:
                raise
            return message
        return ""

    place = Place("derived", f"{file_digest(content, sources('nbinfer.model'), 'stand-ins')}.json")
    found, message, reasons = kept(place), "", dict[str, str]()
    if found is None:
        entry = build(_NONE)
        message = refusal(entry, _NONE)
        if not message:
            return entry
        found, reasons = _stand_ins(calls)
        if found.source and JIT:
            place.write_json([found.source, found.content])
    if found.source:
        entry = build(found)
        message = refusal(entry, found)
        if not message:
            return entry
    raise CompileError("\n".join([message, *_also(reasons, message)]))


def _complete(
    names: dict[str, Any], found: Derivation, calls: Sequence[Called], prepare: Callable[[dict[str, Any]], None] | None
) -> None:
    """Complete the globals of a module; stand-ins that were read from disk know their text alone."""
    if prepare is not None:
        prepare(names)
    if found.names is None:
        wanted = set(_DEFINED.findall(found.source))
        names.update(derive_now(lambda: [own_names(c.generate()) for c in calls if c.name in wanted]).names or {})


def all_stand_ins(calls: Sequence[Called]) -> Derivation:
    """Generate all functions that can be."""
    parts: list[Generated] = []
    for called in calls:
        with contextlib.suppress(ADError):
            parts.append(own_names(called.generate()))
    return derive_now(lambda: parts)


def _stand_ins(calls: Sequence[Called]) -> tuple[Derivation, dict[str, str]]:
    """Generate what Numba refuses; return it, and of what cannot be generated by label why."""
    parts: list[Generated] = []
    reasons: dict[str, str] = {}
    for called in calls:
        if called.is_refused:
            try:
                parts.append(own_names(called.generate()))
            except ADError as reason:
                reasons[called.label] = str(reason)
    return derive_now(lambda: parts), reasons


def _also(reasons: Mapping[str, str], message: str) -> list[str]:
    """Say why what a message is about cannot be generated either; a line that was quoted is not quoted again."""
    first = message.splitlines()[0]
    named = [reason for label, reason in reasons.items() if f" {label} " in first or f" {label}:" in first]
    for reason in (named or list(reasons.values()))[:1]:
        what, *where = reason.splitlines()
        return [f"Nor can it be generated: {what}", *(where if where and where[-1].strip() not in message else [])]
    return []
