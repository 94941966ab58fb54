"""Where fits begin: means and standard deviations of all coordinates; and which parameters they cannot have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import is_number, mapping, numbers
from nbinfer.errors import ParametrizationError
from nbinfer.model import Model
from nbinfer.spelling import meant

Floats = NDArray[np.float64]

#: Standard deviation of every coordinate where a fit begins.
START_SIGMA = 0.1


def refuse_discrete(model: Model, names: Sequence[str]) -> None:
    """Raise an error if some parameters are discrete."""
    discrete = [name for name in names if model.parameters[name].support.discrete]
    if discrete:
        raise ParametrizationError(
            f"{', '.join(discrete)} {'is' if len(discrete) == 1 else 'are'} discrete, and variational inference "
            "approximates continuous parameters; sum over the values in the density, or sample with nb.sample."
        )


def first_moments(model: Model, start: Any, start_sigma: Any) -> tuple[Floats, Floats]:
    """Return means and standard deviations of all unconstrained coordinates to begin with.

    Parameters
    ----------
    model : Model
    start : mapping or None
        Constrained values by name.
    start_sigma : float, mapping or None
        Standard deviations by name.

    Returns
    -------
    mean, sigma : ndarray, shape (dim,)
    """
    mean = model.unconstrain(mapping("start", start))
    sigma = np.full(model.dim, START_SIGMA)
    if is_number(start_sigma):
        start_sigma = dict.fromkeys((name for name, p in model.parameters.items() if p.size), start_sigma)
    for name, value in mapping("start_sigma", start_sigma).items():
        if name not in model.parameters:
            raise ParametrizationError(
                f"start_sigma names {name!r}, which the model lacks; it has {', '.join(model.parameters)}."
                f"{meant(name, model.parameters)}"
            )
        parameter = model.parameters[name]
        given = numbers(f"start_sigma[{name!r}]", value)
        if not (given > 0.0).all() or not np.isfinite(given).all():
            raise ParametrizationError(f"start_sigma[{name!r}] must be positive and finite, got {value!r}.")
        if given.size not in (1, parameter.size):
            raise ParametrizationError(
                f"start_sigma[{name!r}] must be a number, or one for each of {parameter.size} unconstrained "
                f"coordinates, got shape {given.shape}."
            )
        sigma[parameter.q] = np.ravel(given)
    return mean, sigma
