"""Momentum around any rule: parameters keep moving the way they went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nbinfer.arguments import is_number
from nbinfer.compile import Record, call_step, entry, floats_at, kernel, record_at
from nbinfer.engine.state import Inner, Memory, State, floats
from nbinfer.variational.optimizers.descent import Descent, Extent, per_parameter
from nbinfer.variational.optimizers.rule import Rate, Rule
from nbinfer.variational.optimizers.rules import Sgd

MOMENTUM = State(
    {"momentum": "f8", "function": "i8"},  # the C function of the rule inside
    parts={"velocity": floats(per_parameter), "inner": Inner(lambda rule: rule.inner)},
    work={"before": floats(per_parameter)},
)
Momentum_ = MOMENTUM.record


@kernel
def _step_inside(descent_address: int, own: Record) -> int:
    """Make a step of the rule inside, after noting where the parameters were."""
    descent = record_at(descent_address, Descent)
    x, before = floats_at(descent.parameters, descent.n), floats_at(own.before, descent.n)
    for i in range(descent.n):
        before[i] = x[i]
    return call_step(own.function, descent_address, own.inner)


@entry("int64(intp, intp)")
def _momentum(descent_address: int, own_address: int) -> int:
    """Add the last move, shortened."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Momentum_)
    n = descent.n
    status = _step_inside(descent_address, own)
    x, before, velocity = floats_at(descent.parameters, n), floats_at(own.before, n), floats_at(own.velocity, n)
    for i in range(n):
        x[i] = own.momentum * velocity[i] + x[i]
        velocity[i] = x[i] - before[i]
    return status


@entry("int64(intp, intp)")
def _nesterov(descent_address: int, own_address: int) -> int:
    """Add the move that this one makes, shortened: to where momentum will lead."""
    descent, own = record_at(descent_address, Descent), record_at(own_address, Momentum_)
    n = descent.n
    status = _step_inside(descent_address, own)
    x, before, velocity = floats_at(descent.parameters, n), floats_at(own.before, n), floats_at(own.velocity, n)
    for i in range(n):
        velocity[i] = own.momentum * velocity[i] + x[i] - before[i]
        x[i] = own.momentum * velocity[i] + x[i]
    return status


@dataclass(frozen=True)
class Momentum(Rule):
    """A rule with momentum, see `apply_momentum`."""

    learning_rate: Rate = 1e-3
    momentum: float = 0.9
    inner: Any = None
    name, function, state = "momentum", _momentum, MOMENTUM

    def __post_init__(self) -> None:
        if self.inner is None:
            object.__setattr__(self, "inner", Sgd(self.learning_rate))
        object.__setattr__(self, "learning_rate", self.inner.learning_rate)
        super().__post_init__()
        if not is_number(self.momentum) or not 0.0 <= self.momentum < 1.0:
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum!r}.")

    def initialise(self, own: Memory, extent: Extent) -> None:
        own.momentum = self.momentum
        self.inner.initialise(own.inner, extent)

    def connect(self, own: Memory) -> None:
        own.function = self.inner.function.address
        self.inner.connect(own.inner)


@dataclass(frozen=True)
class NesterovMomentum(Momentum):
    """A rule with Nesterov's momentum, see `apply_nesterov_momentum`."""

    name, function = "nesterov_momentum", _nesterov
