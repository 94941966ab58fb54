"""Ranks of simulation-based calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import array as array_of
from nbinfer.arguments import choice, count, mapping, of_all
from nbinfer.diagnostics.quantities import labels
from nbinfer.plots import curves
from nbinfer.plots.look import drawn, shortened
from nbinfer.plots.mixing import against_diagonal, bins
from nbinfer.plots.panels import Panels, outer_labels, wrapped
from nbinfer.plots.quantities import MOST
from nbinfer.spelling import meant, public

_CELLS = 20
_FEWEST = 5  # expected in a bin


@drawn
@public
def rank_hist(
    ranks: Any,
    draws: int | None = None,
    var_names: str | Sequence[str] | None = None,
    *,
    kind: Literal["bins", "ecdf"] = "bins",
    most: int = 20,
    axes: Any = None,
) -> Panels:
    """Draw how true values rank among the draws of their posteriors, over many simulations.

    Of a sampler that is right they are uniform [1]_: all points lie in the band with probability 0.9. A hollow in the
    middle tells of posteriors that are too narrow, a hump of too wide ones, a slope of a bias.

    Parameters
    ----------
    ranks : Calibration, or mapping of str to array_like, shape (simulation, *shape)
        What `nbinfer.sbc` returned. Or its ``ranks``, in (0, 1); or how many draws of each posterior, from 0 to
        `draws`, are smaller than the value that the data were simulated with.
    draws : int, optional
        Draws of each posterior, if ranks are counts of them.
    var_names : str or sequence of str, optional
        Variables to show; or, ``"~mu"``, those to leave out. Default: all.
    kind : {'bins', 'ecdf'}
        Shares of bins of ranks; or the distribution function, less the diagonal, which sees more [2]_.
    most : int
        How many quantities are shown at most. Of more, those that are farthest from uniform, and a line below says so.
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
        If ranks are not between 0 and `draws`, or 0 and 1, a name is unknown, or `axes` are not as many as there are
        panels.

    References
    ----------
    .. [1] S. Talts, M. Betancourt, D. Simpson, A. Vehtari and A. Gelman, "Validating Bayesian inference algorithms with
       simulation-based calibration", arXiv:1804.06788 (2018).
    .. [2] T. Säilynoja, P.-C. Bürkner and A. Vehtari, "Graphical test for discrete uniformity and its applications",
       Statistics and Computing 32 (2022).
    """
    choice("kind", kind, ("bins", "ecdf"))
    count("most", most, 1, MOST)
    found = _columns(ranks, draws, var_names)
    n = len(next(iter(found.values())))
    cells = int(np.clip(n // _FEWEST, 2, _CELLS if kind == "bins" else 5 * _CELLS))
    shares = {name: np.histogram(u, cells, (0, 1))[0][None] / n for name, u in found.items()}
    farthest = sorted(shares, key=lambda name: -np.abs(np.cumsum(shares[name] - 1 / cells)).max())[:most]
    note = f"{most} of {len(shares)} quantities, those farthest from uniform" if len(shares) > most else ""
    names = [name for name in shares if name in farthest]
    panels = wrapped(len(names), (2.6, 1.8), axes, note)
    width = curves.band(n, cells, cumulative=kind == "ecdf")
    for ax, name in zip(panels, names, strict=True):
        (bins if kind == "bins" else against_diagonal)(ax, shares[name], width, {0: name})
        ax.set_title(shortened(name, 18))
    outer_labels(panels, "rank / draws", "share /\nexpected" if kind == "bins" else "ECDF −\nexpected")
    return panels


def _columns(ranks: Any, draws: int | None, var_names: Any) -> dict[str, Any]:
    """Return numbers in (0, 1) of each quantity, uniform if its ranks are: one in the cell of each rank."""
    draws = getattr(ranks, "draws", None) if draws is None else draws
    every = {
        str(name): of
        for name, of in mapping("ranks, what nb.sbc returned or its like,", getattr(ranks, "ranks", ranks)).items()
    }
    if not every:
        raise ValueError("ranks must hold ranks of a variable or more, got none.")
    names = of_all("var_names", var_names, every)
    unknown = [name for name in names if name not in every]
    if unknown or not names:
        near = meant(unknown[0], every) if unknown else ""
        raise ValueError(f"var_names must be variables that have ranks, {', '.join(every)}.{near}")
    rng, found = np.random.default_rng(20), dict[str, Any]()
    for name in names:
        array = _uniform(name, every[name], draws, rng)
        found.update(zip(labels(name, array.shape[1:]), array.reshape(len(array), -1).T, strict=True))
    if len({column.size for column in found.values()}) > 1:
        raise ValueError("ranks must be of equally many simulations for all variables.")
    return found


def _uniform(name: str, ranks: Any, draws: int | None, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return ranks as numbers in (0, 1): as they are, or one in the cell of each count."""
    array = array_of(f"ranks[{name!r}]", ranks)
    shares = draws is None and array.dtype.kind not in "iu"
    if not shares:
        count("draws, how many of each posterior,", draws, 1, 2**48)
    kinds, most = ("f", 1) if shares else ("iu", draws)
    if array.dtype.kind not in kinds or not array.ndim or not array.size or not ((array >= 0) & (array <= most)).all():
        raise ValueError(
            f"ranks[{name!r}] must be {'numbers' if shares else 'ints'} from 0 to {most}, shape (simulation, *shape)"
            f"{'; counts are ints, of so many draws=' if shares else ''}."
        )
    return array if shares or draws is None else (array + rng.random(array.shape)) / (draws + 1)
