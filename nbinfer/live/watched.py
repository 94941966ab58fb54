"""A display with the view that a user has asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from nbinfer.engine.progress import Display
from nbinfer.live.asked import Asked
from nbinfer.live.display import Live, View
from nbinfer.live.scene import Scene


def watched(display: Display, source: Callable[[NDArray[Any]], Scene], asked: Asked) -> Live:
    """Return a display that has a view beside its bars.

    Parameters
    ----------
    display : Display
        The bars.
    source : callable
        From progress lines to what is shown.
    asked : Asked
    """
    return Live(display, source, _view(asked, getattr(display, "height", 0)), asked)


def _view(asked: Asked, bars: int) -> View:
    from nbinfer.live.pictures import Notebook, Window
    from nbinfer.live.terminal import Log, Terminal

    if asked.place == "terminal":
        return Terminal(bars)
    if asked.place == "log":
        return Log()
    return Window(asked) if asked.place == "window" else Notebook(asked)
