"""A rule of convergence that does not stop inside its own noise (RAABBVI, Welandawe et al. 2022, [1]_).

An optimiser of constant rate does not converge to the optimum: its iterates settle around a point that is off by an
amount that falls with the rate, and scatter about it. So a rate runs until its iterates have settled; their average is
that point. The rate is lowered, and the fit goes on from the average. How far averages of successive rates lie apart
says how far the last one is from the optimum, and whether another rate is worth its iterations.

Distances are roots of symmetrised Kullback-Leibler divergences. Of normal numbers, one whose standard deviation is off
by a factor of 1 + e, with e small, is at a distance of sqrt(2) e, one whose mean is off by e standard deviations at e;
and a distribution is never closer than a marginal of it.

References
----------
.. [1] M. Welandawe, M. R. Andersen, A. Vehtari and J. H. Huggins, "A framework for improving the reliability of
   black-box variational inference", arXiv:2203.15945 (2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import MOST, between, choice, count, instance, positive
from nbinfer.engine.written import kept
from nbinfer.spelling import public
from nbinfer.variational.optimizers.averaged import AveragedAdam
from nbinfer.variational.optimizers.watched import Watched
from nbinfer.variational.optimizers.wrappers import rule_of
from nbinfer.variational.windows import Window

#: By which power of the rate the distance to the optimum falls: at least, and at most.
_POWERS = 0.5, 1.0
#: Distances that say by which.
_LATE = 4


class Settled(NamedTuple):
    """A learning rate at which iterates have settled.

    Attributes
    ----------
    rate : float
        The learning rate.
    at : int
        The iteration after which they had.
    iterations : int
        So many were made at this rate.
    window : int
        Iterations that the average is of.
    rhat : float
        The largest split R-hat of a parameter in the window.
    ess : float
        The smallest effective sample size of an average.
    error : float
        Standard error of the average, as a distance.
    moved : float
        Distance from the average at the rate before; NaN: there was none.
    distance : float
        That to the optimum, as predicted; NaN: it cannot be.
    inefficiency : float
        What the next rate would leave of the distance, as a share, times its iterations by those of this one.
    """

    rate: float
    at: int
    iterations: int
    window: int
    rhat: float
    ess: float
    error: float
    moved: float
    distance: float
    inefficiency: float


@public
@kept
@dataclass(frozen=True)
class RAABBVI:  # numpydoc ignore=PR02
    """End a fit when the average of its iterates has come close to the optimum, and not before [1]_.

    For ``fit(convergence=...)``, where ``'raabbvi'`` means all defaults. Each learning rate runs until its iterates
    have settled; then they are averaged, the rate is lowered, and the fit goes on from the average. What is fitted is
    the average.

    Parameters
    ----------
    accuracy : float
        Distance to the optimum at which a fit may end: the root of the symmetrised Kullback-Leibler divergence, in
        nats. Default 0.07, where one standard deviation is off by 5 %, or one mean by 7 % of its standard deviation,
        and nothing else. It is an estimate.
    learning_rate : float
        The first learning rate, of `nb.optimizers.averaged_adam`. An optimiser that is given brings its own. Where
        iterates do not settle at it and losses have ceased to fall, it is lowered, too.
    factor : float
        By which a rate is lowered, in (0, 1).
    rhat : float
        What the split R-hat of every parameter must fall below, over a window.
    min_window : int
        Iterations of the shortest window at the first rate; at a lower one it is longer as the rate is lower, since all
        takes longer then. Also iterations from one look to the next, at least.
    min_ess : float
        Effective sample size that every average of a window must have.
    inefficiency : float
        Index from which a lower rate does not pay: the predicted share of the distance that it leaves, beside
        `accuracy`, times its predicted iterations by those of the last one.

    Raises
    ------
    ValueError
        If a setting makes no sense.

    Notes
    -----
    Iterates are kept as means and spreads of at most 64 stretches, so that memory is that of 128 further copies of the
    parameters, however long the fit.

    References
    ----------
    .. [1] M. Welandawe, M. R. Andersen, A. Vehtari and J. H. Huggins, "A framework for improving the reliability of
       black-box variational inference", arXiv:2203.15945 (2022).

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"x": nb.real()}, logp=lambda p, d: -2.0 * (p.x - 1.0) ** 2)
    >>> approx = nb.fit(50_000, model=model, random_seed=1, convergence="raabbvi", progressbar=False)
    >>> approx.report.converged, len(approx.hist) < 50_000
    (True, True)
    """

    accuracy: float = 0.07
    learning_rate: float = 0.05
    factor: float = 0.5
    rhat: float = 1.1
    min_window: int = 200
    min_ess: float = 50.0
    inefficiency: float = 1.0

    def __post_init__(self) -> None:
        for name in ("accuracy", "learning_rate", "min_ess", "inefficiency"):
            positive(name, getattr(self, name))
        between("factor", self.factor, 0.0, 1.0)
        between("rhat", self.rhat, 1.0, math.inf)
        count("min_window", self.min_window, 200, MOST)

    def optimizer(self, given: Any = None) -> Watched:
        """Return the optimiser of a fit.

        Parameters
        ----------
        given : Rule or callable, optional
            The user's.
        """
        inner = AveragedAdam(self.learning_rate) if given is None else rule_of("obj_optimizer", given)
        if callable(inner.learning_rate):
            raise ValueError(
                "convergence='raabbvi' lowers the learning rate itself, and that of obj_optimizer is a function; pass "
                "the number that it begins with."
            )
        return Watched(inner.learning_rate, inner)

    def has_settled(self, window: Window) -> bool:
        """Tell whether the iterates of a window have settled."""
        return window.rhat < self.rhat and window.ess >= self.min_ess

    def is_exact_enough(self, last: Settled) -> bool:
        """Tell whether the average is known well beside what the rate has moved it, or beside the accuracy."""
        return math.isnan(last.moved) or last.error <= max(0.5 * self.accuracy, 0.25 * last.moved)

    def predicted(self, settled: Sequence[Settled], last: Settled) -> Settled:
        """Return the last rate with the distance to the optimum, and the inefficiency of the next rate.

        Parameters
        ----------
        settled : sequence of Settled
            The rates before.
        last : Settled
            Whose distance and inefficiency are not known yet.
        """
        if not settled:
            return last
        before = settled[-1]
        late = [each for each in [*settled[1:], last] if each.moved > 0.0][-_LATE:]
        power = _POWERS[0]
        if len(late) > 1:  # distance = constant * rate**power, by least squares of the logarithms
            rates, moved = (np.log([getattr(each, name) for each in late]) for name in ("rate", "moved"))
            power = float(np.clip(np.polyfit(rates, moved, 1)[0], *_POWERS))
        shrink = (last.rate / before.rate) ** power
        bias = math.sqrt(max(last.moved**2 - last.error**2 - before.error**2, 0.0)) * shrink / (1.0 - shrink)
        # What it has moved is known no better than the average before it, and at half the rate as much is left.
        distance = max(math.hypot(bias, last.error), last.moved, before.error)
        left = (self.factor**power * distance + self.accuracy) / (distance + self.accuracy)
        longer = max(last.iterations / before.iterations, 1.0 / self.factor)
        return last._replace(distance=distance, inefficiency=left * longer)

    def is_enough(self, last: Settled) -> bool:
        """Tell whether a fit may end: it is accurate, and a lower rate does not pay."""
        return last.distance <= self.accuracy and last.inefficiency >= self.inefficiency


def rule_of_convergence(convergence: Any) -> RAABBVI | None:
    """Return the rule that an argument means."""
    if isinstance(convergence, str):
        choice("convergence", convergence.strip().lower(), ("raabbvi",))
        return RAABBVI()
    if convergence is None:
        return None
    found: RAABBVI = instance("convergence", convergence, RAABBVI, "'raabbvi' or nb.RAABBVI(...)")
    return found
