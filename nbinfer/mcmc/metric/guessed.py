"""The metric that a point stands for: the curvature there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbinfer.errors import ModelError
from nbinfer.mcmc.metric.potential import QuadPotential, QuadPotentialDiag
from nbinfer.optimize.curvature import SCALING_BOUND, bounded, curvatures, position


class GuessedPotential(QuadPotential):
    """A fixed diagonal metric whose mass is the curvature at a point.

    Parameters
    ----------
    point : mapping of str to array_like
        Constrained values by name; what is missing is at the initial point.
    """

    def __init__(self, point: Mapping[str, Any]) -> None:
        super().__init__()
        self.point = point

    def placed(self, site: Any) -> QuadPotential:
        """Return the metric for a place in a model."""
        try:
            place = position(site.bound, self.point)
        except ModelError as error:
            raise ModelError(f"the point of scaling does not fit the model: {error}") from None
        found, _ = curvatures(site.bound, *place, site.coordinates)
        return QuadPotentialDiag(1.0 / bounded(found, SCALING_BOUND))
