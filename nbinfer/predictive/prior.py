"""Draws from the prior, and what is predicted from each of them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, Progressbar, count, is_number
from nbinfer.diagnostics.rhat import rhat
from nbinfer.errors import ModelError, NbinferWarning, calls_above
from nbinfer.mcmc import sample
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.model.definition import Definition
from nbinfer.model.gaps import shown, without_missing
from nbinfer.model.generative.priors import PriorDraws, prior_draws_of
from nbinfer.model.layout import Parameter
from nbinfer.predictive.draws import Draws, named
from nbinfer.predictive.functions import label_in, observed_shapes, prediction_functions, spelled, wanted
from nbinfer.predictive.over import evaluate
from nbinfer.random import key_of, seed_sequences
from nbinfer.spelling import public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.names import listed
from nbinfer.trace.prior import Prior

#: Of the run that samples a prior from which nothing can be drawn: its chains, and the least draws of each.
_CHAINS, _LEAST = 4, 1000

#: R-hat above which chains of that run are of no distribution that is known.
_APART = 1.1


@public_by_kind(model=is_model, samples=is_number)
def sample_prior_predictive(
    samples: int = 500,
    model: Model | None = None,
    vars: str | Sequence[str] | None = None,
    random_seed: Any = None,
    *,
    var_names: str | Sequence[str] | None = None,
    progressbar: Progressbar = True,
    cores: int | None = None,
) -> Prior:
    """Draw parameters from the prior, and from each draw what might be observed.

    Parameters are drawn by the functions of the model's `prior_draw`, and by others that are derived where the prior is
    a sum of family calls, one for each parameter. Such draws are independent. If one parameter has neither, the prior
    is sampled by `sample`, without the likelihood; a warning says why.

    Parameters
    ----------
    samples : int
        Number of draws.
    model : Model, optional
        With prior and likelihood. Default: that of the enclosing ``with`` block.
    vars : str or sequence of str, optional
        Predictions and derived quantities to compute; names of parameters, which are always there, may be among them.
        Default: all that the model predicts and derives.
    random_seed : None, int, SeedSequence or Generator
        The same seed gives the same numbers, bit for bit, for any number of cores and whatever else is computed.
    var_names : str or sequence of str, optional
        PyMC's name of `vars`.
    progressbar : bool or callable
        Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.
    cores : int, optional
        Threads at most. Default: as many as there are cores.

    Returns
    -------
    prior : Prior
        A trace of one chain, whose draws are from the prior: ``prior["mu"]`` has shape (1, samples, ...). What is
        predicted is found by its name as well, ``prior["y"]``, and in ``prior.predictive``.

    Raises
    ------
    ModelError
        If a parameter's prior is no probability distribution: flat, or without any term where its support is not
        bounded, or such that chains which sample it do not agree; if the prior is not apart from the likelihood; if
        `prior_draw` has functions for some parameters and those of others are not known; if `vars` names what cannot
        be predicted.
    ValueError, TypeError
        If an argument is wrong; or from 10,000 draws of a family none was within the support of its parameter.

    Warns
    -----
    NbinferWarning
        If the prior is sampled and not drawn from, or an entry of the data cannot be predicted; with the reason.

    See Also
    --------
    nbinfer.sample : Draws of the posterior.

    Notes
    -----
    Where a support leaves out values of a family, such as negative ones of ``normal.logpdf(p.tau, 0.0, 1.0)`` for a
    parameter in `positive`, draws are repeated until they lie inside, element by element. If parameters of the family
    are drawn themselves, what is left of it counts in their density, and the prior is sampled.

    Examples
    --------
    >>> import numpy as np
    >>> import nbinfer as nb
    >>> from nbinfer.distributions import half_normal, normal
    >>> def prior(p, d):
    ...     return normal.logpdf(p.mu, 0.0, 5.0) + half_normal.logpdf(p.sigma, 2.0)
    >>> def likelihood(p, d):
    ...     return normal.logpdf(d.y, p.mu, p.sigma)
    >>> supports = {"mu": nb.real(), "sigma": nb.positive()}
    >>> model = nb.Model(supports, prior=prior, likelihood={"y": likelihood}, data={"y": [1.0, 2.0, 0.5]})
    >>> draws = nb.sample_prior_predictive(100, model, random_seed=1)
    >>> draws["mu"].shape, draws["y"].shape
    ((1, 100), (1, 100, 3))
    """
    count("samples", samples, 1, MOST)
    argument, names = spelled(vars, var_names)
    own = the_model(model)
    definition = without_missing(named(own))
    derived, predictions = _wanted(definition, names, argument)
    (sequence,) = seed_sequences(random_seed, 1)
    run = _Run(definition, int(samples), key_of(sequence), progressbar, cores)
    found = prior_draws_of(definition)
    _check(definition, found)
    attrs: dict[str, Any] = {"seed": sequence.entropy}
    if found.reasons:
        values = _sampled(definition, found.reasons, int(samples), sequence, progressbar, cores)
        attrs["sampled"] = True
    else:
        values = _drawn(run, found)
    more = run.evaluate(values, derived | predictions)
    predicted = {name: array for name, array in more.items() if name in predictions}
    axes, whole = definition.axes.of(predicted), definition.axes.of([*values, *more])
    arrays = {name: array[None] for name, array in predicted.items()}
    return Prior(
        {name: array[None] for name, array in (values | more).items() if name not in predicted},
        predictive=TraceGroup("prior_predictive", arrays, dims=axes.dims, coords=axes.coords) if predicted else None,
        dims=whole.dims,
        coords=whole.coords,
        observed_data={name: shown(named(own), name) for name in predicted if name in definition.data},
        attrs=attrs,
    )


class _Run:
    """Evaluates functions at draws of the prior."""

    def __init__(
        self, definition: Definition, samples: int, key: NDArray[np.uint64], progressbar: Progressbar, cores: int | None
    ) -> None:
        self.definition, self.samples, self._key = definition, samples, key
        self._progressbar, self._cores = progressbar, cores

    def evaluate(
        self, values: Mapping[str, NDArray[Any]], functions: Mapping[str, Callable[..., Any]]
    ) -> dict[str, NDArray[Any]]:
        """Evaluate functions at values of all parameters, arrays (draw, ...)."""
        if not functions:
            return {}
        arrays = {name: np.ascontiguousarray(values[name])[None] for name in self.definition.parameters}
        draws = Draws(arrays, np.array([self.samples]), [0], self.samples)
        observed = [name for name in functions if name in self.definition.data]
        found, done = evaluate(
            self.definition,
            draws,
            functions,
            draws.items(),
            self.samples,
            self._key,
            cores=self._cores,
            progressbar=self._progressbar,
            label=self._label,
            shapes=observed_shapes(self.definition, observed),
            what="prior",
        )
        if not done.all():
            raise KeyboardInterrupt
        return found

    def _label(self, name: str) -> str:
        is_drawn = name in self.definition.parameters
        return f"prior_draw {name!r}" if is_drawn else label_in(self.definition)(name)


# ---- what is wanted, and whether it can be


def _wanted(definition: Definition, names: list[str] | None, argument: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the functions of derived quantities and of predictions to evaluate."""
    if names is None:
        return dict(definition.derived), prediction_functions(definition, required=False)
    chosen = [name for name in names if name not in definition.parameters]
    functions = wanted(definition, chosen, argument) if chosen else {}
    derived = {name: f for name, f in functions.items() if name in definition.derived}
    return derived, {name: f for name, f in functions.items() if name not in derived}


