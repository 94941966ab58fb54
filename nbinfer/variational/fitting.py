"""Fits that are ready to go: memory for groups and optimiser, and the addresses that tie them to a density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping
from nbinfer.compile import Entry, address_of
from nbinfer.engine.failures import Point, is_arithmetic, replayed
from nbinfer.engine.job import Status
from nbinfer.engine.jobs import Jobs, Phase
from nbinfer.engine.state import Memory, Place, Plan
from nbinfer.errors import FitError, ModelError
from nbinfer.model import Model
from nbinfer.random import key_of
from nbinfer.variational.densities import FITTING, Densities
from nbinfer.variational.families.family import ENTROPY, Extent
from nbinfer.variational.feeding import Feeds
from nbinfer.variational.group import Group
from nbinfer.variational.job import FIT, LATELY, TOLERATED, FitStatus, Progress, advance
from nbinfer.variational.nodes import with_data
from nbinfer.variational.optimizers.descent import Extent as Moving
from nbinfer.variational.optimizers.rule import Rule
from nbinfer.variational.python_entry import raised_by
from nbinfer.variational.values import Shared
from nbinfer.variational.whole import of_all_data, of_all_rows

#: Why a draw does not count where the model's density is finite.
_OF_APPROXIMATION = "that of the approximation is not finite: lower the learning rate"


class Settings(NamedTuple):
    """How a fit is made.

    Attributes
    ----------
    rule : Rule
        The optimiser.
    n_draws : int
        Draws of each iteration.
    beta : float
        Weight of all but the likelihood.
    estimator : {'stl', 'plain', 'none'}
        How the entropy contributes to the gradient, see `nbinfer.variational.families.family`.
    largest_norm : float or None
        Of the gradient.
    advance : Entry
        The C function that makes iterations.
    workers : int
        Workers that share the evaluations of an iteration; 0: there is nothing to share.
    """

    rule: Rule
    n_draws: int = 1
    beta: float = 1.0
    estimator: str = "stl"
    largest_norm: float | None = None
    advance: Entry = advance
    workers: int = 0


class Fitting(Jobs):
    """One fit.

    Parameters
    ----------
    model : Model
    groups : sequence of Group
        All of the model's parameters; their values live in the fit's block from now on.
    moved : sequence of Group
        Those whose parameters the optimiser moves.
    sequence : SeedSequence
    settings : Settings
    replacements : mapping of str to array_like, optional
        Data to take in the place of the model's.

    Attributes
    ----------
    densities : Densities
        Of the model, with the data that it has, or has been given since.
    keeps_losses : bool
        Whether `hist` has the losses of this fit.
    crew : object or None
        What a method shares out among workers: `phases`, `connect` and `failure` as here.
    """

    crew: Any = None

    def __init__(
        self,
        model: Model,
        groups: Sequence[Group],
        moved: Sequence[Group],
        sequence: np.random.SeedSequence,
        settings: Settings,
        replacements: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings, self.moved = settings, list(moved)
        self.replacements = dict(mapping("more_replacements", replacements))
        self._model, self._scaled = model, True
        self.groups = [*moved, *(group for group in groups if group not in moved)]
        sizes = [sum(shared.size for shared in group.params) for group in self.groups]
        self._starts = np.cumsum([0, *sizes])
        self.n_parameters, self.n_moved = int(self._starts[-1]), int(self._starts[len(moved)])
        self.n_groups = len(groups)
        plan, whole = Plan(), Extent(model.dim)
        header = plan.place(FIT, self, whole)
        self._places = [plan.place(group.family.state, group.family, group.extent) for group in self.groups]
        moving = Moving(self.n_moved)
        self._rule_place: Place = plan.place(settings.rule.state, settings.rule, moving)
        self._read_data()
        bound = self.densities.bound
        super().__init__(bound, plan, header, settings.advance.address, [0], [key_of(sequence)], Progress)
        self.losses = np.zeros(0)
        self.keeps_losses = True
        self._begun = 0  # iterations of earlier fits
        self._seen = 0, 0  # iterations and skipped draws at the last look
        self._rates = np.zeros(0)
        self._views: list[tuple[Shared, NDArray[np.float64]]] = []
        self._begin(moving)
        self.connect()

    def _read_data(self) -> None:
        """Bind the model as it is now."""
        self._definition = self._model.definition
        self._own = with_data(self._model, self.replacements)
        self.feeds = Feeds(self._own)
        with self.feeds.explained(self.feeds.model.definition):
            self.densities = Densities(self.feeds.model, self.settings.beta, self.settings.workers)
        self._whole: Densities | None = None if self.feeds else self.densities

    def follow_data(self) -> None:
        """Take the data that the model was given since; all else goes on as it is."""
        if self._definition is not self._model.definition or self.feeds.are_old:
            self._read_data()
            self.bound = self.densities.bound
            self.connect()

    @property
    def whole(self) -> Densities:
        """The density by all data, or estimated by batches where these are not in memory."""
        if self._whole is None:
            with self.feeds.explained(of_all_rows(self._own).definition):
                self._whole = of_all_data(self._own)
        return self._whole

    def needs_all_data(self) -> None:
        """Raise ModelError if data come in batches."""
        self._own.definition.needs_all_data()

    def ask(self) -> None:
        """Read the next iteration's batch of what Python reads; see that there is what compiled code will read."""
        self.feeds.check()
        others = self.feeds.ask(int(self.fit.done), self.bound.definition)
        if others:
            self.densities.take(others)
            self._scale()

    def feed(self) -> None:
        """Read the next iteration's batch of everything."""
        self.ask()
        done = int(self.fit.done)
        self.feeds.gather(done)
        self.feeds.search(done, done + 1)

    def look(self) -> bool:
        self.feeds.check()
        done, skipped = int(self.fit.done), int(self.fit.skipped)
        failed = self.fit.status not in (Status.OK, Status.STOPPED)
        if failed or skipped > self._seen[1]:
            self.feeds.search(self._seen[0], done + failed)  # the last one was not finished
        self._seen = done, skipped
        return False

    def scale_cost(self, scaled: bool) -> None:
        """Say whether the optimiser's gradient is divided by the largest factor of a likelihood term.

        Parameters
        ----------
        scaled : bool
        """
        self._scaled = scaled
        self._scale()

    def _scale(self) -> None:
        self.fit.constant = self.densities.constant if self._scaled else 1.0

    @property
    def fit(self) -> Memory:
        """The header, by name."""
        return self[0]

    def own(self, k: int) -> Memory:
        """Return what one of the groups keeps, by name."""
        return Memory(self._places[k], self.state[0], self._work[0])

    @property
    def rule(self) -> Memory:
        """What the optimiser keeps, by name."""
        return Memory(self._rule_place, self.state[0], self._work[0])

    def _begin(self, moving: Moving) -> None:
        """Write settings and first values."""
        fit, settings = self.fit, self.settings
        fit.n, fit.n_groups = self.bound.dim, self.n_groups
        fit.n_parameters, fit.n_moved = self.n_parameters, self.n_moved
        fit.n_draws, fit.beta = settings.n_draws, settings.beta
        fit.largest_norm = settings.largest_norm or 0.0
        fit.descent.n = self.n_moved
        settings.rule.initialise(self.rule, moving)
        for k, group in enumerate(self.groups):
            own = self.own(k)
            group.family.initialise(own, group.extent)
            own.where[:] = group.coordinates
            own.entropy = ENTROPY[group.family.estimator(settings.estimator)]
            at = self._starts[k]
            for shared in group.params:
                self._views.append((shared, fit.parameters[at : at + shared.size].reshape(shared.shape)))
                at += shared.size
        self.hold_parameters()

    def hold_parameters(self) -> None:
        """Have all parameters live in this block; those that a user gave may have gone to that of another fit."""
        for shared, memory in self._views:
            shared.move_to(memory)

    def connect(self) -> None:
        super().connect()
        fit, settings = self.fit, self.settings
        fit.n_feeds, fit.feeds = len(self.feeds.table), address_of(self.feeds.table)
        self._scale()
        fit.density, fit.context = self.densities.function, self.densities.context(FITTING)
        fit.update, fit.rule = settings.rule.function.address, self.rule.address
        settings.rule.connect(self.rule)
        parameters, gradient = int(fit.record["parameters"]), int(fit.record["gradient"])
        fit.descent.parameters, fit.descent.gradient = parameters, gradient
        table = []
        for k, group in enumerate(self.groups):
            own = self.own(k)
            own.parameters = parameters + 8 * int(self._starts[k])
            own.gradient = gradient + 8 * int(self._starts[k])
            group.family.connect(own)
            table += [group.family.draw.address, group.family.pull.address, own.address]
        fit.groups[:] = table
        if self.crew is not None:
            self.crew.connect()

    @property
    def phases(self) -> list[Phase]:
        return [] if self.crew is None else self.crew.phases

    def go_on_from(self, losses: NDArray[np.float64]) -> None:
        """Count iterations on from those of an earlier fit, so that no noise is used twice."""
        self.losses = losses
        self.fit.done = self._begun = len(losses)
        self._seen = len(losses), 0
        self.progress["done"] = len(losses)

    def check_start(self, position: NDArray[np.float64]) -> None:
        """Raise what is wrong with the density where the means begin: not finite, or its gradient is another's."""
        bound = self.bound
        logp, grad = bound.value_and_grad(position)
        if not np.isfinite(logp) or not np.isfinite(grad).all():
            error = replayed(bound, position, None)
            if error is not None and not is_arithmetic(error):
                error.add_note(f"raised by the model where the means begin: {bound.describe(position)}")
                raise error
            what = "the density" if not np.isfinite(logp) else "its gradient"
            raise FitError(
                f"{what} is not finite where the means begin, at {bound.describe(position)} "
                f"({error or bound.explain(position)}). Pass another start, or look at that term."
            )
        bound.check_gradient(position)

    def make_room(self, count: int) -> None:
        """Make ready for further iterations, whose losses will follow the others."""
        fit = self.fit
        first = int(fit.done)
        if first + count > len(self.losses):  # twice as many, so that single steps need not move all of them each time
            room = np.full(max(first + count, 2 * first) - first, np.nan)
            self.losses = np.concatenate([self.losses[:first], room])
        step = first - self._begun
        rates = self._rates = self.settings.rule.rates(step, step + count)
        fit.losses, fit.first = address_of(self.losses), first
        fit.rates = address_of(rates) if rates.ndim else 0
        if not rates.ndim:
            fit.descent.rate = float(rates)
        self.stop[0] = fit.status = 0

    @property
    def hist(self) -> NDArray[np.float64]:
        """Losses of all iterations so far; NaN where none are kept."""
        found = self.losses[: int(self.fit.done)]
        if self.keeps_losses:
            return found
        return np.concatenate([found[: self._begun], np.full(len(found) - self._begun, np.nan)])

    def name_of_parameter(self, index: int) -> str:
        """Name one of the parameters of the families, for messages."""
        k = int(np.searchsorted(self._starts, index, side="right")) - 1
        index -= int(self._starts[k])
        for name, shared in self.groups[k].params_dict.items():
            if index < shared.size:
                where = ", ".join(str(int(i)) for i in np.unravel_index(index, shared.shape))
                name += f"[{where}]" if where else ""
                return f"{name} of {', '.join(self.groups[k].names or ())}"
            index -= shared.size
        raise IndexError(index)

    def raised(self) -> BaseException:
        """Return what a family or an optimiser in plain Python has raised, and forget it."""
        self.fit.broken = 0
        entries = (entry for group in self.groups for entry in group.family.entries)
        return raised_by([self.settings.rule.function, *entries])

    def failure(self, job: int) -> tuple[BaseException, Point | None]:
        """Return the error that the status means."""
        fit = self.fit
        at = f"iteration {int(fit.done)}"
        failure = None if self.crew is None else self.crew.failure()
        if failure is not None:
            return failure, None
        if fit.status == Status.RAISED:
            return self.raised(), None
        if fit.status == FitStatus.NOT_FINITE:
            name = self.name_of_parameter(int(fit.culprit))
            if not np.isfinite(fit.parameters[int(fit.culprit)]):
                return FitError(f"{name} is not finite: a callback has written that before {at}."), None
            return FitError(
                f"{name} is not finite after {at}; it is as it was before. Lower the learning rate, or bound gradients "
                "by total_grad_norm_constraint."
            ), None
        point = Point(fit.position.copy(), np.zeros(0, np.int64))
        reason = replayed(self.bound, *point) or self.bound.explain(point.position) or _OF_APPROXIMATION
        if fit.status == FitStatus.NO_START:
            return FitError(
                f"one of the draws where the fit begins has no density: {self.bound.describe(point.position)} "
                f"({reason}). Begin elsewhere (start), closer (start_sigma), or look at that term."
            ), point
        return FitError(
            f"stopped at {at}: more than {TOLERATED} of the last {min(int(fit.drawn), LATELY)} draws of the "
            f"approximation have no density, the last one at {self.bound.describe(point.position)} ({reason}). Begin "
            "elsewhere (start), closer (start_sigma), or look at that term."
        ), point


def needs_terms(model: Model, who: str) -> None:
    """Raise an error if the density of a model is one piece where its terms are needed."""
    definition = model.definition
    if definition.logp_function is None and definition.has_terms:
        return
    what = "logp" if definition.logp_function is not None else definition.written or "a C function"
    raise ModelError(
        f"{who} weighs prior and likelihood apart, and the density of {definition.title} is one piece ({what}); pass "
        "prior and likelihood."
    )
