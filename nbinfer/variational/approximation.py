"""Approximations: groups that together hold all parameters of a model, and what can be asked of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import MOST, count, flag, instance, several
from nbinfer.diagnostics.psis import Psis, psis
from nbinfer.errors import GroupError
from nbinfer.model import Model
from nbinfer.model.default import the_model
from nbinfer.random import generator, key_of, seed_sequences
from nbinfer.trace import Trace
from nbinfer.variational import draws as drawing
from nbinfer.variational import nodes
from nbinfer.variational.fitting import PLAIN, PRIOR, Fitting, Settings, needs_terms
from nbinfer.variational.group import Group, refuse_discrete
from nbinfer.variational.labels import labelled
from nbinfer.variational.optimizers import sgd
from nbinfer.variational.shared import Shared

Floats = NDArray[np.float64]

#: Draws that k-hat rests on.
KHAT_DRAWS = 1000
#: Candidates for each draw by weight.
_CANDIDATES = 4


class Approximation:
    """A distribution that stands for a posterior, made of groups of parameters.

    Parameters
    ----------
    groups : Group or sequence of Group
        Together they hold each parameter of the model once; one of them may take all that is left.
    model : Model, optional
        Default: the model of the enclosing ``with`` block.
    random_seed : None, int, SeedSequence or Generator
        Of fits and draws.

    Attributes
    ----------
    groups : list of Group
    hist : ndarray, shape (iterations,)
        Losses of all iterations so far: minus the evidence lower bound.
    report : FitReport or None
        What is to be known of the last fit.

    Raises
    ------
    ParametrizationError
        If a parameter is discrete.
    GroupError
        If a parameter is in two groups or in none, or two groups take what is left.

    Examples
    --------
    >>> import nbinfer as nb
    >>> model = nb.Model({"a": nb.real(2), "b": nb.real()}, logp=lambda p, d: -0.5 * (p.a @ p.a + p.b**2))
    >>> approx = nb.Approximation([nb.Group(["a"], "full_rank", model=model), nb.Group(None, "mean_field")], model=model)
    >>> approx.ndim, approx.mean_data["a"].shape
    (3, (2,))
    """

    def __init__(self, groups: Group | Sequence[Group], model: Model | None = None, random_seed: Any = None) -> None:
        self.groups = [groups] if isinstance(groups, Group) else several("groups", groups, "groups")
        for k, group in enumerate(self.groups):
            instance(f"groups[{k}]", group, Group, "a Group")
        if model is None:  # a group may know it
            model = next((group.model for group in self.groups if not group.is_delayed), None)
        self.model = the_model(model)
        if random_seed is None:
            random_seed = next((g.random_seed for g in self.groups if g.random_seed is not None), None)
        self._sequence = seed_sequences(random_seed, 1)[0]
        refuse_discrete(self.model, list(self.model.parameters))
        self._settle()
        self._fitting: Fitting | None = None
        self._history = np.zeros(0)
        self._drawn = 0
        self.report: Any = None

    def _settle(self) -> None:
        """Have the groups divide the parameters among themselves."""
        delayed = [group for group in self.groups if group.is_delayed]
        if len(delayed) > 1:
            raise GroupError(f"one group may take what is left over, got {len(delayed)}.")
        taken: dict[str, Group] = {}
        for group in self.groups:
            for name in group.names or ():
                if name in taken:
                    raise GroupError(f"{name} is in two groups; each parameter belongs to one.")
                taken[name] = group
        left = [name for name in self.model.parameters if name not in taken]
        if delayed:
            if not left:
                raise GroupError("one group is to take what is left over, and nothing is.")
            delayed[0].settle(self.model, left)
        elif left:
            raise GroupError(f"no group has {', '.join(left)}; add nb.Group(None, 'mean_field') for what is left over.")
        foreign = [g for g in self.groups if g.model.layout is not self.model.layout]
        if foreign:
            raise GroupError(f"{foreign[0]!r} belongs to another model.")

    # ---- memory

    def fitting(
        self,
        settings: Settings | None = None,
        moved: Sequence[Group] | None = None,
        replacements: Mapping[str, Any] | None = None,
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
        """
        if settings is not None or self._fitting is None:
            chosen = [group for group in self.groups if not group.is_given] if moved is None else list(moved)
            model = nodes.with_data(self.model, replacements)
            fitting = Fitting(model, self.groups, chosen, self._sequence, settings or Settings(sgd()))
            fitting.go_on_from(self.hist)
            self._fitting = fitting
        return self._fitting

    @property
    def hist(self) -> Floats:
        return self._history if self._fitting is None else self._fitting.hist.copy()

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_fitting": None, "_history": self.hist}

    # ---- groups

    @property
    def params(self) -> list[Shared]:
        """Parameters of all families."""
        return [shared for group in self.groups for shared in group.params]

    def collect(self, item: str, part: str = "total") -> list[Any]:
        """Return an attribute of each group.

        Parameters
        ----------
        item : str
            Name of the attribute.
        part : {'total', 'global', 'local', 'batched'}
            Of all groups, or of those of a kind.

        Returns
        -------
        values : list
        """
        kinds: dict[str, Callable[[Group], bool]] = {
            "total": lambda group: True,
            "global": lambda group: True,
            "local": lambda group: False,
            "batched": lambda group: group.rowwise,
        }
        if part not in kinds:
            raise ValueError(f"unknown part {part!r}; choose {', '.join(map(repr, kinds))}.")
        return [getattr(group, item) for group in self.groups if kinds[part](group)]

    @property
    def has_logq(self) -> bool:
        """Whether the density of draws is known."""
        return all(group.has_logq for group in self.groups)

    @property
    def has_local(self) -> bool:
        """Whether a group is local; none is yet."""
        return False

    @property
    def has_global(self) -> bool:
        """Whether a group is global."""
        return True

    @property
    def has_batched(self) -> bool:
        """Whether a group approximates row by row."""
        return any(group.rowwise for group in self.groups)

    @property
    def any_histograms(self) -> bool:
        """Whether a group is empirical."""
        return any(group.short_name == "empirical" for group in self.groups)

    @property
    def all_histograms(self) -> bool:
        """Whether all groups are empirical."""
        return all(group.short_name == "empirical" for group in self.groups)

    @property
    def ndim(self) -> int:
        """Number of unconstrained coordinates."""
        return self.model.dim

    @property
    def ddim(self) -> int:
        """Unconstrained coordinates of one row of each group."""
        return sum(group.ddim for group in self.groups)

    # ---- moments

    @property
    def mean(self) -> Floats:
        """Means of the unconstrained coordinates in the model's order, shape (ndim,)."""
        return self._whole([group.mean for group in self.groups])

    @property
    def std(self) -> Floats:
        """Their standard deviations, shape (ndim,)."""
        return self._whole([group.std for group in self.groups])

    @property
    def cov(self) -> Floats:
        """Their covariance, shape (ndim, ndim)."""
        found = np.zeros((self.ndim, self.ndim))
        for group in self.groups:
            found[np.ix_(group.coordinates, group.coordinates)] = group.cov
        return found

    def _whole(self, parts: Sequence[Floats]) -> Floats:
        found = np.zeros(self.ndim)
        for group, part in zip(self.groups, parts, strict=True):
            found[group.coordinates] = part
        return found

    @property
    def mean_data(self) -> Any:
        """The means by name, see `var_to_data`."""
        return self.var_to_data(self.mean)

    @property
    def std_data(self) -> Any:
        """The standard deviations by name, see `var_to_data`."""
        return self.var_to_data(self.std)

    def var_to_data(self, flat: ArrayLike) -> Any:
        """Label numbers of the unconstrained coordinates by the parameters that they belong to.

        Parameters
        ----------
        flat : array_like, shape (ndim,)

        Returns
        -------
        data : xarray.Dataset or dict of str to ndarray
            A mapping, if xarray is not there. Parameters whose coordinates are as many as their elements keep their
            shape.
        """
        return labelled(self.model, list(self.model.parameters), np.asarray(flat, np.float64))

    # ---- draws

    def draw(self, draws: int, random_seed: Any = None) -> drawing.Draws:
        """Draw unconstrained positions.

        Parameters
        ----------
        draws : int
        random_seed : None, int, SeedSequence or Generator
            Default: the approximation's own stream goes on.

        Returns
        -------
        draws : Draws
            ``positions`` of shape (draws, ndim), ``logq`` of shape (draws,).
        """
        count("draws", draws, 1, MOST)
        if random_seed is not None:
            return drawing.draw(self.fitting(), key_of(seed_sequences(random_seed, 1)[0]), 0, draws)
        first, self._drawn = self._drawn, self._drawn + draws
        return drawing.draw(self.fitting(), key_of(self._sequence), first, draws)

    def sample(
        self,
        draws: int = 500,
        include_transformed: bool = True,
        *,
        random_seed: Any = None,
        return_inferencedata: bool = False,
        importance: bool = False,
    ) -> Any:
        """Draw parameters and derived quantities.

        Parameters
        ----------
        draws : int
            How many.
        include_transformed : bool
            Whether unconstrained coordinates are kept, too, as ``tau_unconstrained__`` of a parameter ``tau`` that is
            transformed.
        random_seed : None, int, SeedSequence or Generator
            Default: the approximation's own stream goes on, so that a second call draws anew.
        return_inferencedata : bool
            Whether to return what ``trace.to_arviz()`` does.
        importance : bool
            Whether draws are chosen, with replacement and out of four times as many, by smoothed importance weights:
            they then stand for the posterior itself, as far as k-hat allows.

        Returns
        -------
        trace : Trace
            One chain, with statistics ``lp`` and ``logq``, the log densities of model and approximation.
        """
        flag("include_transformed", include_transformed)
        fitting = self.fitting()
        found = self.draw(draws * _CANDIDATES if importance else draws, random_seed)
        lp = drawing.log_densities(fitting, found.positions)
        if importance:
            self._needs_logq("importance")
            weights = np.exp(psis(_comparable(lp - found.logq)).log_weights)
            rng = generator(key_of(seed_sequences(self._sequence if random_seed is None else random_seed, 1)[0]), 1)
            chosen = rng.choice(len(lp), draws, p=weights / weights.sum())
            found, lp = drawing.Draws(found.positions[chosen], found.logq[chosen]), lp[chosen]
        values = drawing.values_by_name(fitting, found.positions)
        if include_transformed:
            for name, p in self.model.parameters.items():
                if not p.support.is_identity:
                    values[f"{name}_unconstrained__"] = found.positions[:, p.q]
        statistics = {"lp": lp[None]} | ({"logq": found.logq[None]} if self.has_logq else {})
        trace = Trace(
            {name: value[None] for name, value in values.items()}, statistics, observed_data=self.model.observed,
            attrs={"parameters": list(self.model.parameters), "inference_method": "variational"},
        )  # fmt: skip
        return trace.to_arviz() if return_inferencedata else trace

    def sample_dict_fn(self, draws: int = 500, random_seed: Any = None) -> dict[str, NDArray[Any]]:
        """Draw parameters and derived quantities as arrays by name, of shape (draws, ...).

        Parameters
        ----------
        draws : int
            How many.
        random_seed : None, int, SeedSequence or Generator
            As in `sample`.

        Returns
        -------
        values : dict of str to ndarray
        """
        return drawing.values_by_name(self.fitting(), self.draw(draws, random_seed).positions)

    def rslice(self, name: str, draws: int = 500, random_seed: Any = None) -> NDArray[Any]:
        """Draw one parameter or derived quantity.

        Parameters
        ----------
        name : str
            Which.
        draws : int
            How many.
        random_seed : None, int, SeedSequence or Generator
            As in `sample`.

        Returns
        -------
        values : ndarray, shape (draws, ...)
        """
        known = [*self.model.parameters, *self.model.derived]
        if name not in known:
            raise ValueError(f"name {name!r} is none of {', '.join(known)}.")
        return self.sample_dict_fn(draws, random_seed)[name]

    def sample_node(
        self,
        node: Any,
        size: int | None = None,
        deterministic: bool = False,
        more_replacements: Mapping[str, Any] | None = None,
        random_seed: Any = None,
    ) -> Any:
        """Evaluate a function over draws.

        Parameters
        ----------
        node : callable or str
            ``f(p, d)`` of parameters and data; or the name of a parameter or derived quantity.
        size : int, optional
            Number of draws, the first axis of the result. Default: one draw, and no such axis.
        deterministic : bool
            Whether all noise is 0: parameters are then where the mean of the unconstrained ones lies.
        more_replacements : mapping of str to array_like, optional
            Values that take the place of parameters or data, of whatever shape.
        random_seed : None, int, SeedSequence or Generator
            As in `sample`.

        Returns
        -------
        values : object or ndarray, shape (size, ...)
        """
        function = nodes.function_of(self.model, node)
        if size is not None:
            count("size", size, 1, MOST)
        number = 1 if size is None else size
        if deterministic:
            positions = np.tile(self.mean, (number, 1))
        else:
            positions = self.draw(number, random_seed).positions
        values = nodes.evaluated(self.model, function, positions, more_replacements)
        return values[0] if size is None else values

    # ---- densities

    def _needs_logq(self, who: str) -> None:
        for group in self.groups:
            group.family.needs_logq(who)

    def _terms(self, wanted: str, draws: int, random_seed: Any, per_draw: bool) -> Any:
        fitting = self.fitting()
        found = self.draw(draws, random_seed)
        if wanted == "logq":
            self._needs_logq("logq")
            values = found.logq
        else:
            values = drawing.log_densities(fitting, found.positions, PLAIN if wanted != "varlogp" else PRIOR)
        if wanted in ("varlogp", "datalogp"):
            needs_terms(self.model, wanted)
        if wanted == "datalogp":
            values = values - drawing.log_densities(fitting, found.positions, PRIOR)
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

    #: Whether `logp_norm` and its like divide by the largest scale of a term.
    scale_cost_to_minibatch = True

    @property
    def symbolic_normalizing_constant(self) -> float:
        """Largest factor by which `total_size` scales a likelihood term; 1 if nothing is to be divided."""
        if not self.scale_cost_to_minibatch or not self.model.total_size:
            return 1.0
        return float(max(1.0, self.fitting().bound.weights[PLAIN].max()))

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

    def log_weights(self, draws: int = 1000, random_seed: Any = None) -> Floats:
        """Return log p less log q of draws, shape (draws,)."""
        self._needs_logq("the evidence lower bound")
        found = self.draw(draws, random_seed)
        return drawing.log_densities(self.fitting(), found.positions) - found.logq

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
        self._needs_logq("a loss")
        found, fitting = self.draw(draws), self.fitting()
        if replacements:
            fitting = Fitting(nodes.with_data(self.model, replacements), (), (), self._sequence, Settings(sgd()))
        logp = drawing.log_densities(fitting, found.positions)
        if beta != 1.0:
            logp = logp + (beta - 1.0) * drawing.log_densities(fitting, found.positions, PRIOR)
        return -float(np.mean(logp - beta * found.logq))

    @functools.cached_property
    def psis_of_draws(self) -> Psis:
        """Importance weights of new draws, smoothed, with their k-hat."""
        return psis(_comparable(self.log_weights(KHAT_DRAWS, self.next_sequence())))

    def next_sequence(self) -> np.random.SeedSequence:
        """Return a seed that follows from the approximation's and is another."""
        own = self._sequence
        return np.random.SeedSequence(own.entropy, spawn_key=(*own.spawn_key, 1))

    @property
    def short_title(self) -> str:
        """The families, for display."""
        return " and ".join(dict.fromkeys(group.short_name for group in self.groups))

    @property
    def khat(self) -> float:
        """How heavy the tail of importance weights is: above 0.7 the fit is not to be trusted; -inf: it is exact."""
        return self.psis_of_draws.khat

    def changed(self) -> None:
        """Forget what was found out before parameters changed."""
        vars(self).pop("psis_of_draws", None)

    def __repr__(self) -> str:
        return f"<Approximation of {self.model.title}: {', '.join(map(repr, self.groups))}>"


def _comparable(ratios: Floats) -> Floats:
    """Return log ratios, with no weight where there is no density."""
    return np.where(np.isfinite(ratios), ratios, -np.inf)
