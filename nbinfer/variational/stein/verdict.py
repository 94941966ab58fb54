"""What particles say of themselves at the end: whether they rest, and whether they are as far apart as they should be.

Under the posterior the mean of ``-(x - c) . grad log p(x)`` is the number of coordinates, whatever c is (Stein's
identity, by parts). Of particles that are too close together it is less: for a normal posterior it is the sum of their
variances over those of the posterior. That needs nothing but the scores which they move by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nbinfer.diagnostics.problem import Kind
from nbinfer.variational.report import Verdict, problem

Floats = NDArray[np.float64]

#: Particles rest if no force on one is larger, in units of one over a standard deviation. Of 12 posteriors, forces of
#: 0.007 to 0.02, at which the default optimiser leaves particles after 10 000 iterations, meant means that were off by
#: up to half a standard deviation, and standard deviations by up to a factor of three; 0.003 or less, but for one, by
#: 0.07 and 3 %.
AT_REST = 1e-3
#: Particles have collapsed if their spread is less than this share of what the scores ask for; steps throw noisy ones
#: about if it is more than that share.
COLLAPSED, THROWN_ABOUT = 0.75, 1.25


def spread_of(points: Floats, scores: Floats) -> float:
    """Return the spread of particles as a share of what their scores ask for; 1 for draws of the posterior.

    Parameters
    ----------
    points, scores : ndarray, shape (n, dim)
        Particles, and gradients of the log density there.
    """
    return float(-np.mean((points - points.mean(axis=0)) * scores))


def verdict_on(points: Floats, scores: Floats, forces: Floats, judges_force: bool = True) -> Verdict:
    """Return what is to be said of particles at the end.

    Parameters
    ----------
    points, scores, forces : ndarray, shape (n, dim)
        Particles, gradients of the log density there, and forces on them.
    judges_force : bool
        Whether particles rest where there is no force; else they are draws, whose spread is a matter of chance, too.
    """
    problems = []
    std = points.std(axis=0) if len(points) > 1 else np.ones(points.shape[1])
    force = float(np.abs(forces * std).max())
    spread, moving = spread_of(points, scores), judges_force and force > AT_REST
    chance = 0.0 if judges_force else 3.0 * np.sqrt(2.0 / points.size)  # of the mean of squares of draws
    if len(points) > 1 and spread < COLLAPSED - chance:
        what = "are too close together" if moving else "have collapsed"
        problems.append(
            f"The particles {what}: their spread is {max(spread, 0.0):.2f} of what the gradients at them ask for, and "
            "standard deviations are too small. So it goes where coordinates are many or particles few, and "
            "temperature is no cure. Take means alone, noisy=True, method='advi' or 'fullrank_advi', or sample with "
            "nb.sample."
        )
    if not judges_force and spread > THROWN_ABOUT + chance:
        problems.append(
            f"The particles lie too far apart: their spread is {spread:.3g} of what the gradients at them ask for. "
            "Steps are too long for noise to belong to; lower the learning rate."
        )
    if moving:
        problems.append(
            f"The particles still move: the largest force is {force:.2g}, above {AT_REST:g}. Go on with refine, raise "
            "n, or take steps that are long at first and fall, such as obj_optimizer=nb.adam(learning_rate=lambda i: "
            "0.1 / (1 + i / 300)); on batches of data they must fall."
        )
    found = tuple(problem(Kind.PARTICLES, message) for message in problems)
    return Verdict(not moving if judges_force else None, found, force=force)
