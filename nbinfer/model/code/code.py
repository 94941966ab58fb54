"""The machine code of a model in one of its forms: with the gradient that the user wrote, or by its terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbinfer.compile import Entry
from nbinfer.compile.files import file_digest
from nbinfer.compile.forks import cached_property
from nbinfer.compile.modules import GeneratedModule, generated_module
from nbinfer.errors import CompileError
from nbinfer.model.code import generate
from nbinfer.model.code.derived import VALUE_NAME, Derivation, derivation, derive_now, own_names
from nbinfer.model.code.shells import SIGNATURES
from nbinfer.model.evaluate import raise_if_written

if TYPE_CHECKING:
    from nbinfer.model.definition import CompiledDefinition
    from nbinfer.model.evaluate import Facts


class Code:
    """A generated module, and what was derived for it; both are made when first asked for.

    Parameters
    ----------
    definition : CompiledDefinition
        Whose code it is.
    facts : Facts
        What one run of its functions showed.
    written : bool
        Whether to use the gradient that the user wrote; its terms do not count then.
    """

    def __init__(self, definition: CompiledDefinition, facts: Facts, written: bool) -> None:
        self._definition = definition
        self._facts = facts
        self.written = written

    @cached_property
    def _content(self) -> str:
        return self._definition.content(self.written)

    @cached_property
    def derivation(self) -> Derivation:
        """What was derived: the gradient unless it is written, and the pullbacks of bounds that are functions."""
        if self.written and not self._definition.layout.dependent:
            return Derivation("", "", (), {})
        return derivation(self._content, lambda: self._definition.derive(self.written))

    @cached_property
    def _value(self) -> Derivation:
        """The density alone, generated."""
        return derivation(file_digest(self._content, "value"), lambda: [own_names(self._definition.derive_value())])

    def _module(self, value: str = "") -> GeneratedModule:
        plan = self._definition.plan(self._facts, self.written)._replace(derivatives=self.derivation.source)
        if not plan.fuses:
            plan = plan._replace(learnt=())
        names = self._definition.names(self.written) | (self.derivation.names or {})
        contents = [self._content, self.derivation.content]
        if value:
            names, contents = names | (self._value.names or {}), [*contents, self._value.content]
        return generated_module(generate.source(plan._replace(value=value)), file_digest(*contents), names, SIGNATURES)

    @cached_property
    def _of_functions(self) -> GeneratedModule:
        """The module that calls the user's functions for the value."""
        return self._module()

    @cached_property
    def _of_values(self) -> GeneratedModule:
        """The module with the generated value."""
        return self._module(self._value.source)

    def entry(self, name: str) -> Entry:
        """Return one of the C functions, ready to be called; what Numba cannot compile becomes one message.

        Where the gradient is derived, the value is generated likewise: the user's function is not compiled then. Numba
        knows less of Python than derivations do, and named tuples of many parameters take it long.
        """
        if name == "value" and not self.written and self.derivation.source and self._value.source:
            return self._ready(self._of_values.entry(name))
        return self._ready(self._of_functions.entry(name))

    def _ready(self, entry: Entry) -> Entry:
        def prepare() -> None:
            # A derivation read from disk knows its text; to compile it takes what the text refers to.
            names = entry.py_func.__globals__
            if self.derivation.names is None:
                names.update(derive_now(lambda: self._definition.derive(self.written)).names or {})
            if VALUE_NAME in names and self._value.names is None:
                names.update(derive_now(lambda: [own_names(self._definition.derive_value())]).names or {})

        try:
            entry.load(prepare)
            return entry
        except Exception as error:
            from nbinfer.compile.readable import readable

            raise_if_written(error)
            layout = self._definition.layout
            fields = {"Parameters": list(layout.parameters), "Data": list(self._definition.data)}
            fields["Gradients"] = [p.name for p in layout.continuous]
            fields |= {p.before.__name__: p.before._fields for p in layout.dependent}
            message = readable(error, self._definition.functions, fields)
            if message is None:
                raise
        raise CompileError(message)
