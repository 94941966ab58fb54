"""What the statistics of samplers say: divergences, energy, acceptance, depth of trees."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any

import numpy as np

from nbinfer.arguments import numbers
from nbinfer.diagnostics.acceptance import misses_target
from nbinfer.diagnostics.energy import bfmi
from nbinfer.diagnostics.kept import Kept
from nbinfer.diagnostics.of_draws import ESS_PER_CHAIN
from nbinfer.diagnostics.problem import Kind, Problem, percent, sentence
from nbinfer.diagnostics.quantities import MANY, Run, join, some

BFMI_LIMIT = 0.3
#: Draws of one chain that may reach the tree-depth limit before it counts as a problem. It costs time, not truth.
TREEDEPTH_SHARE = 0.05
#: The last of warm-up, where the metric has settled, and the share of its draws that may diverge without a word.
LATE_SHARE, LATE_DIVERGENCES = 0.15, 0.05
#: A target that there is no use in raising.
HIGHEST_TARGET = 0.99
#: A step size that reaches this share of the largest so often, late in warm-up, would be longer if it might.
_AT_LIMIT, _OFTEN = 0.999, 0.05

Targets = float | Sequence[float] | None


class Statistics:
    """The samplers' statistics, and which draws they are looked at: finished ones after tuning, and the end of warm-up.

    Parameters
    ----------
    trace : Trace
    run : Run

    Attributes
    ----------
    kept, late : Kept
        Finished draws after tuning; the last draws of warm-up, where the metric has settled.
    chain_ids : tuple of int
        What the chains are called.
    labels : function
        ``f(name)`` names the entries of a variable.
    tuned : int
        Draws of the longest warm-up; 0 also if nobody knows.
    """

    def __init__(self, trace: Any, run: Run) -> None:
        self._stats = getattr(trace, "sample_stats", None) or {}
        self._warm = getattr(trace, "warmup_sample_stats", None) or {}
        self.chain_ids, self.labels = run.chain_ids, run.labels
        self.kept = Kept.span(0, np.array(run.done or (), np.int64))
        for tune in _columns(self._stats, "tune")[:1]:  # all samplers tune together
            self.kept = Kept(self.kept.mask & (tune[:, : self.kept.mask.shape[1]] != 1))
        tuned = np.asarray(getattr(trace, "tune_done", np.zeros(len(self.chain_ids), np.int64)))
        self.tuned = int(tuned.max(initial=0))
        self.late = Kept.span(((1.0 - LATE_SHARE) * tuned).astype(np.int64), tuned)

    def __getitem__(self, name: str) -> np.ndarray | None:
        """Return flags of all samplers together, shape (chain, draw), unset outside `kept`; None if there are none."""
        columns = self.of_samplers(name)
        return _flags(columns, self.kept) if columns else None

    def of_samplers(self, name: str) -> list[np.ndarray]:
        """Return the statistic of each sampler that has it, shape (chain, draw)."""
        return _columns(self._stats, name)

    def late_warm_up(self, name: str) -> list[np.ndarray]:
        """Return the same of warm-up."""
        return _columns(self._warm, name)

    def for_samplers(self, name: str, value: Targets, most: float) -> np.ndarray:
        """Return one number for each sampler that tells its acceptance, from one for all or None; NaN: it has none."""
        found = numbers(name, np.nan if value is None else value)
        count = len(self.of_samplers("acceptance_rate"))
        if found.shape not in ((), (count,)) or not (np.isnan(found) | ((found > 0.0) & (found < most))).all():
            raise ValueError(
                f"{name} must lie between 0 and {most:g}, one number or one for each sampler ({count}), got {value!r}."
            )
        return np.broadcast_to(found, count)


def _columns(stats: Mapping[str, Any], name: str) -> list[np.ndarray]:
    """Return one array of shape (chain, draw) for each sampler that has a statistic."""
    if name not in stats:
        return []
    values = np.asarray(stats[name])
    return list(np.moveaxis(values, 2, 0)) if values.ndim == 3 else [values]


def _flags(columns: Sequence[np.ndarray], kept: Kept) -> np.ndarray:
    """Return where a draw that counts has a flag in any column."""
    width = kept.mask.shape[1]
    return np.asarray(kept.mask & np.any([column[:, :width].astype(bool) for column in columns], axis=0))


def first_divergence(trace: Any, done: Iterable[int]) -> tuple[int, int] | None:
    """Return place of the chain and number of the first draw that diverged, among the finished ones; None if none did.

    Of two chains the one whose draw has the lower number is the first.
    """
    flags = _flags(_columns(trace.sample_stats, "diverging"), Kept.span(0, np.asarray(done)))
    found = np.argwhere(flags.T)[:1]
    return (int(found[0, 1]), int(found[0, 0])) if found.size else None


def where(posterior: Mapping[str, Any], names: Sequence[str], chain: int, draw: int) -> str:
    """Write one draw: ``mu = 4.2, theta = [1. 2.]``."""
    texts = [
        f"{name} = {np.array2string(np.asarray(posterior[name][chain][draw]), precision=4, threshold=8)}"
        for name in names
    ]
    return ", ".join(texts[:8]) + (", …" if len(texts) > 8 else "")


def divergences(
    stats: Statistics,
    target_accept: np.ndarray,
    posterior: Mapping[str, Any],
    names: Sequence[str],
    cure: Callable[[], str],
    facts: list[str],
) -> Problem | None:
    """Look for draws that diverged; a single one is named with its point."""
    diverging = stats["diverging"]
    if diverging is None:
        return None
    count, total, chains = _count(diverging, stats)
    if not count:
        facts.append("no divergences")
        return None
    place = ""
    if count == 1:
        chain, draw = map(int, np.argwhere(diverging)[0])
        point = where(posterior, names, chain, draw)
        place = f": draw {draw} of chain {chains[0]}" + (f", near {point}" if point else "")
    message = (
        f"{count} of {total} draws diverged ({percent(count, total)}){place}. Estimates may be biased. "
        f"{cure() or _smaller_steps(target_accept)}"
    )
    return Problem(Kind.DIVERGENCES, count, chains, message)


def _smaller_steps(target_accept: np.ndarray) -> str:
    """Say what helps against divergences in general."""
    targets = target_accept[~np.isnan(target_accept)]
    now = f" (now {', '.join(f'{t:g}' for t in targets)})" if targets.size else ""
    if not _may_rise(target_accept):
        return f"target_accept is as high as it helps{now}: give stronger priors or reparameterise."
    return f"Raise target_accept{now} or reparameterise."


def _may_rise(target_accept: np.ndarray) -> bool:
    """Tell whether there is a use in raising a target."""
    targets = target_accept[~np.isnan(target_accept)]
    return not targets.size or bool(targets.min() < HIGHEST_TARGET)


def late_divergences(stats: Statistics, target_accept: np.ndarray) -> str | None:
    """Return a note if many of the last draws of warm-up diverged although none did after it."""
    after = stats["diverging"]
    if after is not None and after.any():
        return None
    late = [_flags([column], stats.late) for column in stats.late_warm_up("diverging")]
    count, total = sum(int(flags.sum()) for flags in late), len(late) * int(stats.late.counts.sum())
    if count <= LATE_DIVERGENCES * total or count < 3:
        return None
    look = "Raise target_accept" if _may_rise(target_accept) else "Reparameterise"
    return (
        f"{count} of the last {total} draws of warm-up diverged ({percent(count, total)}), and none after it: there "
        f"may be places that the chains no longer go to. {look} and see whether anything changes."
    )


def lowest_bfmi(stats: Statistics) -> np.ndarray:
    """Return the E-BFMI of each chain, of several samplers the worst; NaN without one."""
    samplers = [stats.kept.each(bfmi, energies) for energies in stats.of_samplers("energy")]
    return np.asarray(np.fmin.reduce([np.full(len(stats.chain_ids), np.nan), *samplers]))


def _bfmi_of_all(stats: Statistics) -> np.ndarray:
    """Return the E-BFMI of all chains together, of several samplers the worst: each of them is too short to tell."""
    found = [np.nan]
    for energies in stats.of_samplers("energy"):
        of_each = zip(energies, stats.kept.mask, strict=True)
        parts = [chain[: len(mask)][mask] for chain, mask in of_each]
        steps, every = np.concatenate([np.diff(part) for part in parts]), np.concatenate(parts)
        with np.errstate(all="ignore"):
            found.append(np.square(steps).mean() / every.var(ddof=1) if steps.size else np.nan)
    return np.fmin.reduce(found, keepdims=True)


def energy(stats: Statistics, cure: Callable[[], str], longer: str, facts: list[str]) -> Problem | None:
    """Look for chains of low E-BFMI."""
    together = len(stats.chain_ids) > MANY and stats.kept.counts.max(initial=0) < ESS_PER_CHAIN
    values = _bfmi_of_all(stats) if together else lowest_bfmi(stats)
    low = np.flatnonzero(values < BFMI_LIMIT)
    if not low.size:
        if np.isfinite(values).any():
            facts.append(f"E-BFMI at least {math.floor(100 * np.nanmin(values) + 1e-9) / 100:.2f}")
        return None
    chains = () if together else tuple(stats.chain_ids[i] for i in low)
    worst = some([f"{values[i]:.2f}" for i in low])
    place = join("chain", chains) if chains else "all chains together"
    message = (
        f"E-BFMI is below {BFMI_LIMIT} in {place} ({worst}). The tails may be poorly explored"
        f"{sentence(cure()) or f': {longer} or reparameterise.'}"
    )
    return Problem(Kind.BAD_ENERGY, low.size, chains, message)


def acceptance(
    stats: Statistics, targets: np.ndarray, limits: np.ndarray, explained: str, longer: str
) -> Problem | None:
    """Look for chains whose acceptance is not what their step size was tuned to; many count as one."""
    samplers = stats.of_samplers("acceptance_rate")
    late = [stats.late_warm_up(name) for name in ("step_size", "acceptance_rate")]
    ids = stats.chain_ids if len(stats.chain_ids) <= MANY else ()
    each = stats.kept.each if ids else stats.kept.together
    each_late = stats.late.each if ids else stats.late.together
    worst = np.zeros(max(len(ids), 1), bool)
    texts = []
    for k, (accept, target) in enumerate(zip(samplers, targets, strict=True)):
        if np.isnan(target):
            continue
        bad = each(partial(misses_target, target=target), accept)
        if not bad.any():
            continue
        means = each(_mean, accept)
        if len(late[0]) == len(late[1]) > k:
            settled = partial(_settled, target=target, limit=limits[k])
            bad &= (means < target) | ~each_late(settled, late[0][k], late[1][k])
        worst |= bad
        if bad.any():
            rates = ", ".join(f"{mean:.2f}" for mean in means[bad])
            chains = join("chain", tuple(compress(ids, bad))) if ids else "all chains"
            texts.append(f"The mean acceptance of {chains} ({rates}) does not fit target_accept = {target:g}.")
    if not texts:
        return None
    message = " ".join([*texts, explained or f"The step size is not adapted: {longer}."])
    return Problem(Kind.BAD_ACCEPTANCE, int(worst.sum()), tuple(compress(ids, worst)), message)


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean of what is a number in each row; NaN if nothing is."""
    with np.errstate(all="ignore"):
        return np.asarray(np.nansum(values, axis=1) / (~np.isnan(values)).sum(axis=1))


