"""The chains of a run: what their blocks hold, and the addresses that tie them to density and trace."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import Progressbar
from nbinfer.compile import Entry, address_of
from nbinfer.engine import python_entry
from nbinfer.engine.chain import CHAIN, NO_LIMIT, Progress, advance
from nbinfer.engine.failures import Point, raised_by, replayed
from nbinfer.engine.job import Status
from nbinfer.engine.jobs import Jobs, Phase, Words
from nbinfer.engine.progress import Display, display_for
from nbinfer.engine.state import BLOCK, ROW, Memory, Plan, address_of_rows
from nbinfer.engine.step import Around, Peers, Site, StepMethod
from nbinfer.engine.subset import SubsetStep
from nbinfer.engine.team import blocks_of, move
from nbinfer.engine.timed import TimedStep
from nbinfer.errors import SamplingError
from nbinfer.random import generator
from nbinfer.trace.columns import Column, tables

#: Statuses that end a run, and what they mean unless the model's functions have an exception to say it.
_FAILURES = {
    Status.BAD_RECORD: "a derived quantity has another shape here than at the initial point, or is no whole number, or "
    "one beyond 2**53, although whole numbers are stored; give it one shape everywhere, and float(...) if need be",
    Status.BAD_DRAW: "a draw of {step} lies outside the support of its variable, or the density is zero there; "
    "it must come from the full conditional",
    Status.RAISED: "the function of {step} raised, or returned an array of another shape; try it in plain Python",
    Status.BAD_CONDITIONAL: "{step} finds no value of the model's conditional at a point where the density has one; "
    "the conditional must be finite where the density is",
    Status.ITERATION_LIMIT: "{step} found no slice within iter_limit turns of a loop; raise iter_limit, or w",
}

#: A population of so many members moves in two halves.
IN_HALVES = 8


class Placed(NamedTuple):
    """A step method and where it acts."""

    method: StepMethod
    site: Site

    @property
    def engine(self) -> Any:
        """What the engine runs: the method itself, or one that hands it its part of the coordinates, or times it."""
        inside = SubsetStep(self.method) if self.site.is_part else self.method
        return TimedStep(inside) if self.method.timed else inside

    def position(self, whole: np.ndarray) -> np.ndarray:
        """Return the part of a position that the step sees."""
        return whole[..., self.site.coordinates] if self.site.is_part else whole


class Together(NamedTuple):
    """What members of a population do together, of which a phase is made.

    Attributes
    ----------
    function : Entry
        ``int64 phase(intp members, int64 row, int64 piece)``.
    members : ndarray of int64
        See `nbinfer.engine.team.blocks_of`.
    rows : int
        Blocks, or 1.
    """

    function: Entry
    members: NDArray[np.int64]
    rows: int

    @property
    def phase(self) -> Phase:
        """As workers know it; the table must outlive it."""
        return Phase(self.function.address, address_of(self.members), self.rows)


class Chains(Jobs):
    """The chains of a run.

    Parameters
    ----------
    bound : Bound
    steps : sequence of Placed
        In the order of application.
    tune : int
        Draws of warm-up, at most.
    numbers : sequence of int
    keys : sequence of ndarray
        Number and seed of each chain.
    words : callable, optional
        Where memory comes from, see `nbinfer.engine.jobs.Words`.
    settles : bool
        Whether warm-up ends as soon as a step has settled.

    Attributes
    ----------
    steps : list of Placed
    on_divergence : callable or None
        Called with (chain, divergences) when a chain has new divergences; True stops the run.
    on_look : callable or None
        Called now and then while the run goes on; True stops it.
    """

    def __init__(
        self,
        bound: Any,
        steps: Sequence[Placed],
        tune: int,
        numbers: Sequence[int],
        keys: Sequence[np.ndarray],
        words: Words | None = None,
        settles: bool = False,
    ) -> None:
        self.steps = [Placed(step.method, step.site._replace(tune=tune, settles=settles)) for step in steps]
        self._tune, self.n_discrete = tune, bound.n_discrete
        self._held: tuple[Sequence[Column], Sequence[Column], int] | None = None
        everything = Site(bound, (), np.arange(bound.dim), np.arange(self.n_discrete), *np.zeros((2, 0), np.int64))
        plan = Plan()
        header = plan.place(CHAIN, self.steps, everything)
        self._first_of_steps = plan.sizes[BLOCK]
        self._places = [plan.place(step.engine.state, step.engine, step.site) for step in self.steps]
        plan.link(CHAIN.offset("statistics"), ROW, 0)
        super().__init__(bound, plan, header, advance.address, numbers, keys, Progress, words)
        self.on_divergence: Callable[[int, int], bool] | None = None
        self.on_look: Callable[[], bool] | None = None
        self._seen = np.zeros(len(self), np.int64)
        self._columns: list[np.ndarray] = []
        self._peer_tables: dict[int, np.ndarray] = {}
        for function in self._functions:  # not when workers start: a compilation there would hide from Ctrl-C
            function.load()
        every = self.every
        every.n, every.n_discrete, every.n_steps = bound.dim, self.n_discrete, len(self.steps)
        every.most_evaluations = every.most_done = NO_LIMIT
        every.tune, every.settles, every.enough_divergences = tune, settles, self.stops_at_divergence

    @property
    def stops_at_divergence(self) -> bool:
        """Whether the first divergence after warm-up ends the run."""
        return any(getattr(step.method, "on_error", "") == "raise" for step in self.steps)

    def own(self, step: int, chain: int | slice = slice(None)) -> Memory:
        """Return what one of the steps keeps, by name; of all chains or of one."""
        memory = self._whole(step, chain)
        return memory.own if self.steps[step].method.timed else memory

    def _whole(self, step: int, chain: int | slice = slice(None)) -> Memory:
        """Return the same as what the engine runs knows it."""
        return Memory(self._places[step], self.state[chain], self._work[chain])

    def begin(
        self,
        chain: int | slice,
        position: Any,
        logp: Any,
        grad: Any = None,
        discrete: Any = None,
        *,
        may_climb: bool = False,
    ) -> None:
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
        may_climb : bool
            Whether steps that have gradients may begin warm-up at a point of higher density instead.
        """
        memory = Memory(self._header, self.state[chain], self._work[chain])
        position = np.asarray(position)
        memory.position[:] = position
        memory.logp, memory.gradient_known, memory.may_climb = logp, grad is not None, may_climb
        if grad is not None:
            memory.grad[:] = grad
        if discrete is not None:
            memory.discrete[:] = np.asarray(discrete)[..., : self.n_discrete]
        self.state[chain, self._first_of_steps :] = 0  # nothing is left of what a step has learnt before
        for k, step in enumerate(self.steps):
            step.engine.initialise(self._whole(k, chain), step.site, self._tune, step.position(position))
        if self._held is not None:  # addresses were among what was forgotten
            self.wire(*self._held)

    def wire(self, columns: Sequence[Column], statistics: Sequence[Column], thin: int = 1) -> None:
        """Write every address: after allocation, and again after blocks came from elsewhere."""
        self._held = (columns, statistics, thin)  # workers write to their arrays as long as these blocks live
        self.connect()
        every, chains = self.every, len(self)
        self.progress["skipped"] = every.skipped
        every.density, every.value = self._densities
        every.record_function = self.bound.record if columns else 0
        every.context = [self.bound.context(c) for c in range(chains)]
        if self.n_discrete:
            for c, values in enumerate(every.discrete):
                self.bound.place_discrete(c, values)
        self._columns = [tables(chosen, chains) for chosen in (columns, statistics)]
        every.columns, every.statistic_columns = map(address_of_rows, self._columns)
        every.n_columns, every.n_statistic_columns, every.thin = len(columns), len(statistics), thin
        for k, step in enumerate(self.steps):
            own = self._whole(k)
            step.engine.connect(own, Around(every, self._peers(k)), step.site)
            every.steps[:, 2 * k], every.steps[:, 2 * k + 1] = step.engine.function.address, own.address

    @property
    def held(self) -> tuple[Sequence[Column], Sequence[Column], int]:
        """What the chains were wired to: columns, columns of statistics, and `thin`."""
        assert self._held is not None
        return self._held

    @property
    def arrays(self) -> dict[str, NDArray[np.int64]]:
        columns, statistics = self._columns
        return super().arrays | {"columns": columns, "statistics": statistics}

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
    def is_population(self) -> bool:
        """Whether the chains look at each other."""
        return any(step.method.population for step in self.steps)

    @property
    def half(self) -> int:
        """Members of the first half of a population that moves in two; else 0."""
        looks = any(step.method.population and not step.method.together for step in self.steps)
        return len(self) // 2 if looks and len(self) >= IN_HALVES else 0

    @property
    def units(self) -> NDArray[np.int64]:
        return np.array([0, len(self)]) if self.is_population else super().units

    @property
    def phases(self) -> list[Phase]:
        """What a piece of a population is: first the half that looks at the second moves, then the second likewise.

        Then comes what members learn together; where nothing else ties them, they move all at once.
        """
        moves = []
        if self._functions:
            every = np.array(address_of_rows(self.state), np.int64)
            moves = [_together(move, part, True) for part in np.split(every, [self.half]) if len(part)]
        self._phases = [*moves, *self.together]
        return [own.phase for own in self._phases]

    @property
    def together(self) -> list[Together]:
        """What members of a population do after each draw of all of them, in this order."""
        found = []
        for k, step in enumerate(self.steps):
            own = self.own(k)
            members = (own.own if step.site.is_part else own).address
            found += [_together(function, members, by_blocks) for function, by_blocks in step.method.together]
        return found

    @property
    def _functions(self) -> list[Entry]:
        """What phases call, if there are any."""
        together = [function for step in self.steps for function, _ in step.method.together]
        return [move, *together] if self.half or together else []

    def look(self) -> bool:
        """Tell of new divergences, and whoever else wants to look; raise what functions in plain Python have raised."""
        error = python_entry.raised_by(entry for step in self.steps for entry in step.method.called)
        if error is not None:
            raise error
        divergences = self.progress["divergences"].copy()
        new, self._seen = np.flatnonzero(divergences > self._seen), divergences
        tell = self.on_divergence
        told = [tell(int(chain), int(divergences[chain])) for chain in new] if tell is not None else []
        return any([*told, self.on_look is not None and self.on_look()])

    def failure(self, job: int) -> tuple[BaseException, Point]:
        """Return what the user's functions raise where a step failed, or what its status means; and where that was."""
        chain = self[job]
        point = Point(chain.position.copy(), chain.discrete.copy())
        method, site = self.steps[chain.failed]
        words = chain.words.view("u8")
        rng = generator(words[4:6], *map(int, words[1:4]))
        raised = replayed(self.bound, *point) or raised_by(lambda: method.replay(self.bound.definition, *point, rng))
        step = f"{type(method).__name__}({', '.join(map(repr, site.names))})"
        return raised or SamplingError(_FAILURES[Status(chain.status)].format(step=step)), point

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
        density = self.bound.density if True in wants else 0
        value = self.bound.value_density if wants != {True} else density
        return density or value, value


