"""How pictures look: one style, for what is drawn here and for nothing else; what tells chains apart also in grey."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

Plot = TypeVar("Plot", bound=Callable[..., Any])

#: What data are drawn in, and many of them; what stands behind them; and what warns.
INK, FAINT, PALE, ALARM = "#1b2a49", "#8b94a8", "#e1e4eb", "#b0413e"
#: Dark to light, so that their order is seen without colours, too.
COLOURS = (INK, ALARM, "#3a9188", "#c99a3a")
DASHES = ("-", "--", "-.", ":")

#: What no axis takes.
LARGEST = 1e300

#: What is ours of a style; all else of `_FAMILIES` is as matplotlib has it, whatever the user's own style.
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#606060",
    "axes.formatter.limits": (-3, 5),
    "axes.grid": False,
    "axes.labelcolor": "#303030",
    "axes.labelsize": 8,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 4.0,
    "axes.titlesize": 8,
    "figure.dpi": 100,
    "font.size": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "lines.linewidth": 1.1,
    "text.parse_math": False,  # names of variables are names
}
#: What of the style matplotlib forgets.
TICKS = {"color": "#606060", "labelcolor": "#606060", "labelsize": 7, "width": 0.7, "length": 3, "pad": 3}
_FAMILIES = ("axes", "figure", "font", "grid", "hatch", "legend", "lines", "patch", "scatter", "text", "xtick", "ytick")


def matplotlib() -> Any:
    """Return the package, or say what to install."""
    try:
        return importlib.import_module("matplotlib")
    except ImportError as error:
        raise ImportError("nbinfer.plots needs matplotlib; get it with `pip install nbinfer[plot]`") from error


def drawn(plot: Plot) -> Plot:
    """Have a function draw in the style of this package."""

    @functools.wraps(plot)
    def call(*args: Any, **options: Any) -> Any:
        package = matplotlib()
        base = {key: value for key, value in package.rcParamsDefault.items() if key.partition(".")[0] in _FAMILIES}
        with package.rc_context(base | STYLE):
            return plot(*args, **options)

    return call  # type: ignore[return-value]


def line(chain: int) -> dict[str, Any]:
    """Return what a line of the chain at this place looks like; sixteen of them differ."""
    return {"color": COLOURS[chain % 4], "linestyle": DASHES[(chain + chain // 4) % 4]}


def shortened(text: str, most: int = 30) -> str:
    """Leave out the middle of a long name."""
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"
