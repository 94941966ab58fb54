"""What several pictures draw into a panel: lines of chains, densities, marks of divergences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.plots import curves
from nbinfer.plots.look import ALARM, line
from nbinfer.plots.quantities import Quantity


def head(ax: Any, quantity: Quantity, verdict: bool = True) -> None:
    """Write the name of a quantity above a panel, and what the diagnostics say; in bold if somebody must look at it."""
    ax.set_title(quantity.title, loc="left")
    if verdict:
        alarm = dict(color=ALARM, fontweight="bold") if quantity.is_alarming else dict(color="#606060")
        ax.set_title(quantity.verdict, loc="right", fontsize=7, **alarm)


def densities(ax: Any, quantity: Quantity, chain_ids: Sequence[int]) -> None:
    """Draw the density of each chain; of few whole numbers the share of each."""
    for k, chain in enumerate(chain_ids[: len(quantity.chains)]):
        values, name = quantity.finite(k), f"chain {chain}"
        if quantity.is_discrete:
            ax.plot(*curves.shares(values), marker="o", markersize=2.5, label=name, **line(k))
            continue
        x, y = curves.density(values)
        ax.plot(x, y, label=name, **line(k))
        if values.size and not x.size:  # all alike
            ax.axvline(values[0], label=name, **line(k))
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
