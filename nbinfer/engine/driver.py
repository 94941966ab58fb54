"""The driver of a run: starts workers, watches them, and leaves the work to the kernels.

Workers are plain threads inside one C call each, without the GIL. They share nothing but the chains' cache lines, so
that neither Numba's thread pool nor its state is touched and a run may start from any thread and from a forked child.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.compile import address_of
from nbinfer.engine.blocks import Blocks
from nbinfer.engine.chain import Status, work
from nbinfer.errors import SamplingError
from nbinfer.random import generator

#: Failures of the user's arithmetic that a sampler treats like a divergence; any other exception stops the run.
ARITHMETIC = (FloatingPointError, ZeroDivisionError, OverflowError)

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

_POLL = 0.05  # seconds between two looks at the run
_FIRST_POLLS = 0.002  # a short run should not wait for a long look


def available_cores() -> int:
    """Return the number of cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def is_arithmetic(error: BaseException) -> bool:
    """Tell whether an exception of the user's function is a failure of arithmetic at one point."""
    return isinstance(error, ARITHMETIC) or type(error).__name__ == "LinAlgError"


class Outcome:
    """How a run ended.

    Attributes
    ----------
    interrupted : bool
        Whether it stopped before its end.
    error : BaseException or None
        What stopped it, if something did: the user's own exception, or a status turned into one.
    chain : int or None
        Index of the chain that the error came from.
    position, discrete : ndarray or None
        Where it happened: unconstrained coordinates and discrete values.
    """

    def __init__(self) -> None:
        self.interrupted = False
        self.error: BaseException | None = None
        self.chain: int | None = None
        self.position: Any = None
        self.discrete: Any = None


def run(
    blocks: Blocks,
    bound: Any,
    until: int,
    cores: int,
    display: Any,
    on_divergence: Callable[[int, int], bool] | None = None,
) -> Outcome:
    """Advance all chains to draw `until`, or until the stop word of the blocks is set.

    Parameters
    ----------
    blocks : Blocks
        Wired and begun.
    bound : Bound
        The model's memory; tells of exceptions in the user's functions.
    until : int
        Draws to reach, warm-up included.
    cores : int
        Threads at most.
    display : Display
        Shown the progress of the chains.
    on_divergence : callable, optional
        Called with (chain, divergences) when a chain has new divergences; True stops the run.

    Returns
    -------
    outcome : Outcome
        Everything finished is in the trace's arrays, whatever happened.
    """
    outcome = Outcome()
    team = blocks.team(until)
    threads = [
        threading.Thread(target=_work, args=(team, blocks, bound), name=f"nbinfer-{i}", daemon=True)
        for i in range(max(1, min(cores, len(blocks.progress))))
    ]
    seen = np.zeros(len(blocks.progress), np.int64)
    interval = _FIRST_POLLS
    try:
        threads = _started(threads)
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(interval)
            interval = min(2.0 * interval, _POLL)
            display.update(blocks.progress)
            _watch(blocks, bound, outcome, seen, on_divergence)
        _watch(blocks, bound, outcome, seen, on_divergence)
        display.update(blocks.progress)
    finally:
        blocks.stop[0] = 1
        display.close()
    outcome.interrupted = bool((blocks.progress["draw"] < until).any())
    if outcome.error is None:
        _look_at_statuses(blocks, bound, outcome)
    return outcome


def _started(threads: list[threading.Thread]) -> list[threading.Thread]:
    """Start threads, as many as the system has; those that run do the work of all."""
    for i, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError:
            if i == 0:
                raise
            return threads[:i]
    return threads


def _look_at_statuses(blocks: Blocks, bound: Any, outcome: Outcome) -> None:
    """Make an error of the first status that ended a chain."""
    for number in map(int, _failed(blocks)[:1]):
        chain = blocks.chains[number]
        outcome.chain, outcome.position, outcome.discrete = number, chain.position.copy(), chain.discrete.copy()
        method, site = blocks.steps[chain.failed]
        replayed = _replayed(bound, outcome.position, outcome.discrete)
        if replayed is None:
            words = chain.words.view("u8")
            point = outcome.position, outcome.discrete, generator(words[4:6], *map(int, words[1:4]))
            replayed = _raised(functools.partial(method.replay, bound.definition, *point))
        step = f"{type(method).__name__}({', '.join(map(repr, site.names))})"
        outcome.error = replayed or SamplingError(_FAILURES[Status(chain.status)].format(step=step))


def raise_failure(blocks: Blocks, bound: Any) -> None:
    """Raise what stopped chains that were advanced in this thread, if something did."""
    outcome = Outcome()
    _watch(blocks, bound, outcome, blocks.progress["divergences"].copy(), None)
    if outcome.error is None:
        _look_at_statuses(blocks, bound, outcome)
    if outcome.error is not None:
        raise outcome.error


def _work(team: Any, blocks: Blocks, bound: Any) -> None:
    """Run one worker; the arguments keep alive what its addresses lead to."""
    work(address_of(team))


def _watch(
    blocks: Blocks, bound: Any, outcome: Outcome, seen: np.ndarray, on_divergence: Callable[[int, int], bool] | None
) -> None:
    """Look for exceptions in the user's functions, and for new divergences."""
    if _failed(blocks).size:
        blocks.stop[0] = 1
    for chain in bound.failed_chains if outcome.error is None else ():
        position, discrete = bound.failure(chain), bound.failed_discrete(chain)
        error = _replayed(bound, position, discrete)
        if error is None or is_arithmetic(error):
            bound.clear_failure(chain)
        else:
            outcome.error, outcome.chain, outcome.position, outcome.discrete = error, chain, position, discrete
            blocks.stop[0] = 1
            break
    divergences = blocks.progress["divergences"].copy()
    for chain in np.flatnonzero(divergences > seen):
        if on_divergence is not None and on_divergence(int(chain), int(divergences[chain])):
            blocks.stop[0] = 1
    seen[:] = divergences


def _failed(blocks: Blocks) -> np.ndarray:
    """Return the chains that a failure has ended."""
    return np.flatnonzero(np.isin(blocks.every.status, list(_FAILURES)))


def _replayed(bound: Any, position: Any, discrete: Any) -> BaseException | None:
    """Evaluate the user's functions at a point in plain Python and return what they raise."""
    return _raised(lambda: bound.replay(position, discrete=discrete))


def _raised(run: Callable[[], Any]) -> BaseException | None:
    try:
        run()
    except Exception as error:
        return error
    return None
