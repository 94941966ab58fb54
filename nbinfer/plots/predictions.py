"""Predictions beside what was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import array, count, of_all
from nbinfer.diagnostics.cross_validation import relative_efficiency
from nbinfer.diagnostics.pointwise import as_pointwise, blocks
from nbinfer.diagnostics.psis import leave_one_out
from nbinfer.plots import curves
from nbinfer.plots.look import ALARM, FAINT, INK, drawn
from nbinfer.plots.marks import distribution
from nbinfer.plots.mixing import against_diagonal
from nbinfer.plots.panels import Panels, legend, wrapped
from nbinfer.plots.quantities import MOST
from nbinfer.spelling import meant, public

_CELLS = 50
_LOOK_ALIKE = 30  # distinct whole numbers; of more a density is drawn


@drawn
@public
def ppc(
    trace: Any,
    predictive: Any = None,
    var_names: str | Sequence[str] | None = None,
    *,
    samples: int = 50,
    axes: Any = None,
) -> Panels:
    """Draw the distribution of observed values before those of predicted ones.

    Parameters
    ----------
    trace : Trace
        With the observed data.
    predictive : TraceGroup, or mapping of str to array_like, shape (chain, draw, *shape), optional
        What `nbinfer.sample_posterior_predictive` returned, or `nbinfer.sample_ppc`, shape (sample, *shape). Default:
        the group "posterior_predictive" of the trace.
    var_names : str or sequence of str, optional
        Observed variables to show; or, ``"~y"``, those to leave out. Default: all.
    samples : int
        How many draws of the prediction are drawn, spread evenly over all of them.
    axes : array of Axes, shape (variable,), optional
        To draw in. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (variable,)
        One for each variable.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there are no predictions, a name is unknown, or `axes` are not as many as there are panels.
    TypeError
        If that is no trace, or predictions are no numbers.

    Notes
    -----
    Values that are missing among the observed ones are left out of the predictions, too. Predictions that are not
    finite are left out and counted above the panel. Of a single observation it is the distribution of all predictions.
    """
    count("samples", samples, 1, MOST)
    group = _predicted(trace, predictive)
    names = _names(var_names, group)
    panels = wrapped(len(names), (3.6, 2.4), axes)
    for ax, name in zip(panels, names, strict=True):
        observed, predicted = _both(trace, group, name)
        rows = predicted.reshape(-1, predicted.shape[-1])
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, samples).astype(int))] if rows.shape[1] > 1 else rows.T
        _distributions(ax, observed, rows)
        ax.set_title(name, loc="left")
        lost = 1.0 - np.isfinite(predicted).mean()
        _warn(ax, f"{100 * lost:.2g} % not finite" if lost else "")
    legend(panels, axes is None)
    return panels


def _distributions(ax: Any, observed: NDArray[Any] | None, rows: NDArray[Any]) -> None:
    shown = rows.ravel() if observed is None else np.concatenate([rows.ravel(), observed])
    shown = shown[np.isfinite(shown)]
    whole = shown.dtype.kind in "biu" or bool((shown == np.round(shown)).all())
    few = whole and np.unique(shown).size <= _LOOK_ALIKE
    pale = dict(color=FAINT, linewidth=0.6, alpha=0.7) if len(rows) > 1 else dict(color=FAINT)
    for k, row in enumerate(rows):
        numbers = np.asarray(row[np.isfinite(row)], float)
        distribution(ax, numbers, few, label="predicted" if k == 0 else None, **pale)
    if observed is not None:
        points = dict(marker="o" if few else None, markersize=3)
        distribution(ax, np.asarray(observed, float), few, color=INK, linewidth=2.0, label="observed", **points)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(bottom=0)


@drawn
@public
def loo_pit(
    trace: Any, predictive: Any = None, var_names: str | Sequence[str] | None = None, *, axes: Any = None
) -> Panels:
    """Draw where observed values lie in what the other observations predict of them.

    The share of predictions below each observed value, weighted as if it had not been seen (PSIS) [1]_, is uniform
    where the model is right. Its distribution function, less the diagonal, lies in the band with probability 0.9 then.
    A curve that rises above the diagonal and falls below it tells of predictions that are too narrow; the other way
    round, of too wide ones. Ties, as of whole numbers, are broken at random, in the same way each time.

    Parameters
    ----------
    trace : Trace
        With observed data, and a group "log_likelihood".
    predictive : TraceGroup, optional
        What `nbinfer.sample_posterior_predictive` returned. Default: the group "posterior_predictive" of the trace.
    var_names : str or sequence of str, optional
        Observed variables to show; or, ``"~y"``, those to leave out. Default: all.
    axes : array of Axes, shape (variable,), optional
        To draw in. Default: those of a new figure.

    Returns
    -------
    axes : Panels, shape (variable,)
        One for each variable; the title says how many weights are not to be trusted (Pareto k above 0.7).

    Raises
    ------
    ImportError
        If matplotlib is missing.
    ValueError
        If there are no predictions or log likelihoods, they do not belong together, or are not finite.
    TypeError
        If that is no trace, or predictions are no numbers.

    References
    ----------
    .. [1] A. Vehtari, A. Gelman and J. Gabry, "Practical Bayesian model evaluation using leave-one-out
       cross-validation and WAIC", Statistics and Computing 27 (2017).
    """
    group = _predicted(trace, predictive)
    densities = getattr(trace, "groups", {}).get("log_likelihood")
    if densities is None:
        raise ValueError(
            "trace must have a group 'log_likelihood': trace.add_group(nb.compute_log_likelihood(trace, model))."
        )
    there = {name: group[name] for name in group if name in densities}
    if not there:
        raise ValueError(
            f"the group 'log_likelihood' must be of what was predicted, {', '.join(map(str, group)) or 'nothing'}, and "
            f"is of {', '.join(densities) or 'nothing'}; compute both of one model."
        )
    names = _names(var_names, there, "predicted and have log likelihoods")
    panels = wrapped(len(names), (3.6, 2.4), axes)
    for ax, name in zip(panels, names, strict=True):
        observed, predicted = _both(trace, group, name)
        if observed is None:
            raise ValueError(f"trace must have the observed values of {name!r}.")
        places, bad = _places(name, observed, predicted, _of_draws(densities, group, name))
        shares = np.histogram(places, _CELLS, (0, 1))[0][None] / places.size
        against_diagonal(ax, shares, curves.band(places.size, _CELLS), {0: name})
        ax.set_title(name, loc="left")
        _warn(ax, f"k > 0.7 for {bad} of {places.size}" if bad else "")
        ax.set_xlabel("LOO-PIT")
        ax.set_ylabel("ECDF −\nexpected")
    return panels


def _warn(ax: Any, text: str) -> None:
    """Write above a panel, at the right, what must be looked at."""
    ax.set_title(text, loc="right", color=ALARM, fontsize=7)


def _places(name: str, observed: NDArray[Any], predicted: NDArray[Any], values: NDArray[Any]) -> tuple[Any, int]:
    """Return for each observation the weighted share of predictions below it, and for how many k is above 0.7."""
    values = as_pointwise(name, values)
    values = values.reshape(*values.shape[:2], -1)
    if values.shape != predicted.shape:
        raise ValueError(
            f"the log likelihood of {name} is of {values.shape[:2]} draws of {values.shape[2]} observations, and the "
            f"predictions are of {predicted.shape[:2]} draws of {predicted.shape[2]}; compute both of one trace."
        )
    lost = int(np.isnan(predicted).sum())
    if lost:
        raise ValueError(
            f"predictive[{name!r}] must be numbers, among which observations have ranks, got NaN {lost} times in "
            f"{predicted.size}; look at the model there."
        )
    ties = np.random.default_rng(20).random(observed.size)
    places, bad = np.empty(observed.size), 0
    for start, block in blocks(values):
        efficiency = relative_efficiency(block, values.shape[:2])
        for i, (densities, reff) in enumerate(zip(block, efficiency, strict=True), start):
            k, log_weights = leave_one_out(densities, float(reff))
            weights, row = np.exp(log_weights), predicted[:, :, i].ravel()
            places[i] = weights @ (row < observed[i]) + ties[i] * (weights @ (row == observed[i]))
            bad += bool(k > 0.7)
    return np.clip(places, 0.0, 1.0), bad


def _predicted(trace: Any, predictive: Any) -> Any:
    if not hasattr(trace, "observed_data"):
        raise TypeError(f"trace must be a Trace, got {type(trace).__name__}.")
    if predictive is None:
        predictive = getattr(trace, "groups", {}).get("posterior_predictive")
        if predictive is None:
            raise ValueError(
                "trace has no group 'posterior_predictive'; pass predictive=nb.sample_posterior_predictive(trace, "
                "model)."
            )
    if not isinstance(predictive, Mapping):
        raise TypeError(f"predictive must be a TraceGroup or a mapping of arrays, got {type(predictive).__name__}.")
    return predictive


def _names(var_names: Any, there: Mapping[str, Any], what: str = "predicted") -> list[str]:
    if not there:
        raise ValueError("predictive must have a variable or more, got none.")
    names = of_all("var_names", var_names, there)
    unknown = [name for name in names if name not in there]
    if unknown or not names:
        near = meant(unknown[0], there) if unknown else ""
        raise ValueError(f"var_names must be variables that were {what}, {', '.join(map(str, there))}.{near}")
    return names


def _both(trace: Any, group: Mapping[str, Any], name: str) -> tuple[NDArray[Any] | None, NDArray[Any]]:
    """Return observed values, shape (n,), and predicted ones, shape (chain, draw, n); of what is not missing."""
    predicted = _numbers(f"predictive[{name!r}]", group[name])
    observed = {**getattr(trace, "observed_data", {}), **getattr(group, "data", {})}.get(name)
    if observed is not None and predicted.shape[1:] == np.shape(observed):  # from `sample_ppc`, without chains
        predicted = predicted[None]
    if predicted.ndim < 2 or not predicted.size:
        raise ValueError(f"predictive[{name!r}] must have shape (chain, draw, *shape), got {predicted.shape}.")
    predicted = predicted.reshape(*predicted.shape[:2], -1)
    if observed is None:
        return None, predicted
    observed = _numbers(f"observed_data[{name!r}]", observed).ravel()
    there = np.isfinite(np.asarray(observed, float))
    if predicted.shape[2] not in (observed.size, int(there.sum())):
        return None, predicted  # of other data
    return observed[there], predicted[:, :, there] if predicted.shape[2] == observed.size else predicted


def _numbers(name: str, value: Any) -> NDArray[Any]:
    found = array(name, value)
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got an array of dtype {found.dtype}.")
    return found


def _of_draws(densities: Any, group: Any, name: str) -> NDArray[Any]:
    """Return the log likelihoods of the draws that predictions are of, by the numbers of chains and draws."""
    found = np.asarray(densities[name])
    for axis, numbers in enumerate(("chain_ids", "draw_ids")):
        there = list(getattr(densities, numbers))
        wanted = list(getattr(group, numbers, there))
        place = {number: k for k, number in enumerate(there)}
        if not set(wanted) <= set(there):
            first = next(number for number in wanted if number not in place)
            raise ValueError(
                f"the predictions of {name} are of {('chain', 'draw')[axis]} {first}, of which the group "
                "'log_likelihood' has none; compute both of one trace."
            )
        if wanted != there:
            found = found.take([place[number] for number in wanted], axis)
    return found
