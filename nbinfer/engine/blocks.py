"""Memory of a run: the chains' blocks, their work space, and the addresses that tie them to density and trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import address_of
from nbinfer.compile.memory import rest
from nbinfer.engine.chain import CHAIN, Progress, Team
from nbinfer.engine.state import BLOCK, ROW, Memory, Plan, address_of_rows
from nbinfer.engine.step import Around, Peers, Site, StepMethod
from nbinfer.engine.subset import SubsetStep
from nbinfer.trace.columns import Column, tables

#: A population of so many members moves in two halves.
IN_HALVES = 8
_LINE = 8  # fields of a cache line


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
        return whole[..., self.site.coordinates] if self.site.is_part else whole


class Blocks:
    """The memory of all chains of a run.

    Attributes
    ----------
    state : ndarray, shape (chains, fields), int64
        One block per chain: all there is to it.
    chains : list of Memory
        The same by name.
    progress : ndarray of `Progress`, shape (chains,)
    stop : ndarray, shape (8,), int64
        The first word stops the run.
    """

    def __init__(
        self, bound: Any, steps: Sequence[Placed], tune: int, numbers: Sequence[int], keys: Sequence[np.ndarray]
    ):
        chains = len(numbers)
        self._bound, self.steps, self._tune = bound, list(steps), tune
        self._held: tuple[Sequence[Column], Sequence[Column], int] | None = None
        self.n_discrete = bound.n_discrete
        everything = Site(bound, (), np.arange(bound.dim), np.arange(self.n_discrete), *np.zeros((2, 0), np.int64))
        self.plan = Plan()
        self._header = self.plan.place(CHAIN, self.steps, everything)
        self._first_of_steps = self.plan.sizes[BLOCK]
        self._places = [self.plan.place(step.engine.state, step.engine, step.site) for step in self.steps]
        self.plan.link(CHAIN.offset("statistics"), ROW, 0)
        self.state, self._work, self._rows = (_aligned(chains, size) for size in self.plan.sizes)
        self.chains = [Memory(self._header, *memory) for memory in zip(self.state, self._work, strict=True)]
        self.progress = _aligned(chains, Progress.itemsize // 8).view(Progress).reshape(chains)
        self.stop = _aligned(1, _LINE)[0]
        self._columns: list[np.ndarray] = []
        self._peer_tables: dict[int, np.ndarray] = {}
        every = self.every
        every.n, every.n_discrete, every.n_steps = bound.dim, self.n_discrete, len(self.steps)
        every.tune, every.number = tune, numbers
        every.enough_divergences = self.stops_at_divergence
        every.words.view(np.uint64)[:, 4:6] = keys

    @property
    def every(self) -> Memory:
        """The headers of all chains."""
        return Memory(self._header, self.state, self._work)

    @property
    def stops_at_divergence(self) -> bool:
        """Whether the first divergence after warm-up ends the run."""
        return any(getattr(step.method, "on_error", "") == "raise" for step in self.steps)

    def own(self, step: int, chain: int | slice = slice(None)) -> Memory:
        """Return what one of the steps keeps, by name; of all chains or of one."""
        return Memory(self._places[step], self.state[chain], self._work[chain])

    def begin(self, chain: int | slice, position: Any, logp: Any, grad: Any = None, discrete: Any = None) -> None:
        """Put chains at their starting points and their steps at their first state.

        Parameters
        ----------
        chain : int or slice
            One chain, or several; then what follows has them as first axis.
        position : array_like, shape (dim,)
        logp : float
            The log density there.
        grad : array_like, shape (dim,), optional
            Its gradient, if it is known.
        discrete : array_like of int, optional
            Discrete values. Default: as they are.
        """
        memory = Memory(self._header, self.state[chain], self._work[chain])
        position = np.asarray(position)
        memory.position[:] = position
        memory.logp, memory.gradient_known = logp, grad is not None
        if grad is not None:
            memory.grad[:] = grad
        if discrete is not None:
            memory.discrete[:] = np.asarray(discrete)[..., : self.n_discrete]
        self.state[chain, self._first_of_steps :] = 0  # nothing is left of what a step has learnt before
        for k, step in enumerate(self.steps):
            step.engine.initialise(self.own(k, chain), step.site, self._tune, step.position(position))
        if self._held is not None:  # addresses were among what was forgotten
            self.wire(*self._held)

    def wire(self, columns: Sequence[Column], statistics: Sequence[Column], thin: int = 1) -> None:
        """Write every address: after allocation, and again after blocks came from elsewhere."""
        self._held = (columns, statistics, thin)  # workers write to their arrays as long as these blocks live
        spaces = [address_of_rows(memory) for memory in (self.state, self._work, self._rows)]
        self.plan.relocate(self.state, np.array(spaces, np.int64).T)
        every, chains = self.every, len(self.state)
        every.density, every.value = self._densities
        every.record_function = self._bound.record if columns else 0
        every.context = [self._bound.context(c) for c in range(chains)]
        if self.n_discrete:
            for c, values in enumerate(every.discrete):
                self._bound.place_discrete(c, values)
        every.stop, every.progress = address_of(self.stop), address_of_rows(self.progress[:, None])
        self.progress["draw"] = every.draw
        self._columns = [tables(chosen, chains) for chosen in (columns, statistics)]
        every.columns, every.statistic_columns = map(address_of_rows, self._columns)
        every.n_columns, every.n_statistic_columns, every.thin = len(columns), len(statistics), thin
        for k, step in enumerate(self.steps):
            own = self.own(k)
            step.engine.connect(own, Around(every, self._peers(k)), step.site)
            every.steps[:, 2 * k], every.steps[:, 2 * k + 1] = step.engine.function.address, own.address

    def last_statistics(self, chain: int) -> list[dict[str, Any]]:
        """Return what each step wrote in the last draw."""
        row, offset, found = self._rows[chain].view(np.float64), 0, []
        for step in self.steps:
            kinds = step.method.statistics
            values = row[offset : offset + len(kinds)]
            found.append({n: np.dtype(d).type(v).item() for (n, d), v in zip(kinds.items(), values, strict=True)})
            offset += len(kinds)
        return found

    @property
    def half(self) -> int:
        """Members of the first half of a population that moves in two; else 0."""
        together = any(step.method.population for step in self.steps)
        return len(self.state) // 2 if together and len(self.state) >= IN_HALVES else 0

    def _peers(self, k: int) -> Peers:
        """Return whom each chain looks at in a step."""
        addresses = address_of_rows((self.own(k) if self.steps[k].site.is_part else self.every).position)
        self._peer_tables[k] = table = np.array(addresses, np.int64)
        chains, half = len(table), self.half
        if not half:
            return Peers(address_of(table), chains, np.arange(chains))
        first = np.arange(chains) < half
        where = np.where(first, address_of(table[half:]), address_of(table))
        return Peers(where, np.where(first, chains - half, half), -1)

    @property
    def _densities(self) -> tuple[int, int]:
        """The density and that of values alone; only what the steps need is asked for, and thereby compiled."""
        wants = {step.method.uses_gradient for step in self.steps}
        density = self._bound.density if True in wants else 0
        value = self._bound.value_density if wants != {True} else density
        return density or value, value

    def team(self, until: int) -> np.ndarray:
        """Return what workers share, a `Team` of one; it refers to these blocks, which must outlive it."""
        self._chains = np.asarray(address_of_rows(self.state), np.int64)
        team = np.zeros(1, Team)
        together = any(step.method.population for step in self.steps)
        starts = [0, len(self.state)] if together else range(len(self.state) + 1)
        self._units = np.array(starts, np.int64)
        team["chains"], team["progress"] = address_of(self._chains), address_of(self.progress)
        team["units"], team["n_units"] = address_of(self._units), len(starts) - 1
        team["half"], team["rest"] = self.half, rest.address
        self._tickets = _aligned(2, 1)
        team["tickets"], team["done"] = address_of_rows(self._tickets)
        team["from_draw"] = self.progress["draw"].min()
        team["until"], team["stop"] = until, address_of(self.stop)
        return team


def _aligned(rows: int, fields: int) -> np.ndarray:
    """Return zeroed int64 of shape (rows, fields), rows beginning on a cache line; `fields` is rounded up for that."""
    fields = -(-fields // _LINE) * _LINE
    memory = np.zeros(rows * fields + _LINE, np.int64)
    start = (-(memory.ctypes.data // 8)) % _LINE
    return memory[start : start + rows * fields].reshape(rows, fields)
