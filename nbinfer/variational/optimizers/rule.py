"""What every stochastic optimiser has: a kernel that makes one step, state, settings.

A rule is a C function ``int64 update(intp descent, intp own)``. It moves parameters against their gradient, both known
from the `Descent` record, and keeps what it remembers in a record of its own, which it declares as a step of a chain
does. The learning rate of each step stands in the `Descent` record, so that no rule knows how it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import positive
from nbinfer.compile import Entry
from nbinfer.engine.state import Memory, State
from nbinfer.engine.written import kept
from nbinfer.variational.optimizers.descent import Extent
from nbinfer.variational.optimizers.updates import apply

#: A learning rate, or a function from the number of the step, counted from 0, to one.
Rate = float | Callable[[int], float]


@kept
@dataclass(frozen=True)
class Rule:  # numpydoc ignore=PR02
    """Base of the rules by which parameters follow their gradient.

    Parameters
    ----------
    learning_rate : float or callable
        A number, or ``rate(i)`` of the step i = 0, 1, ....
    """

    learning_rate: Rate

    #: Lower-case name.
    name: ClassVar[str]
    #: The C function ``int64 update(intp descent, intp own)``.
    function: ClassVar[Entry]
    #: What the rule remembers; see `nbinfer.engine.state`.
    state: ClassVar[State]

    def __post_init__(self) -> None:
        if not callable(self.learning_rate):
            positive("learning_rate", self.learning_rate)

    def rates(self, first: int, end: int) -> NDArray[np.float64]:
        """Return the learning rates of some steps; one, of no axis, if it is the same for all.

        Parameters
        ----------
        first, end : int
            Number of the first step, from 0, and of the one after the last.

        Returns
        -------
        rates : ndarray, shape () or (end - first,)

        Raises
        ------
        ValueError
            If the function gives something that is no positive number.
        """
        if not callable(self.learning_rate):
            return np.array(float(self.learning_rate))
        found = [self.learning_rate(i) for i in range(first, end)]
        for i, rate in enumerate(found, first):
            positive(f"learning_rate({i})", rate)
        return np.array(found, np.float64)

    def initialise(self, own: Memory, extent: Extent) -> None:
        """Write the settings; all is 0 before."""

    def connect(self, own: Memory) -> None:
        """Write addresses of what does not lie in the block."""

    def __call__(self, loss_or_grads: Any = None, params: Sequence[Any] | None = None) -> Any:
        """Apply the rule to parameters, see `nbinfer.variational.optimizers.updates.apply`; or return it."""
        return apply(self, loss_or_grads, params)
