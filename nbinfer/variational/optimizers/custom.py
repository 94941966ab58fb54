"""Optimisers of a user's own, in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbinfer.arguments import function as require_function
from nbinfer.compile import floats_at, record_at
from nbinfer.compile.forks import cached_property
from nbinfer.engine.python_entry import PythonEntry
from nbinfer.spelling import public
from nbinfer.variational.optimizers.descent import Descent
from nbinfer.variational.optimizers.rule import Rate, Rule
from nbinfer.variational.optimizers.rules import SGD


@dataclass(frozen=True)
class Custom(Rule):
    """A rule in plain Python, see `custom`."""

    learning_rate: Rate = 1e-3
    update: Any = None
    name, state = "custom", SGD

    def __post_init__(self) -> None:
        super().__post_init__()
        require_function("update", self.update)

    def _update(self, descent_address: int, own_address: int) -> None:
        descent = record_at.py_func(descent_address, Descent)
        x = floats_at.py_func(int(descent.parameters), int(descent.n))
        g = floats_at.py_func(int(descent.gradient), int(descent.n))
        self.update(x, g, float(descent.rate), int(descent.step))

    @cached_property
    def function(self) -> PythonEntry:  # type: ignore[override]
        return PythonEntry(self._update)


@public
def custom(update: Callable[..., Any], learning_rate: Rate = 1e-3) -> Rule:
    """Make an optimiser of a Python function: slower than those here by a few microseconds for each step.

    Parameters
    ----------
    update : callable
        ``update(x, g, rate, t)`` changes the parameters ``x`` in place, given the gradient ``g``, both of shape (n,),
        the learning rate, and the number of the step, counted from 1. It keeps for itself what it remembers.
    learning_rate : float or callable
        A number, or a function of the step, counted from 0.

    Returns
    -------
    rule : Rule
        For ``fit(obj_optimizer=...)``, or to be called with a loss and parameters.

    Raises
    ------
    TypeError
        If `update` cannot be called.

    See Also
    --------
    Rule : Base of compiled ones.
    """
    return Custom(learning_rate, update)
