"""Numbers of unconstrained coordinates by the names of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
