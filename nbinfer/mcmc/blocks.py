"""Memory of a run: the chains' blocks, their work space, and the addresses that tie them to density and trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from nbinfer.compile import Entry, address_of
from nbinfer.mcmc.chain import COLUMN_FIELDS, KINDS, Chain, Progress, Team
from nbinfer.random import STREAM_WORDS

_LINE = 8  # fields of a cache line: parts begin on one, so that no two chains share any


class Step(Protocol):
    """What a step method tells about itself; the work is done by its C function."""

    @property
    def name(self) -> str:
        """Lower-case name, as `step_kwargs` has it."""

    @property
    def function(self) -> Entry:
        """The C function ``int64 step(intp chain, intp own)``; `own` is the address of the part named "own"."""

    @property
    def statistics(self) -> Mapping[str, str]:
        """Name and dtype of what the step writes, in order."""

    def layout(self, n: int) -> Mapping[str, int]:
        """Return the parts of the block that belong to the step, in 8-byte fields."""

    def workspace(self, n: int) -> Mapping[str, int]:
        """Return the memory no draw depends on, in 8-byte fields."""

    def initialise(self, parts: Mapping[str, np.ndarray], n: int, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""

    def wire(self, parts: Mapping[str, int], work: Mapping[str, int], statistics: int) -> None:
        """Write addresses."""


class _Plan:
    """Places of named parts in a row of 8-byte fields."""

    def __init__(self) -> None:
        self.places: dict[Any, tuple[int, int]] = {}
        self.size = 0

    def add(self, name: Any, count: int) -> None:
        self.places[name] = (self.size, count)
        self.size += -(-count // _LINE) * _LINE

    def addresses(self, base: int, owner: Any) -> dict[str, int]:
        return {n[1]: base + 8 * at for n, (at, _) in self.places.items() if isinstance(n, tuple) and n[0] == owner}

    def views(self, row: np.ndarray, owner: Any) -> dict[str, np.ndarray]:
        return {
            n[1]: row[at : at + count]
            for n, (at, count) in self.places.items()
            if isinstance(n, tuple) and n[0] == owner
        }


class Blocks:
    """The memory of all chains of a run.

    Attributes
    ----------
    state : ndarray, shape (chains, fields), int64
        One block per chain: all there is to it.
    progress : ndarray of `Progress`, shape (chains,)
    stop : ndarray, shape (8,), int64
        The first word stops the run.
    """

    def __init__(
        self, bound: Any, steps: Sequence[Step], tune: int, numbers: Sequence[int], keys: Sequence[np.ndarray]
    ):
        n, chains = bound.dim, len(numbers)
        self._bound, self.steps = bound, list(steps)
        plan, work = _Plan(), _Plan()
        plan.add("chain", Chain.itemsize // 8)
        plan.add("words", STREAM_WORDS)
        plan.add("position", n)
        plan.add("grad", n)
        work.add("steps", 2 * len(self.steps))
        work.add("row", bound.row_size)
        self.n_statistics = sum(len(s.statistics) for s in self.steps)
        work.add("statistics", self.n_statistics)
        for k, step in enumerate(self.steps):
            for name, count in step.layout(n).items():
                plan.add((k, name), count)
            for name, count in step.workspace(n).items():
                work.add((k, name), count)
        self._plan, self._work_plan = plan, work
        self.state = _aligned(chains, plan.size)
        self._work = _aligned(chains, work.size)
        self.progress = _aligned(chains, Progress.itemsize // 8).view(Progress).reshape(chains)
        self.stop = _aligned(1, _LINE)[0]
        self.records = [row[: Chain.itemsize // 8].view(Chain)[0] for row in self.state]
        self._columns: list[np.ndarray] = []
        for c, record in enumerate(self.records):
            record["n"], record["tune"], record["number"] = n, tune, numbers[c]
            self.part(c, "words").view(np.uint64)[4:6] = keys[c]

    def part(self, chain: int, name: str) -> np.ndarray:
        """Return one of a chain's own parts as an array of int64."""
        at, count = self._plan.places[name]
        return self.state[chain, at : at + count]

    def begin(self, chain: int, position: np.ndarray, logp: float, grad: np.ndarray) -> None:
        """Put a chain at its starting point and its steps at their first state."""
        self.part(chain, "position").view(np.float64)[:] = position
        self.part(chain, "grad").view(np.float64)[:] = grad
        record = self.records[chain]
        record["logp"] = logp
        for k, step in enumerate(self.steps):
            step.initialise(self._plan.views(self.state[chain], k), int(record["n"]), int(record["tune"]), position)

    def wire(self, columns: Sequence[Column], statistics: Sequence[Column]) -> None:
        """Write every address: after allocation, and again after blocks came from elsewhere."""
        self._held = (columns, statistics)  # workers write to their arrays as long as these blocks live
        for c, record in enumerate(self.records):
            base, work = address_of(self.state[c]), address_of(self._work[c])
            for name in ("words", "position", "grad"):
                record[name] = base + 8 * self._plan.places[name][0]
            for name in ("steps", "row", "statistics"):
                record[name] = work + 8 * self._work_plan.places[name][0]
            record["density"], record["context"] = self._bound.density, self._bound.context(c)
            record["record"] = self._bound.record if columns else 0
            record["stop"] = address_of(self.stop)
            record["progress"] = address_of(self.progress[c : c + 1])
            self.progress["draw"][c] = record["draw"]
            record["n_steps"] = len(self.steps)
            for kind, chosen in (("columns", columns), ("statistic_columns", statistics)):
                table = np.array([column.row(c) for column in chosen], np.int64).reshape(len(chosen), COLUMN_FIELDS)
                self._columns.append(table)
                record[kind], record[f"n_{kind}"] = address_of(table), len(chosen)
            at = self._work_plan.places["steps"][0]
            functions, offset = self._work[c, at : at + 2 * len(self.steps)], 0
            for k, step in enumerate(self.steps):
                parts = self._plan.addresses(base, k)
                step.wire(parts, self._work_plan.addresses(work, k), int(record["statistics"]) + 8 * offset)
                functions[2 * k], functions[2 * k + 1] = step.function.address, parts["own"]
                offset += len(step.statistics)

    def team(self, until: int) -> np.ndarray:
        """Return what workers share, a `Team` of one; it refers to these blocks, which must outlive it."""
        self._chains = np.array([address_of(row) for row in self.state], np.int64)
        team = np.zeros(1, Team)
        team["chains"], team["n_chains"] = address_of(self._chains), len(self.records)
        team["progress"], team["until"], team["stop"] = address_of(self.progress), until, address_of(self.stop)
        return team


class Column:
    """Where a part of a row goes: one array for warm-up (or none) and one for the draws after it."""

    def __init__(self, offset: int, count: int, dtype: str, warm: np.ndarray | None, main: np.ndarray | None) -> None:
        self._fields = (offset, count, KINDS[dtype])
        self._arrays = (warm, main)

    def row(self, chain: int) -> list[int]:
        """Return the fields of one chain."""
        bases = [address_of(a[chain]) if a is not None and a.shape[1] > 0 else 0 for a in self._arrays]
        return [*self._fields, *bases]


def _aligned(rows: int, fields: int) -> np.ndarray:
    """Return zeroed int64 of shape (rows, fields), rows beginning on a cache line; `fields` is rounded up for that."""
    fields = -(-fields // _LINE) * _LINE
    memory = np.zeros(rows * fields + _LINE, np.int64)
    start = (-(memory.ctypes.data // 8)) % _LINE
    return memory[start : start + rows * fields].reshape(rows, fields)
