"""Starting points: what the user gives, or the model's initial point with jitter, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.errors import ModelError, SamplingError
from nbinfer.mcmc.driver import is_arithmetic
from nbinfer.random import Purpose, generator

_TRIES = 10
_JITTER = 1.0  # each unconstrained coordinate moves by U(-1, 1)


class Start(NamedTuple):
    """Where a chain begins; the gradient is None unless a step needs it."""

    position: np.ndarray
    logp: float
    grad: np.ndarray | None
    discrete: np.ndarray


def starting_points(
    bound: Any,
    model: Any,
    start: Any,
    jitter: bool,
    keys: Sequence[np.ndarray],
    numbers: Sequence[int],
    gradient: bool = True,
) -> list[Start]:
    """Return where each chain begins.

    Parameters
    ----------
    bound : Bound
    model : Model
    start : None, mapping or sequence of mappings
        Constrained values by name for all chains, or one mapping per chain; what is missing comes from the initial
        point.
    jitter : bool
        Whether chains without a given start are jittered, and tried again if the density is not finite there.
    keys, numbers : sequences
        Seeds and numbers of the chains.
    gradient : bool
        Whether the gradient is needed, and must be finite.

    Raises
    ------
    ValueError
        If `start` does not fit the model.
    SamplingError
        If the density or its gradient is not finite at a starting point; the message names the first bad term, or
        the first bad parameter.
    """
    given = _given(start, model, len(numbers))
    points = []
    for c, number in enumerate(numbers):
        chosen = given[c]
        discrete = model.layout.discrete_values({} if chosen is None else chosen)[: bound.n_discrete]
        bound.discrete(bound.chains)[:] = discrete  # where Python's own calls look
        tries = _TRIES if chosen is None and jitter and bound.dim else 1
        for attempt in range(tries):
            position = np.zeros(bound.dim) if chosen is None else np.array(model.unconstrain(chosen), float)
            if chosen is None and jitter:
                rng = generator(keys[c], attempt, number, Purpose.START)
                position += rng.uniform(-_JITTER, _JITTER, bound.dim)
            logp, grad = bound.value_and_grad(position) if gradient else (bound.value(position), None)
            if np.isfinite(logp) and (grad is None or np.isfinite(grad).all()):
                points.append(Start(position, logp, grad, discrete))
                break
        else:
            raise _not_finite(bound, position, logp, number, tries, gradient)
    return points


def _given(start: Any, model: Any, chains: int) -> list[Mapping[str, Any] | None]:
    if start is None:
        return [None] * chains
    if isinstance(start, Mapping):
        return [_checked(model, start, "start")] * chains
    if isinstance(start, Sequence | np.ndarray) and not isinstance(start, str) and getattr(start, "shape", None) != ():
        if len(start) != chains:
            raise ValueError(f"start must be one mapping, or one per chain ({chains}), got {len(start)}.")
        if all(isinstance(s, Mapping) for s in start):
            return [_checked(model, s, f"start[{i}]") for i, s in enumerate(start)]
    raise TypeError(f"start must be a mapping from names to values, or a list of them, got {type(start).__name__}.")


def _checked(model: Any, point: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    try:
        model.unconstrain(point)
        return point
    except ModelError as error:
        raise ModelError(f"{what} does not fit the model: {error}") from None


def _not_finite(
    bound: Any, position: np.ndarray, logp: float, number: int, tries: int, gradient: bool
) -> BaseException:
    """Make the error for a bad start: the user's own exception if there is one, else the first bad term."""
    try:
        bound.replay(position, bound.chains)
    except Exception as error:
        if not is_arithmetic(error):
            error.add_note(
                f"raised by the model at the starting point of chain {number}: {bound.describe(position, bound.chains)}"
            )
            return error
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = bound.explain(position, bound.chains, gradient)
    after = f" after {tries} tries" if tries > 1 else ""
    what = "the gradient of logp" if np.isfinite(logp) else "logp"
    return SamplingError(
        f"{what} is not finite at the starting point of chain {number}{after} (logp = {logp:g}; {reason}). "
        "Pass another start, or look at that term."
    )
