"""Views that are pictures: in a notebook, where one is updated in place, and in a window."""

from __future__ import annotations

import importlib
import time
import uuid
from typing import Any

from nbinfer.live.asked import Asked
from nbinfer.live.rows import rows
from nbinfer.live.scene import Scene

#: Cells of a row of text in a notebook.
_WIDE = 110


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


class Notebook:
    """A picture in the output of a cell.

    Parameters
    ----------
    asked : Asked
        ``text``, of its places, is one without a picture.
    """

    waits, cost = True, 0.0

    def __init__(self, asked: Asked) -> None:
        self._asked, self._id = asked, f"nbinfer-{uuid.uuid4().hex}"
        self._picture: Any = None

    def begin(self, scene: Scene) -> None:
        if self._asked.place != "text":
            from nbinfer.plots.moving import Moving

            self._picture = Moving(scene, self._asked.figsize)
            self._picture.png()  # the first one takes longer, once per process
        begun = time.thread_time()
        _ipython().display(self._shown(scene), display_id=self._id)
        self.cost = 2.0 * (time.thread_time() - begun)  # there is nothing in it yet

    def show(self, scene: Scene, last: bool) -> None:
        _ipython().update_display(self._shown(scene), display_id=self._id)

    def idle(self) -> bool:
        return True

    def pause(self, seconds: float) -> float:
        return 0.5

    def _shown(self, scene: Scene) -> Shown:
        text = "\n".join(rows(scene, _WIDE))
        if self._picture is None:
            return Shown(text, None)
        self._picture.draw(scene)
        return Shown(text, self._picture.png())


class Window:
    """A window of pyplot, which stays; whoever closes it has seen enough.

    Parameters
    ----------
    asked : Asked
    """

    waits, cost = True, 0.0

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._picture: Any = None
        self._next = 0.0

    def begin(self, scene: Scene) -> None:
        from matplotlib import pyplot

        from nbinfer.plots.moving import Moving

        self._picture = Moving(scene, self._asked.figsize, pyplot.figure)
        pyplot.show(block=False)
        self.show(scene, False)  # the first one takes longer, once per process
        begun = time.thread_time()
        self.show(scene, False)
        self.cost = 2.0 * (time.thread_time() - begun)

    def show(self, scene: Scene, last: bool) -> None:
        if self._is_open:
            self._picture.draw(scene)
            canvas = self._picture.figure.canvas
            canvas.draw()
            canvas.flush_events()

    def idle(self) -> bool:
        """Let the window see to its buttons."""
        if not self._is_open:
            return False
        if time.monotonic() >= self._next:
            begun = time.thread_time()
            self._picture.figure.canvas.flush_events()
            self._next = time.monotonic() + max(0.1, 100.0 * (time.thread_time() - begun))
        return True

    def pause(self, seconds: float) -> float:
        return 0.5

    @property
    def _is_open(self) -> bool:
        from matplotlib import pyplot

        return bool(pyplot.fignum_exists(self._picture.figure.number))
