"""Adam with the mean of all squared gradients, so that its steps settle: what rules of convergence stand on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nbinfer.arguments import between, positive
from nbinfer.compile import entry, floats_at, record_at
from nbinfer.engine.state import Memory, State, floats
from nbinfer.spelling import public
from nbinfer.variational.optimizers.descent import Descent, Extent, per_parameter
from nbinfer.variational.optimizers.rule import Rate, Rule
from nbinfer.variational.optimizers.updates import apply

AVERAGED = State(
    {"beta1": "f8", "epsilon": "f8"}, parts={"first": floats(per_parameter), "second": floats(per_parameter)}
)
Averaged = AVERAGED.record

#: The weight of a square in the mean grows as this power of its step: the path to the optimum is forgotten.
_POWER = 3.0


@entry("int64(intp, intp)")
def _averaged_adam(descent_address: int, own_address: int) -> int:
    """Divide a running mean of gradients by the root of a mean of all squares."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Averaged)
    n, b1 = descent.n, own.beta1
    x, g = floats_at(descent.parameters, n), floats_at(descent.gradient, n)
    first, second = floats_at(own.first, n), floats_at(own.second, n)
    t = float(descent.step)
    rate = descent.rate / (1.0 - b1**t)
    share = (_POWER + 1.0) / (_POWER + t)
    for i in range(n):
        first[i] = b1 * first[i] + (1.0 - b1) * g[i]
        second[i] += share * (g[i] * g[i] - second[i])
        x[i] -= rate * first[i] / (math.sqrt(second[i]) + own.epsilon)
    return 0


@dataclass(frozen=True)
class AveragedAdam(Rule):
    """See `averaged_adam`."""

    learning_rate: Rate = 1e-2
    beta1: float = 0.9
    epsilon: float = 1e-8
    name, function, state = "averaged_adam", _averaged_adam, AVERAGED

    def __post_init__(self) -> None:
        super().__post_init__()
        between("beta1", self.beta1, 0.0, 1.0)
        positive("epsilon", self.epsilon)

    def initialise(self, own: Memory, extent: Extent) -> None:
        own.beta1, own.epsilon = self.beta1, self.epsilon


@public
def averaged_adam(
    loss_or_grads: Any = None,
    params: Sequence[Any] | None = None,
    learning_rate: Rate = 1e-2,
    beta1: float = 0.9,
    epsilon: float = 1e-8,
) -> Any:
    """Scale a running mean of gradients by one of all squares so far [1]_.

    Parameters
    ----------
    loss_or_grads : callable or sequence, optional
        A function of the values of all parameters, or a gradient for each (numbers, or a function of all values).
    params : sequence of Shared, optional
        What moves, made by `shared`.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.
    beta1 : float
        Weight of what was before in the running mean of gradients, in (0, 1).
    epsilon : float
        Added to the root.

    Returns
    -------
    updates : Updates or Rule
        A mapping from each parameter to the rule; calling it makes one step. Without loss and parameters the rule, for
        ``fit(obj_optimizer=...)`` or to be called with these.

    Raises
    ------
    ValueError
        If one of loss and parameters is missing, gradients do not match parameters, or a setting makes no sense.

    Notes
    -----
    ``m = beta1 * m + (1 - beta1) * g``; ``v += 4 / (3 + t) * (g**2 - v)``;
    ``x -= learning_rate * m / (1 - beta1**t) / (sqrt(v) + epsilon)``. The mean ``v`` gives the square of step t a
    weight that grows as t cubed, where [1]_ has equal ones: what was far from the optimum is forgotten. As the scales
    settle, the iterates become those of gradient descent with a constant rate, which have a stationary distribution.

    References
    ----------
    .. [1] M. Welandawe, M. R. Andersen, A. Vehtari and J. H. Huggins, "A framework for improving the reliability of
       black-box variational inference", arXiv:2203.15945 (2022).
    """
    return apply(AveragedAdam(learning_rate, beta1, epsilon), loss_or_grads, params)
