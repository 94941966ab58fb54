"""What an iteration of particles may do besides: phases before their forces are found, and after.

A stage sees what the phases share, scores before the forces are made of them and forces before the particles follow
these; none knows of another one, and those after come in the opposite order, so that each finds what it has left.
"""

from __future__ import annotations

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
