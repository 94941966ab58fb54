"""Densities of particles and their gradients, on a GPU."""

from __future__ import annotations

from typing import Any

from nbinfer.cuda.swarm import Scores


def scores_for(fitting: Any, n: int, dtype: Any) -> Scores:
    """Return what finds the scores of particles.

    Parameters
    ----------
    fitting : Fitting
        Whose model it is.
    n : int
        Particles.
    dtype : dtype
        Of positions and gradients.
    """
    raise NotImplementedError('backend="cuda" knows no densities of models yet; leave backend out.')
