"""The picture that PyMC's documents draw after every run, with their names of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbinfer.arguments import mapping, numbers, words
from nbinfer.plots.look import ALARM
from nbinfer.plots.panels import Panels
from nbinfer.plots.traces import trace as draw_trace
from nbinfer.spelling import public, shown


@public
def traceplot(
    trace: Any,
    varnames: str | Sequence[str] | None = None,
    figsize: tuple[float, float] | None = None,
    lines: Mapping[str, float] | None = None,
    ax: Any = None,
) -> Panels:
    """Draw each quantity's density, and its draws one after the other: `nbinfer.plots.trace` by its older name.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    varnames : str or sequence of str, optional
        Variables to show. Default: all.
    figsize : tuple of float, optional
        Width and height of the figure in inches.
    lines : mapping of str to float, optional
        Values to mark, by quantity: ``{"mu": 0.0, "theta[1]": 2.0}``.
    ax : array of Axes, shape (quantity, 2), optional
        To draw in. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (quantity, 2)
        Densities, and draws.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If a name is unknown, there are no draws, or `ax` are not as many as there are panels.
    """
    names = None if varnames is None else words("varnames", varnames, "a name in the trace or more")
    marks = {name: numbers(f"lines[{name!r}]", at).item() for name, at in mapping("lines", lines).items()}
    size = None if figsize is None else numbers("figsize", figsize)
    if size is not None and (size.shape != (2,) or not ((size > 0) & (size < 1000)).all()):
        raise ValueError(f"figsize must be width and height in inches, got {shown(figsize)}.")
    panels = draw_trace(trace, names, axes=ax)
    for left, right in panels:
        value = marks.get(left.get_title(loc="left"))
        if value is not None:
            left.axvline(value, color=ALARM, linewidth=0.9)
            right.axhline(value, color=ALARM, linewidth=0.9)
    if size is not None:
        panels.figure.set_size_inches(size)
    return panels