def _check(definition: Definition, found: PriorDraws) -> None:
    """Refuse a prior that is no probability distribution, and half a set of functions."""
    if found.improper:
        listing = "; ".join(f"{name!r}: {why}" for name, why in found.improper.items())
        first = next(iter(found.improper))
        raise ModelError(
            f"nothing can be drawn from the prior of {definition.title}, which is no probability distribution. "
            f"{listing}. Give {first!r} a proper prior, or a function that draws it, prior_draw={{{first!r}: f}}"
        )
    if found.reasons and definition.prior_draw:
        first, why = next(iter(found.reasons.items()))
        raise ModelError(
            f"prior_draw of {definition.title} has functions for {listed(definition.prior_draw)} and needs others for "
            f"{listed(found.reasons)}, which are not derived: of {first!r}, since {why}"
        )


# ---- draws


def _drawn(run: _Run, found: PriorDraws) -> dict[str, NDArray[Any]]:
    """Draw all parameters, stage after stage."""
    parameters = run.definition.parameters
    values = {name: _nothing_yet(p, run.samples) for name, p in parameters.items()}
    for stage in found.stages:
        for name, array in run.evaluate(values, {n: found.functions[n] for n in stage}).items():
            values[name] = _checked(parameters[name], array)
    for name in run.definition.prior_draw:
        _check_support(run.definition, name, values)
    return values


