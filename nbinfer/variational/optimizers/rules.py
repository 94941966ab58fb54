"""The rules: gradient descent, and those that scale each coordinate by the gradients it has seen.

Where epsilon stands is part of a rule: these follow PyMC's, which follow Lasagne's. `t` counts steps from 1, and all
that is remembered begins as 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nbinfer.arguments import between, count, positive
from nbinfer.compile import entry, floats_at, record_at
from nbinfer.engine.state import Memory, State, floats
from nbinfer.variational.optimizers.descent import Descent, Extent, per_parameter
from nbinfer.variational.optimizers.rule import Rate, Rule

SGD = State({"nothing": "i8"})  # a record needs a field

ADAGRAD = State({"epsilon": "f8"}, parts={"squares": floats(per_parameter)})
Adagrad_ = ADAGRAD.record

WINDOW = State(
    {"epsilon": "f8", "length": "i8"},
    parts={"window": floats(lambda rule, extent: rule.n_win * extent.n)},  # the last squares, a row for each step
)
Window = WINDOW.record

RMSPROP = State({"rho": "f8", "epsilon": "f8"}, parts={"squares": floats(per_parameter)})
Rmsprop_ = RMSPROP.record

ADADELTA = State(
    {"rho": "f8", "epsilon": "f8"}, parts={"squares": floats(per_parameter), "moves": floats(per_parameter)}
)
Adadelta_ = ADADELTA.record

#: Of Adam: running means of gradients and of their squares. Of Adamax: the largest gradient instead of the latter.
MOMENTS = State(
    {"beta1": "f8", "beta2": "f8", "epsilon": "f8"},
    parts={"first": floats(per_parameter), "second": floats(per_parameter)},
)
Moments = MOMENTS.record


@entry("int64(intp, intp)")
def _sgd(descent_address: int, own_address: int) -> int:
    """Move against the gradient."""
    descent = record_at(descent_address, Descent)
    x, g = floats_at(descent.parameters, descent.n), floats_at(descent.gradient, descent.n)
    for i in range(descent.n):
        x[i] -= descent.rate * g[i]
    return 0


@entry("int64(intp, intp)")
def _adagrad(descent_address: int, own_address: int) -> int:
    """Divide by the root of the sum of all squares so far."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Adagrad_)
    n = descent.n
    x, g, squares = floats_at(descent.parameters, n), floats_at(descent.gradient, n), floats_at(own.squares, n)
    for i in range(n):
        squares[i] += g[i] * g[i]
        x[i] -= descent.rate * g[i] / math.sqrt(squares[i] + own.epsilon)
    return 0


@entry("int64(intp, intp)")
def _adagrad_window(descent_address: int, own_address: int) -> int:
    """Divide by the root of the sum of the last squares."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Window)
    n = descent.n
    x, g = floats_at(descent.parameters, n), floats_at(descent.gradient, n)
    window = floats_at(own.window, own.length * n)
    newest = (descent.step - 1) % own.length * n
    for i in range(n):
        window[newest + i] = g[i] * g[i]
        total = 0.0
        for k in range(own.length):
            total += window[k * n + i]
        x[i] -= descent.rate * g[i] / math.sqrt(total + own.epsilon)
    return 0


@entry("int64(intp, intp)")
def _rmsprop(descent_address: int, own_address: int) -> int:
    """Divide by the root of a running mean of squares."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Rmsprop_)
    n = descent.n
    x, g, squares = floats_at(descent.parameters, n), floats_at(descent.gradient, n), floats_at(own.squares, n)
    for i in range(n):
        squares[i] = own.rho * squares[i] + (1.0 - own.rho) * g[i] * g[i]
        x[i] -= descent.rate * g[i] / math.sqrt(squares[i] + own.epsilon)
    return 0


