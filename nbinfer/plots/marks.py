"""What several pictures draw into a panel: lines of chains, densities, marks of divergences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.plots import curves
from nbinfer.plots.look import ALARM, line
from nbinfer.plots.quantities import Quantity

#: Points that the name of a quantity stands above its panel, with the verdict between them.
_ABOVE = 13.0


def head(ax: Any, quantity: Quantity, verdict: bool = True) -> None:
    """Write the name of a quantity above a panel, and what the diagnostics say; in bold if somebody must look at it.

    The verdict has a line of its own: beside each other the two have no room in a small panel.
    """
    ax.set_title(quantity.title, loc="left", pad=_ABOVE if verdict else None)
    if verdict:
        judge(ax, quantity, "left")


def thinned(every: int) -> str:
    """Say that of so many draws one is drawn; '' of one."""
    return f"one of every {every} draws is shown" if every > 1 else ""


def judge(ax: Any, quantity: Quantity, side: str) -> None:
    """Write what the diagnostics say of a quantity above its panel, at the left or the right."""
    alarm = dict(color=ALARM, fontweight="bold") if quantity.is_alarming else dict(color="#606060")
    ax.annotate(
        quantity.verdict, (float(side == "right"), 1.0), (0, 3), xycoords="axes fraction", fontsize=7, ha=side,
        textcoords="offset points", va="bottom", gid="verdict", **alarm,
    )  # fmt: skip


def distribution(ax: Any, values: NDArray[Any], few: bool, **look: Any) -> None:
    """Draw a density; the share of each value if these are few; a line across where all values are alike."""
    x, y = curves.shares(values) if few else curves.density(values)
    if values.size and not x.size:
        ax.axvline(values[0], **look)
    else:
        ax.plot(x, y, **look)


def densities(ax: Any, quantity: Quantity, chain_ids: Sequence[int]) -> None:
    """Draw the density of each chain; of few whole numbers the share of each."""
    few = quantity.is_discrete
    points = dict(marker="o", markersize=2.5) if few else {}
    for k, chain in enumerate(chain_ids[: len(quantity.chains)]):
        distribution(ax, quantity.finite(k), few, label=f"chain {chain}", **points, **line(k))
    if few:
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_yticks([])
    ax.set_ylim(bottom=0)
    ax.spines["left"].set_visible(False)


def rug(ax: Any, at: NDArray[Any], chain: int) -> None:
    """Mark places of a chain along the bottom, as of divergent trajectories."""
    if at.size:
        ax.plot(
            at, np.full(at.size, 0.02), "|", color=ALARM, markersize=7, transform=ax.get_xaxis_transform(),
            zorder=5, gid=f"divergences of chain {chain}",
        )  # fmt: skip
