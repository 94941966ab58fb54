"""How well models predict, from traces: LOO, WAIC, and models side by side.

The numbers are this package's own, whether ArviZ is installed or not; tests hold them equal to ArviZ's.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import Progressbar, instance, mapping, words
from nbinfer.diagnostics import cross_validation
from nbinfer.diagnostics.comparison import Comparison
from nbinfer.diagnostics.comparison import compare as compare_elpds
from nbinfer.diagnostics.elpd import ELPD
from nbinfer.diagnostics.quantities import Run
from nbinfer.errors import ComparisonWarning, calls_above
from nbinfer.model import Model
from nbinfer.model.default import is_model, the_model
from nbinfer.model.gaps import observed_axis
from nbinfer.predictive.densities import compute_log_likelihood, observed_values, require_terms
from nbinfer.spelling import public, public_by_kind
from nbinfer.trace import Trace
from nbinfer.trace.axes import labels_along
from nbinfer.trace.groups import TraceGroup
from nbinfer.trace.names import listed


@public_by_kind(model=is_model)
def loo(
    trace: Any,
    model: Model | None = None,
    var_name: str | Sequence[str] | None = None,
    *,
    reff: ArrayLike | None = None,
    progressbar: Progressbar = True,
    cores: int | None = None,
) -> ELPD:
    """Estimate how well a model predicts new data, by leave-one-out cross-validation without fitting anew.

    The draws are weighted as if an observation had not been there; weights that are too large are smoothed (PSIS), and
    the shape of their tail, Pareto k, tells whether that was good enough [1]_ [2]_.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        Draws of the model's parameters; or the log likelihoods themselves, as from `compute_log_likelihood`. Where
        chains differ in length, the draws that all of them have count.
    model : Model, optional
        What the log likelihoods are computed of. Default: the group "log_likelihood" of the trace, if it has one, else
        the model of the enclosing ``with`` block.
    var_name : str or sequence of str, optional
        Which observed variable. Of several of one shape the log likelihoods are added up, entry by entry: what is left
        out is one entry of all of them. Needed if there is more than one.
    reff : float or array_like, shape (*shape), optional
        Effective draws per draw, which say where the tail of the weights begins. Default: of each observation those of
        its likelihood, ``ess_mean(exp(log_likelihood)) / draws``, as in the R package loo. ArviZ takes another default,
        see Notes.
    progressbar : bool or callable
        Whether to show progress where log likelihoods are computed.
    cores : int, optional
        Threads that compute log likelihoods, at most.

    Returns
    -------
    found : ELPD
        With the contributions of all observations, and their k.

    Raises
    ------
    ValueError
        If there are several observed variables and none is chosen, or log likelihoods are infinite or NaN: the message
        lists observations and draws.
    ModelError
        If a likelihood term returns one number for several observations, or the trace is of another model.

    Warns
    -----
    ComparisonWarning
        If some k is too large, or has no verdict.

    See Also
    --------
    compare : Several models side by side.
    waic : A cheaper estimate, which does not know when it fails.

    Notes
    -----
    The numbers are ArviZ's for the same `reff`. Its default is one number for all observations, the mean over all
    elements of all variables in the group "posterior", derived quantities included; of a single chain 1. With that the
    estimate is its own to all digits::

        ess = [np.ravel(nb.diagnostics.ess_mean(values)) for values in trace.posterior.values()]
        reff = np.concatenate(ess).mean() / (chains * draws)

    References
    ----------
    .. [1] A. Vehtari, A. Gelman and J. Gabry, "Practical Bayesian model evaluation using leave-one-out
       cross-validation and WAIC", Statistics and Computing 27 (2017).
    .. [2] A. Vehtari, D. Simpson, A. Gelman, Y. Yao and J. Gabry, "Pareto smoothed importance sampling", JMLR 25
       (2024).

    Examples
    --------
    >>> import numpy as np, nbinfer as nb
    >>> def likelihood(p, d):
    ...     return -0.5 * (d.y - p.mu) ** 2 - 0.5 * np.log(2.0 * np.pi)
    >>> model = nb.Model({"mu": nb.real()}, likelihood={"y": likelihood}, data={"y": [1.5, 0.5, -0.5]})
    >>> trace = nb.sample(model, 500, chains=2, random_seed=1)
    >>> nb.loo(trace, model).n
    3
    """
    found = _loo(trace, model, var_name, reff, progressbar, cores)
    _warn([found.problem])
    return found


@public_by_kind(model=is_model)
def waic(
    trace: Any,
    model: Model | None = None,
    var_name: str | Sequence[str] | None = None,
    *,
    progressbar: Progressbar = True,
    cores: int | None = None,
) -> ELPD:
    """Estimate how well a model predicts new data, by the widely applicable information criterion.

    `loo` is as cheap where log likelihoods are there, estimates the same, and tells more about when it fails.

    Parameters
    ----------
    trace : Trace, or mapping of str to array_like, shape (chain, draw, *shape)
        As of `loo`.
    model : Model, optional
        As of `loo`.
    var_name : str or sequence of str, optional
        Which observed variable, or several that are added up.
    progressbar : bool or callable
        Whether to show progress where log likelihoods are computed.
    cores : int, optional
        Threads that compute log likelihoods, at most.

    Returns
    -------
    found : ELPD
        Effective numbers of parameters are variances over draws, with one less than their number as the divisor, as in
        section 2.2 of Vehtari et al. (2017).

    Raises
    ------
    ValueError, ModelError
        As in `loo`.

    Warns
    -----
    ComparisonWarning
        If an observation's effective number of parameters is above 0.4.
    """
    values, facts = _pointwise(trace, model, var_name, progressbar, cores)
    found = cross_validation.waic(values, **facts)
    _warn([found.problem])
    return found


@public
def compare(
    models: Mapping[str, Any],
    method: str = "stacking",
    var_name: str | Sequence[str] | None = None,
    *,
    random_seed: Any = None,
    progressbar: Progressbar = True,
    cores: int | None = None,
) -> Comparison:
    """Compare models by how well they predict the same data.

    Parameters
    ----------
    models : mapping of str to ELPD, Trace or (Trace, Model)
        Two or more: what `loo` returned, all of it or none from `waic`; or what it takes, a trace with a group
        "log_likelihood", or a trace and its model.
    method : {'stacking', 'bb-pseudo-bma', 'pseudo-bma'}
        How weights are found: of the mixture that predicts best; in proportion to the exponentials of the estimates,
        averaged over Bayesian bootstraps of the observations, or as they are [1]_.
    var_name : str or sequence of str, optional
        As of `loo`.
    random_seed : None, int, SeedSequence or Generator
        Of the bootstrap.
    progressbar : bool or callable
        Whether to show progress where log likelihoods are computed.
    cores : int, optional
        Threads that compute log likelihoods, at most.

    Returns
    -------
    comparison : Comparison
        A table, best model first. Where ``dse``, the standard error of a difference, is not much smaller than the
        difference, the models predict alike, whatever the weights say.

    Raises
    ------
    ValueError
        If models have other numbers of observations, or other observed values, as far as these are known; or if a
        method is unknown.

    Warns
    -----
    ComparisonWarning
        If an estimate is not to be trusted.

    References
    ----------
    .. [1] Y. Yao, A. Vehtari, D. Simpson and A. Gelman, "Using stacking to average Bayesian predictive distributions",
       Bayesian Analysis 13 (2018).

    Examples
    --------
    >>> import numpy as np, nbinfer as nb
    >>> rng = np.random.default_rng(1)
    >>> y, mu = rng.normal(0.5, 1.0, 20), rng.normal(0.5, 0.2, (4, 500, 1))
    >>> wide, narrow = (nb.loo({"y": -0.5 * ((y - mu) / s) ** 2 - np.log(s)}) for s in (1.0, 0.5))
    >>> nb.compare({"narrow": narrow, "wide": wide}).rows
    ('wide', 'narrow')
    """
    elpds, problems = {}, []
    for name, given in mapping("models", models).items():
        elpds[name] = given
        if not isinstance(given, ELPD):
            trace, model = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
            instance(f"models[{name!r}]", trace, (Trace, Mapping), "an ELPD, a Trace, or a Trace and its Model")
            model = _of_one(name, trace, model)
            try:
                elpds[name] = _loo(trace, model, var_name, None, progressbar, cores)
            except Exception as error:
                error.add_note(f"in model {name!r}")
                raise
            problems.append(elpds[name].problem and f"{name}: {elpds[name].problem}")
    found = compare_elpds(elpds, method, random_seed)
    _warn(problems)
    return found


def _of_one(name: str, trace: Any, model: Any) -> Any:
    """Return the model of one of several traces, None where its log likelihoods are there without one."""
    if model is not None or not isinstance(trace, Trace) or "log_likelihood" in trace.groups:
        return model
    try:
        return the_model(None)
    except TypeError:
        raise TypeError(
            f"models[{name!r}] is a trace without log likelihoods; pass it with its model, {name!r}: (trace, model), "
            "or sample it with groups='log_likelihood'"
        ) from None


def _loo(trace: Any, model: Any, var_name: Any, reff: Any, progressbar: Progressbar, cores: int | None) -> ELPD:
    values, facts = _pointwise(trace, model, var_name, progressbar, cores)
    return cross_validation.loo(values, reff, **facts)


def _warn(problems: Sequence[str]) -> None:
    """Warn the caller's caller of what is wrong, if anything is."""
    if any(problems):
        warnings.warn("\n".join(filter(None, problems)), ComparisonWarning, calls_above())


