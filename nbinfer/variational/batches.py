"""Iterations of batch and match: draws and gradients of a batch, and what they make of the approximation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of
from nbinfer.errors import FitError
from nbinfer.variational.climb import climbed
from nbinfer.variational.densities import Densities
from nbinfer.variational.exploring import explore
from nbinfer.variational.families.family import inverse_softplus, softplus_of
from nbinfer.variational.families.full_rank import FullRankFamily
from nbinfer.variational.families.low_rank import LowRankFamily
from nbinfer.variational.job import TOLERATED, FitStatus
from nbinfer.variational.matching import Batch, match, match_patched, mismatch, mismatch_patched
from nbinfer.variational.optimizers.rule import Rate, Rule
from nbinfer.variational.optimizers.rules import Sgd
from nbinfer.variational.report import Verdict
from nbinfer.variational.steps import SteppedUpdates

Floats = NDArray[np.float64]

#: Mean square of what gradients differ by, in standard units, below which a fit is exact, once it falls no more.
EXACT = 1e-16
#: The same where a distribution is too wide for its batch to tell more than noise, and what makes it narrower.
TOO_WIDE, NARROWER = 4.0, 0.1
#: Standard errors by which a loss has fallen for certain.
SURE = 3.0
#: What the learning rate is multiplied by when an iteration is taken back.
BRAKE = 0.1


@dataclass(frozen=True)
class Matching(Rule):
    """The learning rates of batch and match, which moves the parameters itself."""

    learning_rate: Rate = 1.0
    name, function, state = "bam", Sgd.function, Sgd.state


class Form(NamedTuple):
    """How a family is matched.

    Attributes
    ----------
    of : callable
        From a group to its mean and what makes up its spread.
    parameters : callable
        From these back to parameters by name.
    mismatch, match : callable
        See `nbinfer.variational.matching`.
    """

    of: Callable[..., tuple[Floats, ...]]
    parameters: Callable[..., dict[str, Floats]]
    mismatch: Callable[..., float]
    match: Callable[..., tuple[Floats, ...]]


FORMS = {
    FullRankFamily: Form(
        lambda group: (group.values["mu"].copy(), group.family.factor(group.values)),
        lambda mu, factor: {"mu": mu, "L_tril": factor[np.tril_indices(len(mu))]},
        mismatch,
        match,
    ),
    LowRankFamily: Form(
        lambda group: (group.values["mu"].copy(), softplus_of(group.values["rho"]), group.values["U"].copy()),
        lambda mu, scale, directions: {"mu": mu, "rho": inverse_softplus(scale), "U": directions},
        mismatch_patched,
        match_patched,
    ),
}


class MatchingUpdates(SteppedUpdates):
    """Iterations of batch and match, which end where the fit is exact.

    The learning rate falls with the iterations whose loss has not fallen for certain: as long as each makes the loss
    smaller by more than noise, batches may count as much as in the first. One after which the loss is larger by more
    than a nat per coordinate is taken back, and its batch counts less.

    Attributes
    ----------
    climbs : bool
        Whether the means climb before the first iteration.
    """

    climbs = False
    _densities: Densities | None = None
    _reached: tuple[Floats, ...] = ()  # where the last iteration led
    _done = _begun = False
    _settled, _brake = 0, 1.0  # iterations that count for the learning rate; what it is multiplied by
    _loss, _squared = np.inf, 0.0  # of the last iteration that was not taken back, and its standard error squared
    _wrong = 0.0  # the mismatch before
    _before: tuple[tuple[Floats, ...], Batch] | None = None  # what that iteration was made of

    @property
    def why_not_kept(self) -> str:
        return "BaM remembers batches in this process; leave checkpoint out, its fits take few iterations"

    def ends(self) -> bool:
        return self._done

    def verdict(self, thorough: bool) -> Verdict:
        return Verdict(True if self._done else None)

    def load(self) -> None:
        explore.load()

    def step(self, done: int) -> float | None:
        (group,) = self.objective.approx.groups
        form = FORMS[type(group.family)]
        if self.climbs and done == 0 and not self._climb():
            return None
        self._look_around(form.of(group))
        self._done = False
        batch, losses = self._batch(done)
        if self.fitting.stop[0]:
            return None
        if not len(losses):
            return np.nan
        try:
            with np.errstate(all="ignore"):
                self._match(form, batch, float(losses.mean()), float(losses.var()) / len(losses))
        except np.linalg.LinAlgError:
            raise self._failure("covariance") from None
        self._reached = form.of(group)
        if self._done:
            self.fitting.stop[0] = 1
        return float(losses.mean())

    def _climb(self) -> bool:
        """Move the means up; tell whether nothing has cut that short."""
        (group,) = self.objective.approx.groups
        reached = climbed(self.fitting, self.objective.approx.centre)
        if self.fitting.stop[0]:
            return False
        group.params_dict["mu"].set_value(reached[group.coordinates])
        return True

    def _look_around(self, at: tuple[Floats, ...]) -> None:
        """Forget what losses and gradients tell of other data, or of parameters before somebody moved them."""
        same = len(at) == len(self._reached) and all(map(np.array_equal, at, self._reached))
        if self.fitting.densities is not self._densities or not same:
            self._densities, self._settled, self._loss, self._before = self.fitting.densities, 0, np.inf, None

    def _batch(self, done: int) -> tuple[Batch, Floats]:
        """Return the draws of an iteration that have a density, and their losses; raise what is wrong."""
        fitting, fit = self.fitting, self.fitting.fit
        shape = (int(fit.n_draws), int(fit.n))
        positions, grads, losses = np.zeros(shape), np.zeros(shape), np.zeros(shape[0])
        rows = [address_of(array) for array in (positions, grads, losses)]
        found = max(explore(address_of(fitting.state), done, shape[0], *rows), 0)
        fitting.densities.raise_failures()
        if fitting.fit.broken:
            raise fitting.raised()
        if fit.skipped_lately > TOLERATED:
            fit.status = FitStatus.TOO_MANY_SKIPPED
            raise fitting.failure(0)[0]
        (group,) = fitting.groups
        own = [np.take(rows[:found], group.coordinates, axis=1) for rows in (positions, grads)]
        return Batch(*own), losses[:found]

    def _match(self, form: Form, batch: Batch, loss: float, squared: float) -> None:
        """Give the approximation the parameters that a batch says."""
        (group,) = self.objective.approx.groups
        at = form.of(group)
        if self._before is not None and not loss - self._loss <= self.fitting.fit.n + SURE * np.sqrt(self._squared):
            at, batch = self._before
            self._brake *= BRAKE
        else:
            self._settled += 0 if self._loss - loss > SURE * np.sqrt(self._squared + squared) else 1
            self._loss, self._squared, self._before = loss, squared, (at, batch)
            self._brake = min(1.0, 2.0 * self._brake)
        wrong = form.mismatch(*at, batch)
        self._done, self._wrong = self._wrong <= wrong < EXACT, wrong
        if not self._begun and not wrong <= TOO_WIDE:
            self._loss, self._before = np.inf, None
            self._set(form.parameters(at[0], *(NARROWER * spread for spread in at[1:])))
            return
        self._begun = True
        rate = self.fitting.settings.rule.rates(self._settled, self._settled + 1)
        self._set(form.parameters(*form.match(*at, batch, self._brake * float(rate.ravel()[0]))))

    def _set(self, parameters: Mapping[str, Floats]) -> None:
        (group,) = self.objective.approx.groups
        for name, value in parameters.items():
            if not np.isfinite(value).all():
                raise self._failure(name)
        for name, value in parameters.items():
            group.params_dict[name].set_value(value)

    def _failure(self, name: str) -> FitError:
        (group,) = self.objective.approx.groups
        return FitError(
            f"{name} of {', '.join(group.names or ())} is not finite after iteration {int(self.fitting.fit.done)}; it "
            "is as it was before. Lower the learning rate, or raise n_draws."
        )
