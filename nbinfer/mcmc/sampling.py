"""Chains that are ready to go: steps, starting points, memory, and the arrays that take what they draw."""

from __future__ import annotations

import datetime
import json
import platform
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer._version import __version__
from nbinfer.diagnostics.of_samplers import first_divergence, where
from nbinfer.engine.backends import CPU, on_backend
from nbinfer.engine.chains import Chains, Placed
from nbinfer.engine.driver import Outcome, run, run_for_now
from nbinfer.engine.gradients import gradient_warnings
from nbinfer.engine.jobs import Words
from nbinfer.engine.progress import Display
from nbinfer.engine.recipe import NOTE, entropy_of, with_versions
from nbinfer.engine.starts import Start, starting_points
from nbinfer.engine.step import StepMethod, site_of
from nbinfer.engine.team import work
from nbinfer.errors import NbinferWarning, SamplingError, calls_above, unseen
from nbinfer.mcmc.metric.reading import metrics_of
from nbinfer.mcmc.recipe import Assigned, Run, recipe_of
from nbinfer.model import Model
from nbinfer.model.code.extras import check_conditionals
from nbinfer.model.fingerprint import parts_of
from nbinfer.random import key_of
from nbinfer.trace import Trace
from nbinfer.trace.rows import Counts
from nbinfer.trace.store import MODEL, MemoryStore, Store, columns_of_draws, columns_of_statistics


