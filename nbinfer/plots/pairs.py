"""Quantities against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.problem import plural
from nbinfer.plots.look import ALARM, FAINT, INK, drawn, shortened
from nbinfer.plots.marks import distribution, thinned
from nbinfer.plots.panels import Panels, table
from nbinfer.plots.quantities import Quantity, choose, diverging
from nbinfer.spelling import public

#: Points of a panel; more cover each other.
_SHOWN = 3000
#: So few points are drawn larger.
_FEW = 30
_TICKS = 3  # along a panel, intervals between them at most


@drawn
@public
def pair(trace: Any, var_names: str | Sequence[str] | None = None, *, most: int = 6, axes: Any = None) -> Panels:
    """Draw quantities against each other, and mark where trajectories diverged.

    Divergences that crowd in a corner show where the sampler could not go.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    most : int
        How many quantities are shown at most. Of more, those that mixed worst, one of each variable at least if there
        is room; a line below says so.
    axes : array of Axes, shape (quantity, quantity), optional
        To draw in; nothing is drawn above the diagonal. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (quantity, quantity)
        Densities on the diagonal, pairs below it, None above it.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If a name is unknown, there are no draws, variables have not equally many, or `axes` are not as many as there
        are panels.
    """
    chosen = choose(trace, var_names, most)
    lengths = {quantity.label: [len(chain) for chain in quantity.chains] for quantity in chosen.quantities}
    if len({tuple(each) for each in lengths.values()}) > 1:
        listed = ", ".join(f"{sum(each)} of {label} in {plural(len(each), 'chain')}" for label, each in lengths.items())
        raise ValueError(f"trace must have as many draws of each variable, to pair them, got {listed}.")
    found = diverging(trace, len(chosen.chain_ids))
    points = max(sum(map(len, quantity.chains)) for quantity in chosen.quantities)
    every = -(-points // _SHOWN)
    note = "; ".join(filter(None, [chosen.note, thinned(every)]))
    return _corner(chosen.quantities, axes, note, every, dict(zip(chosen.chain_ids, found, strict=True)))


@drawn
@public
def particles(approx: Any, var_names: str | Sequence[str] | None = None, *, most: int = 6, axes: Any = None) -> Panels:
    """Draw the particles of a fit against each other.

    Parameters
    ----------
    approx : Empirical
        What ``nb.fit(model, method="svgd")`` and its like return.
    var_names : str or sequence of str, optional
        Parameters to show; or, ``"~mu"``, those to leave out. Default: all.
    most : int
        How many quantities are shown at most; a line below says how many there are.
    axes : array of Axes, shape (quantity, quantity), optional
        To draw in; nothing is drawn above the diagonal. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (quantity, quantity)
        Densities on the diagonal, where a stroke at the bottom is a particle; pairs below it, None above it.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    TypeError
        If the approximation has no particles.
    ValueError
        If a name is unknown, or `axes` are not as many as there are panels.
    """
    if not hasattr(approx, "histogram"):
        raise TypeError(
            f"approx must have particles, as nb.fit(method='svgd') returns it, got {type(approx).__name__}; draws of "
            "any approximation are approx.sample(1000), for nb.plots.pair."
        )
    of_all = {name: approx.evaluate_over_trace(name)[None] for name in approx.model.parameters}
    chosen = choose(of_all, var_names, most)
    panels = _corner(chosen.quantities, axes, chosen.note.replace("mixed worst", "are most uneven"), 1, {})
    for k, quantity in enumerate(chosen.quantities):
        at = quantity.finite()
        where = panels[k, k].get_xaxis_transform()
        panels[k, k].plot(at, np.full(at.size, 0.03), "|", color=INK, transform=where, gid="particles")
    return panels


def _corner(
    quantities: Sequence[Quantity], axes: Any, note: str, every: int, divergences: dict[int, NDArray[Any]]
) -> Panels:
    """Draw the lower triangle of a table of panels."""
    n = len(quantities)
    panels = table((n, n), (1.7, 1.5) if n > 1 else (3.0, 2.2), axes, note)
    for i in range(n):
        for j in range(n):
            ax = panels[i, j]
            if j > i:
                ax.remove()
                panels[i, j] = None
                continue
            if i == j:
                few = quantities[i].is_discrete
                distribution(ax, quantities[i].finite(), few, color=INK, marker="o" if few else None, markersize=2.5)
                ax.set_ylim(bottom=0)
                ax.set_yticks([])
                ax.spines["left"].set_visible(False)
            else:
                _points(ax, quantities[j], quantities[i], every, divergences)
                ax.tick_params(labelleft=j == 0)
            ax.xaxis.get_major_locator().set_params(nbins=_TICKS, integer=quantities[j].is_discrete)
            ax.tick_params(labelbottom=i == n - 1)
            ax.set_xlabel(shortened(quantities[j].label, 14) if i == n - 1 else "")
            ax.set_ylabel(shortened(quantities[i].label, 14) if j == 0 and i > 0 else "")
    marked = sum(map(len, divergences.values()))
    if marked and n > 1:
        panels[0, 0].set_title(f"x: {marked} divergences", color=ALARM)
    return panels


def _points(ax: Any, x: Quantity, y: Quantity, every: int, divergences: dict[int, NDArray[Any]]) -> None:
    xs, ys = (np.concatenate([chain[::every] for chain in q.chains]) for q in (x, y))
    alpha = float(np.clip(40.0 / max(xs.size, 1) ** 0.5, 0.3, 1.0))
    size = 2.5 if xs.size > _FEW else 5.0
    ax.plot(xs, ys, ".", color=FAINT, markersize=size, markeredgewidth=0, alpha=alpha)
    for k, (chain, at) in enumerate(divergences.items()):
        if at.size:
            ax.plot(
                x.chains[k][at], y.chains[k][at], "x", color=ALARM, markersize=4, markeredgewidth=1.0, zorder=5,
                gid=f"divergences of chain {chain}",
            )  # fmt: skip
