"""Starting points: what the user gives, or the model's initial point with jitter, checked before anything runs."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.engine import dispersed
from nbinfer.engine.failures import is_arithmetic
from nbinfer.errors import ModelError, SamplingError


class Start(NamedTuple):
    """Where a chain begins; the gradient is None unless a step needs it."""

    position: np.ndarray
    logp: float
    grad: np.ndarray | None
    discrete: np.ndarray

    @property
    def is_good(self) -> bool:
        """Whether the density is finite, and the gradient if there is one."""
        return bool(np.isfinite(self.logp) and (self.grad is None or np.isfinite(self.grad).all()))


def starting_points(
    bound: Any,
    model: Any,
    start: Any,
    jitter: bool,
    keys: Sequence[np.ndarray],
    numbers: Sequence[int],
    gradient: bool = True,
    disperse: bool = True,
    who: str = "chain",
) -> list[Start]:
    """Return where each chain begins.

    Parameters
    ----------
    bound : Bound
    model : Model
    start : None, mapping or sequence of mappings
        Constrained values by name for all chains, or one mapping per chain.
    jitter : bool
        Whether coordinates are jittered: those of chains without a given start, and those that a start leaves out if
        the density is not finite with them at the initial point.
    keys, numbers : sequences
        Seeds and numbers of the chains.
    gradient : bool
        Whether the gradient is needed, and must be finite.
    disperse : bool
        Whether discrete values that are not given are drawn from their support; else they are the lowest.
    who : str
        What begins, for messages.

    Raises
    ------
    ValueError
        If `start` does not fit the model.
    SamplingError
        If the density or its gradient is not finite at a starting point, whatever was tried; the message names the
        first bad term, or the first bad parameter.
    """
    given = _given(start, model, len(numbers))
    search = _Search(bound, model, jitter, disperse, gradient, who)
    if start is not None or bound.n_discrete:
        return [search.start(*chain) for chain in zip(given, keys, numbers, strict=True)]
    starts, good = search.first_tries(keys, numbers)
    for c in np.flatnonzero(~good).tolist():
        starts[c] = search.start(None, keys[c], numbers[c], starts[c])
    return starts


class _Search:
    """Looks for starting points."""

    def __init__(
        self, bound: Any, model: Any, jitter: bool, disperse: bool, gradient: bool, who: str = "chain"
    ) -> None:
        self.bound, self.model, self.gradient, self.who = bound, model, gradient, who
        self.jitter, self.disperse = jitter and bound.dim > 0, disperse and bound.n_discrete > 0
        self._groups = [p.q for p in model.layout.continuous]

    def first_tries(self, keys: Sequence[np.ndarray], numbers: Sequence[int]) -> tuple[list[Start], np.ndarray]:
        """Return where the first tries of chains lead if nothing is given or discrete, and which of them are good."""
        positions = np.zeros((len(numbers), self.bound.dim))
        if self.jitter:
            positions = dispersed.first_coordinates(keys, numbers, self.bound.dim)
        logps, grads = self.bound.values_and_grads(positions, self.gradient)
        good = np.isfinite(logps)
        if grads is not None:
            good &= np.isfinite(grads).all(axis=1)
        each = zip(positions, logps.tolist(), [None] * len(logps) if grads is None else grads, strict=True)
        return [Start(*start, np.zeros(0, np.int64)) for start in each], good

    def start(self, given: Mapping[str, Any] | None, key: np.ndarray, number: int, tried: Start | None = None) -> Start:
        """Return where a chain begins; its first try may be known."""
        point = given or {}
        free = [name for name in self.model.parameters if name not in point]
        parameters = self.model.parameters
        moves = any(self.disperse if parameters[name].support.discrete else self.jitter for name in free)
        tries = dispersed.TRIES if moves else 1
        first: Start | None = None
        outcomes: collections.Counter[str] = collections.Counter()
        for attempt in range(tries):
            try:
                jitter = self.jitter and (given is None or attempt > 0)
                found = tried or self._at(*self._point(point, key, number, attempt, jitter))
                tried = None
            except ModelError:  # bounds that leave no room for what is given
                outcomes["bounds without room"] += 1
                continue
            if found.is_good:
                return found
            first = first or found
            outcomes[f"logp = {found.logp:g}" if not np.isfinite(found.logp) else "no finite gradient"] += 1
        if first is None:
            first = self._at(*self._initial(point))
        raise _not_finite(self, first, number, tries, outcomes, free)

    def _initial(self, point: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        return self.model.unconstrain(point), self.model.layout.discrete_values(point)

    def _point(
        self, point: Mapping[str, Any], key: np.ndarray, number: int, attempt: int, jitter: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return coordinates and discrete values of one try."""
        layout, dim = self.model.layout, self.bound.dim
        position = np.zeros(dim)
        if jitter:
            position = dispersed.coordinates(key, number, attempt, self._groups, dim)
        discrete = layout.discrete_values({})
        if self.disperse:
            discrete = dispersed.discrete_values(layout, key, number, attempt)
        return layout.completed(point, position, discrete, self.model.data_tuple) if point else (position, discrete)

    def _at(self, position: np.ndarray, discrete: np.ndarray) -> Start:
        """Evaluate the density."""
        bound, point = self.bound, (position, discrete[: self.bound.n_discrete])
        logp, grad = bound.value_and_grad(*point) if self.gradient else (bound.value(*point), None)
        return Start(position, logp, grad, point[1])


