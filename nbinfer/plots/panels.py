"""Where pictures are drawn: figures of panels, or the axes that a user gives."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from nbinfer.plots.look import TICKS, matplotlib

_ACROSS = 4
_NARROW = 4.0  # inches of a figure in which two names stand beside each other


class Panels(np.ndarray[Any, np.dtype[np.object_]]):
    """Axes of matplotlib as an array, with the figure they belong to; a notebook shows it.

    The figure is no window of pyplot, and nothing has to be closed. ``panels.figure.savefig("name.png")`` makes a file
    of it; to have a window, draw into axes of ``plt.subplots``.

    Attributes
    ----------
    figure : matplotlib.figure.Figure or None
        Where they are.
    note : str
        What the picture leaves out; '' if nothing.
    """

    figure: Any
    note: str

    def __new__(cls, axes: Any, note: str = "") -> Panels:
        found = np.asarray(axes, object).view(cls)
        every: list[Any] = found.ravel().tolist()
        found.figure = next((ax.figure for ax in every if ax is not None), None)
        found.note = note
        return found

    def __array_finalize__(self, other: Any) -> None:
        self.figure, self.note = getattr(other, "figure", None), getattr(other, "note", "")

    def _repr_png_(self) -> bytes | None:
        if self.figure is None:
            return None
        file = io.BytesIO()
        self.figure.savefig(file, format="png")
        return file.getvalue()


def wrapped(count: int, size: tuple[float, float], axes: Any = None, note: str = "", **sharing: Any) -> Panels:
    """Return so many panels in rows of at most four, shape (count,).

    Parameters
    ----------
    count : int
    size : tuple of float
        Width and height of one, in inches.
    axes : Axes or array of Axes, optional
        To draw in. Default: those of a new figure.
    note : str
        To be written below.
    **sharing
        ``sharex`` and ``sharey`` of `matplotlib.figure.Figure.subplots`.
    """
    if axes is not None:
        return given(axes, (count,), note)
    across = min(count, _ACROSS) or 1
    every: list[Any] = _new((math.ceil(count / across) or 1, across), size, note, sharing).ravel().tolist()
    for ax in every[count:]:
        ax.remove()
    return Panels(every[:count], note)


def outer_labels(panels: Panels, x: str = "", y: str = "") -> None:
    """Label the axes of `wrapped` panels where no other panel is below, or at the left."""
    for k, ax in enumerate(panels):
        if k % _ACROSS == 0:
            ax.set_ylabel(y)
        if k + _ACROSS >= len(panels):
            ax.set_xlabel(x)


def legend(panels: Panels, own: bool, most: int = 8) -> None:
    """Say what the lines of the first panel are, unless they are many; above all panels if the figure is our own."""
    first: Any = panels.flat[0]
    handles, names = first.get_legend_handles_labels()
    if not 1 < len(names) <= most:
        return
    if own:
        narrow = panels.figure.get_figwidth() < _NARROW
        panels.figure.legend(handles, names, loc="outside upper right", ncols=2 if narrow else len(names))
    else:
        first.legend(handles, names, loc="best")


def table(
    shape: tuple[int, int], size: tuple[float, float], axes: Any = None, note: str = "", **sharing: Any
) -> Panels:
    """Return a table of panels; arguments as of `wrapped`."""
    return _new(shape, size, note, sharing) if axes is None else given(axes, shape, note)


def given(axes: Any, shape: tuple[int, ...], note: str = "") -> Panels:
    """Require as many axes as there are panels; return them in their shape."""
    kind = matplotlib_axes()
    found = np.ravel(np.asarray(axes, object))
    if not all(isinstance(ax, kind) for ax in found):
        raise TypeError("axes must be Axes of matplotlib, or an array of them, as plt.subplots returns.")
    if len(found) != math.prod(shape):
        wanted, rows = " x ".join(map(str, shape)), shape if len(shape) == 2 else (1, *shape)
        raise ValueError(
            f"axes must be {wanted} Axes, one for each panel, got {len(found)}; plt.subplots{rows} makes as many."
        )
    return Panels(found.reshape(shape), note)


def matplotlib_axes() -> Any:
    """Return the class of all axes."""
    matplotlib()
    from matplotlib.axes import Axes

    return Axes


def _new(shape: tuple[int, int], size: tuple[float, float], note: str, sharing: dict[str, Any]) -> Panels:
    matplotlib()
    from matplotlib.figure import Figure

    rows, across = shape
    figure = Figure(figsize=(max(across * size[0], 3.0), rows * size[1] + 0.2 * bool(note)), layout="constrained")
    axes = figure.subplots(rows, across, squeeze=False, **sharing)
    for ax in axes.flat:  # ticks are made when the figure is drawn, in whatever style there is then
        ax.tick_params(**TICKS)
    if note:
        figure.supxlabel(note, fontsize=7, style="italic", x=0.01, ha="left")
    return Panels(axes, note)