class Sampling:
    """The chains of one run.

    Parameters
    ----------
    model : Model
    assigned : sequence of (StepMethod, list of str)
        Step methods with their variables, in the order of application.
    draws, tune : int
        Draws kept per chain, and iterations of warm-up before them, at most.
    numbers : sequence of int
        The chains' numbers.
    sequences : sequence of SeedSequence
        Their seeds.
    start : None, mapping or sequence of mappings
        Where they begin, see `starting_points`.
    jitter, disperse : bool
        Whether coordinates that are not given are jittered, and discrete values drawn.
    climb : bool
        Whether chains without a given start, if they are jittered, climb before they draw.
    kept : set of str, optional
        Names that the trace keeps. Default: all.
    discard : bool
        Whether the draws of warm-up are dropped.
    record : bool
        Whether anything is stored.
    auto : bool
        Whether warm-up ends as soon as it may, if one step moves everything and can tell.
    backend : str
        Where the chains are drawn, see `nbinfer.engine.backends`.
    store : callable, optional
        From chains, tune and draws to the store that they write to. Default: memory.
    superchains : int
        Groups of chains that follow each other and begin at equal points, unless each chain has a start; 1: none.

    Attributes
    ----------
    model : Model
        As given.
    bound : Bound
    chains : Chains
        Begun and wired.
    methods : list of StepMethod
    numbers : list of int
    draws, tune : int
        As given.
    auto : bool
        Whether warm-up may end early.
    store : Store
    seconds_before : float
        How long the run took before it was taken up again.
    news : list of str
        Which versions are others than those that it began with.
    """

    seconds_before = 0.0
    news: Sequence[str] = ()
    _is_on = True  # whether it draws what is new; what is there may have to be made once more before

    def __init__(
        self,
        model: Model,
        assigned: Sequence[tuple[StepMethod, list[str]]],
        *,
        draws: int,
        tune: int,
        numbers: Sequence[int],
        sequences: Sequence[np.random.SeedSequence],
        start: Any = None,
        jitter: bool = True,
        disperse: bool = True,
        climb: bool = True,
        kept: set[str] | None = None,
        discard: bool = True,
        record: bool = True,
        auto: bool = False,
        backend: str = CPU,
        store: Callable[[int, int, int], Store] = MemoryStore,
        superchains: int = 1,
    ) -> None:
        keys = [key_of(s) for s in sequences]
        auto = auto and len(assigned) == 1 and assigned[0][0].settles
        words, seeds = [[int(word) for word in key] for key in keys], [entropy_of(s) for s in sequences]
        names = None if kept is None else sorted(kept)
        run = Run(tune, auto, [*numbers], words, seeds, names, discard, record, superchains, backend)
        self._prepare(model, assigned, run)
        gradient = any(method.uses_gradient for method in self.methods)
        if gradient:
            _warn_of_gradient(self.bound)
        points = self._starts(start, jitter, disperse, keys, gradient)
        self._check_starts(points, gradient)
        self.draws, self.store = draws, store(len(numbers), tune, draws)
        with self.store.made():
            self.store.name_axes(model.dims, model.coords)
            self.chains = self._made(self.store.words)
            self._begin(points, may_climb=climb and jitter and start is None)
            self._wire(self.chains, self.store)
            if record:
                self._describe(assigned)

    def _begin(self, points: Sequence[Start], may_climb: bool) -> None:
        """Put the chains where they begin."""
        parts = (None if part[0] is None else np.array(part) for part in zip(*points, strict=True))
        self.chains.begin(slice(None), *parts, may_climb=may_climb)

    def _prepare(self, model: Model, assigned: Assigned, run: Run) -> None:
        """Bind the model, and place the steps in it."""
        self.model, self._assigned, self._run = model, assigned, run
        self.numbers, self.tune, self.auto = run.numbers, run.tune, run.auto
        self.methods = [method for method, _ in assigned]
        self.bound = model.bind(len(self.numbers))
        self._steps = [Placed(method, site_of(self.bound, names, method.sees_all)) for method, names in assigned]
        for placed in self._steps:
            placed.method.check(placed.site)

    def _starts(
        self, start: Any, jitter: bool, disperse: bool, keys: Sequence[NDArray[np.uint64]], gradient: bool
    ) -> list[Start]:
        """Return where each chain begins; those of a superchain begin where the first of them would."""
        numbers, superchains = self.numbers, self._run.superchains
        of_each = isinstance(start, Sequence) and len(start) == len(numbers)
        members = len(numbers) // superchains if superchains > 1 and not of_each else 1
        points = starting_points(
            self.bound, self.model, start, jitter, keys[::members], numbers[::members], gradient, disperse,
            "chain" if members == 1 else "the superchain of chain",
        )  # fmt: skip
        return [point for point in points for _ in range(members)]

    def _made(self, words: Words) -> Chains:
        """Make the chains of the run in some memory."""
        keys = [np.array(key, np.uint64) for key in self._run.keys]
        return Chains(self.bound, self._steps, self.tune, self.numbers, keys, words, self.auto)

    def _wire(self, chains: Chains, store: Store) -> None:
        """Have chains write to the arrays of a store."""
        run, columns, statistics = self._run, [], []
        if run.record:
            columns = columns_of_draws(store, self.bound.columns, run.kept, warm_up=not run.discard)
            statistics = columns_of_statistics(store, [m.statistics for m in self.methods])
        chains.wire(columns, statistics, store.thin)

    def load(self) -> None:
        """Make ready what workers run, not in one of them: a compilation there would hide from Ctrl-C."""
        if self._run.backend == CPU:
            work.load()

    def run(self, cores: int, display: Display, until: int | None = None) -> Outcome:
        """Draw where the run is drawn: to its end, or only for now, until chains have made so many draws.

        Parameters
        ----------
        cores : int
            Threads at most, on the processor.
        display : Display
        until : int, optional
        """
        end = self.tune + self.draws if until is None else until
        if self._run.backend == CPU:
            return (run if until is None else run_for_now)(self.chains, end, cores, display)
        on = on_backend(self._run.backend, "chains")
        return (on.run if until is None else on.run_for_now)(self.chains, end, display)  # type: ignore[no-any-return]

    def catch_up(self, cores: int) -> Outcome | None:
        """Get to where the run is; None: it may begin. A new run is there already."""
        return None

    @property
    def serial(self) -> bool:
        """Whether chains run one after the other: the model's density, or a function of a step, is plain Python."""
        return self.bound.serial or any(method.serial for method in self.methods)

    def limit(self, deadline: float, most_evaluations: int | None) -> None:
        """End the run at a time of `time.monotonic`, and each chain after its share of evaluations from here on."""
        chains = self.chains
        chains.deadline, every = deadline, chains.every
        if most_evaluations is not None:
            every.most_evaluations = every.gradients + every.values - (-most_evaluations // len(chains))

    @property
    def is_at_limit(self) -> bool:
        """Whether a chain has ended since it has made its share of evaluations."""
        every = self.chains.every
        short = every.done < self.tune + self.draws
        return bool((short & (every.gradients + every.values >= every.most_evaluations)).any())

    def _check_starts(self, points: Sequence[Any], gradient: bool) -> None:
        """Raise what is wrong with the model or the steps where the chains begin."""
        for placed in self._steps:
            placed.method.check_starts(placed.site, np.array([placed.position(point.position) for point in points]))
        first = points[0]
        if gradient:
            self.bound.check_gradient(first.position, first.discrete)
            self._check_repeats(first)
        if self.model.conditional:
            check_conditionals(self.bound.definition, first.position, first.discrete)

    def _check_repeats(self, start: Any) -> None:
        """Warn if the density is another number when it is asked again, as no function of its arguments is."""
        twice = [self.bound.value_and_grad(start.position, start.discrete)[0] for _ in range(2)]
        if twice[0] != twice[1] and np.isfinite(twice).all():
            said = (
                f"logp is {twice[0]:.6g} and then {twice[1]:.6g} at the same point: it draws random numbers, or reads "
                "what changes. What is random is a parameter, and draws of data belong to predict=."
            )
            with unseen():
                warnings.warn(said, NbinferWarning, calls_above())

    def trace(self, seconds: float) -> Trace:
        """Return a trace of what is finished, interrupted if more was meant to come.

        Parameters
        ----------
        seconds : float
            How long it took.
        """
        done, skipped = self._progress()
        tune_done, draws_done = self.store.finished(done, skipped)
        groups = self.store.show(tune_done, draws_done)
        tune = "auto" if self.auto else self.tune
        tuned = int(tune_done.max())
        return Trace(
            posterior=groups["posterior"],
            sample_stats=groups["sample_stats"],
            warmup_posterior=self._of_warm_up(groups["warmup_posterior"], tuned),
            warmup_sample_stats=self._of_warm_up(groups["warmup_sample_stats"], tuned),
            **self.model.shown,
            draws_done=draws_done,
            tune_done=tune_done,
            chain_ids=self.numbers,
            attrs=_attributes(self._run.seeds, seconds, self.methods, tune, self.chains.progress["gradients"])
            | {"parameters": list(self.model.parameters)}
            | _superchains(self.numbers, self._run.superchains),
            interrupted=bool((done < self.tune + self.draws).any()),
            metric=metrics_of(self.chains, self.numbers),
        )

    def error_of(self, outcome: Outcome) -> BaseException | None:
        """Return what has stopped the chains, with a note on where that was; None if nothing has."""
        if outcome.error is not None and outcome.job is not None and outcome.point is not None:
            finished = "; finished draws: error.trace" if self._run.record else ""
            where = self.bound.describe(*outcome.point)
            outcome.error.add_note(f"in chain {self.numbers[outcome.job]} at {where}{finished}")
        return outcome.error

    def _progress(self) -> tuple[Counts, Counts]:
        """Return how many draws each chain has counted, and how many of these it did without."""
        return self.chains.progress["done"].copy(), self.chains.progress["skipped"]

    def _describe(self, assigned: Assigned) -> None:
        """Leave with the store, before the first draw, what a trace knows and what rebuilds the run."""
        self.store.describe(self._begun())
        if self.store.remembers:
            python = ".".join(platform.python_version_tuple()[:2])  # functions compile to other words in another one
            self.store.notes[MODEL] = json.dumps({"Python": python} | parts_of(self.bound.definition))
        if self.store.outlives:
            plan = self.chains.plan.fingerprint
            self.store.notes[NOTE] = recipe_of(self.bound.definition, assigned, self._run, plan)
            self.chains.keep_snapshots().keep(self.chains.state)

    def _begun(self) -> Trace:
        """Return what a trace knows of a run that has not ended."""
        trace = self.trace(np.nan)
        trace.metric, trace.interrupted = None, True
        return trace

    def part(self, chains: slice) -> tuple[Model, Assigned, Run, NDArray[np.int64], int, int, bool]:
        """Return all that another process needs in order to draw some of the chains."""
        run, store = self._run, self.store
        own = run._replace(numbers=run.numbers[chains], keys=run.keys[chains], seeds=run.seeds[chains])
        blocks = self.chains.state[chains].copy()
        return self.model, self._assigned, own, blocks, self.draws, store.thin, store.outlives

    def take(
        self,
        chains: slice,
        groups: Mapping[str, Mapping[str, NDArray[Any]]],
        blocks: NDArray[np.int64],
        left: Sequence[NDArray[np.int64]],
        progress: NDArray[Any],
    ) -> None:
        """Take over what some of the chains have become in another process.

        Parameters
        ----------
        chains : slice
            Whole units.
        groups : mapping of str to mapping of str to ndarray
            Draws and statistics.
        blocks : ndarray of int64, shape (chain, fields)
            As the chains are, in the middle of a draw maybe.
        left : sequence of ndarray of int64, shape (chain, fields)
            Their snapshots, the older first.
        progress : ndarray, shape (chain,)
            Their lines.
        """
        for group, arrays in groups.items():
            for name, array in arrays.items():
                self.store.groups[group][name][chains] = array
        self.chains.state[chains], self.chains.progress[chains] = blocks, progress
        self._wire(self.chains, self.store)
        for snapshot in left:
            assert self.chains.snapshots is not None
            self.chains.snapshots.keep(snapshot, chains)

    def look(self, last: bool = False) -> None:
        """Have the store see what is finished."""
        self.store.look(*self._progress(), last=last)

    def close(self, trace: Trace, ended: str) -> None:
        """Leave with the store what a trace of the run knows, and how it ended; nothing is drawn any more."""
        self.store.describe(trace)
        if self.store.outlives:
            self.store.notes["ended"] = ended
            if self.news and self._is_on:
                self.store.notes[NOTE] = with_versions(self.store.notes[NOTE])
        self.store.close(finished=not trace.interrupted)

    def _of_warm_up(self, arrays: Mapping[str, np.ndarray], most: int) -> Mapping[str, np.ndarray]:
        """Return the arrays of a group; if chains may end it early, copies of the rows that are used."""
        return {name: array[:, :most].copy() for name, array in arrays.items()} if self.auto else arrays


def _warn_of_gradient(bound: Any) -> None:
    for message, category in gradient_warnings(bound):
        with unseen():
            warnings.warn(message, category, stacklevel=calls_above())


def divergence_error(trace: Trace) -> SamplingError | None:
    """Return an error that names the first draw after warm-up that has diverged; None if none has."""
    found = first_divergence(trace, trace.draws_done)
    if found is None:
        return None
    chain, draw = found
    point = where(trace.posterior, [name for name in trace.attrs["parameters"] if name in trace.posterior], chain, draw)
    return SamplingError(
        f"stopped at the first divergence, as on_error='raise' asks: draw {draw} of chain {trace.chain_ids[chain]}"
        f"{f', near {point}' if point else ''}; finished draws: error.trace"
    )


def settings(methods: Sequence[StepMethod], *names: str) -> dict[str, Any]:
    """Return settings of the steps that have them: one value if they agree, else one for each of those steps."""
    found: dict[str, Any] = {}
    for name in names:
        values = [_in_use(method, name) for method in methods if hasattr(method, name)]
        if not all(value != value for value in values):
            found[name] = values[0] if len(set(values)) == 1 else values
    return found


def _in_use(method: StepMethod, name: str) -> Any:
    """Return a setting; NaN for the target of a step size that is not adapted, or to another mean of acceptances."""
    adapted = getattr(method, "adapt_step_size", True) and not getattr(method, "harmonic", False)
    return np.nan if name == "target_accept" and not adapted else getattr(method, name)


def _superchains(numbers: Sequence[int], superchains: int) -> dict[str, Any]:
    """Return the numbers of the first chains of superchains, if there are any."""
    return {"superchains": list(numbers[:: len(numbers) // superchains])} if superchains > 1 else {}


def _attributes(
    seeds: Sequence[Any],
    seconds: float,
    methods: Sequence[StepMethod],
    tune: int | str,
    gradients: np.ndarray,
) -> dict[str, Any]:
    one = all(seed == seeds[0] for seed in seeds)
    return {
        "inference_library": "nbinfer",
        "inference_library_version": __version__,
        "creation_library": "nbinfer",
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "sample_dims": ["chain", "draw"],
        "sampling_time": seconds,
        "seed": seeds[0] if one else list(seeds),
        "gradients": [int(g) for g in gradients],  # evaluations per chain, warm-up and searches included
        "tune": tune,
        "steps": [method.name for method in methods],
        "usual_tune": max((method.usual_tune for method in methods), default=0),
    } | settings(methods, "target_accept", "max_treedepth", "path_length", "integrator", "largest_step_size")
