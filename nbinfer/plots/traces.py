"""Draws one after the other, beside their densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nbinfer.plots.look import drawn, line
from nbinfer.plots.marks import densities, head, judge, rug, thinned
from nbinfer.plots.panels import Panels, legend, table
from nbinfer.plots.quantities import Chosen, choose, diverging
from nbinfer.spelling import public

#: So many draws of a chain are drawn at most; a panel has fewer pixels.
_SHOWN = 4000


@drawn
@public
def trace(trace: Any, var_names: str | Sequence[str] | None = None, *, most: int = 12, axes: Any = None) -> Panels:
    """Draw each quantity's density, and its draws one after the other.

    Chains have lines of their own, and R-hat and bulk ESS stand above them. Short strokes at the
    bottom stand where trajectories diverged.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    most : int
        How many quantities are shown at most. Of more, those that mixed worst, one of each variable at least if there
        is room; a line below says so.
    axes : array of Axes, shape (quantity, 2), optional
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
        If a name is unknown, there are no draws, or `axes` are not as many as there are panels.

    Examples
    --------
    >>> import numpy as np, nbinfer as nb
    >>> draws = np.random.default_rng(1).normal(size=(4, 100))
    >>> nb.plots.trace({"mu": draws}).shape  # doctest: +SKIP
    (1, 2)
    """
    return densities_and_draws(trace, choose(trace, var_names, most), axes)


def densities_and_draws(trace: Any, chosen: Chosen, axes: Any) -> Panels:
    """Draw what is chosen of a trace, a row of two panels for each quantity."""
    divergences = diverging(trace, len(chosen.chain_ids))
    longest = max(len(chain) for quantity in chosen.quantities for chain in quantity.chains)
    every = -(-longest // _SHOWN)
    note = "; ".join(filter(None, [chosen.note, thinned(every)]))
    panels = table((len(chosen.quantities), 2), (4.2, 1.5), axes, note)
    for quantity, (left, right) in zip(chosen.quantities, panels, strict=True):
        densities(left, quantity, chosen.chain_ids)
        head(left, quantity, verdict=False)
        for k, values in enumerate(quantity.chains):
            plain = line(k) | dict(linestyle="-", linewidth=0.6, alpha=0.8)
            dot = "." if len(values) == 1 else None  # of which a line shows nothing
            right.plot(np.arange(len(values))[::every], values[::every], marker=dot, **plain)
            rug(right, divergences[k], chosen.chain_ids[k])
        right.margins(x=0.01)
        if quantity.is_discrete:
            right.yaxis.get_major_locator().set_params(integer=True)
        judge(right, quantity, "right")
    panels[-1, 1].set_xlabel("draw")
    legend(panels, axes is None)
    return panels
