"""The optimisers' rules, on a GPU: a thread moves one coordinate of one particle.

Each rule is what `nbinfer.variational.optimizers` has, element by element; what is the same for all elements of a step,
such as the correction of a bias, the host computes. What a rule remembers stays on the device, under the names that it
has in the rule's record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nbinfer.cuda.backend import cuda
from nbinfer.variational.optimizers.averaged import _POWER, AveragedAdam
from nbinfer.variational.optimizers.momentum import Momentum, NesterovMomentum
from nbinfer.variational.optimizers.rule import Rule
from nbinfer.variational.optimizers.rules import Adadelta, Adagrad, AdagradWindow, Adam, Adamax, Rmsprop, Sgd


class Form(NamedTuple):
    """A rule as kernels have it.

    Attributes
    ----------
    parts : tuple of str
        Names of what it remembers of each element, two at most.
    numbers : callable
        From rule, learning rate and number of the step, from 1, to numbers.
    move : callable
        A kernel ``(x, gradient, first, second, numbers, status)``.
    """

    parts: tuple[str, ...]
    numbers: Callable[[Any, float, int], tuple[float, ...]]
    move: Callable[..., None]


def _sgd(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        x[i] -= p[0] * gradient[i]


def _adagrad(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        first[i] += gradient[i] * gradient[i]
        x[i] -= p[0] * gradient[i] / math.sqrt(first[i] + p[1])


def _adagrad_window(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i, n = cuda.grid(1), x.shape[0]
    if i < n and status[0] == 0:
        first[int(p[2]) * n + i] = gradient[i] * gradient[i]
        total = p[1]
        for k in range(int(p[3])):
            total += first[k * n + i]
        x[i] -= p[0] * gradient[i] / math.sqrt(total)


def _rmsprop(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        g = gradient[i]
        first[i] = p[2] * first[i] + p[3] * g * g
        x[i] -= p[0] * g / math.sqrt(first[i] + p[1])


def _adadelta(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        g = gradient[i]
        first[i] = p[2] * first[i] + p[3] * g * g
        step = g * math.sqrt(second[i] + p[1]) / math.sqrt(first[i] + p[1])
        second[i] = p[2] * second[i] + p[3] * step * step
        x[i] -= p[0] * step


def _adam(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        g = gradient[i]
        first[i] = p[2] * first[i] + p[3] * g
        second[i] = p[4] * second[i] + p[5] * g * g
        x[i] -= p[0] * first[i] / (math.sqrt(second[i]) + p[1])


def _adamax(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        g = gradient[i]
        first[i] = p[2] * first[i] + p[3] * g
        second[i] = max(p[4] * second[i], abs(g))
        x[i] -= p[0] * first[i] / (second[i] + p[1])


def _averaged_adam(x: Any, gradient: Any, first: Any, second: Any, p: Any, status: Any) -> None:
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        g = gradient[i]
        first[i] = p[2] * first[i] + p[3] * g
        second[i] += p[4] * (g * g - second[i])
        x[i] -= p[0] * first[i] / (math.sqrt(second[i]) + p[1])


def _shares(weight: float) -> tuple[float, float]:
    """Return a weight and what is left of 1, which single precision would not find itself."""
    return weight, 1.0 - weight


#: Rules of which there is a form; around these momentum.
FORMS: Mapping[type[Rule], Form] = {
    Sgd: Form((), lambda rule, rate, t: (rate,), _sgd),
    Adagrad: Form(("squares",), lambda rule, rate, t: (rate, rule.epsilon), _adagrad),
    AdagradWindow: Form(
        ("window",), lambda rule, rate, t: (rate, rule.epsilon, (t - 1) % rule.n_win, rule.n_win), _adagrad_window
    ),
    Rmsprop: Form(("squares",), lambda rule, rate, t: (rate, rule.epsilon, rule.rho, 1.0 - rule.rho), _rmsprop),
    Adadelta: Form(
        ("squares", "moves"), lambda rule, rate, t: (rate, rule.epsilon, rule.rho, 1.0 - rule.rho), _adadelta
    ),
    Adam: Form(
        ("first", "second"),
        lambda rule, rate, t: (
            rate * math.sqrt(1.0 - rule.beta2**t) / (1.0 - rule.beta1**t),
            rule.epsilon,
            *_shares(rule.beta1),
            *_shares(rule.beta2),
        ),
        _adam,
    ),
    Adamax: Form(
        ("first", "second"),
        lambda rule, rate, t: (rate / (1.0 - rule.beta1**t), rule.epsilon, *_shares(rule.beta1), rule.beta2),
        _adamax,
    ),
    AveragedAdam: Form(
        ("first", "second"),
        lambda rule, rate, t: (
            rate / (1.0 - rule.beta1**t),
            rule.epsilon,
            *_shares(rule.beta1),
            (_POWER + 1.0) / (_POWER + t),
        ),
        _averaged_adam,
    ),
}


def momentum(x: Any, before: Any, velocity: Any, share: Any, status: Any) -> None:
    """Add the last move, shortened, to what the rule inside has done."""
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        x[i] = share * velocity[i] + x[i]
        velocity[i] = x[i] - before[i]


def nesterov(x: Any, before: Any, velocity: Any, share: Any, status: Any) -> None:
    """Add the move that this one makes, shortened."""
    i = cuda.grid(1)
    if i < x.shape[0] and status[0] == 0:
        velocity[i] = share * velocity[i] + x[i] - before[i]
        x[i] = share * velocity[i] + x[i]


def layers(rule: Any) -> list[Any]:
    """Return a rule's layers of momentum, the outermost first, and at last the rule inside.

    Raises
    ------
    NotImplementedError
        If there is no form of it.
    """
    found = [rule]
    while type(found[-1]) in (Momentum, NesterovMomentum):
        found.append(found[-1].inner)
    if type(found[-1]) not in FORMS:
        names = ", ".join(sorted(f"nb.{form.name}" for form in FORMS))
        raise NotImplementedError(
            f'obj_optimizer: {found[-1].name} has no form for backend="cuda"; take {names}, with momentum or without.'
        )
    return found
