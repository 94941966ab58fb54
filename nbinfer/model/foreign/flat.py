"""Functions of a flat position, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.compile import readonly
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.python_functions import python_function
from nbinfer.compile.users import compilable
from nbinfer.errors import ModelError
from nbinfer.model.code.derived import NAME, VALUE_NAME, data_type, units_key
from nbinfer.model.code.plan import Plan, Term
from nbinfer.model.code.stand_ins import Called
from nbinfer.model.definition import CompiledDefinition
from nbinfer.model.evaluate import Facts, call, check_nothing, check_number
from nbinfer.model.foreign.forms import chosen, misread
from nbinfer.model.observe import look_where_finite

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FlatDefinition(CompiledDefinition):
    """Functions of one real parameter ``x``: its `logp_function`, maybe with `grad`, or its `logp_grad`.

    Attributes
    ----------
    form : str
        What the function of the density takes: names among "x", "grad" and "data", joined by ", ".
    grad_form : str
        What `grad` takes.
    bare : bool
        Whether the only entry of the data is passed as it is, not as a named tuple.
    has_data : bool
        Whether there are data at all.
    """

    form: str
    bare: bool
    has_data: bool
    grad_form: str = ""

    @property
    def _function(self) -> tuple[str, Any]:
        """The function of the density, with how messages call it."""
        return self.labelled[0]

    @property
    def _data_argument(self) -> Any:
        if not self.has_data:
            return ()
        return readonly(self.data["data"].value) if self.bare else self.data_tuple

    def _run(self, f: Any, form: str, x: Any) -> Any:
        given = {"x": readonly(np.asarray(x)), "grad": np.zeros(self.dim), "data": self._data_argument}
        try:
            return call(f, *chosen(form, given))
        except Exception as error:
            note = misread(f, form)
            if note:
                error.add_note(note)
            raise

    def pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        label, f = self._function
        return [(label, self._run(f, self.form, values["x"]))]

    def evaluate(self, q: Any, discrete: np.ndarray | None = None) -> float:
        logp = super().evaluate(q, discrete)
        if self.grad is not None and np.isfinite(logp):
            self._run(self.grad, self.grad_form, self.layout.position(q))
        return logp

    def observe(self, q: np.ndarray) -> Facts:
        label, value = self.pieces({"x": q})[0]
        check_number(value, label)
        if not np.isfinite(value):
            look_where_finite(self)
        if self.grad is not None:
            check_nothing(self._run(self.grad, self.grad_form, q), "grad")
        return Facts({}, {}, {})

    def content(self, written: bool) -> str:
        data = self.data.values()
        units = [] if written else units_key(data)
        function, keys = self._function[1], [d.key for d in data]
        gradient = [self.grad, self.grad_form] if written and self.grad is not None else []
        return fingerprint(function, self.form, self.bare, self.has_data, keys, units, *gradient)

    def derive(self, written: bool, weighted: bool = False) -> list[Generated]:
        from nbinfer.autodiff.derive import derive_flat

        return [derive_flat(self._function[1], self._data_types, name=NAME)]

    def derive_value(self) -> Generated:
        from nbinfer.autodiff.derive import derive_flat

        return derive_flat(self._function[1], self._data_types, name=VALUE_NAME, gradient=False)

    def calls(self, kind: str) -> list[Called]:
        label, f = self._function
        if kind != "density" or "grad" in self.form:
            return []

        def example() -> tuple[Any, ...]:
            return chosen(self.form, {"x": readonly(np.zeros(self.dim)), "data": self._data_argument})

        def inputs() -> Any:
            from nbinfer.autodiff.derive import flat_inputs

            return flat_inputs(self._data_types)

        return [Called(label, label, f, self.form, inputs, example)]

    @property
    def _data_types(self) -> Any:
        """Types of the data, as a derivation takes them."""
        types = {name: data_type(datum) for name, datum in self.data.items()}
        return (next(iter(types.values())) if self.bare else types) if self.has_data else None

    def plan(self, facts: Facts, written: bool) -> Plan:
        terms, data = [Term("logp", False)] if self.has_terms else [], list(self.data.values())
        by = self.written_name if written else ""
        return Plan(self.layout, data, terms, by, [], self.form, self.grad_form, self.bare)

    def names(self, written: bool) -> dict[str, Any]:
        label, f = self._function
        names = {label: (f, self.form)} | ({"gradient": (self.grad, self.grad_form)} if written and self.grad else {})
        return {name: compilable(f, _data_places(form)) for name, (f, form) in names.items()}


def _data_places(form: str) -> list[int]:
    return [k for k, name in enumerate(form.split(", ")) if name == "data"]


def check_compilable(f: Any, label: str) -> None:
    """Require a function, plain or Numba's."""
    if getattr(python_function(f), "__code__", None) is None or hasattr(f, "__self__"):
        raise ModelError(
            f"{label} must be a plain or njit function to be compiled, got {type(f).__name__}; "
            "wrap it in a def, or pass compile=False to call it as it is"
        )
