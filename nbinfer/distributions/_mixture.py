"""Mixtures: of one family, whose parameters have an axis of components, or of several."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbinfer.distributions._check import SIMPLEX, SUM_TOLERANCE, Check
from nbinfer.distributions._combined import (
    Combined,
    Family,
    Parts,
    TwoChecks,
    adopt,
    anything,
    combined,
    combined_generator,
    forms,
)
from nbinfer.distributions._function import density
from nbinfer.distributions._linalg import exact
from nbinfer.distributions._multivariate import column
from nbinfer.vectormath import logaddexp, pick, row_logsumexp, row_sum, select, where_valid


def mixture(*families: Any) -> Family:
    r"""Make the family of what comes from one of several, nobody knows which.

    .. math:: p(x \mid w, \theta) = \sum_k w_k\, f_k(x \mid \theta_k)

    Parameters
    ----------
    *families : module
        Families of one variable, all continuous or all discrete. One alone stands for as many components as there are
        weights: its parameters then have an axis of components, the last, or are numbers that all share.

    Returns
    -------
    mixture : Family
        Its functions take ``weights``, shape (…, K), then the parameters: of one family by their names, of several one
        family after the other, their names with its position, as in ``mu_0, sigma_0, rate_1``. It has ``logcdf`` and
        ``logsf`` if all families do.

    Raises
    ------
    TypeError
        If there is no family, one is no family of one variable, or some are continuous and others discrete.

    Examples
    --------
    >>> import numpy as np
    >>> from nbinfer.distributions import cauchy, mixture, normal
    >>> w, mu = np.array([0.3, 0.7]), np.array([-1.0, 1.0])
    >>> float(mixture(normal).logpdf(0.0, w, mu, 1.0).round(3))
    -1.419
    >>> float(mixture(normal, cauchy).logpdf(0.0, w, -1.0, 1.0, 1.0, 1.0).round(3))
    -1.693
    """
    parts = [Parts(family, "mixture") for family in families]
    if len({part.kind for part in parts}) != 1:
        raise TypeError("mixture takes one family or more, all continuous or all discrete")
    return _of_one(parts[0]) if len(parts) == 1 else _of_several(parts)


@density
def _log_weight(w: Any) -> Any:
    return select(w > 0.0, np.log(select(w > 0.0, w, 1.0)), select(w == 0.0, -np.inf, np.nan))


@exact
def chosen(rng: np.random.Generator, weights: Any) -> int:
    """Draw the number of a component."""
    left, last = rng.random(), 0
    for k in range(weights.shape[0]):
        if weights[k] > 0.0:
            last = k
            left -= weights[k]
            if left < 0.0:
                return k
    return last


def _functions(parts: list[Parts]) -> list[str]:
    """Return the functions that all parts have."""
    kinds = [parts[0].kind, "logcdf", "logsf"]
    return [kind for kind in kinds if all(hasattr(part.family, kind) for part in parts)]


# Of one family --------------------------------------------------------------------------------------------------------


def _of_one(part: Parts) -> Family:
    name = f"mixture({part.name})"
    names = ("weights", *part.parameters)
    cores = (1, *(core + 1 for core in part.cores))
    mark = combined(name, "k" if part.discrete else "x", names, cores)

    def weighted(function: Any) -> Combined:
        def logpdf(x: Any, weights: Any, *parameters: Any) -> Any:
            total = row_logsumexp(_log_weight(weights) + function(column(x), *parameters))
            return where_valid(np.abs(row_sum(weights) - 1.0) <= SUM_TOLERANCE, total)

        return mark(logpdf)

    members = {kind: weighted(getattr(part.family, kind)) for kind in _functions([part])}

    def support(weights: Any, *parameters: Any) -> tuple[Any, Any]:
        start, end = part.family.support(*parameters)
        return np.min(start, -1) if np.ndim(start) else start, np.max(end, -1) if np.ndim(end) else end

    check = _check_of_one(name, part)
    draw, n = _picking(part), len(part.parameters)

    def random(rng: Any, weights: Any, *parameters: Any) -> Any:
        k = chosen(rng, weights)
        return draw(rng, k, weights.shape[0], *parameters[:n])

    generator = combined_generator(name, check, part.discrete)
    return Family(name, **members, support=support, check=check, random=generator(random))


def _check_of_one(name: str, part: Parts) -> Check:
    """Return the check: of all components in Python; in compiled code the chosen one's own generator sees to it."""
    conditions = {key: anything(core + 1, True) for key, core in zip(part.parameters, part.cores, strict=True)}
    whole = Check(name, weights=SIMPLEX, **conditions)
    for key, core in zip(part.parameters, part.cores, strict=True):
        wanted = f"{key} must be a number or have an element for each weight"
        whole.also(wanted, _fits(core), ["weights", key])
    adopt(whole, forms(part.check)[0], wrap=_for_all)
    return TwoChecks(whole, Check(name, weights=SIMPLEX, **conditions))


