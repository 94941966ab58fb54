"""A rule that keeps book of where it leads: means and spreads of the iterates, by stretches of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import Record, call_step, entry, floats_at, kernel, record_at
from nbinfer.engine.state import Inner, Memory, State, floats
from nbinfer.variational.optimizers.descent import DESCENT, Descent, Extent
from nbinfer.variational.optimizers.rule import Rate, Rule

#: Stretches that there is room for; when it is used up, two become one. The length of the first ones.
STRETCHES, LENGTH = 64, 10


def _per_stretch(rule: Any, extent: Any) -> int:
    return STRETCHES * int(extent.n)


WATCHED = State(
    {
        "function": "i8",  # the C function of the rule inside
        "rate": "f8",  # its learning rate
        "length": "i8",  # iterations of a stretch
        "filled": "i8",  # stretches that are complete
        "inside": "i8",  # iterations of the one that is not
    },
    parts={
        "descent": DESCENT,  # the rule inside counts its own steps
        "means": floats(_per_stretch),
        "spreads": floats(_per_stretch),  # sums of squared distances from the mean
        "inner": Inner(lambda rule: rule.inner),
    },
)
Watched_ = WATCHED.record


@kernel
def _note(own: Record, parameters: int, n: int) -> None:
    """Add an iterate to its stretch (Welford 1962)."""
    x = floats_at(parameters, n)
    means, spreads = floats_at(own.means + 8 * own.filled * n, n), floats_at(own.spreads + 8 * own.filled * n, n)
    share = 1.0 / (own.inside + 1)
    first = own.inside == 0
    for i in range(n):
        before = 0.0 if first else means[i]
        mean = before + share * (x[i] - before)
        means[i] = mean
        spreads[i] = 0.0 if first else spreads[i] + (x[i] - before) * (x[i] - mean)
    own.inside += 1


@kernel
def _merge(own: Record, n: int) -> None:
    """Make one stretch of two."""
    means, spreads = floats_at(own.means, STRETCHES * n), floats_at(own.spreads, STRETCHES * n)
    for k in range(STRETCHES // 2):
        for i in range(n):
            a, b = 2 * k * n + i, (2 * k + 1) * n + i
            apart = means[b] - means[a]
            means[k * n + i] = means[a] + 0.5 * apart
            spreads[k * n + i] = spreads[a] + spreads[b] + 0.5 * own.length * apart * apart
    own.length *= 2
    own.filled //= 2


@entry("int64(intp, intp)")
def _watched(descent_address: int, own_address: int) -> int:
    """Make a step of the rule inside at the rate that is set, and note where it leads."""
    outer, own = record_at(descent_address, Descent), record_at(own_address, Watched_)
    descent = record_at(own.descent, Descent)
    descent.n, descent.rate = outer.n, own.rate
    descent.parameters, descent.gradient = outer.parameters, outer.gradient
    descent.step += 1
    status = call_step(own.function, own.descent, own.inner)
    _note(own, descent.parameters, descent.n)
    if own.inside == own.length:
        own.filled, own.inside = own.filled + 1, 0
        if own.filled == STRETCHES:
            _merge(own, descent.n)
    return status


@dataclass(frozen=True)
class Watched(Rule):  # numpydoc ignore=PR02
    """A rule whose iterates are noted, and whose learning rate may be set between steps.

    Parameters
    ----------
    learning_rate : float
        That of the rule inside, to begin with.
    inner : Rule
    """

    learning_rate: Rate
    inner: Any = None
    name, function, state = "watched", _watched, WATCHED

    def initialise(self, own: Memory, extent: Extent) -> None:
        self.restart(own, extent, float(self.learning_rate))  # type: ignore[arg-type]

    def restart(self, own: Memory, extent: Extent, rate: float) -> None:
        """Forget all iterates, have the rule inside begin anew, and set its rate."""
        own.clear()
        own.rate, own.length = rate, LENGTH
        self.inner.initialise(own.inner, extent)

    def connect(self, own: Memory) -> None:
        own.function = self.inner.function.address
        self.inner.connect(own.inner)


def stretches(own: Memory, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return means and spreads of the stretches that are complete, each of shape (stretches, n), and their length."""
    filled = int(own.filled)
    means, spreads = (part[: filled * n].reshape(filled, n) for part in (own.means, own.spreads))
    return means, spreads, int(own.length)
