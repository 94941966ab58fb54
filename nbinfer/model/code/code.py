"""The machine code of a model in one of its forms: with the gradient that the user wrote, or by its terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nbinfer.compile import Entry
from nbinfer.compile.files import file_digest
from nbinfer.compile.forks import cached_property
from nbinfer.compile.modules import GeneratedModule, generated_module
from nbinfer.model.code import generate
from nbinfer.model.code.derived import VALUE_NAME, Derivation, derivation, derive_now, own_names, units_key
from nbinfer.model.code.shells import SIGNATURES
from nbinfer.model.code.stand_ins import all_stand_ins, loaded

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated
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
    weighted : bool
        Whether weights of terms may be 0 when it runs.
    """

    def __init__(self, definition: CompiledDefinition, facts: Facts, written: bool, weighted: bool = False) -> None:
        self._definition = definition
        self._facts = facts
        self.written = written
        self._weighted = weighted
        self._entries: dict[str, Entry] = {}

    @cached_property
    def _content(self) -> str:
        return self._definition.content(self.written)

    @cached_property
    def derivation(self) -> Derivation:
        """What was derived: the gradient unless it is written, and the pullbacks of bounds that are functions."""
        if self.written and not self._definition.layout.dependent:
            return Derivation("", "", (), {})
        content = file_digest(self._content, "weighted") if self._weighted else self._content
        return derivation(content, self._derive)

    def _derive(self) -> list[Generated]:
        return self._definition.derive(self.written, self._weighted)

    @cached_property
    def _value(self) -> Derivation:
        """The density alone, generated."""
        return derivation(file_digest(self._content, "value"), lambda: [own_names(self._definition.derive_value())])

    def _module(self, value: str, stand_ins: Derivation, device: bool = False) -> GeneratedModule:
        plan = self._definition.plan(self._facts, self.written)
        plan = plan._replace(derivatives=self.derivation.source, device=device)
        if not plan.fuses:
            plan = plan._replace(learnt=())
        names = self._definition.names(self.written) | (self.derivation.names or {}) | (stand_ins.names or {})
        contents = [self._content, self.derivation.content, stand_ins.content]
        if value:
            names, contents = names | (self._value.names or {}), [*contents, self._value.content]
        source = generate.source(plan._replace(value=value, stand_ins=stand_ins.source))
        return generated_module(source, file_digest(*contents), names, SIGNATURES)

    def on_device(self) -> dict[str, Any]:
        """Return the C functions as Python functions for a GPU: `density`, `value` if there is one, and `record`.

        All that can be is generated, as the gradient is: then it takes its memory from the arena, and allocates none.
        """
        derived = not self.written and bool(self.derivation.source)
        stand_ins = all_stand_ins(self._definition.calls("derived" if derived else ""))
        module = self._module(self._value.source if derived else "", stand_ins, device=True).module
        self._prepare(module.__dict__)
        return {name: getattr(module, name) for name in SIGNATURES if hasattr(module, name)}

    def entry(self, name: str) -> Entry:
        """Return one of the C functions, ready to be called; what Numba cannot compile becomes one message.

        Where the gradient is derived, the value is generated likewise: the user's function is not compiled then. Numba
        knows less of Python than derivations do, and named tuples of many parameters take it long. Of other functions
        those are generated that Numba refuses.
        """
        if name not in self._entries:
            derived = not self.written and bool(self.derivation.source)
            value = self._value.source if name == "value" and derived else ""
            called = "derived" if name == "record" else "" if value or (name == "density" and derived) else "density"
            self._entries[name] = loaded(
                lambda stand_ins: self._module(value, stand_ins).entry(name),
                self._definition.calls(called),
                file_digest(self._content, called, repr(units_key(self._definition.data.values()))),
                self._definition.functions,
                self._fields,
                self._prepare,
            )
        return self._entries[name]

    def _prepare(self, names: dict[str, Any]) -> None:
        # A derivation read from disk knows its text; to compile it takes what the text refers to.
        if self.derivation.names is None:
            names.update(derive_now(self._derive).names or {})
        if VALUE_NAME in names and self._value.names is None:
            names.update(derive_now(lambda: [own_names(self._definition.derive_value())]).names or {})

    @property
    def _fields(self) -> dict[str, list[str]]:
        """What is in the named tuples that functions get, for messages."""
        layout = self._definition.layout
        fields = {"Parameters": list(layout.parameters), "Data": list(self._definition.data)}
        fields["Gradients"] = [p.name for p in layout.continuous]
        return fields | {p.before.__name__: list(p.before._fields) for p in layout.dependent}
