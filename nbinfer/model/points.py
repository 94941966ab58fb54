"""Points of a model: constrained values by name, unconstrained positions, and the density there in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nbinfer.model.layout import Layout, Parameter
from nbinfer.model.support.bounds import BoundsError
from nbinfer.spelling import public


@public
class Points:
    """What can be said of points, wherever there are parameters, data and a density.

    Attributes
    ----------
    layout : Layout
        Parameters.
    data_tuple : object
        Data as the functions see them.
    """

    layout: Layout
    data_tuple: Any

    def density_of(self, values: Mapping[str, Any]) -> float:
        """Return the log density of checked constrained values, in plain Python."""
        raise NotImplementedError

    def density_at(self, values: Mapping[str, Any]) -> float:
        """Return what `density_of` does, by machine code if there is some, see `logp`."""
        return self.density_of(values)

    def derived_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the derived quantities at constrained values, in plain Python."""
        return {}

    @property
    def scales(self) -> Mapping[str, float]:
        """By what the log Jacobian of parameters is multiplied that stand for more of their kind; 1 for all others."""
        return {}

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Parameters by name."""
        return self.layout.parameters

    @property
    def dim(self) -> int:
        """Number of unconstrained coordinates."""
        return self.layout.dim

    def initial_point(self) -> dict[str, Any]:
        """Return the constrained values at unconstrained 0; of discrete parameters the lowest.

        Returns
        -------
        point : dict of str to (float, int or ndarray)

        Raises
        ------
        ValueError
            If a bound is a function, and nothing lies between the bounds there.
        """
        return self.constrain(np.zeros(self.dim))

    def unconstrain(self, point: Mapping[str, Any]) -> np.ndarray:
        """Map constrained values by name to an unconstrained position.

        Parameters
        ----------
        point : mapping of str to array_like
            May leave out parameters; those are at unconstrained 0.

        Returns
        -------
        q : ndarray, shape (dim,)

        Raises
        ------
        ValueError
            With all unknown names, wrong shapes and values outside their support.
        """
        return self.layout.unconstrain(point, self.data_tuple)

    def constrain(self, q: Any, discrete: np.ndarray | None = None) -> dict[str, Any]:
        """Map an unconstrained position to values by name.

        Parameters
        ----------
        q : array_like, shape (dim,)
            The position.
        discrete : ndarray, optional
            Values of discrete parameters, one after the other. Default: the lowest.

        Returns
        -------
        point : dict of str to (float, int or ndarray)

        Raises
        ------
        ValueError
            If `q` has another shape; or a bound is a function, and nothing lies between the bounds there.
        """
        return self.layout.image(q, self.data_tuple, discrete)[0]

    def logp(self, point: Mapping[str, Any]) -> float:
        """Return the log density of constrained values, without the Jacobian of the transforms.

        Parameters
        ----------
        point : mapping of str to array_like
            A value for each parameter.

        Returns
        -------
        logp : float
            Exceptions of the model's functions come out.

        Notes
        -----
        The first calls run in plain Python, at once. After fifty, machine code takes over if an earlier run has made
        it; after ten thousand it is made, which a line in the log says. Values are the same up to rounding, and it
        takes 3 microseconds and a fifth of one for each name. Points of other types than floats, ints and
        contiguous float64 arrays, points where the density is not finite, and models with bounds that are functions,
        with batches, or with `logp_grad` alone stay in plain Python.
        """
        return self.density_of(self.layout.check(point, self.data_tuple, partial=False))

    def logp_unconstrained(self, q: Any, discrete: np.ndarray | None = None) -> float:
        """Return the log density at an unconstrained position, with the Jacobian of the transforms.

        It is -inf where bounds that are functions leave nothing between them.
        """
        try:
            values, log_jacobian = self.layout.image(q, self.data_tuple, discrete, self.scales)
        except BoundsError:
            return -np.inf
        return log_jacobian + self.density_at(values)

    def log_jacobian(self, q: Any, discrete: np.ndarray | None = None) -> float:
        """Return the log of the absolute Jacobian determinant of the transforms at an unconstrained position.

        It is -inf where bounds that are functions leave nothing between them.
        """
        try:
            return self.layout.image(q, self.data_tuple, discrete)[1]
        except BoundsError:
            return -np.inf