def _given(start: Any, model: Any, chains: int) -> list[Mapping[str, Any] | None]:
    if start is None:
        return [None] * chains
    if isinstance(start, Mapping):
        return [_checked(model, start, "start")] * chains
    several = (
        isinstance(start, Sequence | np.ndarray) and not isinstance(start, str) and getattr(start, "shape", None) != ()
    )
    if several and all(isinstance(s, Mapping) for s in start):
        if len(start) != chains:
            raise ValueError(f"start must be one mapping, or one per chain ({chains}), got {len(start)}.")
        return [_checked(model, s, f"start[{i}]") for i, s in enumerate(start)]
    name = next(iter(model.definition.layout.parameters), "x")
    raise TypeError(
        f"start must be a mapping from names to values, such as {{{name!r}: ...}}, or a list of them, one per chain, "
        f"got {type(start).__name__}."
    )


def _checked(model: Any, point: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    try:
        model.unconstrain(point)
        return point
    except ModelError as error:
        raise ModelError(f"{what} does not fit the model: {error}") from None


def _not_finite(
    search: _Search, first: Start, number: int, tries: int, outcomes: Mapping[str, int], free: Sequence[str]
) -> BaseException:
    """Make the error for a bad start: the user's own exception if there is one, else the first bad term."""
    bound, point, logp = search.bound, (first.position, first.discrete), first.logp
    where = f"the starting point of {search.who} {number}"
    try:
        bound.replay(*point)
    except Exception as error:
        if not is_arithmetic(error):
            error.add_note(f"raised by the model at {where}: {bound.describe(*point)}")
            return error
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = bound.explain(*point, search.gradient)
        if reason == f"logp is {logp:g}":  # that is known; no term has a name
            reason = f"at {bound.describe(*point)}"
    what = "the gradient of logp" if np.isfinite(logp) else "logp"
    text = f"{what} is not finite at {where} (logp = {logp:g}; {reason}). "
    if tries == 1:
        return SamplingError(text + "Pass another start, or look at that term.")
    return SamplingError(text + _tried(search, tries, outcomes, free))


def _tried(search: _Search, tries: int, outcomes: Mapping[str, int], free: Sequence[str]) -> str:
    """Say what was tried, what came of it, and what to do."""
    parameters = search.model.parameters
    ways = []
    if search.jitter and any(not parameters[name].support.discrete for name in free):
        ways.append(
            f"unconstrained coordinates up to {dispersed.CLOSEST:g} … {dispersed.FURTHEST:g} from the initial point"
        )
    if search.disperse:
        discrete = [name for name in free if parameters[name].support.discrete]
        ways += [f"{name} all over {parameters[name].support!r}" for name in discrete]
    came = ", ".join(f"{count} × {outcome}" for outcome, count in outcomes.items())
    names = ", ".join(f"{name!r}: …" for name in free[:3]) + (", …" if len(free) > 3 else "")
    given = [repr(name) for name in parameters if name not in free]
    other = f", or other values of {', '.join(given[:3])}, which are as start has them" if given else ""
    return (
        f"{tries} tries, with {' and '.join(ways)}, found no better: {came}. "
        f"Pass start={{{names}}} with values where the density is finite{other}, or look at that term."
    )
