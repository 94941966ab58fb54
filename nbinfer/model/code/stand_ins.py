"""Stand-ins: of the user's functions that a module calls, those that Numba refuses are generated.

What generates gradients reads more of Python and NumPy than Numba compiles. It writes a function of the same name and
arguments into the module, which returns the same. Which functions need that is found out once, and kept beside the
machine code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nbinfer.autodiff.errors import ADError
from nbinfer.compile import JIT, Entry
from nbinfer.compile.files import file_digest
from nbinfer.compile.keys import sources
from nbinfer.compile.store import Place
from nbinfer.compile.users import compilable
from nbinfer.errors import CompileError
from nbinfer.model.code.derived import Derivation, derive_now, inputs_of, kept, own_names
from nbinfer.model.evaluate import raise_if_written
from nbinfer.model.support.bounds import called as words

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated
    from nbinfer.model.definition import Definition

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


def called(definition: Definition, name: str, label: str, function: Any, *more: tuple[str, Any, Any]) -> Called:
    """Tell how a module calls a function of parameters and data.

    Parameters
    ----------
    definition : Definition
        Of named parameters.
    name, label, function
        As of `Called`.
    *more : tuple of (str, Leaf, object)
        Arguments beyond these: by name, what they are to a derivation, and an example.
    """

    def inputs() -> list[Any]:
        given = inputs_of(definition.parameters.values(), definition.data, definition.active)
        return [*given, *(leaf for _, leaf, _ in more)]

    def example() -> tuple[Any, ...]:
        return *definition.arguments(definition.initial_point()), *(value for *_, value in more)

    return Called(name, label, function, ", ".join(["p", "d", *(word for word, *_ in more)]), inputs, example)


def bounds_called(definition: Definition) -> list[Called]:
    """Tell how a module calls bounds that are functions."""
    layout = definition.layout
    return [
        Called(
            f"bound_{argument}_{p.name}",
            words(argument, p.name),
            function,
            "p, d",
            lambda p=p: inputs_of([layout.parameters[n] for n in p.before._fields], definition.data, definition.active),
            lambda p=p: (layout.before(p, definition.initial_point()), definition.data_tuple),
        )
        for p in layout.dependent
        for argument, function in p.functions.items()
    ]


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
    explain: Callable[[BaseException], str | None],
    prepare: Callable[[dict[str, Any]], None] | None = None,
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
    explain : callable
        Says in one message what an exception of Numba's is about; None of any other.
    prepare : callable, optional
        Completes the globals of the module before it is compiled.

    Raises
    ------
    CompileError
        If Numba refuses a function that cannot be generated: one message with both reasons.
    """
    place = Place("derived", f"{file_digest(content, sources('nbinfer.model'), 'stand-ins')}.json")
    found, message, reasons = kept(place), "", {}
    if found is None:
        message = _attempt(entry := build(_NONE), _NONE, calls, explain, prepare)
        if not message:
            return entry
        found, reasons = _stand_ins(calls)
        if found.source and JIT:
            place.write_json([found.source, found.content])
    if found.source:
        message = _attempt(entry := build(found), found, calls, explain, prepare)
        if not message:
            return entry
    raise CompileError("\n".join([message, *_also(reasons, message)]))


def _attempt(
    entry: Entry,
    found: Derivation,
    calls: Sequence[Called],
    explain: Callable[[BaseException], str | None],
    prepare: Callable[[dict[str, Any]], None] | None,
) -> str:
    """Load an entry; return what stops Numba, '' if nothing does."""

    def complete() -> None:
        # Stand-ins read from disk know their text; to compile it takes what the text refers to.
        names = entry.py_func.__globals__
        if prepare is not None:
            prepare(names)
        if found.names is None:
            wanted = set(_DEFINED.findall(found.source))
            names.update(derive_now(lambda: [own_names(c.generate()) for c in calls if c.name in wanted]).names or {})

    try:
        entry.load(complete)
    except Exception as error:
        raise_if_written(error)
        message = explain(error)
        if message is None:
            raise
        return message
    return ""


def _stand_ins(calls: Sequence[Called]) -> tuple[Derivation, dict[str, str]]:
    """Generate what Numba refuses; return it, and of what cannot be generated by label why."""
    parts, reasons = [], {}
    for called in calls:
        if called.is_refused:
            try:
                parts.append(own_names(called.generate()))
            except ADError as reason:
                reasons[called.label] = str(reason)
    return derive_now(lambda: parts), reasons


def _also(reasons: Mapping[str, str], message: str) -> list[str]:
    """Say why what a message is about cannot be generated either."""
    named = [reason for label, reason in reasons.items() if f" {label} " in message.splitlines()[0]]
    return [f"Nor can it be generated: {reason}" for reason in (named or list(reasons.values()))[:1]]
