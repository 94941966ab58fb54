"""What ends a fit by particles, as errors that say where, why and what to do; wherever the particles are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine.failures import replayed
from nbinfer.errors import FitError

Floats = NDArray[np.float64]


def without_spread(median: float, done: int) -> FitError:
    """Return the error of particles that are too close together, or too far apart, to choose a bandwidth.

    Parameters
    ----------
    median : float
        Of squared distances.
    done : int
        Iterations before.
    """
    if math.isfinite(median):
        why = "too many of them are equal. Begin with more jitter, or give the kernel a bandwidth."
    else:
        why = (
            "too many of them are too far away. Begin closer (start, jitter), lower the learning rate, or take other "
            "units for the parameters; float32, and pairs that are drawn, end at distances of 1e19, where "
            "dtype='float64' and nb.RBF(pairs='all') do not."
        )
    return FitError(
        f"the median distance of the particles is {math.sqrt(median):g} in iteration {done}, and gives no bandwidth: "
        f"{why}"
    )


def beyond_single(done: int) -> FitError:
    """Return the error of forces that are beyond single precision.

    Parameters
    ----------
    done : int
        Iterations before.
    """
    return FitError(
        f"forces on the particles are more than float32 can hold in iteration {done}; particles are as they were. Take "
        "dtype='float64', or other units for the parameters."
    )


def without_score(bound: Any, positions: Floats, grads: Floats, logps: Floats, done: int) -> FitError:
    """Return the error of particles without a density, or without a finite gradient.

    Parameters
    ----------
    bound : Bound
        Of the model.
    positions, grads : ndarray, shape (n, dim)
    logps : ndarray, shape (n,)
        Densities and gradients as they were found.
    done : int
        Iterations before.
    """
    bad = np.flatnonzero(~(np.isfinite(grads).all(axis=1) & np.isfinite(logps)))
    shown = ", ".join(map(str, bad[:10])) + (", ..." if len(bad) > 10 else "")
    first = positions[bad[0]]
    reason = replayed(bound, first, None) or bound.explain(first)
    return FitError(
        f"density or gradient of {len(bad)} of {len(logps)} particles is not finite in iteration {done}: "
        f"{'particles' if len(bad) > 1 else 'particle'} {shown}, the first one at {bound.describe(first)} "
        f"({reason}). They are as they were. Begin elsewhere (start), closer (jitter), lower the learning rate, or "
        "look at that term."
    )
