"""Log densities of observations and of the prior, term by term, at each draw of a trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nbinfer.arguments import Progressbar
from nbinfer.errors import ModelError
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.model.definition import CompiledDefinition, Definition, called_term
from nbinfer.model.gaps import axes_of_terms, observed_part, shown
from nbinfer.predictive.draws import named
from nbinfer.predictive.functions import spelled
from nbinfer.predictive.over import over_draws
from nbinfer.spelling import meant, public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.names import listed


@public_by_kind(model=is_model)
def compute_log_likelihood(
    trace: Trace,
    model: Model | None = None,
    vars: str | Sequence[str] | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    progressbar: Progressbar = True,
    cores: int | None = None,
) -> TraceGroup:
    """Compute the log likelihood of each observation at each draw.

    Parameters
    ----------
    trace : Trace
        Draws of the model's parameters: from `sample`, a file, or ``approx.sample``.
    model : Model, optional
        With a likelihood that has one value for each observation. Default: that of the enclosing ``with`` block.
    vars : str or sequence of str, optional
        Likelihood terms. Default: all.
    var_names : str or sequence of str, optional
        PyMC's name of `vars`.
    progressbar : bool or callable
        Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.
    cores : int, optional
        Threads at most. Default: as many as there are cores. No number depends on it.

    Returns
    -------
    group : TraceGroup
        Arrays (chain, draw, ...) by the name of the term, of kind "log_likelihood": what the term returns, as it is.
        Neither ``total_size`` nor any other weight is in it. It belongs to no trace yet: ``trace.add_group(group)``.
        Axes are named as those of the data; of data with gaps, whose missing elements have no likelihood, the observed
        elements of ``y`` lie along ``y_observed_at``, labelled by their places.
        Rows that a chain has not reached hold `nbinfer.trace.fill_value`. The arrays, 8 bytes a number, are all the
        memory it takes.

    Raises
    ------
    ModelError
        If a term returns one number for several observations, or the model has no terms; if the trace is of another
        model.
    KeyboardInterrupt
        After Ctrl-C: part of a likelihood is none.

    See Also
    --------
    loo, waic, compare : What it is for.

    Examples
    --------
    >>> import numpy as np, nbinfer as nb
    >>> def likelihood(p, d):
    ...     return -0.5 * (d.y - p.mu) ** 2 - 0.5 * np.log(2.0 * np.pi)
    >>> model = nb.Model({"mu": nb.real()}, likelihood={"y": likelihood}, data={"y": [1.5, 0.5, -0.5]})
    >>> trace = nb.sample(model, 500, chains=2, random_seed=1)
    >>> nb.compute_log_likelihood(trace, model)["y"].shape
    (2, 500, 3)
    """
    definition = named(the_model(model))
    terms = check_log_likelihood(the_model(model), vars, var_names)
    values = over_draws(
        the_model(model),
        trace,
        terms,
        progressbar=progressbar,
        cores=cores,
        label=called_term,
        what="log likelihood",
    )
    values = {name: observed_part(definition, name, array) for name, array in values.items()}
    return _group("log_likelihood", definition, values, trace)


@public_by_kind(model=is_model)
def compute_log_prior(
    trace: Trace,
    model: Model | None = None,
    vars: str | Sequence[str] | None = None,
    *,
    var_names: str | Sequence[str] | None = None,
    progressbar: Progressbar = True,
    cores: int | None = None,
) -> TraceGroup:
    """Compute the log prior at each draw, term by term.

    Parameters
    ----------
    trace : Trace
        Draws of the model's parameters.
    model : Model, optional
        With a prior. Default: that of the enclosing ``with`` block.
    vars : str or sequence of str, optional
        Terms of the prior, as they are named in the model. Default: all; a prior that is one function is the term
        "prior".
    var_names : str or sequence of str, optional
        PyMC's name of `vars`.
    progressbar : bool or callable
        Whether to show progress, or a function that is told of it; as of `nbinfer.sample`.
    cores : int, optional
        Threads at most. Default: as many as there are cores. No number depends on it.

    Returns
    -------
    group : TraceGroup
        Arrays (chain, draw, ...) by the name of the term, of kind "log_prior". They are densities of the parameters
        themselves: the log Jacobians of the transformations that a sampler moves in are not in them, as in PyMC. Nor
        is any weight.

    Raises
    ------
    ModelError
        If the model has no prior of its own, or the trace is of another model.
    """
    definition = named(the_model(model))
    terms = check_log_prior(the_model(model), vars, var_names)
    values = over_draws(
        the_model(model),
        trace,
        terms,
        progressbar=progressbar,
        cores=cores,
        label=definition.called_piece,
        what="log prior",
    )
    return _group("log_prior", definition, values, trace)


def check_log_likelihood(model: Model, vars: Any = None, var_names: Any = None) -> dict[str, Callable[..., Any]]:
    """Return the likelihood terms that are wanted, of which each has a value for each observation."""
    definition = named(model)
    require_terms(definition)
    terms = _chosen(definition.likelihood, vars, var_names, f"likelihood terms of {definition.title}")
    _require_pointwise(definition, terms)
    return terms


def check_log_prior(model: Model, vars: Any = None, var_names: Any = None) -> dict[str, Callable[..., Any]]:
    """Return the prior terms that are wanted."""
    definition = named(model)
    if definition.prior is None and not definition.named_prior:
        raise ModelError(f"there are no prior terms of {definition.title}: give it prior=... and likelihood=...")
    whole = {} if definition.named_prior or definition.prior is None else {"prior": definition.prior}
    return _chosen({**whole, **definition.named_prior}, vars, var_names, f"prior terms of {definition.title}")


def require_terms(definition: Definition) -> None:
    """Raise ModelError if a model has no likelihood terms."""
    if not definition.likelihood:
        raise ModelError(
            f"there are no likelihood terms of {definition.title}: give it prior=... and likelihood={{'y': ...}} "
            "instead of one function logp"
        )


def observed_values(definition: Any, name: str) -> NDArray[Any] | None:
    """Return the observed values that a likelihood term is named after; None if there are none of its name."""
    return shown(definition, name) if name in definition.data else None


def _group(kind: str, definition: Definition, values: Mapping[str, NDArray[Any]], trace: Trace) -> TraceGroup:
    axes = axes_of_terms(definition, {name: array.shape[2:] for name, array in values.items()})
    return TraceGroup(kind, values, chain_ids=trace.chain_ids, dims=axes.dims, coords=axes.coords)


def _chosen(terms: Mapping[str, Any], vars: Any, var_names: Any, what: str) -> dict[str, Callable[..., Any]]:
    """Return the terms that are wanted, by one of two spellings."""
    argument, wanted = spelled(vars, var_names)
    names = list(terms) if wanted is None else wanted
    unknown = [name for name in names if name not in terms]
    if unknown or not names:
        near = meant(unknown[0], terms) if unknown else ""
        raise ModelError(
            f"{argument} must name {what}, {listed(map(repr, terms))}; got {listed(map(repr, names)) or 'none'}.{near}"
        )
    return {name: terms[name] for name in names}


def _require_pointwise(definition: Any, terms: Mapping[str, Any]) -> None:
    """Require terms with one value for each observation, before anything is computed."""
    shapes = definition.facts().terms if isinstance(definition, CompiledDefinition) else {}
    for name in terms:
        datum = definition.data.get(name)
        if not shapes.get(name) and (datum is None or math.prod(datum.array.shape) != 1):
            of = f", shape {datum.array.shape}" if datum is not None else ""
            raise ModelError(
                f"{called_term(name)} returns one number, and pointwise values are asked for: return one value per "
                f"observation{of}; leave out the np.sum around it, the model adds them up itself"
            )
