"""Memory of a run: the chains' blocks, their work space, and the addresses that tie them to density and trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import address_of
from nbinfer.mcmc.chain import COLUMN_FIELDS, KINDS, Chain, Progress, Team
from nbinfer.mcmc.step import Site, StepMethod, Wiring
from nbinfer.mcmc.subset import SubsetStep
from nbinfer.random import STREAM_WORDS

_LINE = 8  # fields of a cache line: parts begin on one, so that no two chains share any


class Placed(NamedTuple):
    """A step method and where it acts."""

    method: StepMethod
    site: Site

    @property
    def engine(self) -> Any:
        """What the engine runs: the method itself, or one that hands it its part of the coordinates."""
        return SubsetStep(self.method) if self.site.is_part else self.method

    def position(self, whole: np.ndarray) -> np.ndarray:
        """Return the part of a position that the step sees."""
        return whole[self.site.coordinates] if self.site.is_part else whole


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
        self, bound: Any, steps: Sequence[Placed], tune: int, numbers: Sequence[int], keys: Sequence[np.ndarray]
    ):
        n, chains = bound.dim, len(numbers)
        self._bound, self.steps, self._tune = bound, list(steps), tune
        self._engines = [step.engine for step in self.steps]
        self._held: tuple[Sequence[Column], Sequence[Column]] | None = None
        self.n_discrete = bound.n_discrete
        plan, work = _Plan(), _Plan()
        plan.add("chain", Chain.itemsize // 8)
        plan.add("words", STREAM_WORDS)
        plan.add("position", n)
        plan.add("grad", n)
        plan.add("discrete", self.n_discrete)
        work.add("steps", 2 * len(self.steps))
        work.add("row", bound.row_size)
        self.n_statistics = sum(len(s.method.statistics) for s in self.steps)
        work.add("statistics", self.n_statistics)
        for k, (engine, step) in enumerate(zip(self._engines, self.steps, strict=True)):
            for name, count in engine.layout(step.site).items():
                plan.add((k, name), count)
            for name, count in engine.workspace(step.site).items():
                work.add((k, name), count)
        self._plan, self._work_plan = plan, work
        self.state = _aligned(chains, plan.size)
        self._work = _aligned(chains, work.size)
        self.progress = _aligned(chains, Progress.itemsize // 8).view(Progress).reshape(chains)
        self.stop = _aligned(1, _LINE)[0]
        self.records = [row[: Chain.itemsize // 8].view(Chain)[0] for row in self.state]
        self._columns: list[np.ndarray] = []
        self._peer_table: np.ndarray | None = None
        for c, record in enumerate(self.records):
            record["enough_divergences"] = self.stops_at_divergence
            record["n"], record["tune"], record["number"] = n, tune, numbers[c]
            record["n_discrete"] = self.n_discrete
            self.part(c, "words").view(np.uint64)[4:6] = keys[c]

    @property
    def stops_at_divergence(self) -> bool:
        """Whether the first divergence after warm-up ends the run."""
        return any(getattr(step.method, "on_error", "") == "raise" for step in self.steps)

    def part(self, chain: int, name: str) -> np.ndarray:
        """Return one of a chain's own parts as an array of int64."""
        at, count = self._plan.places[name]
        return self.state[chain, at : at + count]

    def begin(
        self,
        chain: int,
        position: np.ndarray,
        logp: float,
        grad: np.ndarray | None = None,
        discrete: np.ndarray | None = None,
    ) -> None:
        """Put a chain at its starting point and its steps at their first state."""
        self.part(chain, "position").view(np.float64)[:] = position
        record = self.records[chain]
        record["logp"], record["gradient_known"] = logp, grad is not None
        if grad is not None:
            self.part(chain, "grad").view(np.float64)[:] = grad
        if discrete is not None:
            self.part(chain, "discrete")[:] = discrete[: self.n_discrete]
        for k, (engine, step) in enumerate(zip(self._engines, self.steps, strict=True)):
            parts = self._plan.views(self.state[chain], k)
            for part in parts.values():  # nothing is left of what a step has learnt before
                part[:] = 0
            engine.initialise(parts, step.site, self._tune, step.position(position))
        if self._held is not None:  # addresses were among what the parts held
            self.wire(*self._held)

    def wire(self, columns: Sequence[Column], statistics: Sequence[Column]) -> None:
        """Write every address: after allocation, and again after blocks came from elsewhere."""
        self._held = (columns, statistics)  # workers write to their arrays as long as these blocks live
        self._columns = []
        (density, value), record_function = self._densities, self._bound.record if columns else 0
        for c, record in enumerate(self.records):
            base, work = address_of(self.state[c]), address_of(self._work[c])
            for name in ("words", "position", "grad", "discrete"):
                record[name] = base + 8 * self._plan.places[name][0]
            for name in ("steps", "row", "statistics"):
                record[name] = work + 8 * self._work_plan.places[name][0]
            record["density"], record["value"], record["record"] = density, value, record_function
            record["context"] = self._bound.context(c)
            if self.n_discrete:
                self._bound.place_discrete(c, self.part(c, "discrete"))
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
            for k, (engine, step) in enumerate(zip(self._engines, self.steps, strict=True)):
                wiring = self._wiring(c, k, offset)
                if isinstance(engine, SubsetStep):
                    engine.wire(wiring, step.site, record)
                else:
                    engine.wire(wiring, step.site)
                functions[2 * k], functions[2 * k + 1] = engine.function.address, wiring.parts["own"]
                offset += len(step.method.statistics)

    def last_statistics(self, chain: int) -> list[dict[str, Any]]:
        """Return what each step wrote in the last draw."""
        at, offset = self._work_plan.places["statistics"][0], 0
        row = self._work[chain].view(np.float64)[at : at + self.n_statistics]
        found = []
        for step in self.steps:
            kinds = step.method.statistics
            values = row[offset : offset + len(kinds)]
            found.append({n: np.dtype(d).type(v).item() for (n, d), v in zip(kinds.items(), values, strict=True)})
            offset += len(kinds)
        return found

    def _wiring(self, chain: int, k: int, offset: int) -> Wiring:
        statistics = int(self.records[chain]["statistics"]) + 8 * offset
        parts = self._plan.addresses(address_of(self.state[chain]), k)
        work = self._work_plan.addresses(address_of(self._work[chain]), k)
        stream = int(self.records[chain]["words"])
        return Wiring(parts, work, statistics, address_of(self._peers[k]), len(self.records), chain, stream)

    @property
    def _peers(self) -> np.ndarray:
        """Addresses of the positions that each step sees in each chain, shape (steps, chains)."""
        if self._peer_table is None:
            table = np.zeros((len(self.steps), len(self.records)), np.int64)
            for k, step in enumerate(self.steps):
                place = self._plan.places[(k, "position") if step.site.is_part else "position"][0]
                table[k] = [address_of(row) + 8 * place for row in self.state]
            self._peer_table = table
        return self._peer_table

    @property
    def _densities(self) -> tuple[int, int]:
        """The density and that of values alone; only what the steps need is asked for, and thereby compiled."""
        wants = {step.method.uses_gradient for step in self.steps}
        density = self._bound.density if True in wants else 0
        value = self._bound.value_density if wants != {True} else density
        return density or value, value

    def team(self, until: int) -> np.ndarray:
        """Return what workers share, a `Team` of one; it refers to these blocks, which must outlive it."""
        self._chains = np.array([address_of(row) for row in self.state], np.int64)
        team = np.zeros(1, Team)
        together = any(step.method.population for step in self.steps)
        starts = [0, len(self.records)] if together else range(len(self.records) + 1)
        self._units = np.array(starts, np.int64)
        team["chains"] = address_of(self._chains)
        team["units"], team["n_units"] = address_of(self._units), len(starts) - 1
        team["progress"], team["until"], team["stop"] = address_of(self.progress), until, address_of(self.stop)
        return team


