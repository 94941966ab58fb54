"""Momentum for any optimiser, and what counts as one where one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nbinfer.spelling import nearest, public
from nbinfer.variational.optimizers.momentum import Momentum, NesterovMomentum
from nbinfer.variational.optimizers.rule import Rule
from nbinfer.variational.optimizers.updates import Updates

#: Of the optimisers that `nbinfer` has, for who writes them as a str.
_NAMES = ("adam", "adamax", "adagrad", "adagrad_window", "adadelta", "rmsprop", "sgd", "momentum", "nesterov_momentum")


@public
def apply_momentum(updates: Any, params: Sequence[Any] | None = None, momentum: float = 0.9) -> Any:
    """Give a rule momentum.

    Parameters
    ----------
    updates : Updates or Rule
        What an optimiser returned.
    params : sequence of Shared, optional
        Of `updates`, all of them; they are what moves.
    momentum : float
        Share of a move that the next one repeats, in [0, 1).

    Returns
    -------
    updates : Updates or Rule
        As given, with momentum; nothing of earlier steps is remembered.

    Raises
    ------
    ValueError
        If `params` are others than those of `updates`.
    TypeError
        If `updates` is neither updates nor a rule.

    Notes
    -----
    ``y = momentum * v + u(x)``; ``v = y - x``; ``x = y``, where ``u(x)`` is where the rule inside leads.
    """
    return _wrapped(Momentum, updates, params, momentum)


@public
def apply_nesterov_momentum(updates: Any, params: Sequence[Any] | None = None, momentum: float = 0.9) -> Any:
    """Give a rule Nesterov's momentum.

    Parameters
    ----------
    updates : Updates or Rule
        What an optimiser returned.
    params : sequence of Shared, optional
        Of `updates`, all of them; they are what moves.
    momentum : float
        Share of a move that the next one repeats, in [0, 1).

    Returns
    -------
    updates : Updates or Rule
        As given, with momentum; nothing of earlier steps is remembered.

    Raises
    ------
    ValueError
        If `params` are others than those of `updates`.
    TypeError
        If `updates` is neither updates nor a rule.

    Notes
    -----
    ``v = momentum * v + u(x) - x``; ``x = momentum * v + u(x)``, where ``u(x)`` is where the rule inside leads.
    """
    return _wrapped(NesterovMomentum, updates, params, momentum)


def _wrapped(kind: Any, updates: Any, params: Sequence[Any] | None, momentum: float) -> Any:
    if isinstance(updates, Updates):
        if params is not None and (len(params) != len(updates) or any(p not in updates for p in params)):
            raise ValueError("params must be those of updates, all of them: one rule moves them together.")
        return Updates(kind(momentum=momentum, inner=updates.rule), updates.loss_or_grads, list(updates))
    return kind(momentum=momentum, inner=rule_of("updates", updates))


def rule_of(name: str, value: Any) -> Rule:
    """Return the rule that an argument means: a rule, or one of the functions here, whose defaults then hold."""
    found = value if isinstance(value, Rule | Updates) or not callable(value) else value()
    if not isinstance(found, Rule):
        near = (nearest(value, _NAMES) if isinstance(value, str) else None) or "adam"
        got = repr(value) if isinstance(value, str) else type(value).__name__
        raise TypeError(f"{name} must be an optimiser such as nb.{near}(learning_rate=0.01), got {got}.")
    return found