def _nothing_yet(p: Parameter, samples: int) -> NDArray[Any]:
    """Return an array for draws of a parameter: nobody who reads it before it is drawn takes it for a number."""
    shape = (samples, *p.shape)
    return np.full(shape, np.iinfo(np.int64).min) if p.support.discrete else np.full(shape, np.nan)


def _checked(p: Parameter, array: NDArray[Any]) -> NDArray[Any]:
    """Return draws as the parameter's type."""
    if array.shape[1:] != p.shape:
        raise ModelError(
            f"prior_draw {p.name!r} must return the shape of its parameter, {p.shape}, got {array.shape[1:]}"
        )
    if p.support.discrete and array.dtype == np.float64:
        raise ModelError(f"prior_draw {p.name!r} must return integers, since {p.name!r} is discrete, got floats")
    return array.astype(np.int64 if p.support.discrete else np.float64, copy=False)


def _check_support(definition: Definition, name: str, values: Mapping[str, NDArray[Any]]) -> None:
    """Require that draws of a parameter lie in its support."""
    p = definition.parameters[name]
    for draw in range(len(values[name])):
        point = {other: array[draw] for other, array in values.items()}
        try:
            definition.layout.support(p, point, definition.data_tuple).check(point[name])
        except ValueError as reason:
            raise ModelError(
                f"prior_draw {name!r} must return values of its support: at draw {draw}, {reason}"
            ) from None


def _sampled(
    definition: Definition,
    reasons: Mapping[str, str],
    samples: int,
    sequence: np.random.SeedSequence,
    progressbar: Progressbar,
    cores: int | None,
) -> dict[str, NDArray[Any]]:
    """Sample the prior, as if it were a posterior without data."""
    first, why = next(iter(reasons.items()))
    warnings.warn(
        f"the prior of {definition.title} is sampled by nb.sample, so that its draws are not independent: nothing is "
        f"known that draws {listed(map(repr, reasons))}. Of {first!r}: {why}\n"
        f"For independent draws pass functions f(p, d, rng), prior_draw={{{first!r}: f}}",
        NbinferWarning,
        stacklevel=calls_above(),
    )
    kept = {name: total for name, total in definition.total_size.items() if name in definition.named_prior}
    alone = dataclasses.replace(
        definition,
        prior=_constant if definition.prior is None else definition.prior,
        likelihood={},
        logp_grad=None,
        grad=None,
        conditional={},
        derived={},
        total_size=kept,
    )
    draws = max(_LEAST, -(-samples // _CHAINS))
    trace = sample(Model.of(alone), draws, chains=_CHAINS, cores=cores, random_seed=sequence, progressbar=progressbar)
    _check_agreement(definition, trace, draws)
    chosen = slice(0, None, _CHAINS * draws // samples)  # far apart, so that they are nearly independent
    return {name: np.ascontiguousarray(trace.get_values(name)[chosen][:samples]) for name in definition.parameters}


def _check_agreement(definition: Definition, trace: Trace, draws: int) -> None:
    """Refuse draws of chains that are in different places, as they are without a distribution to agree on."""
    apart = {name: float(np.nan_to_num(np.max(rhat(trace.posterior[name])))) for name in definition.parameters}
    worst = max(apart, key=apart.__getitem__)
    if apart[worst] > _APART:
        raise ModelError(
            f"the prior of {definition.title} cannot be sampled: after {draws} draws the chains of {worst!r} disagree "
            f"(R-hat {apart[worst]:.3g}), as they do where a prior is no probability distribution. Give {worst!r} a "
            f"proper prior, or a function that draws it, prior_draw={{{worst!r}: f}}"
        )


def _constant(p: Any, d: Any) -> float:
    return 0.0
