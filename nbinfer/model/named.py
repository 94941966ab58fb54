"""Densities over named parameters: prior and likelihood, or one function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.forks import cached_property
from nbinfer.compile.users import compilable
from nbinfer.errors import ModelError
from nbinfer.model.code.derived import NAME, VALUE_NAME, data_type, derive_bounds, parameter_leaves, units_key
from nbinfer.model.code.places import Places
from nbinfer.model.code.plan import Derived, Plan, Term
from nbinfer.model.code.stand_ins import Called, bounds_called, called_with
from nbinfer.model.definition import DRAWING, CompiledDefinition
from nbinfer.model.evaluate import Facts, call, check_nothing, check_number, check_term
from nbinfer.model.layout import named_tuple
from nbinfer.model.missing import filled
from nbinfer.model.observe import check_sum, describe, look_where_finite
from nbinfer.model.support.bounds import BoundsError
from nbinfer.model.total_size import factor

if TYPE_CHECKING:
    from nbinfer.autodiff import Generated, Type


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class NamedDefinition(CompiledDefinition):
    """Functions of named parameters and named data."""

    is_named: ClassVar[bool] = True

    # ---- plain Python

    @cached_property
    def _gradient_class(self) -> Any:
        made = named_tuple("Gradients", (p.name for p in self.layout.continuous))
        made.__setattr__ = _assigned
        return made

    def arguments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return (self.layout.as_tuple(values), filled(self.data_tuple, self.missing, values))

    def call_written(self, values: Mapping[str, Any]) -> Any:
        """Run the gradient that the user wrote, and return what it returns."""
        grad = self._gradient_class(*(np.zeros(p.shape) for p in self.layout.continuous))
        return call(self.logp_grad if self.grad is None else self.grad, *self.arguments(values), grad)

    def pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        if not self.has_terms:
            return [("logp_grad", self.call_written(values))]
        return [(name, call(f, *self.arguments(values))) for name, f in self.weighed.items()]

    def density_of(self, values: Mapping[str, Any]) -> float:
        weights = dict(zip(self.weighed, self.weights(), strict=True)) if self.total_size else {}
        return float(sum(weights.get(name, 1.0) * np.sum(value) for name, value in self.pieces(values)))

    def derived_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: call(f, *self.arguments(values)) for name, f in self.derived.items()}

    def evaluate(self, q: Any, discrete: np.ndarray | None = None) -> float:
        try:
            values, log_jacobian = self.layout.image(q, self.data_tuple, discrete, self.scales)
        except BoundsError:
            return -np.inf
        logp = log_jacobian + self.density_of(values)
        if self.logp_grad is not None:
            self.call_written(values)
        self.derived_values(values)
        if np.isfinite(logp):  # elsewhere nothing asks for them
            if self.grad is not None:
                self.call_written(values)
            for name, f in self.conditional.items():
                for i in range(self.parameters[name].elements):
                    call(f, *self.arguments(values), i)
        return logp

    # ---- weights

    def weights(self, facts: Facts | None = None) -> np.ndarray:
        names = list(self.weighed)
        weights = np.ones(max(len(names), 1))
        for name, size in self.total_size.items():
            all_there_is = self.data[name].shape_of_all if name in self.data and name not in self.scales else None
            weights[names.index(name)] = factor(name, size, self._observations(name, facts), all_there_is)
        return weights

    @property
    def scales(self) -> dict[str, float]:
        local = [name for name in self.total_size if name in self.named_prior and name in self.parameters]
        return {name: factor(name, self.total_size[name], self.parameters[name].shape) for name in local}

    def _observations(self, name: str, facts: Facts | None) -> tuple[int, ...]:
        """Return the shape of what a term is of: its parameter or data, if it is named after one, else its values."""
        if name in self.named_prior and name in self.parameters:
            return self.parameters[name].shape
        datum = self.data.get(name)
        if datum is not None and datum.array.ndim:
            return datum.array.shape
        shape = (facts or self.facts()).terms[name]
        if not shape and datum is None:
            raise ModelError(f"total_size[{name!r}] needs a term with one value per observation, got a number")
        return shape or ()

    # ---- compiling

    def observe(self, q: np.ndarray) -> Facts:
        values = self.constrain(q)
        terms: dict[str, tuple[int, ...] | None] = {}
        pieces = self.pieces(values)
        for label, value in pieces:
            if label in self.terms:
                check_term(value, self.called_piece(label))
                terms[label] = value.shape if isinstance(value, np.ndarray) else None
            else:
                check_number(value, label)
        if not np.isfinite(sum(np.sum(value) for _, value in pieces)):
            look_where_finite(self)
        if self.logp_grad is not None:
            check_number(self.call_written(values), "logp_grad")
            if self.has_terms:
                check_sum(self, q)
        elif self.grad is not None:
            check_nothing(self.call_written(values), "grad")
        bounds = {}
        for p in self.layout.dependent:
            found = self.layout.bound_values(p, values, self.data_tuple)
            for argument in p.functions:
                value = found[argument]
                bounds[argument, p.name] = value.shape if isinstance(value, np.ndarray) else None
        return Facts(terms, {name: describe(self, name, values, q) for name in self.derived}, bounds)

    def content(self, written: bool) -> str:
        left_out = DRAWING if written else (*DRAWING, "logp_grad", "grad")
        functions = [(label, f) for label, f in self.functions if not label.startswith(left_out)]
        data = self.data.values()
        units = units_key(data) if self.layout.dependent or not written else []
        varying = [names for names in (self.learnt, list(self.missing)) if names]
        return fingerprint(functions, list(self.layout.keys()), [d.key for d in data], units, *varying)

    def derive(self, written: bool, weighted: bool = False) -> list[Generated]:
        bounds = derive_bounds(self.layout, self._data_types, () if written else self.active)
        return bounds if written else [self._derived(NAME, Places(self.layout).reached, weighted=weighted), *bounds]

    def derive_value(self) -> Generated:
        return self._derived(VALUE_NAME, Places(self.layout).read, gradient=False)

    def _derived(self, name: str, reached: str, gradient: bool = True, weighted: bool = False) -> Generated:
        from nbinfer.autodiff.derive import derive

        return derive(
            parameter_leaves(self.layout),
            self._data_types,
            arguments=f"{reached}, d",
            name=name,
            active=self.active,
            gradient=gradient,
            vanishing=weighted,
            **self._density,
        )

    def calls(self, kind: str) -> list[Called]:
        functions = {
            "density": [(self._in_module(name), self.called_piece(name), f) for name, f in self.weighed.items()],
            "derived": [(f"derived_{name}", f"derived {name!r}", f) for name, f in self.derived.items()],
            "": [],
        }
        return [*bounds_called(self), *(called_with(self, *each) for each in functions[kind])]

    @property
    def _data_types(self) -> dict[str, Type]:
        return {name: data_type(datum) for name, datum in self.data.items()}

    @property
    def _density(self) -> dict[str, Any]:
        """The functions that make up the density, as a derivation takes them."""
        prior = None if self.named_prior else self.prior
        return {"prior": prior, "terms": self.terms, "logp": self.logp_function}

    def plan(self, facts: Facts, written: bool) -> Plan:
        terms = [Term(self._in_module(name), facts.terms.get(name) is not None) for name in self.weighed]
        derived = [Derived(f"derived_{name}", len(shape), kind) for name, (shape, kind) in facts.derived.items()]
        by = self.written_name if written else ""
        plan = Plan(self.layout, list(self.data.values()), terms, by, derived, bounds=facts.bounds)
        order = list(self.weighed)
        jacobians = {name: order.index(name) for name in self.named_prior if name in self.parameters}
        learnt = () if written else self.active
        return plan._replace(jacobians=jacobians, learnt=learnt, missing=tuple(self.missing))

    def _in_module(self, name: str) -> str:
        """Return the name in a module of one of the functions that are weighed."""
        kind = "likelihood_" if name in self.likelihood else "prior_" if name in self.named_prior else ""
        return f"{kind}{name}"

    def names(self, written: bool) -> dict[str, Any]:
        names = {self._in_module(name): f for name, f in self.weighed.items()}
        names |= {"logp_grad": self.logp_grad, "gradient": self.grad} if written else {}
        names |= {f"derived_{name}": f for name, f in self.derived.items()}
        names |= {f"bound_{a}_{p.name}": f for p in self.layout.dependent for a, f in p.functions.items()}
        found = {name: compilable(f, data=self.steady) for name, f in names.items() if f is not None}
        for p in self.layout.continuous:
            parts = ["forward", "pullback", *(["settle", "sensitivity"] if p.support.bounds else [])]
            found |= {f"{part}_{p.name}": getattr(p.support, part) for part in parts}
        return found


def _assigned(grad: Any, name: str, value: Any) -> None:
    """Refuse ``grad.mu = ...``, and ``grad.mu += ...``, which is that, too."""
    where = "[()]" if not np.shape(getattr(grad, name, 0.0)) else "[:]"
    raise AttributeError(
        f"grad.{name} cannot be assigned, it is an array to write into: grad.{name}{where} += ... adds to it"
    )
