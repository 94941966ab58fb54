"""What is to be known of a fit: whether it can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer import html
from nbinfer.diagnostics.problem import Collection, Kind, Problem, plural
from nbinfer.diagnostics.psis import RELIABLE
from nbinfer.variational.raabbvi import Settled

#: What comes nearer to a posterior than a family did; for others it is full rank.
_WIDER = {"full_rank": "Reparameterise", "normalizing_flow": "Take more layers, reparameterise"}
#: How much of a bound, in nats, may be owed to the noise of a fit.
TOLERABLE_GAP = 0.5


#: Losses at the end of a fit of which the later half is compared with the earlier; and fewer of which tell nothing.
_LAST, _FEWEST = 2000, 200
#: Standard errors, and nats, by which losses must fall to be falling.
_SURELY, _MUCH = 3.0, 0.1


def problem(kind: Kind, message: str, count: int = 1) -> Problem:
    """Make a problem of a fit, which has no chains."""
    return Problem(kind, count, (), message)


def still_falls(losses: NDArray[np.float64]) -> bool:
    """Tell whether losses fall, by more than their noise, in the last iterations.

    Parameters
    ----------
    losses : ndarray, shape (iterations,)
    """
    late = losses[-_LAST:]
    late = late[np.isfinite(late)]
    if len(late) < _FEWEST:
        return False
    before, after = late[: len(late) // 2], late[len(late) // 2 :]
    error = math.sqrt(before.var() / len(before) + after.var() / len(after))
    return bool(before.mean() - after.mean() > max(_SURELY * error, _MUCH))


class Verdict(NamedTuple):
    """What a method that knows says at the end of a fit.

    Attributes
    ----------
    converged : bool or None
        Whether nothing moves any more; None: it does not know.
    problems : tuple of Problem
        What is wrong, with a remedy.
    gap, gap_error : float
        How much better its own estimate of the objective is than a fresh one, with a standard error; NaN: unknown.
    rates : tuple of Settled
        The learning rates that a rule of convergence went through.
    state : str
        How far that came.
    force : float
        The largest force on a particle, in units of one over a standard deviation of the particles; NaN: unknown.
    """

    converged: bool | None = None
    problems: tuple[Problem, ...] = ()
    gap: float = math.nan
    gap_error: float = math.nan
    rates: tuple[Settled, ...] = ()
    state: str = ""
    force: float = math.nan


@dataclass(frozen=True)
class FitReport(Collection):
    """What is to be known of a fit; ``print`` shows it.

    It is a collection of its problems, as the report on a run is: ``for problem in report``, ``len(report)``, and
    ``if report:`` when there are any.

    Attributes
    ----------
    iterations : int
        So many were made, in this call.
    interrupted : bool
        Whether fewer than asked for, by Ctrl-C or an error.
    converged : bool or None
        Whether a rule found that nothing moves any more; None: there was no rule.
    skipped : int
        Draws without a density, of all iterations so far.
    estimator : str
        Of the gradient.
    khat : float
        How heavy the tail of importance weights is; NaN: unknown.
    note : str
        What else is to be known of k-hat.
    family : str
        Of the approximation.
    rates : tuple of Settled
        The learning rates that `RAABBVI` went through.
    state : str
        How far it came.
    gap, gap_error : float
        How much larger the bound is at noise that stays the same than at fresh noise, with a standard error; NaN where
        noise is always fresh.
    more : tuple of Problem
        Problems that the method tells of itself.
    falls : bool
        Whether losses were still falling at the end, by more than their noise.
    force : float
        The largest force on a particle at the end, in units of one over a standard deviation of the particles; NaN:
        unknown.
    """

    iterations: int
    interrupted: bool
    converged: bool | None
    skipped: int
    estimator: str
    khat: float
    note: str
    family: str
    rates: tuple[Settled, ...] = ()
    state: str = ""
    gap: float = math.nan
    gap_error: float = math.nan
    more: tuple[Problem, ...] = ()
    falls: bool = False
    force: float = math.nan

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong, with a remedy, in a sentence or two each."""
        found = []
        if self.khat > RELIABLE:
            wider = _WIDER.get(self.family, "Take method='fullrank_advi', reparameterise")
            first = ""
            if self.falls:
                first = "The loss was still falling: go on with refine, or raise n. If that does not help, "
                wider = wider[0].lower() + wider[1:]
            message = (
                f"k-hat is {self.khat:.2f}, above {RELIABLE}: the approximation is too far from the posterior for its "
                f"means and standard deviations to be relied on. {first}{wider} the model, or sample it with "
                "nb.sample."
            )
            found.append(problem(Kind.KHAT, message))
        if self.converged is False and not self.interrupted and not self.more:
            message = (
                f"The fit ended before it converged. {self.state}{' ' if self.state else ''}Go on with refine, or "
                "raise n."
            )
            found.append(problem(Kind.NOT_CONVERGED, message))
        if self.skipped:
            message = (
                f"{plural(self.skipped, 'draw')} had no density and {'was' if self.skipped == 1 else 'were'} skipped."
            )
            found.append(problem(Kind.SKIPPED, message, self.skipped))
        if self.gap - 2.0 * self.gap_error > TOLERABLE_GAP:
            message = (
                f"The bound is {self.gap:.2f} larger at the noise of the fit than at fresh noise: the fit has learned "
                "its noise. Raise n_draws."
            )
            found.append(problem(Kind.GAP, message))
        return (*found, *self.more)

    @property
    def head(self) -> str:
        """What was done and found, in a line."""
        if math.isnan(self.khat):
            verdict = f"No k-hat{': ' + self.note if self.note else ''}."
        elif self.khat == -math.inf:
            verdict = "k-hat is -inf: the approximation is exact."
        else:
            verdict = f"k-hat is {self.khat:.2f}{'; ' + self.note if self.note else ''}."
        head = f"{self.iterations} iterations{' (interrupted)' if self.interrupted else ''}. {verdict}"
        if not math.isnan(self.gap):
            head += (
                f" At fresh noise the bound changes by {-self.gap:+.2g}, with a standard error of {self.gap_error:.2g}."
            )
        if not math.isnan(self.force):
            head += f" The largest force on a particle is {self.force:.2g}."
        return head

    def __str__(self) -> str:
        return "\n".join([self.head, *(f"- {each.message}" for each in self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html.block(html.verdict(self.ok, self.head, (each.message for each in self)))
