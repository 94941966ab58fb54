"""Pictures of draws and fits, by matplotlib; `pip install nbinfer[plot]` installs it.

Each function draws into the axes that it is given, or into those of a new figure, and returns them. The style is applied
to what is drawn here and to nothing else; chains are told apart in grey, too.
"""

from nbinfer.plots.marginals import density, forest
from nbinfer.plots.mixing import rank
from nbinfer.plots.panels import Panels
from nbinfer.plots.traces import trace

__all__ = ["Panels", "density", "forest", "rank", "trace"]
