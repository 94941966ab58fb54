"""Fits that are ready to go: memory for groups and optimiser, and the addresses that tie them to a density."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import mapping
from nbinfer.compile import Entry, address_of
from nbinfer.engine.failures import Point
from nbinfer.engine.job import Status
from nbinfer.engine.jobs import Jobs, Phase
from nbinfer.engine.python_entry import raised_by
from nbinfer.engine.state import Memory, Place, Plan
from nbinfer.errors import FitError
from nbinfer.model import Model
from nbinfer.random import key_of
from nbinfer.variational import failing
from nbinfer.variational.densities import FITTING, Densities
from nbinfer.variational.encoders import Encoders
from nbinfer.variational.families.family import ENTROPY, Extent
from nbinfer.variational.feeding import Feeds
from nbinfer.variational.group import Group
from nbinfer.variational.grouped import gathered
from nbinfer.variational.job import FIT, FitStatus, Progress, advance
from nbinfer.variational.learnt import Learnt, with_learnt
from nbinfer.variational.local import not_finite, placed
from nbinfer.variational.nodes import check_shapes, with_data
from nbinfer.variational.optimizers.descent import Extent as Moving
from nbinfer.variational.optimizers.rule import Rule
from nbinfer.variational.values import Shared
from nbinfer.variational.whole import of_all_data, of_all_rows


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
    learnt : mapping of str to Shared, optional
        Values of entries of the data that are learnt, or have been.
    names : sequence of str
        Those of them that the optimiser moves.

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
        learnt: Mapping[str, Shared] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.replacements = dict(mapping("more_replacements", replacements))
        self._model, self._scaled, self._own_groups = model, True, list(groups)
        self.settings, self._learnt, self._names = settings, dict(learnt or {}), tuple(names)
        self._line_up(moved)
        self._rows_now = tuple(group.extent.rows for group in groups)
        self._by_rows: dict[tuple[int, ...], Densities] = {}
        self._definition: Any = model.definition
        self._parameters = model.parameters
        plan, whole = Plan(), Extent(model.dim)
        header = plan.place(FIT, self, whole)
        self._places = [plan.place(group.family.state, group.family, group.extent) for group in self.groups]
        moving = Moving(self.n_moved)
        self._rule_place: Place = plan.place(settings.rule.state, settings.rule, moving)
        super().__init__(None, plan, header, settings.advance.address, [0], [key_of(sequence)], Progress)
        self.losses = np.zeros(0)
        self.keeps_losses = True
        self._begun = 0  # iterations of earlier fits
        self._seen = 0, 0  # iterations and skipped draws at the last look
        self._rates = np.zeros(0)
        self._views: list[tuple[Shared, NDArray[np.float64]]] = []
        self._begin(moving)
        self._read_data()
        self.connect()

    def _line_up(self, moved: Sequence[Group]) -> None:
        """Put groups, and what is like one, in the order in which they draw; what draws first is pulled back last."""
        entries = [Learnt({name: self._learnt[name] for name in self._names})] if self._names else []
        encoders = [Encoders(group) for group in self._own_groups if group.is_local]
        first = [*entries, *encoders, *moved]
        self.moved: list[Any] = [*entries, *moved]
        self.groups: list[Any] = [*first, *(group for group in self._own_groups if group not in moved)]
        self.n_groups = len(self.groups)
        self._starts = np.cumsum([0, *(sum(shared.size for shared in group.params) for group in self.groups)])
        self.n_parameters, self.n_moved = int(self._starts[-1]), int(self._starts[len(first)])

    def _read_data(self) -> None:
        """Bind the model as it is now."""
        self._own = with_data(with_learnt(self._model, self._learnt, self._names), self.replacements)
        check_shapes("set_data", self._parameters, self._own.parameters)
        self.feeds = Feeds(self._own, lambda definition: placed(self._own_groups, Model.of(definition))[0].definition)
        with self.feeds.explained(self.feeds.model.definition):
            model, groups = placed(self._own_groups, self.feeds.model, within=True)
            self.densities = Densities(model, self.settings.beta, self.settings.workers)
        self._whole: Densities | None = None if self.feeds else self.densities
        self.bound = self.densities.bound
        self._span(groups)

    def follow_data(self) -> None:
        """Take the data that the model was given since; all else goes on as it is."""
        if self._definition is not self._model.definition or self.feeds.are_old:
            self._definition = None  # until all has gone well
            self._read_data()
            self._by_rows.clear()
            self.connect()
            self._definition = self._model.definition

    @property
    def whole(self) -> Densities:
        """The density by all data, or estimated by batches where these are not in memory."""
        if self._whole is None:
            with self.feeds.explained(of_all_rows(self._own).definition):
                self._whole = of_all_data(self._own, self._own_groups)
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
            self._follow_rows()

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
        scales = self.bound.definition.scales
        for k, group in enumerate(self.groups):
            if group.is_local:
                self.own(k).weight = scales.get(group.names[0], 1.0)

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
        fit.n, fit.n_groups = self._model.dim, self.n_groups
        fit.n_parameters, fit.n_moved = self.n_parameters, self.n_moved
        fit.n_draws, fit.beta = settings.n_draws, settings.beta
        fit.largest_norm = settings.largest_norm or 0.0
        fit.descent.n = self.n_moved
        settings.rule.initialise(self.rule, moving)
        for k, group in enumerate(self.groups):
            own = self.own(k)
            group.family.initialise(own, group.extent)
            own.where[:], own.weight = group.coordinates, 1.0
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
        fit = self.fit
        fit.n_feeds, fit.feeds = len(self.feeds.table), address_of(self.feeds.table)
        self._scale()
        self.connect_groups()  # before the density is compiled: what is to be learnt may have no derivative
        fit.density, fit.context = self.densities.function, self.densities.context(FITTING)
        if self.crew is not None:
            self.crew.connect()

    def connect_groups(self) -> None:
        """Write the addresses that groups and optimiser need of each other."""
        fit, settings = self.fit, self.settings
        fit.update, fit.rule = settings.rule.function.address, self.rule.address
        settings.rule.connect(self.rule)
        parameters, gradient = int(fit.record["parameters"]), int(fit.record["gradient"])
        fit.descent.parameters, fit.descent.gradient = parameters, gradient
        table: list[int] = []
        encoded: dict[int, tuple[int, int]] = {}
        for k, group in enumerate(self.groups):
            own, start = self.own(k), 8 * int(self._starts[k])
            own.parameters, own.gradient = encoded.get(id(group), (parameters + start, gradient + start))
            group.connect(own, self.densities)
            if isinstance(group, Encoders):
                encoded[id(group.group)] = group.addresses(own)
            table += [group.family.draw.address, group.family.pull.address, own.address]
        fit.groups[:] = table

    @property
    def unmoved(self) -> list[str]:
        """Entries of the data that are to be learnt, and are still what they are in the model."""
        data = {name: self._model.definition.data[name].array for name in self._names}
        return [n for n, a in data.items() if a.size and self._learnt[n].get_value().tobytes() == a.tobytes()]

    @property
    def centre(self) -> NDArray[np.float64]:
        """Unconstrained coordinates of the draw whose noise is 0, for the batch of the moment."""
        placing = placed(self._own_groups, Model.of(self.bound.definition))
        return gathered(*placing, lambda group: group.centre)

    def _follow_rows(self) -> None:
        """Have local parameters as many rows as the batch of the moment has."""
        model, groups = placed(self._own_groups, Model.of(self.bound.definition), within=True)
        if model.layout is not self.bound.definition.layout:
            self._span(groups)
            self.densities = self._densities_of(model)
            self.bound = self.densities.bound
            self.connect()

    def _span(self, groups: Sequence[Group]) -> None:
        """Have groups span the coordinates that they have in the model of the moment."""
        rows = tuple(group.extent.rows for group in groups)
        if self._rows_now == rows:
            return
        self.fit.n, self._rows_now = sum(group.extent.n for group in groups), rows
        now = dict(zip(map(id, self._own_groups), groups, strict=True))
        for k, group in enumerate(self.groups):
            own, here = self.own(k), now.get(id(group), group)
            here.family.initialise(own, here.extent)
            own.where[: len(here.coordinates)] = here.coordinates

    def _densities_of(self, model: Model) -> Densities:
        """Return the density of a model that differs from others in its rows, bound once for each number of these."""
        known = self._by_rows.get(self._rows_now)
        if known is None:
            known = self._by_rows[self._rows_now] = Densities(model, self.settings.beta, self.settings.workers)
        else:
            known.take({name: model.definition.data[name] for name in self.feeds.by_python})
        return known

    @property
    def phases(self) -> list[Phase]:
        return [] if self.crew is None else self.crew.phases

    def go_on_from(self, losses: NDArray[np.float64]) -> None:
        """Count iterations on from those of an earlier fit, so that no noise is used twice."""
        self.losses = losses
        self.fit.done = self._begun = len(losses)
        self._seen = len(losses), 0
        self.progress["done"] = len(losses)

    def write_to(self, losses: NDArray[np.float64], lines: NDArray[Any]) -> None:
        """Have losses and progress go to memory from elsewhere; it has the losses so far, and room for all others."""
        self.losses, self.progress = losses, lines
        self.fit.losses = address_of(losses)
        self.connect()

    def restore(self, blocks: NDArray[np.int64], losses: NDArray[np.float64], begun: int) -> None:
        """Be what another fit of the same layout was.

        Parameters
        ----------
        blocks : ndarray of int64, shape (1, fields)
        losses : ndarray
            Of its iterations, with room for more.
        begun : int
            How many of these are of fits before it.
        """
        self.state[:], self.losses, self._begun = blocks, losses, begun
        self.fit.losses = address_of(losses)
        self._seen = int(self.fit.done), int(self.fit.skipped)
        self.connect()

    def check_start(self, particle: NDArray[np.float64] | None) -> None:
        """Raise what is wrong with encoders or density at a particle, or the means, see `failing.check_start`."""
        position = self.centre if particle is None else particle
        failing.check_start(self.bound, self._flaw_of_encoders(), position, particle is not None)

    def _flaw_of_encoders(self) -> str:
        return not_finite(self._own_groups, Model.of(self.bound.definition))

    def make_room(self, count: int) -> None:
        """Make ready for further iterations, whose losses will follow the others."""
        fit = self.fit
        first = int(fit.done)
        if first + count > len(self.losses):  # twice as many, so that single steps need not move all of them each time
            room = np.full(max(first + count, 2 * first) - first, np.nan)
            self.losses = np.concatenate([self.losses[:first], room])
        step = self.steps_made
        rates = self._rates = self.settings.rule.rates(step, step + count)
        fit.losses, fit.first = address_of(self.losses), first
        fit.rates = address_of(rates) if rates.ndim else 0
        if not rates.ndim:
            fit.descent.rate = float(rates)
        self.stop[0] = fit.status = 0

    @property
    def steps_made(self) -> int:
        """Iterations of this fit so far."""
        return int(self.fit.done) - self._begun

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
        """Return what a family or an optimiser in plain Python, or an encoder has raised, and forget it."""
        broken, self.fit.broken = self.fit.broken, 0
        if broken == FitStatus.ENCODER:
            model = Model.of(self.bound.definition)
            return next(group.raised(model) for group in self.groups if isinstance(group, Encoders))
        entries = (entry for group in self.groups for entry in group.family.entries)
        return raised_by([self.settings.rule.function, *entries]) or FitError("a family or an optimiser has failed.")

    def failure(self, job: int) -> tuple[BaseException, Point | None]:
        """Return the error that the status means."""
        fit = self.fit
        at = f"iteration {int(fit.done)}"
        failure = None if self.crew is None else self.crew.failure()
        if failure is not None:
            return failure, None
        if fit.status in (Status.RAISED, FitStatus.ENCODER):
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
        return failing.without_density(fit, self.bound, self._flaw_of_encoders(), point, at), point
