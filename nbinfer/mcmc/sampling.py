"""Chains that are ready to go: steps, starting points, memory, and the arrays that take what they draw."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer._version import __version__
from nbinfer.diagnostics.of_samplers import first_divergence, where
from nbinfer.engine.chains import Chains, Placed
from nbinfer.engine.gradients import gradient_warnings
from nbinfer.engine.starts import starting_points
from nbinfer.engine.step import StepMethod, site_of
from nbinfer.errors import SamplingError, unseen
from nbinfer.mcmc.metric.reading import metrics_of
from nbinfer.model import Model
from nbinfer.model.code.extras import check_conditionals
from nbinfer.random import key_of
from nbinfer.trace import Trace
from nbinfer.trace.store import MemoryStore, Store, columns_of_draws, columns_of_statistics


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
    store : callable, optional
        From chains, tune and draws to the store that they write to. Default: memory.

    Attributes
    ----------
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
    """

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
        store: Callable[[int, int, int], Store] = MemoryStore,
    ) -> None:
        chains, keys = len(numbers), [key_of(s) for s in sequences]
        self._model, self.numbers, self._sequences = model, list(numbers), sequences
        self.tune, self.draws = tune, draws
        self.methods = [method for method, _ in assigned]
        self.bound = model.bind(chains)
        steps = [Placed(method, site_of(self.bound, names, method.sees_all)) for method, names in assigned]
        for placed in steps:
            placed.method.check(placed.site)
        gradient = any(method.uses_gradient for method in self.methods)
        if gradient:
            _warn_of_gradient(self.bound)
        points = starting_points(self.bound, model, start, jitter, keys, numbers, gradient, disperse)
        self._check_starts(steps, points, gradient)
        self.store = store(chains, tune, draws)
        self.auto = auto and len(steps) == 1 and steps[0].method.settles
        with self.store.made():
            self.chains = Chains(self.bound, steps, tune, numbers, keys, self.store.words, self.auto)
            parts = (None if part[0] is None else np.array(part) for part in zip(*points, strict=True))
            self.chains.begin(slice(None), *parts, may_climb=climb and jitter and start is None)
            self._record(kept, discard) if record else self.chains.wire([], [])

    def _record(self, kept: set[str] | None, discard: bool) -> None:
        """Ask the store for arrays, have the chains write to them, and tell it what is known before the first draw."""
        columns = columns_of_draws(self.store, self.bound.columns, kept, warm_up=not discard)
        statistics = columns_of_statistics(self.store, [method.statistics for method in self.methods])
        self.chains.wire(columns, statistics, self.store.thin)
        begun = self.trace(np.nan)
        begun.metric = None
        self.store.describe(begun)

    def _check_starts(self, steps: Sequence[Placed], points: Sequence[Any], gradient: bool) -> None:
        """Raise what is wrong with the model or the steps where the chains begin."""
        for placed in steps:
            placed.method.check_starts(placed.site, np.array([placed.position(point.position) for point in points]))
        first = points[0]
        if gradient:
            self.bound.check_gradient(first.position, first.discrete)
        if self._model.conditional:
            check_conditionals(self.bound.definition, first.position, first.discrete)

    def trace(self, seconds: float) -> Trace:
        """Return a trace of what is finished, interrupted if more was meant to come.

        Parameters
        ----------
        seconds : float
            How long it took.
        """
        done = self.chains.progress["done"].copy()
        tune_done, draws_done = self.store.finished(done, self.chains.progress["skipped"])
        groups = self.store.show(tune_done, draws_done)
        tune = "auto" if self.auto else self.tune
        tuned = int(tune_done.max())
        return Trace(
            posterior=groups["posterior"],
            sample_stats=groups["sample_stats"],
            warmup_posterior=self._of_warm_up(groups["warmup_posterior"], tuned),
            warmup_sample_stats=self._of_warm_up(groups["warmup_sample_stats"], tuned),
            observed_data=self._model.observed,
            draws_done=draws_done,
            tune_done=tune_done,
            chain_ids=self.numbers,
            attrs=_attributes(self._sequences, seconds, self.methods, tune, self.chains.progress["gradients"])
            | {"parameters": list(self._model.parameters)},
            interrupted=bool((done < self.tune + self.draws).any()),
            metric=metrics_of(self.chains, self.numbers),
        )

    def close(self, trace: Trace) -> None:
        """Leave with the store what a trace of the run knows; nothing is drawn any more."""
        self.store.describe(trace)
        self.store.close(finished=not trace.interrupted)

    def _of_warm_up(self, arrays: Mapping[str, np.ndarray], most: int) -> Mapping[str, np.ndarray]:
        """Return the arrays of a group; if chains may end it early, copies of the rows that are used."""
        return {name: array[:, :most].copy() for name, array in arrays.items()} if self.auto else arrays


def _warn_of_gradient(bound: Any) -> None:
    for message, category in gradient_warnings(bound):
        with unseen():
            warnings.warn(message, category, stacklevel=4)


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
        if not all(np.isnan(values)):
            found[name] = values[0] if len(set(values)) == 1 else values
    return found


def _in_use(method: StepMethod, name: str) -> Any:
    """Return a setting; NaN for the target of a step size that is not adapted."""
    return np.nan if name == "target_accept" and not getattr(method, "adapt_step_size", True) else getattr(method, name)


def _attributes(
    sequences: Sequence[np.random.SeedSequence],
    seconds: float,
    methods: Sequence[StepMethod],
    tune: int | str,
    gradients: np.ndarray,
) -> dict[str, Any]:
    entropies = [[s.entropy, *s.spawn_key] if s.spawn_key else s.entropy for s in sequences]
    one = all(e == entropies[0] for e in entropies)
    return {
        "inference_library": "nbinfer",
        "inference_library_version": __version__,
        "creation_library": "nbinfer",
        "created_at": datetime.datetime.now(datetime.UTC).isoformat(),
        "sample_dims": ["chain", "draw"],
        "sampling_time": seconds,
        "seed": entropies[0] if one else entropies,
        "gradients": [int(g) for g in gradients],  # evaluations per chain, warm-up and searches included
        "tune": tune,
        "steps": [method.name for method in methods],
    } | settings(methods, "target_accept", "max_treedepth", "largest_step_size")