class Column:
    """Where a part of a row goes: one array for warm-up (or none) and one for the draws after it.

    Parameters
    ----------
    offset, count : int
        The part of the row.
    dtype : str
        Of the arrays.
    warm, main : ndarray, shape (chain, draw, ...), or None
        The arrays.
    of : (int, int)
        Which of how many parts of this size that lie side by side in each draw of the arrays.
    """

    def __init__(
        self,
        offset: int,
        count: int,
        dtype: str,
        warm: np.ndarray | None,
        main: np.ndarray | None,
        of: tuple[int, int] = (0, 1),
    ) -> None:
        self._fields = (offset, count, KINDS[dtype], count * of[1])
        self._arrays = (warm, main)
        self._skip = count * of[0]

    def row(self, chain: int) -> list[int]:
        """Return the fields of one chain."""
        bases = [
            address_of(a[chain]) + self._skip * a.itemsize if a is not None and a.shape[1] > 0 else 0
            for a in self._arrays
        ]
        return [*self._fields, *bases]


def _aligned(rows: int, fields: int) -> np.ndarray:
    """Return zeroed int64 of shape (rows, fields), rows beginning on a cache line; `fields` is rounded up for that."""
    fields = -(-fields // _LINE) * _LINE
    memory = np.zeros(rows * fields + _LINE, np.int64)
    start = (-(memory.ctypes.data // 8)) % _LINE
    return memory[start : start + rows * fields].reshape(rows, fields)
