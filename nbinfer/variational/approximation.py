"""Approximations: distributions that stand for a posterior, and what can be drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, choice, count, fits, flag
from nbinfer.diagnostics.psis import psis
from nbinfer.diagnostics.quantities import UNCONSTRAINED
from nbinfer.errors import StreamingError
from nbinfer.model import Model
from nbinfer.random import generator, key_of, seed_sequences
from nbinfer.spelling import public
from nbinfer.trace import Trace
from nbinfer.variational import nodes
from nbinfer.variational.draws import Draws
from nbinfer.variational.grouped import gathered
from nbinfer.variational.scored import Scored, comparable
from nbinfer.variational.whole import to_predict, with_all_data

#: Candidates for each draw by weight.
_CANDIDATES = 4


@public
class Approximation(Scored):  # numpydoc ignore=PR02
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
    >>> with model:
    ...     approx = nb.Approximation([nb.Group(["a"], "full_rank"), nb.Group(None, "mean_field")])
    >>> approx.ndim, approx.mean_data["a"].shape
    (3, (2,))
    """

    def sample(
        self,
        draws: int = 500,
        include_transformed: bool = True,
        *,
        random_seed: Any = None,
        return_inferencedata: bool = False,
        importance: bool = False,
    ) -> Any:
        """Draw parameters and derived quantities; local parameters have a value for each row of all data.

        Parameters
        ----------
        draws : int
            How many.
        include_transformed : bool
            Whether unconstrained coordinates are kept, too, as ``tau_unconstrained__`` of a parameter ``tau`` that is
            transformed. Summaries and pictures have them if they are named.
        random_seed : None, int, SeedSequence or Generator
            Default: the approximation's own stream goes on, so that a second call draws anew.
        return_inferencedata : bool
            Whether to return what ``trace.to_arviz()`` does.
        importance : bool
            Whether draws are chosen, with replacement and out of four times as many, by smoothed importance weights:
            they then stand for the posterior itself, as far as k-hat allows. ``trace.attrs["distinct_draws"]`` tells
            how many differ in value.

        Returns
        -------
        trace : Trace
            One chain, with statistics ``lp`` and ``logq``, the log densities of model and approximation.
        """
        count("draws", draws, 1, MOST)
        fits(8.0 * draws * self.ndim, f"{draws} draws", "take fewer")
        for name, value in (("include_transformed", include_transformed), ("importance", importance)):
            flag(name, value)
        flag("return_inferencedata", return_inferencedata)
        found = self.draw(draws * _CANDIDATES if importance else draws, random_seed)
        densities = self.densities
        lp = densities.at(found.positions)
        attrs: dict[str, Any] = {"parameters": list(self.model.parameters), "inference_method": "variational"}
        if not densities.is_exact:
            attrs["lp"] = "estimated by batches"
        if importance:
            chosen = self._chosen_by_weight(found, lp, draws, random_seed)
            found, lp = Draws(found.positions[chosen], found.logq[chosen]), lp[chosen]
            attrs["distinct_draws"] = len(np.unique(found.positions, axis=0))
        values = densities.values_at(found.positions)
        if include_transformed:
            for name, p in densities.definition.parameters.items():
                if not p.support.is_identity:
                    shape = p.shape if p.size == p.elements else (p.size,)
                    values[name + UNCONSTRAINED] = found.positions[:, p.q].reshape(-1, *shape)
        statistics = {"lp": lp[None]} | ({"logq": found.logq[None]} if self.has_logq else {})
        trace = Trace(
            {name: value[None] for name, value in values.items()}, statistics,
            **Model.of(densities.definition).shown, attrs=attrs,
        )  # fmt: skip
        return trace.to_arviz() if return_inferencedata else trace

    def _chosen_by_weight(self, found: Draws, lp: NDArray[Any], draws: int, random_seed: Any) -> NDArray[np.int64]:
        """Return indices of draws, chosen with replacement by smoothed importance weights."""
        self.needs_logq("importance")
        if not self.densities.is_exact:
            raise StreamingError(
                "importance needs the density of each draw, and not all data are in memory: batches only estimate it."
            )
        weights = np.exp(psis(comparable(lp - found.logq)).log_weights)
        rng = generator(key_of(seed_sequences(self._sequence if random_seed is None else random_seed, 1)[0]), 1)
        return rng.choice(len(lp), draws, p=weights / weights.sum())

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
        return self.densities.values_at(self.draw(draws, random_seed).positions)

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
        choice("name", name, known)
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
            Whether all noise is 0: parameters are then where the mean of the unconstrained ones lies, unless these are
            those of a flow.
        more_replacements : mapping of str to array_like, optional
            Values that take the place of parameters or data, of whatever shape. Of data that come in batches all are
            taken by default, where they are in memory; a `Minibatch` may be a key in the place of its name.
        random_seed : None, int, SeedSequence or Generator
            As in `sample`.

        Returns
        -------
        values : object or ndarray, shape (size, ...)
        """
        function = nodes.function_of(self.model, node)
        flag("deterministic", deterministic)
        if size is not None:
            count("size", size, 1, MOST)
        number = 1 if size is None else size
        replacements = nodes.named(self.model, more_replacements)
        model, groups = self.model_now, self.groups
        if self.has_local:  # what they are drawn for are the data that the function sees
            data = {name: value for name, value in replacements.items() if name in model.definition.data}
            model, groups = to_predict(model, data, self.groups)
        else:
            model = with_all_data(model)
        if deterministic:
            positions = np.tile(gathered(model, groups, lambda group: group.centre), (number, 1))
        else:
            positions = self.draw(number, random_seed, model).positions
        values = nodes.evaluated(model, function, positions, replacements)
        return values[0] if size is None else values

    @property
    def cov_lr(self) -> NDArray[np.float64]:
        """Covariance of the unconstrained coordinates by linear response, shape (ndim, ndim), of a fit by 'dadvi'.

        It says how the means would move if the posterior were tilted, and has the correlation that independent numbers
        lack. Found when it is asked for, by two gradients of the bound for each parameter of the family, and kept.
        """
        return self.linear_response.copy()

    @property
    def std_lr(self) -> NDArray[np.float64]:
        """Standard deviations by linear response, shape (ndim,), see `cov_lr`."""
        found: NDArray[np.float64] = np.sqrt(np.diag(self.linear_response))
        return found
