"""Why a fit cannot begin, and why draws of it do not count, in messages."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.engine.failures import Point, is_arithmetic, replayed
from nbinfer.errors import FitError
from nbinfer.variational.job import LATELY, TOLERATED, FitStatus

#: Why a draw does not count where the model's density is finite.
_OF_APPROXIMATION = "that of the approximation is not finite: lower the learning rate"


def check_start(bound: Any, flaw: str, position: NDArray[np.float64], particle: bool = False) -> None:
    """Raise what is wrong where a fit begins: an encoder or the density is not finite, or the gradient is another's.

    Parameters
    ----------
    bound : Bound
        The model's.
    flaw : str
        What an encoder gives that is not finite; '' if none does.
    position : ndarray, shape (dim,)
        The means, or a particle.
    particle : bool
        Which of the two it is. The first iteration tells of all particles without a density.
    """
    begins = "a particle begins" if particle else "the means begin"
    if flaw:
        raise FitError(f"the fit cannot begin: {flaw}. Look at the weights that it begins with.")
    logp, grad = bound.value_and_grad(position)
    if not np.isfinite(logp) or not np.isfinite(grad).all():
        error = replayed(bound, position, None)
        if error is not None and not is_arithmetic(error):
            error.add_note(f"raised by the model where {begins}: {bound.describe(position)}")
            raise error
        if particle:
            return
        what = "the density" if not np.isfinite(logp) else "its gradient"
        raise FitError(
            f"{what} is not finite where {begins}, at {bound.describe(position)} "
            f"({error or bound.explain(position)}). Pass another start, or look at that term."
        )
    bound.check_gradient(position)


def without_density(fit: Any, bound: Any, flaw: str, point: Point, at: str) -> FitError:
    """Return the error of a fit whose draws have no density.

    Parameters
    ----------
    fit : Memory
        Its header.
    bound : Bound
        The model's.
    flaw : str
        As in `check_start`.
    point : Point
        The last of these draws.
    at : str
        The iteration, in words.
    """
    where = bound.describe(point.position)
    reason = flaw or replayed(bound, *point) or bound.explain(point.position) or _OF_APPROXIMATION
    if fit.status == FitStatus.NO_START:
        return FitError(
            f"one of the draws where the fit begins has no density: {where} ({reason}). Begin elsewhere (start), "
            "closer (start_sigma), or look at that term."
        )
    return FitError(
        f"stopped at {at}: more than {TOLERATED} of the last {min(int(fit.drawn), LATELY)} draws of the approximation "
        f"have no density, the last one at {where} ({reason}). Begin elsewhere (start), closer (start_sigma), or look "
        "at that term."
    )
