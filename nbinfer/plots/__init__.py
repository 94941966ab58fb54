"""Pictures of draws and fits, by matplotlib; `pip install nbinfer[plot]` installs it.

Each function draws into the axes that it is given, or into those of a new figure, and returns them. The style is
applied to what is drawn here and to nothing else; chains are told apart in grey, too.
"""

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
