"""How a fit went."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.arguments import numbers
from nbinfer.plots.look import FAINT, INK, LARGEST, drawn
from nbinfer.plots.panels import Panels, legend, wrapped
from nbinfer.spelling import public

_POINTS = 4000
_WINDOWS = 100


@drawn
@public
def elbo(approx: Any, *, axes: Any = None) -> Panels:
    """Draw how the objective of a fit rose: single iterations pale, medians of a hundred windows dark.

    The axis shows the last nine tenths of the iterations in full; what began far below is cut.

    Parameters
    ----------
    approx : Approximation, Inference, or array_like, shape (iteration,)
        With losses ``hist``, or the losses themselves: minus the ELBO in nats, for fits that maximise it.
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
        If no losses were kept, they are no sequence of numbers, or `axes` are not one.

    Examples
    --------
    >>> import nbinfer as nb
    >>> approx = nb.fit(model, 10_000)  # doctest: +SKIP
    >>> nb.plots.elbo(approx).figure.savefig("elbo.png")  # doctest: +SKIP
    """
    losses = numbers("approx, or its losses,", getattr(approx, "hist", approx))
    if losses.ndim != 1:
        raise ValueError(f"approx, or its losses, must have shape (iteration,), got {losses.shape}.")
    losses[np.abs(losses) >= LARGEST] = np.nan
    if not np.isfinite(losses).any():
        raise ValueError(
            "approx must have losses that are finite: nb.fit(model, score=True) keeps them, but for particles, which "
            "have none; nb.plots.particles draws those."
        )
    panels = wrapped(1, (4.4, 2.6), axes)
    ax: Any = panels[0]
    every = -(-losses.size // _POINTS)
    ax.plot(
        np.arange(losses.size)[::every], -losses[::every], color=FAINT, alpha=0.5, linewidth=0.6, label="iterations"
    )
    parts = [part for part in np.array_split(np.arange(losses.size), min(_WINDOWS, losses.size)) if part.size]
    windows = [(part.mean(), -np.median(losses[part])) for part in parts if np.isfinite(losses[part]).all()]
    if windows:
        ax.plot(*zip(*windows, strict=True), color=INK, linewidth=1.4, label="medians")
    late = -losses[losses.size // 10 :]
    late = late[np.isfinite(late)]
    if late.size and np.ptp(late) > 0:
        low, high = np.quantile(late, [0.005, 0.995])
        room = 0.1 * (high - low) or 1.0
        ax.set_ylim(low - room, late.max() + room)
    ax.set_xlabel("iteration")
    ax.set_ylabel("−loss (ELBO, nats)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend(panels, axes is None)
    return panels