@entry("int64(intp, intp)")
def _adadelta(descent_address: int, own_address: int) -> int:
    """Make moves as large as the last ones, whatever the unit of the gradient."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Adadelta_)
    n = descent.n
    x, g = floats_at(descent.parameters, n), floats_at(descent.gradient, n)
    squares, moves = floats_at(own.squares, n), floats_at(own.moves, n)
    for i in range(n):
        squares[i] = own.rho * squares[i] + (1.0 - own.rho) * g[i] * g[i]
        move = g[i] * math.sqrt(moves[i] + own.epsilon) / math.sqrt(squares[i] + own.epsilon)
        moves[i] = own.rho * moves[i] + (1.0 - own.rho) * move * move
        x[i] -= descent.rate * move
    return 0


@entry("int64(intp, intp)")
def _adam(descent_address: int, own_address: int) -> int:
    """Divide a running mean of gradients by the root of one of squares, with their bias corrected."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Moments)
    n, b1, b2 = descent.n, own.beta1, own.beta2
    x, g = floats_at(descent.parameters, n), floats_at(descent.gradient, n)
    first, second = floats_at(own.first, n), floats_at(own.second, n)
    t = float(descent.step)
    rate = descent.rate * math.sqrt(1.0 - b2**t) / (1.0 - b1**t)
    for i in range(n):
        first[i] = b1 * first[i] + (1.0 - b1) * g[i]
        second[i] = b2 * second[i] + (1.0 - b2) * g[i] * g[i]
        x[i] -= rate * first[i] / (math.sqrt(second[i]) + own.epsilon)
    return 0


@entry("int64(intp, intp)")
def _adamax(descent_address: int, own_address: int) -> int:
    """Divide a running mean of gradients by the largest one, which fades."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Moments)
    n, b1, b2 = descent.n, own.beta1, own.beta2
    x, g = floats_at(descent.parameters, n), floats_at(descent.gradient, n)
    first, largest = floats_at(own.first, n), floats_at(own.second, n)
    rate = descent.rate / (1.0 - b1 ** float(descent.step))
    for i in range(n):
        first[i] = b1 * first[i] + (1.0 - b1) * g[i]
        largest[i] = max(b2 * largest[i], abs(g[i]))
        x[i] -= rate * first[i] / (largest[i] + own.epsilon)
    return 0


@dataclass(frozen=True)
class Sgd(Rule):
    """Gradient descent, see `sgd`."""

    learning_rate: Rate = 1e-3
    name, function, state = "sgd", _sgd, SGD


@dataclass(frozen=True)
class Adagrad(Rule):
    """See `adagrad`."""

    learning_rate: Rate = 1.0
    epsilon: float = 1e-6
    name, function, state = "adagrad", _adagrad, ADAGRAD

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("epsilon", self.epsilon)

    def initialise(self, own: Memory, extent: Extent) -> None:
        own.epsilon = self.epsilon


@dataclass(frozen=True)
class AdagradWindow(Rule):
    """See `adagrad_window`."""

    learning_rate: Rate = 1e-3
    epsilon: float = 0.1
    n_win: int = 10
    name, function, state = "adagrad_window", _adagrad_window, WINDOW

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("epsilon", self.epsilon)
        count("n_win", self.n_win, 1, 2**20)

    def initialise(self, own: Memory, extent: Extent) -> None:
        own.epsilon, own.length = self.epsilon, self.n_win


@dataclass(frozen=True)
class Rmsprop(Rule):
    """See `rmsprop`."""

    learning_rate: Rate = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6
    name, function, state = "rmsprop", _rmsprop, RMSPROP

    def __post_init__(self) -> None:
        super().__post_init__()
        between("rho", self.rho, 0.0, 1.0)
        positive("epsilon", self.epsilon)

    def initialise(self, own: Memory, extent: Extent) -> None:
        own.rho, own.epsilon = self.rho, self.epsilon


@dataclass(frozen=True)
class Adadelta(Rmsprop):
    """See `adadelta`."""

    learning_rate: Rate = 1.0
    rho: float = 0.95
    name, function, state = "adadelta", _adadelta, ADADELTA


@dataclass(frozen=True)
class Adam(Rule):
    """See `adam`."""

    learning_rate: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    name, function, state = "adam", _adam, MOMENTS

    def __post_init__(self) -> None:
        super().__post_init__()
        between("beta1", self.beta1, 0.0, 1.0)
        between("beta2", self.beta2, 0.0, 1.0)
        positive("epsilon", self.epsilon)

    def initialise(self, own: Memory, extent: Extent) -> None:
        own.beta1, own.beta2, own.epsilon = self.beta1, self.beta2, self.epsilon


@dataclass(frozen=True)
class Adamax(Adam):
    """See `adamax`."""

    learning_rate: Rate = 2e-3
    name, function = "adamax", _adamax
