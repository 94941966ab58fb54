"""Views of letters: rows below the bars of a terminal, rows of a log."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

from nbinfer.engine.progress import Lines
from nbinfer.engine.reported import rare
from nbinfer.live.rows import letters_of, rows
from nbinfer.live.scene import Scene

#: Cells of a row in a log, which has no width.
_LOG = 100


class Terminal:
    """Rows of text below the bars, drawn over and over; the last ones stay.

    Parameters
    ----------
    above : int
        How many bars there are.
    file : file, optional
        Where to. Default: standard error.
    """

    waits, cost = False, 0.002

    def __init__(self, above: int = 0, file: Any = None) -> None:
        self._above, self._file = above, file
        self._lines: Lines | None = None

    def begin(self, scene: Scene) -> None:
        room = max(_size(self._file or sys.stderr).lines - self._above - 2, 1)
        self._lines = Lines(min(len(scene.series) + bool(scene.note), room), self._above, self._file)
        self._lines.update(self._rows(scene))

    def show(self, scene: Scene, last: bool) -> None:
        if self._lines is not None:
            (self._lines.leave if last else self._lines.update)(self._rows(scene))

    def idle(self) -> bool:
        return True

    def pause(self, seconds: float) -> float:
        return 0.2

    def _rows(self, scene: Scene) -> list[str]:
        file = sys.stderr if self._file is None else self._file
        return rows(scene, _size(file).columns - 1, letters_of(file))


class Log:
    """Rows of text where there is no terminal: plain, flushed, none of a run that is over before the first are due."""

    waits, cost = False, 0.0

    def __init__(self, file: Any = None) -> None:
        self._file, self._told = file, False

    def begin(self, scene: Scene) -> None:
        """Write nothing."""

    def show(self, scene: Scene, last: bool) -> None:
        if last and not self._told:
            return
        self._told = True
        file = sys.stderr if self._file is None else self._file
        file.write("".join(f"  {row}\n" for row in rows(scene, _LOG, letters_of(file))))
        file.flush()

    def idle(self) -> bool:
        return True

    def pause(self, seconds: float) -> float:
        return rare(seconds)


def _size(file: Any) -> os.terminal_size:
    """Return columns and lines of a terminal."""
    try:
        found = os.get_terminal_size(file.fileno())
    except (AttributeError, OSError, ValueError):
        return shutil.get_terminal_size()
    return found if found.columns > 0 else shutil.get_terminal_size()