def _together(function: Entry, members: NDArray[np.int64], by_blocks: bool) -> Together:
    """Return what some members, known by their addresses, do together: block by block, or in one row."""
    table = blocks_of(members)
    return Together(function, table, -(-len(members) // int(table[0])) if by_blocks else 1)


def describe(line: Any, tune: int) -> str:
    """Say in a few words what a chain is doing, from its progress line."""
    done = int(line["done"])
    phase = "warm-up" if done < tune else f"{int(line['divergences'])} divergences"
    per_draw = int(line["gradients"]) / max(done - int(line["skipped"]), 1)
    return f"{phase}, step {float(line['step_size']):.2g}, {per_draw:.1f} gradients/draw"


def describe_all(progress: np.ndarray, tune: int) -> str:
    """Say in a few words what many chains are doing, from their progress lines."""
    done = progress["done"]
    drawn = max(int((done - progress["skipped"]).sum()), 1)
    warm = int((done < tune).sum())
    phase = f"{'warm-up' if warm == len(done) else f'{warm} in warm-up'}, " if warm else ""
    words = f"mean {done.mean():.0f}, {int(progress['divergences'].sum())} divergences"
    size, each = float(np.median(progress["step_size"])), progress["gradients"].sum() / drawn
    return f"{phase}{words}, step {size:.2g}, {each:.1f} gradients/draw"


def display_of_chains(progressbar: Progressbar, numbers: Sequence[int], tune: int, total: int) -> Display:
    """Return the display of a run of chains: draws, divergences, step size, gradients per draw."""
    labels = [f"chain {number}" for number in numbers]
    together = functools.partial(describe_all, tune=tune)
    return display_for(progressbar, labels, total, "draw", functools.partial(describe, tune=tune), together)
