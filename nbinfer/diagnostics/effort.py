"""What draws cost: what the metric has learnt, and what helps where trajectories are long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.diagnostics.of_samplers import Statistics
from nbinfer.diagnostics.problem import Kind, Problem, two_digits

#: Gradients of the median draw that are many.
MANY_GRADIENTS = 100
#: The metric that learns directions, by the name that samplers know.
LEARNS_CORRELATION = "fisher"

_ROUND = 10.0  # a condition number that needs no words, of most chains: a single one may have been misled
_CORRELATED = 0.95
_MOST_ELEMENTS, _MOST_DRAWS = 500, 4000
_HIGH_TARGET = 0.95


def metrics(trace: Any) -> list[Any]:
    """Return the metrics that a trace has, of one step or of several."""
    found = getattr(trace, "metric", None)
    return [m for m in (found if isinstance(found, tuple) else [found]) if hasattr(m, "condition_number")]


def cost(
    stats: Statistics,
    found: Sequence[Any],
    posterior: Mapping[str, np.ndarray],
    names: Sequence[str],
    targets: np.ndarray,
    problems: Sequence[Problem],
    explained: str,
) -> list[str]:
    """Return notes on what metrics have learnt of correlation, and on draws that took very many gradients.

    Parameters
    ----------
    stats : Statistics
    found : sequence of Metric
        Of each Hamiltonian step.
    posterior : mapping of str to ndarray, shape (chain, draw, *shape)
    names : sequence of str
        The parameters.
    targets : ndarray
        Acceptance that each sampler was tuned to; NaN: none.
    problems : sequence of Problem
        What has been said of the run.
    explained : str
        Says so if one of the problems explains long trajectories.
    """
    notes = []
    for metric in found:
        conditions = metric.condition_number
        if metric.is_learnt and 2 * np.count_nonzero(conditions > _ROUND) > conditions.size:
            longer = math.sqrt(conditions.max())
            notes.append(
                f"The metric has learnt correlation ({metric.in_words}): with a scale for each parameter the posterior "
                f"is still {two_digits(longer)} times as long as wide, and the sampler makes up for it."
            )
    counts = [column[:, : stats.kept.mask.shape[1]][stats.kept.mask] for column in stats.of_samplers("n_steps")]
    median = max((float(np.median(count)) for count in counts if count.size), default=0.0)
    kinds = {problem.kind for problem in problems}
    if median > MANY_GRADIENTS:
        head = f"The median draw took {median:.0f} gradients, which is many."
    elif Kind.TREEDEPTH in kinds:
        head = "Some trajectories are long."
    else:
        return notes
    return [*notes, f"{head} {explained or _advice(stats, found, posterior, names, targets, kinds)}"]


def _advice(
    stats: Statistics,
    found: Sequence[Any],
    posterior: Mapping[str, np.ndarray],
    names: Sequence[str],
    targets: np.ndarray,
    kinds: set[Kind],
) -> str:
    """Tell which of the reasons for long trajectories it is, and what helps there."""
    metric = max(found, key=lambda m: m.n, default=None)
    if metric is not None and not metric.is_learnt:
        return "The metric was given, not learnt: where none is given, warm-up learns one."
    if kinds & {Kind.DIVERGENCES, Kind.BAD_ENERGY}:
        return "Narrow places keep the steps short: what helps against divergences or low E-BFMI helps here."
    pair = _most_correlated(posterior, names, stats)
    if metric is not None and metric.n > 1 and not metric.capacity:
        because = f"{pair}, and the metric is a diagonal" if pair else "The metric is a diagonal"
        learns = f"metric={LEARNS_CORRELATION!r} learns correlation, in a warm-up of some hundred draws"
        return f"{because}: {learns}; centred predictors have less of it."
    if (targets >= _HIGH_TARGET).any():
        return f"target_accept = {np.nanmax(targets):g} keeps the steps short: the price of few divergences."
    if metric is not None and 0 < metric.capacity < metric.n and metric.rank.max() >= metric.capacity:
        return f"All {metric.capacity} directions of the metric are in use: metric='dense' has {metric.n}."
    if metric is not None:
        return (
            "The metric has learnt what correlates: scales must differ from place to place. Standardise predictors, "
            "give flat priors a scale, and write groups of few data non-centred, groups of many centred."
        )
    return f"{pair}: centre or standardise predictors, or reparameterise." if pair else "Reparameterise."


def _most_correlated(posterior: Mapping[str, np.ndarray], names: Sequence[str], stats: Statistics) -> str:
    """Name the two elements that correlate most, if they do so closely."""
    places = np.argwhere(stats.kept.mask)
    chain, draw = places[:: 1 + len(places) // _MOST_DRAWS].T
    chosen = [name for name in names if posterior[name].dtype.kind == "f"]
    rows = [posterior[name][chain, draw].reshape(len(chain), -1).T for name in chosen]
    every = [label for name in chosen for label in stats.labels(name)]
    if not 2 <= len(every) <= _MOST_ELEMENTS:
        return ""
    with np.errstate(all="ignore"):
        matrix = np.nan_to_num(np.triu(np.corrcoef(np.concatenate(rows)), 1))
    i, j = divmod(int(np.abs(matrix).argmax()), len(every))
    r = matrix[i, j]
    if not abs(r) > _CORRELATED:
        return ""
    digits = 1 - math.floor(math.log10(max(1.0 - abs(r), 1e-9)))  # -0.9998 is news, -1.00 none
    return f"{every[i]} and {every[j]} correlate ({r:.{digits}f})"
