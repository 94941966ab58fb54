"""What an iteration of particles may do besides: phases before their forces are found, and after.

A stage sees what the phases share, scores before the forces are made of them and forces before the particles follow
these; none knows of another one, and those after come in the opposite order, so that each finds what it has left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nbinfer.engine.jobs import Phase


class Part(NamedTuple):
    """A phase that can be called from Python, too.

    Attributes
    ----------
    function : Entry or PythonEntry
        See `nbinfer.engine.jobs.Phase`.
    context : int
    rows : int
    """

    function: Any
    context: int
    rows: int = 1

    @property
    def phase(self) -> Phase:
        """What workers are told."""
        return Phase(self.function.address, self.context, self.rows)


class Stage:
    """Base of stages; they are made with the crew that they belong to.

    Attributes
    ----------
    before, after : sequence of Part
        Phases before forces are found, and after.
    judged : bool
        Whether the phases before are those of the forces, too, that a fit is judged by.
    moves_at_rest : bool
        Whether particles move whatever the forces are.
    """

    before: Sequence[Part] = ()
    after: Sequence[Part] = ()
    judged = False
    moves_at_rest = False

    def make_room(self, done: int, first: int, count: int) -> None:
        """Make ready for iterations.

        Parameters
        ----------
        done : int
            Iterations so far, of all fits of the approximation.
        first, count : int
            Number of the next one, from 0, in this fit; and how many.
        """

    def failure(self) -> BaseException | None:
        """Return the error that the status of the fit means, if it is one of these phases'."""
        return None
