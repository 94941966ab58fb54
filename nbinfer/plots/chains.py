"""What draws of chains are worth: autocorrelations, effective sample sizes, energies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import choice, count
from nbinfer.diagnostics import bfmi, ess_bulk, ess_quantile, ess_tail
from nbinfer.diagnostics.measure import MIN_DRAWS
from nbinfer.diagnostics.of_samplers import BFMI_LIMIT
from nbinfer.diagnostics.quantities import read
from nbinfer.plots import curves
from nbinfer.plots.look import ALARM, INK, PALE, drawn, line
from nbinfer.plots.marks import head
from nbinfer.plots.panels import Panels, legend, outer_labels, wrapped
from nbinfer.plots.quantities import MOST, NO_DRAWS, Quantity, choose
from nbinfer.spelling import public

_QUANTILES = np.linspace(0.05, 0.95, 19)
_STAGES = 15
#: Effective draws of a chain below which `nbinfer.diagnostics.check` speaks of a problem.
_ENOUGH = 100
_FEW = 4


@drawn
@public
def autocorr(
    trace: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    lags: int = 60,
    most: int = 20,
    axes: Any = None,
) -> Panels:
    """Draw how much draws of a chain have to do with earlier ones.

    The band is where autocorrelations of independent draws lie 95 times in 100.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    lags : int
        The largest distance of draws.
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
    count("lags", lags, 1, MOST)
    chosen = choose(trace, var_names, most)
    panels = wrapped(len(chosen.quantities), (2.6, 1.8), axes, chosen.note)
    for ax, quantity in zip(panels, chosen.quantities, strict=True):
        head(ax, quantity)
        shortest = min((len(values) for values in quantity.chains if len(values)), default=1)
        ax.axhspan(-1.96 / shortest**0.5, 1.96 / shortest**0.5, color=PALE, linewidth=0, zorder=0)
        low = -0.5 if shortest > 15 else -1.0
        for k, values in enumerate(quantity.chains):
            found = curves.autocorrelation(np.asarray(values, float), lags)
            ax.plot(np.arange(len(found)), found, label=f"chain {chosen.chain_ids[k]}", **line(k))
            low = min(low, 1.05 * np.nanmin(found, initial=0.0))  # of draws that alternate
        ax.set_ylim(low, 1.05)
    outer_labels(panels, "lag", "auto-\ncorrelation")
    legend(panels, axes is None)
    return panels


@drawn
@public
def ess(
    trace: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    kind: Literal["quantile", "evolution"] = "quantile",
    most: int = 20,
    axes: Any = None,
) -> Panels:
    """Draw effective sample sizes: of quantiles, or as draws were added.

    The dashed line is 100 effective draws a chain, below which nothing should be concluded.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    kind : {'quantile', 'evolution'}
        The ESS of the quantiles 0.05, 0.1 ... 0.95; or bulk and tail ESS of the first draws, of more and more of them.
        If all is well they grow in proportion.
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
        If a name or `kind` is unknown, there are no draws, or `axes` are not as many as there are panels.
    """
    choice("kind", kind, ("quantile", "evolution"))
    chosen = choose(trace, var_names, most)
    panels = wrapped(len(chosen.quantities), (2.6, 1.8), axes, chosen.note)
    for ax, quantity in zip(panels, chosen.quantities, strict=True):
        head(ax, quantity)
        (_at_quantiles if kind == "quantile" else _as_they_came)(ax, quantity)
        ax.axhline(_ENOUGH * len(quantity.common), color="#606060", linestyle="--", linewidth=0.8)
        ax.set_ylim(bottom=0)
    outer_labels(panels, "quantile" if kind == "quantile" else "draws of each chain", "ESS")
    legend(panels, axes is None)
    return panels


def _at_quantiles(ax: Any, quantity: Quantity) -> None:
    draws = np.asarray(quantity.common, float)
    found = [ess_quantile(draws, p) for p in _QUANTILES]
    ax.plot(_QUANTILES, found, marker="o", markersize=2.5, color=INK)
    ax.set_xlim(0, 1)


def _as_they_came(ax: Any, quantity: Quantity) -> None:
    draws = quantity.common.shape[1]
    stages = np.unique(np.linspace(min(MIN_DRAWS, draws), draws, _STAGES).astype(int))
    for k, (name, size) in enumerate({"bulk": ess_bulk, "tail": ess_tail}.items()):
        found = [size(quantity.common[:, :n]) for n in stages]
        ax.plot(stages, found, marker="os"[k], markersize=2.5, label=name, **line(k))
    ax.set_xlim(left=0)


@drawn
@public
def energy(trace: Any, *, axes: Any = None) -> Panels:
    """Draw the energies of Hamiltonian trajectories, and by how much they change from draw to draw.

    Where the changes are much narrower than the energies, momenta are too weak to visit the tails [1]_; E-BFMI of each
    chain says the same as a number, and below 0.3 is a problem.

    Parameters
    ----------
    trace : Trace
        Of NUTS or HamiltonianMC: with a statistic "energy".
    axes : Axes or array of Axes, shape (sampler,), optional
        To draw in. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (sampler,)
        One for each sampler that has energies; as a rule there is one.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there are no energies, no draws, or `axes` are not as many as there are panels.

    References
    ----------
    .. [1] M. Betancourt, "Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo",
       arXiv:1604.00695 (2016).
    """
    run = read(trace)
    stored = getattr(trace, "sample_stats", {}).get("energy")
    if stored is None or run.done is None:
        raise ValueError("trace must have the statistic 'energy', which nb.NUTS and nb.HamiltonianMC write.")
    if not any(run.done):
        raise ValueError(NO_DRAWS)
    stored = np.asarray(stored, float).reshape(*np.shape(stored)[:2], -1)
    panels = wrapped(stored.shape[2], (3.6, 2.4), axes)
    for ax, energies in zip(panels, np.moveaxis(stored, 2, 0), strict=True):
        chains = [chain[:n] for chain, n in zip(energies, run.done, strict=True)]
        _energies(ax, chains)
        found = np.array([float(bfmi(chain)[0]) for chain in chains])
        alarm = dict(color=ALARM, fontweight="bold") if (found < BFMI_LIMIT).any() else {}
        ax.set_title(f"E-BFMI {_listed(found)}", **alarm)
        ax.legend()
    return panels


def _listed(found: NDArray[np.float64]) -> str:
    """Write one number for each chain; of many the smallest and the largest."""
    if len(found) <= _FEW or not np.isfinite(found).any():
        return ", ".join(f"{value:.2f}" for value in found[:_FEW])
    return f"{np.nanmin(found):.2f} to {np.nanmax(found):.2f}, {len(found)} chains"


def _energies(ax: Any, chains: Sequence[Any]) -> None:
    """Draw densities of all chains' energies, less their mean, and of their changes."""
    whole = np.concatenate(chains)
    parts = {
        "energy": whole - whole[np.isfinite(whole)].mean() if np.isfinite(whole).any() else whole,
        "change": np.concatenate([np.diff(chain) for chain in chains]),
    }
    for k, (name, values) in enumerate(parts.items()):
        x, y = curves.density(values[np.isfinite(values)])
        ax.plot(x, y, label=name, **line(k))
        if k == 0:
            ax.fill_between(x, y, color=PALE, linewidth=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("energy − mean, nats")
