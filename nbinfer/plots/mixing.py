"""Do chains tell the same: ranks of their draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import choice
from nbinfer.diagnostics import ess_bulk
from nbinfer.plots import curves
from nbinfer.plots.look import PALE, drawn, line
from nbinfer.plots.marks import head
from nbinfer.plots.panels import Panels, legend, outer_labels, wrapped
from nbinfer.plots.quantities import Chosen, Quantity, choose
from nbinfer.spelling import public

_BINS = 20
_PROB = 0.9


@drawn
@public
def rank(
    trace: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    kind: Literal["bins", "ecdf"] = "bins",
    most: int = 20,
    axes: Any = None,
) -> Panels:
    """Draw how the draws of each chain rank among those of all.

    Chains that have seen the same distribution have ranks of every size equally often [1]_. The band is what remains
    of chance: with probability 0.9 all points of all chains lie in it, for as many independent draws as the bulk ESS of
    each chain alone says. Ties are broken at random, in the same way each time. A single chain is taken for two, its
    halves.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        The draws.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    kind : {'bins', 'ecdf'}
        The share of each chain's ranks in twenty bins; or their distribution function, less the diagonal [2]_.
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

    References
    ----------
    .. [1] A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Bürkner, "Rank-normalization, folding, and
       localization", Bayesian Analysis 16 (2021).
    .. [2] T. Säilynoja, P.-C. Bürkner and A. Vehtari, "Graphical test for discrete uniformity and its applications",
       Statistics and Computing 32 (2022).
    """
    choice("kind", kind, ("bins", "ecdf"))
    chosen = choose(trace, var_names, most)
    panels = wrapped(len(chosen.quantities), (2.6, 1.8), axes, chosen.note)
    for ax, quantity in zip(panels, chosen.quantities, strict=True):
        head(ax, quantity)
        if np.isfinite(np.asarray(quantity.common, float)).all() and quantity.common.shape[1]:
            _ranks(ax, quantity, kind, chosen)
        else:
            ax.text(0.5, 0.5, "no ranks", transform=ax.transAxes, ha="center", va="center")
    outer_labels(panels, "rank / draws", "share /\nexpected" if kind == "bins" else "ECDF −\nexpected")
    legend(panels, axes is None)
    return panels


def _ranks(ax: Any, quantity: Quantity, kind: str, chosen: Chosen) -> None:
    draws = quantity.common
    lines = {k: f"chain {chosen.chain_ids[k]}" for k in chosen.used[: len(draws)]}
    if len(draws) == 1 and draws.size > 1:
        half = draws.shape[1] // 2
        draws, lines = np.stack([draws[0, :half], draws[0, -half:]]), {0: "first half", 1: "second half"}
    cells = min(_BINS, draws.size)
    places = (curves.ranks(draws) + 0.5) / draws.size
    shares = np.stack([np.histogram(chain, cells, (0, 1))[0] / draws.shape[1] for chain in places])
    # Of each chain alone: where chains disagree, the ESS of all is small for that, and the band would hide it.
    worth = [min(n, draws.shape[1]) for n in (ess_bulk(chain) for chain in draws) if np.isfinite(n)]
    n = float(np.mean(worth)) if worth else draws.shape[1]
    draw = bins if kind == "bins" else against_diagonal
    draw(ax, shares, curves.band(n, cells, len(draws), _PROB, kind == "ecdf"), lines)


def bins(ax: Any, shares: NDArray[Any], width: NDArray[Any], lines: Mapping[int, str]) -> None:
    """Draw shares in bins, in units of what is expected, before the band in which chance leaves them.

    Parameters
    ----------
    ax : Axes
    shares : ndarray, shape (line, bin)
    width : ndarray, shape (bin,)
        Of the band, to either side.
    lines : mapping of int to str
        What lines are called, by the number that they have in all pictures.
    """
    cells = shares.shape[1]
    ax.axhspan(1 - cells * width[0], 1 + cells * width[0], color=PALE, linewidth=0, zorder=0)
    ax.axhline(1.0, color="#606060", linewidth=0.7, zorder=0)
    for of_one, (k, name) in zip(shares, lines.items(), strict=True):
        ax.stairs(cells * of_one, np.linspace(0, 1, cells + 1), baseline=None, label=name, **line(k))
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1])
    ax.set_ylim(0, max(2.0, 1.05 * cells * shares.max()))


def against_diagonal(ax: Any, shares: NDArray[Any], width: NDArray[Any], lines: Mapping[int, str]) -> None:
    """Draw distribution functions, less the diagonal, before the band in which chance leaves them; see `bins`."""
    at, edge = np.linspace(0, 1, shares.shape[1] + 1), np.concatenate([[0.0], width])
    ax.fill_between(at, -edge, edge, color=PALE, linewidth=0, zorder=0)
    for of_one, (k, name) in zip(shares, lines.items(), strict=True):
        ax.plot(at, np.concatenate([[0.0], np.cumsum(of_one)]) - at, label=name, **line(k))
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1])
