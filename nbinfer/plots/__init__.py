"""Pictures of draws and fits, by matplotlib; `pip install nbinfer[plot]` installs it.

Each function draws into the axes that it is given, or into those of a new figure, and returns them. The style is
applied to what is drawn here and to nothing else; chains are told apart in grey, too.
"""

from typing import Any

from nbinfer.plots.calibration import rank_hist
from nbinfer.plots.chains import autocorr, energy, ess
from nbinfer.plots.documents import traceplot
from nbinfer.plots.fits import elbo
from nbinfer.plots.marginals import density, forest
from nbinfer.plots.mixing import rank
from nbinfer.plots.pairs import pair, particles
from nbinfer.plots.panels import Panels
from nbinfer.plots.predictions import loo_pit, ppc
from nbinfer.plots.traces import trace
from nbinfer.spelling import DONE_BY as _DONE_BY
from nbinfer.spelling import meant as _meant

__all__ = [
    "Panels",
    "autocorr",
    "density",
    "elbo",
    "energy",
    "ess",
    "forest",
    "loo_pit",
    "pair",
    "particles",
    "ppc",
    "rank",
    "rank_hist",
    "trace",
    "traceplot",
]


def __getattr__(name: str) -> Any:
    """Say which picture does what is known by another name elsewhere."""
    does = next((_DONE_BY[known] for known in (name, f"plot_{name}") if known in _DONE_BY), None)
    hint = _meant(name, __all__) if does is None else f" What does it is {does}."
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")
