"""What a fit remembers beside its block: which draws were taken, its steps' way, and what callbacks know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbinfer.engine.written import foreign_in, text_of, value_of
from nbinfer.errors import NbinferWarning

Say = Callable[[str, type[Warning]], None]


class Remembered:
    """What a fit remembers beside its block.

    Parameters
    ----------
    approx : Approximation
    updates : ObjectiveUpdates
    callbacks : sequence of callable
    """

    def __init__(self, approx: Any, updates: Any, callbacks: Sequence[Any]) -> None:
        self._approx, self._updates, self._callbacks = approx, updates, list(callbacks)
        self._told: set[int] = set()

    def state(self, say: Say) -> dict[str, Any]:
        """Return it, as JSON has it.

        Parameters
        ----------
        say : callable
            Of what is to be warned.
        """
        found = [self._state_of(k, callback, say) for k, callback in enumerate(self._callbacks)]
        return {"drawn": self._approx.draws_so_far, "updates": text_of(self._updates.state()), "callbacks": found}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Have the fit remember what `state` has returned."""
        self._approx.draws_so_far = int(state["drawn"])
        self._updates.restore(value_of(state["updates"]))
        for callback, text in zip(self._callbacks, state["callbacks"], strict=True):
            if text is not None and _says(callback):
                callback.restore(value_of(text))

    def _state_of(self, k: int, callback: Any, say: Say) -> Any:
        """Return what a callback remembers; None if it does not say, or no file can keep it."""
        if not _says(callback):
            return None
        text = text_of(callback.state())
        lost = foreign_in(text)
        if lost and k not in self._told:
            self._told.add(k)
            say(
                f"callbacks[{k}] remembers what no file keeps, {lost[0]}; who goes on with the fit has it begin anew.",
                NbinferWarning,
            )
        return None if lost else text


def _says(callback: Any) -> bool:
    """Tell whether a callback says what it remembers."""
    return callable(getattr(callback, "state", None)) and callable(getattr(callback, "restore", None))