def _pointwise(
    trace: Any, model: Any, var_name: Any, progressbar: Progressbar, cores: int | None
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return log likelihoods of the draws that all chains have, and what else an estimate is told."""
    observed, group = getattr(trace, "observed_data", {}), trace
    if isinstance(trace, Trace):
        group = trace.groups.get("log_likelihood") if model is None else None
        if group is None:
            definition = _model_of(model).definition
            require_terms(definition)
            names = _chosen(definition.likelihood, var_name)
            group = compute_log_likelihood(trace, model, names, progressbar=progressbar, cores=cores)
            observed = {name: observed_values(definition, name) for name in names}
    else:
        instance("trace", trace, Mapping, "a Trace, or a mapping from names to log likelihoods (chain, draw, ...)")
    names = _chosen(group, var_name)
    arrays = [np.asarray(group[name]) for name in names]
    used, draws = _in_common(trace, arrays)
    arrays = [array if draws is None else array[used, :draws] for array in arrays]
    chain_ids = getattr(group, "chain_ids", None)
    if len({array.shape for array in arrays}) > 1:
        shapes = listed(f"{name} {array.shape[2:]}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"var_name names variables of different shapes, {shapes}: what is one observation of all?")
    _check_places(group, names)
    values = [_known(observed.get(name), array.shape[2:]) for name, array in zip(names, arrays, strict=True)]
    known = [value for value in values if value is not None]
    facts = {
        "name": " + ".join(names),
        "observed": None if len(known) < len(names) else known[0] if len(names) == 1 else np.stack(known),
        "chain_ids": chain_ids if chain_ids is None or draws is None else [chain_ids[chain] for chain in used],
    }
    return arrays[0] if len(arrays) == 1 else np.sum(arrays, axis=0), facts


def _model_of(model: Any) -> Model:
    try:
        return the_model(model)
    except TypeError as error:
        if model is None:
            error.add_note("or attach its log likelihoods, trace.add_group(nb.compute_log_likelihood(trace, model))")
        raise


def _chosen(there: Mapping[str, Any], var_name: Any) -> list[str]:
    """Return which observed variables are meant."""
    names = list(there) if var_name is None else words("var_name", var_name)
    if not names or any(name not in there for name in names):
        raise ValueError(f"var_name must name variables of the trace, {listed(there)}; got {listed(map(repr, names))}.")
    if var_name is None and len(names) > 1:
        raise ValueError(
            f"there are several observed variables, {listed(names)}: choose one, var_name={names[0]!r}, or add up "
            f"those of one shape, var_name={names!r}."
        )
    return names


def _check_places(group: Any, names: list[str]) -> None:
    """Raise ValueError if variables that are to be added up lack the values of different observations."""
    axes = [observed_axis(name) for name in names]
    if len(names) < 2 or not any(axis in of for axis in axes for of in getattr(group, "dims", {}).values()):
        return
    length = group[names[0]].shape[-1]
    first, *others = [labels_along(axis, length, group.coords) for axis in axes]
    for name, places in zip(names[1:], others, strict=True):
        if not np.array_equal(first, places):
            raise ValueError(
                f"var_name adds up {names[0]} and {name}, of which different values are missing: those that are left "
                f"do not belong together. Choose one, var_name={names[0]!r}."
            )


def _in_common(trace: Any, arrays: Sequence[NDArray[Any]]) -> tuple[Sequence[int], int | None]:
    """Return which chains have draws, and how many all of them have; None, if all have the same number."""
    if isinstance(trace, Trace):
        done = trace.draws_done
    elif isinstance(trace, TraceGroup) and _nothing(arrays, slice(-1, None)).any():
        beyond = _nothing(arrays, slice(None))[:, ::-1].cumprod(axis=1)  # rows that a chain has not reached
        done = beyond.shape[1] - beyond.sum(axis=1)
    else:
        return [], None
    run = Run({}, tuple(done.tolist()), ())
    return run.used, run.draws if run.is_ragged else None


def _nothing(arrays: Sequence[NDArray[Any]], rows: slice) -> NDArray[np.bool_]:
    """Return for some rows of each chain whether all values are NaN, shape (chain, row)."""
    nothing = np.ones((len(arrays[0]), len(range(arrays[0].shape[1])[rows])), bool)
    for array in arrays:
        nothing &= np.isnan(array[:, rows]).reshape(*nothing.shape, -1).all(axis=2)
    return nothing


def _known(observed: Any, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return observed values if they are those of the log likelihoods; those that are missing have none."""
    if observed is None or observed.shape == shape:
        return observed  # type: ignore[no-any-return]
    there = observed[~np.isnan(observed)]
    return there if there.shape == shape else None
