"""Quantities one by one: densities, and intervals below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import between
from nbinfer.plots.look import ALARM, INK, drawn, shortened
from nbinfer.plots.marks import densities, head
from nbinfer.plots.panels import Panels, legend, wrapped
from nbinfer.plots.quantities import Quantity, choose
from nbinfer.spelling import public


@drawn
@public
def density(trace: Any, var_names: str | Sequence[str] | None = None, *, most: int = 20, axes: Any = None) -> Panels:
    """Draw the density of each quantity, one line a chain; of few whole numbers the share of each.

    Densities are estimated by a Gaussian kernel that is reflected at the smallest and the largest draw, so that they
    do not fall where a quantity ends. What lies far out, beyond five times the distance of the 5 % and the 95 %
    quantiles from the median, is not shown.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    most : int
        How many quantities are shown at most. Of more, those that mixed worst, one of each variable at least if there
        is room; a line below says so.
    axes : array of Axes, shape (quantity,), optional
        To draw in. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (quantity,)
        One for each quantity.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If a name is unknown, there are no draws, or `axes` are not as many as there are panels.
    """
    chosen = choose(trace, var_names, most)
    panels = wrapped(len(chosen.quantities), (2.6, 1.8), axes, chosen.note)
    for ax, quantity in zip(panels, chosen.quantities, strict=True):
        densities(ax, quantity, chosen.chain_ids)
        head(ax, quantity)
    legend(panels, axes is None)
    return panels


@drawn
@public
def forest(
    trace: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    prob: float = 0.9,
    most: int = 60,
    axes: Any = None,
) -> Panels:
    """Draw median and intervals of all quantities below each other, with their R-hat and ESS.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    prob : float
        Probability of the thin line, which leaves equal parts on either side; the thick one is the central half of the
        draws, or has half of `prob` if that is no more than 0.5.
    most : int
        How many quantities are shown at most. Of more, those that mixed worst, one of each variable at least if there
        is room; a line below says so.
    axes : Axes, optional
        To draw in. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (1,)
        The one panel.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If a name is unknown, there are no draws, or `axes` are not one.
    """
    between("prob, how much of the draws the thin line holds,", prob, 0, 1)
    chosen = choose(trace, var_names, most)
    rows = len(chosen.quantities)
    panels = wrapped(1, (6.0, 0.7 + 0.17 * rows), axes, chosen.note)
    ax = panels[0]
    for row, quantity in enumerate(chosen.quantities):
        _interval(ax, row, quantity, prob)
    ax.set_ylim(rows - 0.4, -0.6)
    ax.set_yticks(range(rows), [shortened(quantity.label, 24) for quantity in chosen.quantities])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"median, {100 * _inner(prob):g} % and {100 * prob:g} % intervals")
    return panels


def _inner(prob: float) -> float:
    """Return the probability of the thick line."""
    return 0.5 if prob > 0.5 else 0.5 * prob


def _interval(ax: Any, row: int, quantity: Quantity, prob: float) -> None:
    values = quantity.finite()
    if quantity.is_alarming:
        ax.axhspan(row - 0.5, row + 0.5, color="#f1e3e2", linewidth=0, zorder=0)
    if values.size:
        outer, inner = 0.5 * prob, 0.5 * _inner(prob)
        at = [0.5 - outer, 0.5 - inner, 0.5, 0.5 + inner, 0.5 + outer]
        low, below, median, above, high = np.quantile(values, at)
        ax.plot([low, high], [row, row], color=INK, linewidth=0.9, solid_capstyle="butt")
        ax.plot([below, above], [row, row], color=INK, linewidth=3.0, solid_capstyle="butt")
        ax.plot(median, row, "o", color="white", markeredgecolor=INK, markersize=3.5, zorder=3)
    weight, colour = ("bold", ALARM) if quantity.is_alarming else ("normal", "#606060")
    where = ax.get_yaxis_transform()
    ax.text(1.01, row, quantity.verdict, transform=where, va="center", fontsize=6.5, color=colour, fontweight=weight)