def _fits(core: int) -> Any:
    def fits(weights: Any, parameter: Any) -> Any:
        return np.ndim(parameter) == 0 or parameter.shape[-1 - core] == weights.shape[-1]

    return fits


def _for_all(test: Any) -> Any:
    """Let a test ask for all components, which lie along the last axis of what it finds."""

    def for_all(*parameters: Any) -> Any:
        ok = np.asarray(test(*parameters))
        return np.all(ok, -1) if ok.ndim else ok

    return for_all


def _picking(part: Parts) -> Any:
    """Make the function that draws from component k of `count`: each step takes k's own of the first parameter."""
    draw = part.random
    number: Any = int if part.discrete else float

    @exact
    def last(rng: Any, k: int, count: int, *parameters: Any) -> Any:
        return number(draw(rng, *parameters))

    step: Any = last
    for core in reversed(part.cores):
        step = _pick_one(core, step)
    return step


def _pick_one(core: int, following: Any) -> Any:
    if core:

        @exact
        def of_rows(rng: Any, k: int, count: int, *parameters: Any) -> Any:
            return following(rng, k, count, *parameters[1:], parameters[0][k])

        return of_rows

    @exact
    def of_numbers(rng: Any, k: int, count: int, *parameters: Any) -> Any:
        return following(rng, k, count, *parameters[1:], (parameters[0] + np.zeros(count, np.int64))[k])

    return of_numbers


# Of several families --------------------------------------------------------------------------------------------------


def _of_several(parts: list[Parts]) -> Family:
    name = f"mixture({', '.join(part.name for part in parts)})"
    names, cores, starts = ["weights"], [1], [0]
    for i, part in enumerate(parts):
        names += [f"{key}_{i}" for key in part.parameters]
        cores += part.cores
        starts.append(starts[-1] + len(part.parameters))
    mark = combined(name, "k" if parts[0].discrete else "x", names, cores)

    def weighted(kind: str) -> Combined:
        total: Any = None
        for i, part in enumerate(parts):
            total = mark(_one_more(total, getattr(part.family, kind), i, starts[i], starts[i + 1]))
        whole = total

        def logpdf(x: Any, weights: Any, *parameters: Any) -> Any:
            valid = np.abs(row_sum(weights) - 1.0) <= SUM_TOLERANCE
            return where_valid(valid, whole(x, weights, *parameters))

        return mark(logpdf)

    members = {kind: weighted(kind) for kind in _functions(parts)}
    members["support"] = _support_of_several(parts, starts)
    check = _check_of_several(name, parts)
    step: Any = None
    for i in range(len(parts) - 1, -1, -1):
        step = _or_draw(step, parts[i], i, starts[i], starts[i + 1])
    draw = step

    def random(rng: Any, weights: Any, *parameters: Any) -> Any:
        return draw(rng, chosen(rng, weights), *parameters)

    generator = combined_generator(name, check, parts[0].discrete)
    return Family(name, **members, check=check, random=generator(random))


def _support_of_several(parts: list[Parts], starts: list[int]) -> Any:
    def support(weights: Any, *parameters: Any) -> tuple[Any, Any]:
        ends = [part.family.support(*parameters[a:b]) for part, a, b in zip(parts, starts, starts[1:], strict=False)]
        low, high = ends[0]
        for start, end in ends[1:]:
            low, high = np.minimum(low, start), np.maximum(high, end)
        return low, high

    return support


def _check_of_several(name: str, parts: list[Parts]) -> Check:
    conditions = {f"{key}_{i}": condition for i, part in enumerate(parts) for key, condition in part.anything.items()}
    checks = [Check(name, weights=SIMPLEX, **conditions) for _ in range(2)]
    for i, part in enumerate(parts):
        for check, form in zip(checks, [forms(part.check)[0], forms(part.check)[-1]], strict=True):
            adopt(check, form, f"_{i}")
    return TwoChecks(*checks)


def _one_more(before: Any, function: Any, i: int, first: int, last: int) -> Any:
    """Make the log density of the components up to number i, those before it known."""

    def start(x: Any, weights: Any, *parameters: Any) -> Any:
        return _log_weight(pick(weights, i)) + function(x, *parameters[first:last])

    def total(x: Any, weights: Any, *parameters: Any) -> Any:
        own = _log_weight(pick(weights, i)) + function(x, *parameters[first:last])
        return logaddexp(before(x, weights, *parameters), own)

    return start if before is None else total


def _or_draw(following: Any, part: Parts, i: int, first: int, last: int) -> Any:
    """Make the function that draws from component i, if that is the chosen one, or from those that follow."""
    draw = part.random
    number: Any = int if part.discrete else float

    @exact
    def only(rng: Any, k: int, *parameters: Any) -> Any:
        return number(draw(rng, *parameters[first:last]))

    @exact
    def either(rng: Any, k: int, *parameters: Any) -> Any:
        if k == i:
            return number(draw(rng, *parameters[first:last]))
        return following(rng, k, *parameters)

    return only if following is None else either
