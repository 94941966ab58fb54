"""Views that are pictures: in a notebook, where one is updated in place, and in a window.

Until a run has worked long enough for its first picture, which takes longest, rows of text stand there.
"""

from __future__ import annotations

import importlib
import time
import uuid
from typing import Any

from nbinfer.live.asked import Asked
from nbinfer.live.display import SHARE
from nbinfer.live.rows import rows
from nbinfer.live.scene import Scene

#: Cells of a row of text in a notebook, and in a window.
_WIDE, _NARROW = 110, 78

#: Seconds of a processor that the first picture is thought to take.
_FIRST = 0.5


class Shown:
    """What a notebook shows, and keeps when it is saved: a picture, and for those who see none rows of text."""

    def __init__(self, text: str, png: bytes | None) -> None:
        self._text, self._png = text, png

    def __repr__(self) -> str:
        return self._text

    def _repr_png_(self) -> bytes | None:
        return self._png


def _ipython() -> Any:
    return importlib.import_module("IPython.display")


class _Pictures:
    """What both have: a picture that is made when it is due, or when the run has ended."""

    waits, cost = True, 0.0

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._picture: Any = None
        self._due, self._due_worked = 0.0, 0.0

    def begin(self, scene: Scene) -> None:
        rest = SHARE * _FIRST
        self._due, self._due_worked = time.monotonic() + rest, time.process_time() + rest
        begun = time.thread_time()
        self._open(scene)
        self.cost = time.thread_time() - begun

    def show(self, scene: Scene, last: bool) -> None:
        is_due = time.monotonic() >= self._due and time.process_time() >= self._due_worked
        if self._picture is None and (last or is_due):
            self._picture = self._made(scene)
        if self._picture is not None:
            self._picture.draw(scene)
        self._update(scene)

    def idle(self) -> bool:
        """Do nothing; somebody always looks."""
        return True

    def pause(self, seconds: float) -> float:
        return 0.5

    def _open(self, scene: Scene) -> None:
        raise NotImplementedError

    def _made(self, scene: Scene) -> Any:
        raise NotImplementedError

    def _update(self, scene: Scene) -> None:
        raise NotImplementedError


class Notebook(_Pictures):
    """A picture in the output of a cell.

    Parameters
    ----------
    asked : Asked
        ``text``, of its places, is one without a picture.
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._id = f"nbinfer-{uuid.uuid4().hex}"

    def _open(self, scene: Scene) -> None:
        _ipython().display(self._shown(scene), display_id=self._id)

    def _made(self, scene: Scene) -> Any:
        if self._asked.place == "text":
            return None
        from nbinfer.plots.moving import Moving

        return Moving(scene, self._asked.figsize)

    def _update(self, scene: Scene) -> None:
        _ipython().update_display(self._shown(scene), display_id=self._id)

    def _shown(self, scene: Scene) -> Shown:
        text = "\n".join(rows(scene, _WIDE))
        return Shown(text, None if self._picture is None else self._picture.png())


class Window(_Pictures):
    """A window of pyplot, which stays; whoever closes it has seen enough.

    Parameters
    ----------
    asked : Asked
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._figure: Any = None
        self._next = 0.0

    def idle(self) -> bool:
        """Let the window see to its buttons."""
        if not self._is_open:
            return False
        if time.monotonic() >= self._next:
            begun = time.thread_time()
            self._figure.canvas.flush_events()
            self._next = time.monotonic() + max(0.1, 100.0 * (time.thread_time() - begun))
        return True

    def show(self, scene: Scene, last: bool) -> None:
        if self._is_open:
            super().show(scene, last)

    def _open(self, scene: Scene) -> None:
        from matplotlib import pyplot

        from nbinfer.plots.moving import size

        self._figure = pyplot.figure(figsize=size(scene, self._asked.figsize))
        pyplot.show(block=False)
        self._update(scene)

    def _made(self, scene: Scene) -> Any:
        from nbinfer.plots.moving import Moving

        self._figure.clear()
        return Moving(scene, self._asked.figsize, lambda figsize: self._figure)

    def _update(self, scene: Scene) -> None:
        if self._picture is None:
            self._figure.clear()
            text = "\n".join(rows(scene, _NARROW))
            look = {"family": "monospace", "fontsize": 8, "parse_math": False}  # names of variables are names
            self._figure.text(0.5, 0.5, text, ha="center", ma="left", va="center", **look)
        self._figure.canvas.draw()
        self._figure.canvas.flush_events()

    @property
    def _is_open(self) -> bool:
        from matplotlib import pyplot

        return bool(pyplot.fignum_exists(self._figure.number))
