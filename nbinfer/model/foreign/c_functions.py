"""C functions by address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbinfer.compile import JIT, address_of, aligned
from nbinfer.compile.forks import cached_property
from nbinfer.compile.memory import register
from nbinfer.compile.pool import is_crowded
from nbinfer.errors import ModelError
from nbinfer.model.bound import Bound
from nbinfer.model.definition import Definition
from nbinfer.model.foreign.bound import ForeignBound
from nbinfer.model.foreign.entries import never_null
from nbinfer.model.foreign.pointers import PROTOTYPE


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class CDefinition(Definition):
    """A C function ``double f(int64_t n, const double *q, double *grad, void *context)``.

    Attributes
    ----------
    address : int
        Of the function.
    takes_null : bool
        Whether it may be asked for the value alone, by a null `grad`.
    contexts : int or list of int
        What it gets as its last argument, or that of each chain.
    keep : object
        What owns the function and the contexts.
    """

    address: int
    takes_null: bool
    contexts: int | list[int]
    keep: Any

    is_written = True
    has_terms = False

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{self.title} cannot be pickled: its density is a C function, whose address means nothing in another "
            "process; make the model there"
        )

    def __copy__(self) -> CDefinition:
        return self

    def __deepcopy__(self, memo: Any) -> CDefinition:
        return self  # nothing of it changes, and what its pointers lead to is not ours to copy

    @cached_property
    def function(self) -> Any:
        """The function, as Python calls it."""
        return PROTOTYPE(self.address)

    @property
    def parts_in_words(self) -> dict[str, list[tuple[str, str, str]]]:
        return {**super().parts_in_words, "functions": [("f", "C function", hex(self.address))]}

    def context_of(self, chain: int) -> int:
        """Return the context pointer of a chain; Python's own calls use the first."""
        return self.contexts[min(chain, len(self.contexts) - 1)] if isinstance(self.contexts, list) else self.contexts

    def call(self, q: np.ndarray, grad: np.ndarray | None, chain: int) -> float:
        """Call the function."""
        spare = grad if grad is not None or self.takes_null else np.empty(self.dim)
        target = 0 if spare is None else address_of(spare)
        return float(self.function(self.dim, address_of(q), target, self.context_of(chain)))

    def pieces(self, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        return [("f", self.call(np.ascontiguousarray(values["x"], np.float64), None, 0))]

    def bind(self, chains: int, weighted: bool = False) -> Bound:
        if isinstance(self.contexts, list) and len(self.contexts) < chains:
            raise ModelError(f"context must have an entry for each of {chains} chains, got {len(self.contexts)}")
        return CBound(self, chains)


class CBound(ForeignBound):
    """A C function with its contexts."""

    has_gradient = "written"
    definition: CDefinition

    def __init__(self, definition: CDefinition, chains: int) -> None:
        super().__init__(definition, chains)
        self._address = definition.address if JIT else register(definition.function)
        self._contexts = [definition.context_of(0 if c == chains else c) for c in range(chains + 1)]
        if not definition.takes_null:
            self._spare = aligned(chains + 1, self.dim)
            self._rows = aligned(chains + 1, 3, np.int64)
            for row, context, spare in zip(self._rows, self._contexts, self._spare, strict=True):
                row[:3] = self._address, context, address_of(spare)
            self._contexts = [address_of(row) for row in self._rows]

    @property
    def serial(self) -> bool:  # type: ignore[override]
        """Whether the function may be Numba's, and enter a pool that holds one thread at a time."""
        return not self.definition.takes_null and is_crowded()

    @property
    def density(self) -> int:
        return self._address if self.definition.takes_null else never_null.address

    def context(self, chain: int) -> int:
        return self._contexts[chain]

    def _density(self, *args: int) -> float:
        return float(self.definition.function(*args) if self.definition.takes_null else never_null(*args))