def _settled(sizes: np.ndarray, accept: np.ndarray, target: float, limit: float) -> np.ndarray:
    """Tell whether acceptance above the target is none of the adaptation's fault, from late warm-up of each chain.

    The step size may be as long as it may be. Or acceptance falls so steeply with it that the step sizes of warm-up,
    which swing, were accepted as often as they should, and their average is accepted more often.
    """
    if not accept.shape[1]:
        return np.zeros(len(accept), bool)
    return np.asarray((np.mean(sizes >= _AT_LIMIT * limit, axis=1) > _OFTEN) | ~misses_target(accept, target))


def treedepth(
    stats: Statistics, max_treedepth: int | None, explained: str, alone: bool, notes: list[str]
) -> Problem | None:
    """Look for trajectories that were cut at the limit of their depth; `alone`, no other problem was found."""
    reached = stats["reached_max_treedepth"]
    if reached is None:
        return None
    count, total, _ = _count(reached, stats)
    if not count:
        return None
    now = "" if max_treedepth is None else f" (max_treedepth = {max_treedepth})"
    text = f"{count} of {total} draws ({percent(count, total)}) reached the tree-depth limit{now}."
    often = np.flatnonzero(reached.sum(axis=1) > TREEDEPTH_SHARE * stats.kept.counts)
    chains = tuple(stats.chain_ids[i] for i in often)
    if not chains:
        notes.append(text)
        return None
    means = "Sampling is slow, not wrong" if alone else "Trajectories end before they have gone far enough"
    message = f"{text} {means}{sentence(explained) or ': raise max_treedepth or reparameterise.'}"
    return Problem(Kind.TREEDEPTH, count, chains, message)


def _count(flags: np.ndarray, stats: Statistics) -> tuple[int, int, tuple[int, ...]]:
    """Return how many draws have a flag, of how many, and which chains have any."""
    which = tuple(stats.chain_ids[i] for i in np.flatnonzero(flags.any(axis=1)))
    return int(flags.sum()), int(stats.kept.counts.sum()), which
