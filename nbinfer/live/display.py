"""The display of a run with a view beside its bars: when it looks, what that may cost, what happens if it fails."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine.progress import Display
from nbinfer.engine.reported import dropped
from nbinfer.engine.task import Task
from nbinfer.errors import NbinferWarning, calls_above, unseen
from nbinfer.live.asked import Asked
from nbinfer.live.scene import Scene

#: A view that took so long waits for so many times as long, on the clock and of the time that processors have given to
#: this process, of which others may leave it little: one and a half percent are its own.
SHARE = 66


class View(Protocol):
    """What shows scenes.

    Attributes
    ----------
    waits : bool
        Whether the thread that waits for the run must show them, as windows and notebooks want it; else it is the one
        that moves the bars.
    cost : float
        Seconds of a processor that the last scene has taken, or the first is thought to take.
    """

    waits: bool
    cost: float

    def begin(self, scene: Scene) -> None:
        """Show that there will be something."""

    def show(self, scene: Scene, last: bool) -> None:
        """Show a scene."""

    def idle(self) -> bool:
        """Do what is to be done between two of them; tell whether anybody still looks."""

    def pause(self, seconds: float) -> float:
        """Return how many seconds there must be between two scenes, after so many of the run."""


class Live:
    """Bars, and a view.

    Parameters
    ----------
    bars : Display
    source : callable
        From progress lines to a scene.
    view : View
    asked : Asked
    """

    def __init__(self, bars: Display, source: Callable[[NDArray[Any]], Scene], view: View, asked: Asked) -> None:
        self._bars, self._source, self._asked = bars, source, asked
        self._view: View | None = view
        self._progress: NDArray[Any] | None = None
        self._say: Callable[[str, type[Warning]], None] = _warned
        self._seen, self._begun, self._next, self._next_worked = 0, 0.0, np.inf, np.inf
        self._ended = False

    def attend(self, task: Task[Any], progress: NDArray[Any]) -> None:
        """Begin; what the waiting thread has to do is done, and warnings are issued, by that of a task."""
        self._say = task.say
        task.meanwhile = self.meanwhile
        self._seen = int(progress["done"].max())
        self._guarded(lambda view: view.begin(self._source(progress)))

    def update(self, progress: NDArray[Any]) -> None:
        """Show the state of all jobs."""
        self._bars.update(progress)
        if self._progress is None:
            self._begun = time.monotonic()
            self._rest()
        self._progress = progress
        self._look(waits=False)

    def expect(self, total: int, words: str) -> None:
        """Have the bars end elsewhere, and say something more."""
        self._bars.expect(total, words)

    def close(self) -> None:
        """Leave the screen in order, with the last that there is to be seen."""
        self._bars.close()
        self._ended = True
        self._look(waits=False)

    def meanwhile(self) -> None:
        """Look, in the thread that waits; once more when all has ended."""
        self._look(waits=True)

    def _look(self, waits: bool) -> None:
        view = self._view
        if view is None or self._progress is None or view.waits is not waits:
            return
        if self._ended:
            self._guarded(lambda view: view.show(self._source(self._last()), True))
            self._view = None
        elif self._is_due(int(self._progress["done"].max())):
            self._guarded(self._show)
        else:
            self._guarded(self._idle)

    def _last(self) -> NDArray[Any]:
        assert self._progress is not None
        return self._progress

    def _is_due(self, done: int) -> bool:
        enough = done >= self._seen + self._asked.refresh_every and done > self._asked.skip_first
        return enough and time.monotonic() >= self._next and time.process_time() >= self._next_worked

    def _show(self, view: View) -> None:
        progress, begun = self._last(), time.thread_time()
        self._seen = int(progress["done"].max())
        view.show(self._source(progress), False)
        view.cost = time.thread_time() - begun
        self._rest()

    def _rest(self) -> None:
        """Say when the next look may be."""
        if self._view is not None:
            now, rest = time.monotonic(), SHARE * self._view.cost
            self._next = now + max(self._view.pause(now - self._begun), rest)
            self._next_worked = time.process_time() + rest

    def _idle(self, view: View) -> None:
        if not view.idle():
            self._view = None

    def _guarded(self, do: Callable[[View], None]) -> None:
        """Do something with the view; if it fails there is none any more, and the run goes on."""
        view = self._view
        try:
            if view is not None:
                do(view)
        except Exception as error:
            self._view = None
            self._say(dropped("live_plot", error), NbinferWarning)


def _warned(message: str, category: type[Warning]) -> None:
    with unseen():
        warnings.warn(message, category, calls_above())
