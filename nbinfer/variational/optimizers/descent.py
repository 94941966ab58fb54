"""What a rule is given: parameters, their gradient, and how far to go."""

from __future__ import annotations

from typing import Any, NamedTuple

from nbinfer.engine.state import State


class Extent(NamedTuple):
    """How much a rule moves.

    Attributes
    ----------
    n : int
        Number of parameters.
    """

    n: int


def per_parameter(owner: Any, extent: Any) -> int:
    """Size of what each parameter has one of."""
    return int(extent.n)


#: What a rule is given.
DESCENT = State(
    fields={
        "n": "i8",  # parameters
        "step": "i8",  # number of this step, from 1
        "rate": "f8",  # its learning rate
        "parameters": "i8",  # address; moved in place
        "gradient": "i8",  # address; of what is to become small
    }
)
Descent = DESCENT.record
