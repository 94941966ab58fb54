"""A picture of a run that goes on: drawn again and again, by moving the lines that are there."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.plots import curves
from nbinfer.plots.look import ALARM, FAINT, INK, PALE, TICKS, drawn, line, matplotlib, shortened

#: Inches of a row, and of the edges: none is reckoned anew, so that nothing jumps and little time is spent.
_WIDTH, _ROW, _TOP, _BOTTOM = 7.0, 1.05, 0.3, 0.42


class Moving:
    """A row of panels for each quantity.

    Parameters
    ----------
    scene : Scene
        See `nbinfer.live.scene`; all later ones have the same quantities and chains.
    figsize : tuple of float, optional
        Width and height in inches.
    figure : callable, optional
        What makes the figure. Default: that of matplotlib that belongs to nobody.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
    """

    @drawn
    def __init__(
        self, scene: Any, figsize: tuple[float, float] | None = None, figure: Callable[..., Any] | None = None
    ) -> None:
        if figure is None:
            matplotlib()
            from matplotlib.figure import Figure

            figure = Figure
        count = len(scene.series)
        width, height = figsize or (_WIDTH, _ROW * count + _TOP + _BOTTOM)
        self.figure = figure(figsize=(width, height))
        left, right = min(0.75 / width, 0.2), 1.0 - min(0.15 / width, 0.1)
        grid = self.figure.add_gridspec(
            count, 2, width_ratios=(2.0, 1.0), left=left, right=right, top=1.0 - _TOP / height,
            bottom=min(_BOTTOM / height, 0.4), hspace=0.55, wspace=0.08,
        )  # fmt: skip
        self._rows = [_Row(self.figure, grid, k, series, scene.chains) for k, series in enumerate(scene.series)]
        self._rows[-1].ends(scene.series[-1])
        names = scene.chains if len(scene.chains) > 1 else []
        if names:
            self.figure.legend(
                self._rows[0].paths, names, loc="upper right", ncols=len(names), fontsize=6, borderpad=0.1,
                handlelength=1.5, columnspacing=0.8,
            )  # fmt: skip
        if scene.note:
            self.figure.text(0.01, 0.02, scene.note, fontsize=6.5, style="italic", color=FAINT)

    @drawn
    def draw(self, scene: Any) -> None:
        """Move all lines to where the values are now."""
        for row, series in zip(self._rows, scene.series, strict=True):
            row.move(series)

    @drawn
    def png(self) -> bytes:
        """Return the picture as a file."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", pil_kwargs={"compress_level": 1})
        return file.getvalue()


class _Row:
    """Values one after the other, and how they are distributed; of losses and particles only either."""

    def __init__(self, figure: Any, grid: Any, k: int, series: Any, chains: list[str]) -> None:
        self._left: Any = figure.add_subplot(grid[k, :] if series.kind == "losses" else grid[k, 0])
        self._right: Any = None
        if series.kind == "particles":
            self._left.remove()
            self._right = self._left = figure.add_subplot(grid[k, :])
        elif series.kind == "draws":
            self._right = figure.add_subplot(grid[k, 1])
        for ax in {self._left, self._right} - {None}:
            ax.tick_params(**TICKS)
            ax.locator_params(nbins=4)
        self._left.set_title(shortened(series.label), loc="left")
        self._words = self._left.set_title("", loc="right", fontsize=7, color="#606060")
        self.paths: list[Any] = []
        self._densities: list[Any] = []
        thin = {"linestyle": "-", "linewidth": 0.7, "alpha": 0.85}
        for c in range(len(chains)):
            if series.kind != "particles":
                self.paths += self._left.plot([], [], **line(c) | thin)
            if self._right is not None:
                self._densities += self._right.plot([], [], **line(c))
        self._warm_up = self._left.axvspan(0, 1, color=PALE, linewidth=0, zorder=0, visible=False)
        self._rug = self._right.plot([], [], "|", color=INK, markersize=6) if series.kind == "particles" else []
        if self._right is not None:
            self._right.set_yticks([])
            self._right.spines["left"].set_visible(False)

    def ends(self, series: Any) -> None:
        """Say below what runs along."""
        if series.kind != "particles":
            self._left.set_xlabel("iteration")

    def move(self, series: Any) -> None:
        """Move the lines."""
        for path, at, values in zip(self.paths, series.at, series.values, strict=False):
            path.set_data(at, np.where(np.isfinite(values), values, np.nan))
        if self.paths:
            _along(self._left, series)
            longest = max((int(at[-1]) for at in series.at if len(at)), default=0)
            first = min((int(at[0]) for at in series.at if len(at)), default=0)
            self._warm_up.set_visible(first < series.begin)
            self._warm_up.set_bounds(first, 0, min(series.begin, longest) - first, 1)
        if self._right is not None:
            self._distribute(series)
        bad = series.not_finite
        self._words.set_text(f"{bad} not finite" if bad else "")
        self._words.set_color(ALARM if bad else "#606060")

    def _distribute(self, series: Any) -> None:
        tops, ends = [0.0], []
        for density, values in zip(self._densities, series.counted, strict=False):
            x, y = curves.density(values)
            if not x.size and values.size:  # all alike
                x, y = np.full(2, values[0]), np.array([0.0, 1.0])
            density.set_data(x, y)
            if x.size:
                tops.append(float(y.max()))
                ends += [float(x[0]), float(x[-1])]
        if self._rug:
            pooled = np.concatenate(series.counted)
            self._rug[0].set_data(pooled, np.full(pooled.size, 0.04 * (max(tops) or 1.0)))
        if ends:
            _limits(self._right.set_xlim, min(ends), max(ends), 0.02)
            self._right.set_ylim(0.0, 1.08 * max(tops) or 1.0)


def _along(ax: Any, series: Any) -> None:
    """Have axes span the values; what losses or densities were long before they settled is cut off."""
    at = [each for each in series.at if len(each)]
    if not at:
        return
    _limits(ax.set_xlim, min(float(each[0]) for each in at), max(float(each[-1]) for each in at), 0.01)
    values = np.concatenate([np.asarray(each, np.float64) for each in series.values])
    values = values[np.isfinite(values)]
    if values.size:
        cut = series.kind == "losses"
        low, high = (float(values.min()), float(np.quantile(values, 0.95))) if cut else (values.min(), values.max())
        _limits(ax.set_ylim, float(low), float(high), 0.06)


def _limits(set_to: Callable[..., Any], low: float, high: float, room: float) -> None:
    """Set the limits of an axis; of one number, around it, and of numbers that no axis has, not at all."""
    with np.errstate(all="ignore"):
        span = np.float64(high) - low
    if np.isfinite(span) and max(abs(low), abs(high)) < 1e300:
        more = room * span if span > 1e-12 * max(abs(low), abs(high)) else 0.05 * abs(high) or 0.5
        set_to(low - more, high + more)
