"""What is known of an approximation by its draws: densities there, losses, importance weights and k-hat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer import html
from nbinfer.arguments import MOST, count, flag
from nbinfer.diagnostics.psis import RELIABLE, Psis, psis
from nbinfer.model import Model
from nbinfer.random import key_of, seed_sequences
from nbinfer.spelling import public
from nbinfer.trace.names import listed
from nbinfer.variational import draws as drawing
from nbinfer.variational import nodes
from nbinfer.variational.densities import PLAIN, PRIOR, Densities, needs_terms
from nbinfer.variational.drawing import Drawing
from nbinfer.variational.fitting import Fitting, Settings
from nbinfer.variational.group import Group
from nbinfer.variational.grouped import Grouped
from nbinfer.variational.learnt import with_learnt
from nbinfer.variational.linear_response import covariance
from nbinfer.variational.local import placed
from nbinfer.variational.optimizers import sgd
from nbinfer.variational.values import Shared
from nbinfer.variational.whole import needs_rows, of_all_data, of_all_rows, with_all_data

Floats = NDArray[np.float64]

#: Draws that k-hat rests on; those that an alarm rests on, for of a thousand ratios that are nearly alike the tail may
#: look heavy; and those that decide where these do not say more than `CLEAR`.
KHAT_DRAWS, ALARM_DRAWS, DOUBT_DRAWS, CLEAR = 1000, 4000, 16_000, 1.0
#: Losses whose mean is shown.
LATE = 1000


@public
class Scored(Grouped):
    """What an approximation knows by its draws; see `Approximation`.

    Parameters
    ----------
    groups : Group or sequence of Group
    model : Model, optional
    random_seed : None, int, SeedSequence or Generator
    """

    def __init__(self, groups: Group | Sequence[Group], model: Model | None = None, random_seed: Any = None) -> None:
        super().__init__(groups, model, random_seed)
        self._fitting: Fitting | None = None
        self._learnt: dict[str, Shared] = {}
        self._plain: tuple[list[Any], Densities] | None = None
        self._history = np.zeros(0)
        self.draws_so_far = 0
        self._judged: tuple[Densities, bytes, Psis] | None = None
        self._response: tuple[Any, bytes, Floats] | None = None
        self.report: Any = None

    # ---- memory

    def fitting(
        self,
        settings: Settings | None = None,
        moved: Sequence[Group] | None = None,
        replacements: Mapping[str, Any] | None = None,
        names: Sequence[str] = (),
    ) -> Fitting:
        """Return the memory of the approximation, made anew for other settings of a fit.

        Parameters
        ----------
        settings : Settings, optional
            Default: as it is.
        moved : sequence of Group, optional
            Whose parameters the fit moves. Default: those whose parameters the user did not give.
        replacements : mapping of str to array_like, optional
            Data to take in the place of the model's.
        names : sequence of str
            Entries of the data that the fit moves, too.
        """
        if settings is not None or self._fitting is None:
            chosen = [group for group in self.groups if not group.is_given] if moved is None else list(moved)
            settings = settings or Settings(sgd())
            new = {n: Shared(self.model.definition.data[n].array, n) for n in names if n not in self._learnt}
            learnt = self._learnt | new
            fitting = Fitting(self.model, self.groups, chosen, self._sequence, settings, replacements, learnt, names)
            fitting.go_on_from(self.hist)
            self._fitting, self._learnt = fitting, learnt
        self._fitting.follow_data()
        self._fitting.scale_cost(self.scale_cost_to_minibatch)
        self._fitting.hold_parameters()
        return self._fitting

    @property
    def params(self) -> list[Shared]:
        """Parameters of all families, and the entries of the data that fits have learnt."""
        return [*super().params, *self._learnt.values()]

    @property
    def has_learnt(self) -> bool:
        """Whether fits have moved entries of the data."""
        return bool(self._learnt)

    def learn_from(self, other: Scored) -> None:
        """Go on with what another approximation of the model has learnt of its data."""
        self._learnt = {name: Shared(shared, name) for name, shared in other._learnt.items()}

    @property
    def model_now(self) -> Model:
        """The model with what fits have learnt of its data, where that lies now."""
        return with_learnt(self.model, self._learnt)

    @property
    def densities(self) -> Densities:
        """The density of the model with its own data, whatever the fit has taken in their place; with all of them."""
        fitting = self.fitting()
        if not fitting.replacements:
            return fitting.whole
        definition = self.model.definition
        now = [fitting, definition, *(feed.version for feed in definition.feeds.values())]
        if self._plain is None or self._plain[0] != now:
            self._plain = now, of_all_data(self.model_now, self.groups)
        return self._plain[1]

    @property
    def data(self) -> dict[str, Any]:
        """Data as the last iteration has seen them, by name: of what comes in batches, that batch.

        Those that a fit has learnt have their values here; `model.data` stays as it was.
        """
        definition = self.fitting().bound.definition
        return {name: np.copy(datum.value)[()] for name, datum in definition.data.items()}

    @property
    def hist(self) -> Floats:
        return self._history if self._fitting is None else self._fitting.hist.copy()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_fitting": None, "_plain": None, "_judged": None, "_history": self.hist}

    @property
    def placed(self) -> tuple[Model, list[Group]]:
        if not self.has_local:
            return super().placed
        model = of_all_rows(self.model_now)
        needs_rows(model, self.groups)
        return placed(self.groups, model)

    def draw(self, draws: int, random_seed: Any = None, model: Model | None = None) -> drawing.Draws:
        """Draw unconstrained positions.

        Parameters
        ----------
        draws : int
        random_seed : None, int, SeedSequence or Generator
            Default: the approximation's own stream goes on.
        model : Model, optional
            With the data for which local parameters are drawn. Default: all that there are.

        Returns
        -------
        draws : Draws
            ``positions`` of shape (draws, ndim), ``logq`` of shape (draws,).
        """
        count("draws", draws, 1, MOST)
        fitting = self._memory_for_draws(model) if self.has_local else self.fitting()
        if random_seed is not None:
            return drawing.draw(fitting, key_of(seed_sequences(random_seed, 1)[0]), 0, draws)
        first, self.draws_so_far = self.draws_so_far, self.draws_so_far + draws
        return drawing.draw(fitting, key_of(self._sequence), first, draws)

    def _memory_for_draws(self, model: Model | None) -> Drawing:
        """Return memory for draws of all rows of some data."""
        where, groups = self.placed if model is None else placed(self.groups, model)
        return Drawing(where, groups, self._sequence, Settings(sgd()))

    # ---- densities

    def needs_logq(self, who: str) -> None:
        """Raise ExplicitInferenceError if the density of draws is not known."""
        for group in self.groups:
            group.family.needs_logq(who)

    def _terms(self, wanted: str, draws: int, random_seed: Any, per_draw: bool) -> Any:
        flag("per_draw", per_draw)
        found = self.draw(draws, random_seed)
        if wanted == "logq":
            self.needs_logq("logq")
            values = found.logq
        else:
            values = self.densities.at(found.positions, PLAIN if wanted != "varlogp" else PRIOR)
        if wanted in ("varlogp", "datalogp"):
            needs_terms(self.model, wanted)
        if wanted == "datalogp":
            values = values - self.densities.at(found.positions, PRIOR)
        return values if per_draw else float(values.mean())

    def logp(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return the mean of the model's log density over draws.

        Parameters
        ----------
        draws : int
            How many.
        random_seed : None, int, SeedSequence or Generator
            As in `sample`; the same seed means the same draws for all of these.
        per_draw : bool
            Whether to return it for each draw instead, shape (draws,).

        Returns
        -------
        logp : float or ndarray
            With the Jacobian of the transforms.
        """
        return self._terms("logp", draws, random_seed, per_draw)

    def varlogp(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return the mean of the log prior, with the Jacobian of the transforms, over draws; see `logp`."""
        return self._terms("varlogp", draws, random_seed, per_draw)

    def datalogp(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return the mean of the log likelihood over draws; see `logp`."""
        return self._terms("datalogp", draws, random_seed, per_draw)

    def logq(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return the mean of the approximation's log density over draws; see `logp`."""
        return self._terms("logq", draws, random_seed, per_draw)

    #: Whether `logp_norm` and its like, and the gradient that the optimiser gets, are divided by the largest scale of a
    #: term; losses never are.
    scale_cost_to_minibatch = True

    @property
    def symbolic_normalizing_constant(self) -> float:
        """Largest factor by which `total_size` scales a likelihood term; 1 if nothing is to be divided."""
        if not self.scale_cost_to_minibatch or not self.model.total_size:
            return 1.0
        return self.fitting().densities.constant

    def logp_norm(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return `logp` divided by `symbolic_normalizing_constant`."""
        return self.logp(draws, random_seed, per_draw) / self.symbolic_normalizing_constant

    def varlogp_norm(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return `varlogp` divided by `symbolic_normalizing_constant`."""
        return self.varlogp(draws, random_seed, per_draw) / self.symbolic_normalizing_constant

    def datalogp_norm(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return `datalogp` divided by `symbolic_normalizing_constant`."""
        return self.datalogp(draws, random_seed, per_draw) / self.symbolic_normalizing_constant

    def logq_norm(self, draws: int = 1000, random_seed: Any = None, per_draw: bool = False) -> Any:
        """Return `logq` divided by `symbolic_normalizing_constant`."""
        return self.logq(draws, random_seed, per_draw) / self.symbolic_normalizing_constant

    def elbo(self, draws: int = 1000, random_seed: Any = None) -> float:
        """Return the evidence lower bound, the mean of log p less log q over draws.

        Parameters
        ----------
        draws : int
            How many.
        random_seed : None, int, SeedSequence or Generator
            As in `sample`.

        Returns
        -------
        elbo : float
        """
        return float(self.log_weights(draws, random_seed).mean())

    def log_weights(self, draws: int = 1000, random_seed: Any = None, up_to_constants: bool = False) -> Floats:
        """Return log p less log q of draws.

        Parameters
        ----------
        draws : int
            How many.
        random_seed : None, int, SeedSequence or Generator
            As in `sample`.
        up_to_constants : bool
            Whether constants may be missing, where the gradient is one that the user wrote.

        Returns
        -------
        log_weights : ndarray, shape (draws,)
        """
        self.needs_logq("the evidence lower bound")
        found = self.draw(draws, random_seed)
        return self.densities.at(found.positions, PLAIN, up_to_constants) - found.logq

    def loss(self, draws: int = 1, beta: float = 1.0, replacements: Mapping[str, Any] | None = None) -> float:
        """Return the loss at new draws: minus the evidence lower bound, if beta is 1.

        Parameters
        ----------
        draws : int
            How many.
        beta : float
            Weight of all but the likelihood.
        replacements : mapping of str to array_like, optional
            Data to take in the place of the model's.
        """
        self.needs_logq("a loss")
        model = with_all_data(nodes.with_data(self.model_now, replacements)) if replacements else None
        found = self.draw(draws, model=model)
        densities = self.densities if model is None else of_all_data(model, self.groups)
        logp = densities.at(found.positions)
        if beta != 1.0:
            logp = logp + (beta - 1.0) * densities.at(found.positions, PRIOR)
        return -float(np.mean(logp - beta * found.logq))

    @property
    def psis_of_draws(self) -> Psis:
        """Importance weights of new draws, smoothed, with their k-hat."""
        return self.judged_by(self.densities)

    def judged_by(self, densities: Densities) -> Psis:
        """Return importance weights of new draws, smoothed, with their k-hat; found once while nothing changes.

        Parameters
        ----------
        densities : Densities
            Of what the approximation is to stand for.
        """
        if not densities.is_exact:
            return Psis(np.nan, np.zeros(0), "not all data are in memory, and estimates by batches have no k-hat")
        now = self._parameters_now()
        if self._judged is None or self._judged[0] is not densities or self._judged[1] != now:
            found = self._smoothed(densities, KHAT_DRAWS)
            if found.khat > RELIABLE:
                found = self._smoothed(densities, ALARM_DRAWS)
            if RELIABLE < found.khat < CLEAR:
                found = self._smoothed(densities, DOUBT_DRAWS)
            self._judged = densities, now, found
        return self._judged[2]

    def judged_after(self, fitting: Fitting) -> Psis:
        """Return what `judged_by` does for the data of a fit, unless a density by all of them takes too long.

        Parameters
        ----------
        fitting : Fitting
        """
        if self.has_local:
            return Psis(
                np.nan, np.zeros(0), "local parameters are many, one for each row of all data; approx.khat finds it"
            )
        if fitting.feeds and not fitting.feeds.are_few:
            return Psis(np.nan, np.zeros(0), "the data are many, and it takes all of them; approx.khat finds it")
        return self.judged_by(fitting.whole)

    def _smoothed(self, densities: Densities, draws: int) -> Psis:
        found = self.draw(draws, self.next_sequence())
        return psis(comparable(densities.at(found.positions, PLAIN, up_to_constants=True) - found.logq))

    @property
    def linear_response(self) -> Floats:
        """Covariance by linear response, see `Approximation.cov_lr`; found once while nothing changes."""
        model, now = self.model.definition, self._parameters_now()
        if self._response is None or self._response[0] is not model or self._response[1] != now:
            self._response = model, now, covariance(self.fitting())
        return self._response[2]

    def _parameters_now(self) -> bytes:
        return b"".join(shared.get_value(borrow=True).tobytes() for shared in self.params)

    def _shown_loss(self, losses: Floats) -> float:
        """Return of some finite losses what is worth showing: the mean of the last ones."""
        return float(losses[-LATE:].mean())

    def __repr__(self) -> str:
        groups = ", ".join(f"{g.short_name} of {', '.join(g.names or ())}" for g in self.groups)
        judged = self.report is not None and not np.isnan(self.report.khat)
        verdict = f", k-hat {self.report.khat:.2f}" if judged else ""
        separator = "; " if len(self.hist) else ", "
        return f"<{self._title}: {groups}{separator}{self._state}{verdict}>"

    def _repr_html_(self) -> str:
        rows = [(g.short_name, listed(g.names or ()), str(g.ndim)) for g in self.groups]
        groups = html.table(("family", "parameters", "coordinates"), html.first(rows, "groups"))
        verdict = self.report._repr_html_() if self.report is not None else ""
        return html.block(html.headline(f"{self._title}: {self._state}"), groups, verdict)

    @property
    def _title(self) -> str:
        return f"{type(self).__name__} of {self.model.title}"

    @property
    def _state(self) -> str:
        losses = self.hist
        finite = losses[np.isfinite(losses)]
        loss = f", loss {self._shown_loss(finite):.6g}" if finite.size else ""  # particles have none
        return f"{len(losses)} iterations{loss}" if len(losses) else "not fitted"

    def next_sequence(self) -> np.random.SeedSequence:
        """Return a seed that follows from the approximation's and is another."""
        own = self._sequence
        return np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, 1))

    @property
    def khat(self) -> float:
        """How heavy the tail of importance weights is: above 0.7 the fit is not to be trusted; -inf: it is exact.

        NaN where the approximation has no density.
        """
        return self.psis_of_draws.khat if self.has_logq else np.nan


def comparable(ratios: Floats) -> Floats:
    """Return log ratios, with no weight where there is no density."""
    return np.where(np.isfinite(ratios), ratios, -np.inf)
