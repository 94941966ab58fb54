"""Back ends: where the draws of a run go. Each opens the store that one run writes to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from nbinfer.arguments import words
from nbinfer.spelling import public
from nbinfer.trace.rows import whole_number
from nbinfer.trace.store import MemoryStore, Store


@public
class Backend(ABC):
    """Where draws go, and which of them.

    Parameters
    ----------
    vars : sequence of str, optional
        Names of the parameters and derived quantities to keep. Default: all.
    thin : int
        Of how many draws after warm-up one is kept, see `Store`.
    """

    def __init__(self, vars: Sequence[str] | None = None, *, thin: int = 1) -> None:
        self.vars = None if vars is None else words("vars", vars)
        self.thin = whole_number("thin", thin, 1)

    def check(self) -> None:  # noqa: B027 - memory has nothing against it
        """Raise what stands against a new run, before anything is done for it."""

    def admit(self, names: Sequence[str]) -> None:  # noqa: B027 - memory takes any
        """Raise ValueError if variables of these names cannot be kept."""

    @abstractmethod
    def open(self, chains: int, tune: int, draws: int) -> Store:
        """Return the store of a new run; parameters as of `Store`."""


class Memory(Backend):
    """Memory of this process."""

    def open(self, chains: int, tune: int, draws: int) -> Store:
        """Return the store of a new run."""
        return MemoryStore(chains, tune, draws, self.thin)
