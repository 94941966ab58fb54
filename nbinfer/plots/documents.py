"""The picture that PyMC's documents draw after every run, with their names of options."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nbinfer.arguments import is_number, mapping, numbers, words
from nbinfer.diagnostics.quantities import read
from nbinfer.plots.look import ALARM, drawn
from nbinfer.plots.panels import Panels
from nbinfer.plots.quantities import choose
from nbinfer.plots.traces import densities_and_draws
from nbinfer.spelling import meant, public, shown

#: Quantities at most, as of `nbinfer.plots.trace`.
_MOST = 12


@drawn
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
        Variables to show. Default: all. Of more than 12 quantities those that mixed worst are drawn, and a line below
        says so.
    figsize : tuple of float, optional
        Width and height of the figure in inches.
    lines : mapping of str to float, optional
        Values to mark, by quantity: ``{"mu": 0.0, "theta[1]": 2.0}``; those of quantities that are not shown are not.
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
        If a name is unknown, in `lines`, too, there are no draws, or `ax` are not as many as there are panels.
    """
    names = None if varnames is None else words("varnames", varnames, "a name in the trace or more")
    marks = mapping("lines", lines)
    size = None if figsize is None else numbers("figsize", figsize)
    if size is not None and (size.shape != (2,) or not ((size > 0) & (size < 1000)).all()):
        raise ValueError(f"figsize must be width and height in inches, got {shown(figsize)}.")
    chosen = choose(trace, names, _MOST)
    _check(trace, marks)
    # As the options are called here.
    chosen = replace(chosen, note=chosen.note.replace("var_names= and most= choose", "varnames= chooses"))
    panels = densities_and_draws(trace, chosen, ax)
    for quantity, (left, right) in zip(chosen.quantities, panels, strict=True):
        if quantity.label in marks:
            value = marks[quantity.label]
            left.axvline(value, color=ALARM, linewidth=0.9)
            right.axhline(value, color=ALARM, linewidth=0.9)
    if size is not None:
        panels.figure.set_size_inches(size)
    return panels


def _check(trace: Any, marks: Mapping[Any, Any]) -> None:
    """Require that values are to be marked of quantities that there are, one number of each."""
    run = read(trace) if marks else None
    known = [] if run is None else [label for name in run.posterior for label in run.labels(name)]
    for name, at in marks.items():
        if name not in known:
            raise ValueError(
                f"lines has unknown {name!r}; the trace has {', '.join(known[:20])}{', …' * (len(known) > 20)}."
                f"{meant(name, known)}"
            )
        if not is_number(at) or not math.isfinite(at):
            raise TypeError(f"lines[{name!r}] must be a finite number, got {shown(at)}.")
