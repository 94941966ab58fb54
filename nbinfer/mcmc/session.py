"""Draw by draw: `iter_sample`, and a step method on a model in the hands of the caller."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import is_number, mapping
from nbinfer.engine.driver import run_here
from nbinfer.engine.step import STEPPER
from nbinfer.errors import SamplingError
from nbinfer.mcmc.arguments import check_count, check_size, kept_names, ready, warm_up
from nbinfer.mcmc.assign import assign, is_step, listed, separated
from nbinfer.mcmc.sampling import Sampling
from nbinfer.model.default import is_model
from nbinfer.random import seed_sequences
from nbinfer.spelling import public, public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.backend import Memory

#: Warm-up of a stepper lasts until it is told to end.
_FOREVER = 1 << 62


def _advance(sampling: Sampling, until: int) -> None:
    """Advance the chain to a draw, in this thread; raise what stopped it."""
    chains = sampling.chains
    before = int(chains.progress["divergences"].sum())
    error = sampling.error_of(run_here(chains, until))
    if error is not None:
        raise error
    if chains.stops_at_divergence and chains.progress["divergences"].sum() > before:
        point = sampling.bound.describe(chains[0].position, chains[0].discrete.copy())
        raise SamplingError(f"stopped at the first divergence, as on_error='raise' asks, near {point}.")


@public_by_kind(model=is_model, draws=is_number, step=is_step)
def iter_sample(
    draws: int,
    step: Any = None,
    start: Mapping[str, Any] | None = None,
    trace: Sequence[str] | None = None,
    chain: int = 0,
    tune: int | str | None = None,
    model: Any = None,
    random_seed: Any = None,
) -> Iterator[Trace]:
    """Draw from the posterior of a model and hand out the trace after each draw.

    Parameters
    ----------
    draws : int
        Number of draws.
    step : step method or sequence of step methods, optional
        As in `sample`.
    start : mapping, optional
        Constrained values by name to start from.
    trace : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    chain : int
        Number of the chain. The draws are those of this chain in a call of `sample` with the same seed.
    tune : int, 'auto' or None
        Iterations of warm-up before the first draw. 'auto' and the default are 1000 here.
    model : Model, optional
        Default: that of a step which has one, or of the enclosing ``with`` block. Without their names, model, draws and
        step may stand in any order.
    random_seed : None, int, SeedSequence or Generator
        As in `sample`.

    Yields
    ------
    trace : Trace
        One chain with the draws so far. All share their memory: a later one has what an earlier one has, and more.

    Raises
    ------
    ValueError, TypeError, SamplingError
        As `sample` does, when the first trace is asked for. What ends the loop, an exception of the model's function
        with the point in its notes or another, has the draws so far as its attribute ``trace``.

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    >>> for trace in nb.iter_sample(100, nb.Slice(), tune=100, model=model, random_seed=1):
    ...     if abs(trace["x"][0, -1]) > 1.5:
    ...         break
    >>> len(trace) < 100
    True
    """
    given = listed(step)
    model = ready(model, given)
    check_count("draws", draws, 1)
    tune = warm_up(tune).tune
    check_count("chain", chain, 0)
    kept = kept_names(model, trace)
    check_size(model, 1, tune, draws, Memory(), kept)
    assigned = separated(assign(model, given))
    if any(method.population for method, _ in assigned):
        raise ValueError("iter_sample draws one chain, and this step needs several; use sample.")
    sampling = Sampling(
        model,
        assigned,
        draws=draws,
        tune=tune,
        numbers=[chain],
        sequences=seed_sequences(random_seed, 1),
        start=start,
        kept=kept,
    )
    begun = time.perf_counter()
    for draw in range(draws + 1):
        try:
            _advance(sampling, tune + draw)
        except BaseException as error:
            error.__dict__["trace"] = sampling.trace(time.perf_counter() - begun)[:draw]
            raise
        if draw:
            yield sampling.trace(time.perf_counter() - begun)[:draw]


@public
class Stepper:
    """A step method, or several, at work on one chain of a model; made by ``method.on(model)``.

    Parameters
    ----------
    step : step method or sequence of step methods
        What moves the chain. Variables that it leaves over go to the method that samples them best.
    model : Model, optional
        Default: that of a step which has one, or of the enclosing ``with`` block.
    start : mapping, optional
        Constrained values by name to start from.
    tune : int, 'auto' or None
        For how many iterations the schedule of adaptation is laid out. 'auto' and the default are 1000 here.
        Adaptation does not end by itself, but with `stop_tuning`.
    random_seed : None, int, SeedSequence or Generator
        As in `sample`.

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real(2)}, logp=lambda p, d: -0.5 * p.x[0] ** 2 - 0.5 * p.x[1] ** 2)
    >>> stepper = nb.Slice().on(model, random_seed=1)
    >>> q = stepper.astep([0.5, -0.5])
    >>> q.shape
    (2,)
    """

    def __init__(
        self,
        step: Any,
        model: Any = None,
        *,
        start: Mapping[str, Any] | None = None,
        tune: int | str | None = None,
        random_seed: Any = None,
    ) -> None:
        given = listed(step)
        self.model = ready(model, given)
        tune = warm_up(tune).tune
        assigned = separated(assign(self.model, given))
        if any(method.population for method, _ in assigned):
            raise ValueError("this step needs several chains, and a stepper has one; use sample.")
        self._sampling = Sampling(
            self.model,
            assigned,
            draws=1,
            tune=tune,
            numbers=[0],
            sequences=seed_sequences(random_seed, 1),
            start=start,
            jitter=False,
            disperse=False,
            record=False,
        )
        self._chain = self._sampling.chains[0]
        self._chain.tune = _FOREVER

    @property
    def tune(self) -> bool:
        """Whether the step adapts itself."""
        return bool(self._chain.done < self._chain.tune)

    @property
    def position(self) -> np.ndarray:
        """Unconstrained coordinates, shape (dim,); a copy."""
        return np.array(self._chain.position)

    @property
    def point(self) -> dict[str, Any]:
        """Constrained values by name."""
        return self.model.constrain(self.position, self._chain.discrete.copy())

    @property
    def logp(self) -> float:
        """Log density at the position, with the Jacobian of the transforms."""
        return float(self._chain.logp)

    @property
    def stats(self) -> list[dict[str, Any]]:
        """Statistics of the last transition, one mapping for each step."""
        return self._sampling.chains.last_statistics(0)

    def astep(self, q0: Any) -> np.ndarray:
        """Make one transition from unconstrained coordinates.

        Parameters
        ----------
        q0 : array_like, shape (dim,)
            Where to start; discrete values stay as they are.

        Returns
        -------
        q : ndarray, shape (dim,)
            Where it ends.
        """
        position = self.model.layout.position(q0, "q0")
        if not np.array_equal(position, self.position):
            self._move(position, self._chain.discrete)
        _advance(self._sampling, int(self._chain.done) + 1)
        return self.position

    def step(self, point: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Make one transition from constrained values.

        Parameters
        ----------
        point : mapping, optional
            Values by name. What is missing, by default everything, stays where it is.

        Returns
        -------
        point : dict
            Where it ends.
        """
        if point is not None:
            whole = {**self.point, **mapping("point", point)}
            position = self.model.unconstrain(whole)
            self._move(position, self.model.layout.discrete_values(whole)[: self._sampling.bound.n_discrete])
        _advance(self._sampling, int(self._chain.done) + 1)
        return self.point

    def stop_tuning(self) -> None:
        """End adaptation."""
        self._chain.tune = min(int(self._chain.tune), int(self._chain.done))

    def reset_tuning(self) -> None:
        """Forget what adaptation has learnt, and begin it anew, with its schedule."""
        self._chain.number += 1  # draws are counted from 0 again, and random numbers must not repeat
        self._chain.done = 0
        self._sampling.chains.begin(0, self.position, self.logp, None)
        self._chain.tune = _FOREVER

    def warnings(self) -> list[str]:
        """Return what the step has to say about its transitions so far."""
        count = int(self._chain.divergences)
        return [f"{count} transitions diverged after tuning"] if count else []

    def _move(self, position: np.ndarray, discrete: np.ndarray) -> None:
        logp = self._sampling.bound.value(position, discrete)
        if not np.isfinite(logp):
            raise SamplingError(f"logp is {logp:g} at the point to step from; pass another.")
        self._chain.position[:] = position
        self._chain.discrete[:] = discrete
        self._chain.logp, self._chain.gradient_known = logp, 0


STEPPER.append(Stepper)
