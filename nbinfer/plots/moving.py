"""A picture of a run that goes on: drawn again and again, by moving the lines that are there."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from nbinfer.plots import curves
from nbinfer.plots.look import ALARM, FAINT, INK, LARGEST, PALE, TICKS, drawn, line, matplotlib, shortened

#: Inches of a row, and of the edges: none is reckoned anew, so that nothing jumps and little time is spent.
_WIDTH, _ROW, _TOP, _BOTTOM = 7.0, 1.05, 0.3, 0.42

#: Of how few values single ones are marked.
_FEW = 30


def _below(scene: Any) -> float:
    return _BOTTOM + 0.15 * bool(scene.note)


def size(scene: Any, figsize: tuple[float, float] | None) -> tuple[float, float]:
    """Return width and height of a picture in inches, where they are not given."""
    return figsize or (_WIDTH, _ROW * len(scene.series) + _TOP + _below(scene))


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
        count, below = len(scene.series), _below(scene)
        width, height = size(scene, figsize)
        self.figure = figure(figsize=(width, height))
        left, right = min(0.75 / width, 0.2), 1.0 - min(0.15 / width, 0.1)
        grid = self.figure.add_gridspec(
            count, 2, width_ratios=(4.0, 1.0), left=left, right=right, top=1.0 - _TOP / height,
            bottom=min(below / height, 0.4), hspace=0.8 if scene.series[0].kind == "particles" else 0.35, wspace=0.02,
        )  # fmt: skip
        self._rows = [_Row(self.figure, grid, k, series, scene.chains) for k, series in enumerate(scene.series)]
        self._rows[-1].ends()
        names = scene.chains if len(scene.chains) > 1 else []
        if names:
            self.figure.legend(
                self._rows[0].lines, names, loc="upper right", ncols=len(names), fontsize=6, borderpad=0.1,
                handlelength=1.5, columnspacing=0.8,
            )  # fmt: skip
        if scene.note:
            self.figure.text(0.01, 0.04 / height, scene.note, fontsize=6.5, style="italic", color=FAINT)

    @drawn
    def draw(self, scene: Any) -> None:
        """Move all lines to where the values are now."""
        at = [each for series in scene.series for each in series.at if len(each)]
        along = min((float(each[0]) for each in at), default=0.0), max((float(each[-1]) for each in at), default=1.0)
        for row, series in zip(self._rows, scene.series, strict=True):
            row.move(series, along)

    @drawn
    def png(self) -> bytes:
        """Return the picture as a file."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", pil_kwargs={"compress_level": 1})
        return file.getvalue()


class _Row:
    """Values one after the other, with their densities beside them; of particles densities alone, of losses none.

    Most of the time that a picture takes goes into axes and what is written along them, so there are few.
    """

    def __init__(self, figure: Any, grid: Any, k: int, series: Any, chains: list[str]) -> None:
        self._is_cloud = series.kind == "particles"
        self._has_side = series.kind == "draws"
        self._ax = figure.add_subplot(grid[k, 0] if self._has_side else grid[k, :])
        self._ax.tick_params(**TICKS)
        self._ax.locator_params(nbins=8 if self._is_cloud else 3)
        self._ax.xaxis.set_visible(self._is_cloud)
        self._ax.text(0.0, 1.04, shortened(series.label), transform=self._ax.transAxes, fontsize=8)
        self._words = self._ax.text(1.0, 1.04, "", transform=self._ax.transAxes, fontsize=7, color=ALARM, ha="right")
        self._side = figure.add_subplot(grid[k, 1], sharey=self._ax) if self._has_side else self._ax
        if self._has_side:
            self._side.set_axis_off()
        elif self._is_cloud:
            self._ax.yaxis.set_visible(False)
            self._ax.spines["left"].set_visible(False)
        thin = {"linestyle": "-", "linewidth": 0.7, "alpha": 0.85, "markersize": 3}
        self._paths = [] if self._is_cloud else [self._ax.plot([], [], **line(c) | thin)[0] for c in range(len(chains))]
        drawn_beside = len(chains) if self._has_side or self._is_cloud else 0
        self._densities = [self._side.plot([], [], **line(c))[0] for c in range(drawn_beside)]
        self._rug = self._ax.plot([], [], "|", color=INK, markersize=6)[0] if self._is_cloud else None
        self._warm_up = self._ax.axvspan(0, 1, color=PALE, linewidth=0, zorder=0, visible=False)

    @property
    def lines(self) -> list[Any]:
        """What a legend explains."""
        return self._densities or self._paths

    def ends(self) -> None:
        """Say below what runs along."""
        self._ax.xaxis.set_visible(True)
        if not self._is_cloud:
            self._ax.set_xlabel("iteration", loc="right")

    def move(self, series: Any, along: tuple[float, float]) -> None:
        """Move the lines; all rows run along the same iterations."""
        for path, at, values in zip(self._paths, series.at, series.values, strict=False):
            path.set_data(at, np.where(np.abs(values) < LARGEST, values, np.nan))
            path.set_marker("." if len(at) < _FEW else "")
        if not self._is_cloud:
            self._span(series, along)
        self._distribute(series)
        self._words.set_text(f"{series.not_finite} not finite" if series.not_finite else "")

    def _span(self, series: Any, along: tuple[float, float]) -> None:
        """Have axes span the values; what losses were long before they settled is cut off."""
        values = np.concatenate([np.asarray(each, np.float64) for each in series.values])
        values = values[np.abs(values) < LARGEST]
        self._ax.yaxis.set_visible(bool(values.size))
        if values.size:
            high = np.quantile(values, 0.95) if series.kind == "losses" else values.max()
            _limits(self._ax.set_ylim, float(values.min()), float(high), 0.06)
        _limits(self._ax.set_xlim, *along, 0.01)
        self._warm_up.set_visible(along[0] < min(series.begin, along[1]))
        self._warm_up.set_bounds(along[0], 0, min(series.begin, along[1]) - along[0], 1)

    def _distribute(self, series: Any) -> None:
        top, ends = 0.0, []
        for density, values in zip(self._densities, series.counted, strict=False):
            x, y = curves.density(values)
            if not x.size and values.size:  # all alike
                x, y = np.full(2, values[0]), np.array([0.0, 1.0])
            density.set_data(*((y, x) if self._has_side else (x, y)))
            if x.size:
                top = max(top, float(y.max()))
                ends += [float(x[0]), float(x[-1])]
        if self._has_side and top:
            self._side.set_xlim(0.0, 1.08 * top)
        if self._rug is not None and ends:
            values = np.concatenate(series.counted)
            self._rug.set_data(values, np.full(values.size, 0.05 * top))
            _limits(self._ax.set_xlim, min(ends), max(ends), 0.02)
            self._ax.set_ylim(0.0, 1.08 * top)


def _limits(set_to: Callable[..., Any], low: float, high: float, room: float) -> None:
    """Set the limits of an axis; of one number, around it, and of numbers that no axis has, not at all."""
    with np.errstate(all="ignore"):
        span = np.float64(high) - low
    if np.isfinite(span) and max(abs(low), abs(high)) < LARGEST:
        more = room * span if span > 1e-12 * max(abs(low), abs(high)) else 0.05 * abs(high) or 0.5
        set_to(low - more, high + more)
