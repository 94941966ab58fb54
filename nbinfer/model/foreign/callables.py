"""Python callables, which run under the GIL."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbinfer.compile import JIT, floats_at
from nbinfer.compile.memory import register
from nbinfer.model.bound import Bound
from nbinfer.model.code.generate import DIFFERENCE_STEP
from nbinfer.model.definition import Definition
from nbinfer.model.evaluate import check_nothing, check_number, retrying
from nbinfer.model.foreign.bound import ForeignBound
from nbinfer.model.foreign.forms import chosen
from nbinfer.model.foreign.pointers import PROTOTYPE


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CallableDefinition(Definition):
    """Any Python callables: a `logp_function`, maybe with `grad`, or a `logp_grad`.

    Attributes
    ----------
    form : str
        What the one of the density takes: names among "x", "grad" and "data", joined by ", ".
    given : object
        What they get as data, which they may change.
    content : str
        What that was before any call, as `nbinfer.model.fingerprint` has it.
    grad_form : str
        What `grad` takes.
    """

    form: str
    given: Any
    content: str = ""
    grad_form: str = ""

    @property
    def _function(self) -> Any:
        return self.logp_function if self.logp_grad is None else self.logp_grad

    @property
    def labelled(self) -> list[tuple[str, Any]]:
        return [("f", self._function)] + ([("grad", self.grad)] if self.grad is not None else [])

    @property
    def other_parts(self) -> dict[str, str]:
        return {"data": self.content} if self.content else {}

    @property
    def parts_in_words(self) -> dict[str, list[tuple[str, str, str]]]:
        shown = [(label, getattr(f, "__name__", type(f).__name__)) for label, f in self.labelled]
        functions = [(label, "Python callable", name) for label, name in shown]
        return {"parameters": super().parts_in_words["parameters"], "functions": functions}

    def call(self, q: np.ndarray, grad: np.ndarray | None) -> float:
        """Call the functions; each gets a copy of the position, which it may keep."""
        target = np.zeros(self.dim) if grad is None else grad
        target[:] = 0.0
        value = self._function(*chosen(self.form, {"x": q.copy(), "grad": target, "data": self.given}))
        check_number(value, "f")
        if self.grad is not None and grad is not None and np.isfinite(value):
            arguments = chosen(self.grad_form, {"x": q.copy(), "grad": target, "data": self.given})
            check_nothing(self.grad(*arguments), "grad")
        return float(value)

    def pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        return [("f", self.call(np.ascontiguousarray(values["x"], np.float64), None))]

    def bind(self, chains: int, weighted: bool = False) -> Bound:
        retrying(lambda q: self.call(q, None if self.grad is None else np.zeros(self.dim)), self.dim)
        return CallableBound(self, chains)


class CallableBound(ForeignBound):
    """Contexts are the numbers of chains; exceptions are kept, counted and replayed like those of compiled code."""

    serial = True
    definition: CallableDefinition

    def __init__(self, definition: CallableDefinition, chains: int) -> None:
        super().__init__(definition, chains)
        self._failed = np.zeros(chains + 1, bool)
        self.errors: list[BaseException | None] = [None] * (chains + 1)
        self.has_gradient = "written" if definition.is_written else "finite differences"
        self._callback = PROTOTYPE(self._evaluate)
        self._address = ctypes.cast(self._callback, ctypes.c_void_p).value if JIT else register(self._evaluate)

    @property
    def density(self) -> int:
        assert self._address is not None
        return self._address

    @property
    def gradient_warning(self) -> str:
        slow = (
            f"{self.definition.title} is a Python callable: its chains run one after the other. Compile it if you can."
        )
        return " ".join(filter(None, [slow, super().gradient_warning]))

    def context(self, chain: int) -> int:
        return chain

    def _density(self, *args: int) -> float:
        value = self._evaluate(*args)
        error = self.errors[args[-1]]
        if error is not None and not isinstance(error, Exception):  # Ctrl-C says nothing of the density
            self.clear_failure(args[-1])
            raise error
        return float(value)

    @property
    def failed_chains(self) -> list[int]:
        return [int(chain) for chain in np.flatnonzero(self._failed[: self.chains])]

    def failure(self, chain: int) -> np.ndarray | None:
        return self._failures[chain, : self.dim].copy() if self._failed[chain] else None

    def clear_failure(self, chain: int) -> None:
        self._failed[chain] = False
        self.errors[chain] = None

    def _evaluate(self, n: int, q: int, grad: int, chain: int) -> float:
        position = floats_at.py_func(q, self.dim)
        try:
            if grad == 0:
                return self.definition.call(position, None)
            target = floats_at.py_func(grad, self.dim)
            return (
                self.definition.call(position, target)
                if self.definition.is_written
                else self._differences(position, target)
            )
        except BaseException as error:  # ctypes would print it and go on with 0.0
            self._status[chain, 0] += 1
            if not self._failed[chain]:
                self._failures[chain, : self.dim] = position
                self.errors[chain] = error
                self._failed[chain] = True
            return -np.inf

    def _differences(self, q: np.ndarray, grad: np.ndarray) -> float:
        trial = q.copy()
        for i in range(self.dim):
            step = DIFFERENCE_STEP * max(1.0, abs(q[i]))
            above, below = q[i] + step, q[i] - step
            trial[i] = above
            difference = self.definition.call(trial, None)
            trial[i] = below
            difference -= self.definition.call(trial, None)
            trial[i] = q[i]
            grad[i] = difference / (above - below)
        return self.definition.call(q, None)

    def replay(self, q: Any, discrete: np.ndarray | None = None) -> float:
        position = self.definition.layout.position(q)
        for failed, error in zip(self._failures[:, : self.dim], self.errors, strict=True):
            if error is not None and np.array_equal(failed, position, equal_nan=True):
                raise error
        return self.definition.call(position, None)
