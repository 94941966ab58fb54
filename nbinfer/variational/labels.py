"""Numbers of unconstrained coordinates by the names of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.model import Model


def labelled(model: Model, names: Sequence[str], flat: NDArray[np.float64]) -> Any:
    """Return numbers by name: an xarray.Dataset if xarray is there, else a mapping.

    Parameters
    ----------
    model : Model
    names : sequence of str
        Parameters, in the order of the numbers.
    flat : ndarray, shape (n,)
        One for each of their unconstrained coordinates.
    """
    wanted = sum(model.parameters[name].size for name in names)
    if flat.shape != (wanted,):
        raise ValueError(f"flat must have shape ({wanted},), got {flat.shape}.")
    found: dict[str, NDArray[np.float64]] = {}
    start = 0
    for name in names:
        parameter = model.parameters[name]
        part = flat[start : start + parameter.size]
        found[name] = part.reshape(parameter.shape if parameter.size == parameter.elements else (parameter.size,))
        start += parameter.size
    try:
        import xarray
    except ImportError:
        return found
    return xarray.Dataset(
        {name: ([f"{name}_dim_{i}" for i in range(value.ndim)], value) for name, value in found.items()}
    )


class Labelled:
    """What has means and standard deviations of unconstrained coordinates, and tells them by name."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """Their means, shape (ndim,)."""
        raise NotImplementedError

    @property
    def std(self) -> NDArray[np.float64]:
        """Their standard deviations, shape (ndim,)."""
        raise NotImplementedError

    def _labels(self) -> tuple[Model, Sequence[str]]:
        """Return the model, and the parameters that the coordinates belong to, in order."""
        raise NotImplementedError

    @property
    def mean_data(self) -> Any:
        """The means by name, see `var_to_data`."""
        return self.var_to_data(self.mean)

    @property
    def std_data(self) -> Any:
        """The standard deviations by name, see `var_to_data`."""
        return self.var_to_data(self.std)

    def var_to_data(self, flat: ArrayLike) -> Any:
        """Label numbers of the unconstrained coordinates by the parameters that they belong to.

        Parameters
        ----------
        flat : array_like, shape (ndim,)

        Returns
        -------
        data : xarray.Dataset or dict of str to ndarray
            A mapping, if xarray is not there. Parameters whose coordinates are as many as their elements keep their
            shape.
        """
        return labelled(*self._labels(), np.asarray(flat, np.float64))
