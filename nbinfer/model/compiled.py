"""Python functions bound to memory and to machine code that was made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.compile import address_of, aligned
from nbinfer.compile.arena import Arenas
from nbinfer.compile.forks import cached_property
from nbinfer.errors import ModelError
from nbinfer.model.bound import Bound
from nbinfer.model.code import failures, shells
from nbinfer.model.code.code import Code
from nbinfer.model.code.extras import conditional_entry, draw_entry
from nbinfer.model.code.places import words as words_of_places
from nbinfer.model.code.plan import N_SLOPES, SLOPES
from nbinfer.model.data import Datum
from nbinfer.model.evaluate import trial_points
from nbinfer.model.missing import tables_of

if TYPE_CHECKING:
    from nbinfer.model.definition import CompiledDefinition
    from nbinfer.model.evaluate import Facts


class CompiledBound(Bound):
    """A model of Python functions, compiled."""

    definition: CompiledDefinition

    def __init__(self, definition: CompiledDefinition, chains: int, facts: Facts, weighted: bool = False) -> None:
        super().__init__(definition, chains)
        self._facts = facts
        weights = definition.weights(facts)
        # Said once and for all, so that no address depends on what the weights are at the moment.
        self._weighted = weighted
        self._weighs_terms = len(weights) > 1 and (weighted or bool(np.any(weights != 1.0)))
        self._by_terms = Code(definition, facts, False, weighted and len(weights) > 1)
        self._code = self._written_code(facts) or self._by_terms
        layout = definition.layout
        for name, (shape, dtype) in facts.derived.items():
            self._add_column(name, shape, dtype, "derived")
        self._columns = np.zeros(max(sum(1 + len(c.shape) for c in self.columns), 1), np.int64)
        words = [w for c in self.columns if c.kind == "derived" for w in (c.offset, *c.shape)]
        self._columns[: len(words)] = words
        self.weights = _rows_of(weights, chains + 1)
        self._constants = layout.constants
        self._places = words_of_places(layout)
        self._tables = tables_of(definition, chains + 1)
        self.tables = _rows_of(self._tables[0].words, chains + 1)
        self._show_data()
        self._scratch = aligned(chains + 1, layout.scratch)
        self._slopes = aligned(chains + 1, sum(definition.data[name].array.size for name in definition.active))
        self._discrete = aligned(chains + 1, layout.discrete, np.int64)
        self._discrete[:, : layout.discrete] = self._lowest
        self._placed: dict[int, np.ndarray] = {}  # discrete values that live in a sampler's memory
        self._arenas = Arenas(chains + 1)
        self._rows = self._contexts()
        self._first_context = address_of(self._rows)

    def _contexts(self) -> np.ndarray:
        """Make a row of words for each chain, and one for Python's own calls, by which code finds all this memory."""
        contexts = self.chains + 1
        rows = aligned(contexts, shells.CONTEXT_WORDS, np.int64)
        rows[:, shells.VERSION] = shells.CONTEXT_VERSION
        rows[:, shells.ROW_SIZE] = self.row_size
        for word, length, array in (
            (shells.DATA, shells.N_DATA, self.tables),
            (shells.WEIGHTS, shells.N_WEIGHTS, self.weights),
            (shells.CONSTANTS, shells.N_CONSTANTS, self._constants),
            (shells.COLUMNS, shells.N_COLUMNS, self._columns),
            (shells.PLACES, shells.N_PLACES, self._places),
            (shells.DISCRETE, shells.N_DISCRETE, self._discrete),
            (shells.SCRATCH, shells.N_SCRATCH, self._scratch),
            (SLOPES, N_SLOPES, self._slopes),
            (failures.FAILURE, None, self._failures),
        ):
            rows[:, word] = array.ctypes.data + (np.arange(contexts) * array.strides[0] if array.ndim == 2 else 0)
            if length is not None:
                rows[:, length] = array.shape[-1]
        rows[:, shells.ARENA] = self._arenas.addresses
        return rows

    def on_device(self) -> dict[str, Any]:
        """Return `density`, `value` and `record` as Python functions for a GPU; `arrays` are what they read."""
        found = self._code.on_device()
        by_terms = self._by_terms.on_device() if self.definition.has_terms else {}
        return {**found, "value": by_terms.get("value", found["density"])}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All memory that contexts lead to, and they themselves, by name; addresses in it are of others among these."""
        found = {"contexts": self._rows, "failures": self._failures, "tables": self.tables, "weights": self.weights}
        found |= {"constants": self._constants, "columns of the model": self._columns, "places": self._places}
        found |= {"scratch": self._scratch, "slopes": self._slopes, "discrete": self._discrete}
        found |= {"arenas": self._arenas.rows}
        data = [memory for table in self._tables for memory in table.alive]
        return found | {f"data {k}": memory for k, memory in enumerate(data)}

    def take_failures(self, contexts: np.ndarray, points: np.ndarray) -> None:
        """Note what evaluations in other memory have left: in its contexts, and where they keep points."""
        words = [failures.STATUS, failures.FAILED]
        self._rows[:, words] = contexts[:, words]
        self._failures[:] = points.view(np.float64)

    def slopes(self, chain: int) -> int:
        """Return the address of the gradients by those entries of the data that are learnt, one after the other."""
        return int(self._rows[chain, SLOPES])

    def take(self, data: Mapping[str, Datum]) -> None:
        """Have all contexts read other data of the same kinds, of whatever lengths; weights are those of their number.

        Raises
        ------
        ModelError
            If a total size is that of a term whose length is known from its values alone, and lengths change.
        """
        old = self.definition.data
        changed = any(datum.array.shape != old[key].array.shape for key, datum in data.items())
        for name in self.definition.total_size if changed else ():
            if name not in old and name not in self.definition.scales:
                raise ModelError(
                    f"total_size[{name!r}] needs the length of each batch, and batches differ in length; name the "
                    "likelihood term after the data that it is of"
                )
        definition = dataclasses.replace(self.definition, data={**old, **data})
        self.weights[:] = definition.weights(self._facts)
        self._tables = tables_of(definition, self.chains + 1)
        self._show_data()
        self.definition = definition

    def _show_data(self) -> None:
        self.tables[:] = [table.words for table in self._tables]

    def conditional(self, name: str) -> int:
        if name not in self.definition.conditional or self._weighted or self._weighs_terms:  # it knows no weights
            return 0
        return conditional_entry(self.definition, self._facts, name).address

    def draw(self, name: str, function: Any) -> int:
        return draw_entry(self.definition, self._facts, name, function).address

    def _written_code(self, facts: Facts) -> Code | None:
        """Return the code with the user's gradient, if there is one and the derivatives of all bounds were found."""
        if not self.definition.is_written or self._weighs_terms or self.definition.learnt:
            return None
        code = Code(self.definition, facts, True)
        if code.derivation.reason and not self.definition.has_terms:
            raise ModelError(
                f"{self.definition.title} has a bound that cannot be differentiated, so that logp_grad alone will not "
                f"do: {code.derivation.reason}\nRewrite the bound, or pass the density too (logp, or prior and "
                "likelihood), whose differences can be taken."
            )
        return None if code.derivation.reason else code

    @property
    def has_gradient(self) -> str:  # type: ignore[override]
        if self._code.written:
            return "written"
        return "derived" if self._code.derivation.source else "finite differences"

    @property
    def derivative_warnings(self) -> tuple[str, ...]:
        return self._code.derivation.warnings

    @property
    def underivable(self) -> str:
        return self._code.derivation.reason

    @property
    def gradient_warning(self) -> str:
        warning = super().gradient_warning
        if warning:
            self.density  # noqa: B018 - a density that Numba refuses, too, is an error and nothing to warn of
        return warning

    @property
    def density(self) -> int:
        return self._code.entry("density").address

    @property
    def density_by_terms(self) -> int:
        return self._by_terms.entry("density").address if self.definition.has_terms else self.density

    @property
    def value_density(self) -> int:
        return self._by_terms.entry("value").address if self.definition.has_terms else self.density

    @cached_property
    def arena_words(self) -> int:
        for _ in range(2):  # the first round makes room, after which all is in one piece
            for q in trial_points(self.dim):
                self.value_and_grad(q)
        return self._arenas.words(self.chains)

    @property
    def record(self) -> int:
        return self._code.entry("record").address

    def _density(self, *args: int) -> float:
        return float(self._code.entry("density")(*args))

    def context(self, chain: int) -> int:
        return self._first_context + chain * int(self._rows.strides[0])

    def status(self, chain: int) -> int:
        return address_of(self._rows[chain, failures.STATUS :])

    @property
    def failed_chains(self) -> list[int]:
        return [int(chain) for chain in np.flatnonzero(self._rows[: self.chains, failures.FAILED])]

    def failure(self, chain: int) -> np.ndarray | None:
        return self._failures[chain, : self.dim].copy() if self._rows[chain, failures.FAILED] else None

    def clear_failure(self, chain: int) -> None:
        self._rows[chain, failures.FAILED] = 0

    def discrete(self, chain: int) -> np.ndarray:
        values: np.ndarray = self._placed.get(chain, self._discrete[chain])
        return values[: self.n_discrete]

    def place_discrete(self, chain: int, values: np.ndarray) -> None:
        self._placed[chain] = values
        self._rows[chain, shells.DISCRETE] = address_of(values)


def _rows_of(words: np.ndarray, rows: int) -> np.ndarray:
    """Make rows of memory that each hold a copy of these words."""
    memory = aligned(rows, len(words), words.dtype)[:, : len(words)]
    memory[:] = words
    return memory
