"""What the statistics of samplers say: divergences, energy, acceptance, depth of trees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nbinfer.arguments import numbers
from nbinfer.diagnostics.acceptance import misses_target
from nbinfer.diagnostics.energy import bfmi
from nbinfer.diagnostics.problem import Kind, Problem, percent
from nbinfer.diagnostics.quantities import Run, join

BFMI_LIMIT = 0.3
#: Draws of one chain that may reach the tree-depth limit before it counts as a problem. It costs time, not truth.
TREEDEPTH_SHARE = 0.05
#: The last of warm-up, where the metric has settled, and the share of its draws that may diverge without a word.
LATE_SHARE, LATE_DIVERGENCES = 0.15, 0.05
#: A step size that reaches this share of the largest so often, late in warm-up, would be longer if it might.
_AT_LIMIT, _OFTEN = 0.999, 0.05

Targets = float | Sequence[float] | None


class Statistics:
    """The samplers' statistics of finished draws after tuning, chain by chain.

    Parameters
    ----------
    trace : Trace
    run : Run
    """

    def __init__(self, trace: Any, run: Run) -> None:
        self._stats = getattr(trace, "sample_stats", None) or {}
        self._warm = getattr(trace, "warmup_sample_stats", None) or {}
        self._tuned = getattr(trace, "tune_done", None)
        self._done = run.done or ()
        self.chain_ids = run.chain_ids
        tune = self._stats.get("tune")
        self._tune = tune[:, :, 0] if tune is not None and np.ndim(tune) == 3 else tune  # all samplers tune together

    def __getitem__(self, name: str) -> list[np.ndarray] | None:
        """Return one array of flags for each chain, of any sampler, or None if no sampler has this statistic."""
        if name not in self._stats:
            return None
        values = np.asarray(self._stats[name])
        return self._by_chain(np.asarray(values.any(axis=2)) if values.ndim == 3 else values)

    def of_samplers(self, name: str) -> list[list[np.ndarray]]:
        """Return, for each sampler that has this statistic, one array of draws for each chain."""
        return [self._by_chain(column) for column in _columns(self._stats, name)]

    def late_warm_up(self, name: str) -> list[list[np.ndarray]]:
        """Return the same of the last draws of warm-up, where the metric has settled."""
        if self._tuned is None:
            return []
        spans = [slice(int((1.0 - LATE_SHARE) * n), n) for n in map(int, self._tuned)]
        return [[column[i][span] for i, span in enumerate(spans)] for column in _columns(self._warm, name)]

    def for_samplers(self, name: str, value: Targets, most: float) -> np.ndarray:
        """Return one number for each sampler that tells its acceptance, from one for all or None; NaN: it has none."""
        found = numbers(name, np.nan if value is None else value)
        count = len(self.of_samplers("acceptance_rate"))
        if found.shape not in ((), (count,)) or not (np.isnan(found) | ((found > 0.0) & (found < most))).all():
            raise ValueError(
                f"{name} must lie between 0 and {most:g}, one number or one for each sampler ({count}), got {value!r}."
            )
        return np.broadcast_to(found, count)

    def draws(self, chain: int) -> np.ndarray:
        """Return which draws of a chain, known by its place, these arrays are about."""
        n = self._done[chain]
        return np.arange(n) if self._tune is None else np.flatnonzero(np.asarray(self._tune[chain][:n]) != 1)

    def _by_chain(self, values: np.ndarray) -> list[np.ndarray]:
        return [values[i][self.draws(i)] for i in range(len(self._done))]


def _columns(stats: Mapping[str, Any], name: str) -> list[np.ndarray]:
    """Return one array of shape (chain, draw) for each sampler that has a statistic."""
    if name not in stats:
        return []
    values = np.asarray(stats[name])
    return list(np.moveaxis(values, 2, 0)) if values.ndim == 3 else [values]


def first_divergence(trace: Any, done: Iterable[int]) -> tuple[int, int] | None:
    """Return place of the chain and number of the first draw that diverged, among the finished ones; None if none did.

    Of two chains the one whose draw has the lower number is the first.
    """
    flags = np.asarray(trace.sample_stats["diverging"])
    flags = np.asarray(flags.any(axis=2)) if flags.ndim == 3 else flags
    found = [(int(flags[c, :n].argmax()), c) for c, n in enumerate(done) if flags[c, :n].any()]
    return min(found)[::-1] if found else None


def where(posterior: Mapping[str, Any], names: Sequence[str], chain: int, draw: int) -> str:
    """Write one draw: ``mu = 4.2, theta = [1. 2.]``."""
    texts = [
        f"{name} = {np.array2string(np.asarray(posterior[name][chain][draw]), precision=4, threshold=8)}"
        for name in names
    ]
    return ", ".join(texts[:8]) + (", …" if len(texts) > 8 else "")


def divergences(
    stats: Statistics, target_accept: np.ndarray, posterior: Mapping[str, Any], names: Sequence[str], facts: list[str]
) -> Problem | None:
    """Look for draws that diverged; a single one is named with its point."""
    diverging = stats["diverging"]
    if diverging is None:
        return None
    count, total, chains = _count(diverging, stats)
    if not count:
        facts.append("no divergences")
        return None
    targets = [f"{t:g}" for t in target_accept if not np.isnan(t)]
    now = f" (now {', '.join(targets)})" if targets else ""
    place = ""
    if count == 1:
        chain = stats.chain_ids.index(chains[0])
        draw = int(stats.draws(chain)[np.argmax(diverging[chain])])
        point = where(posterior, names, chain, draw)
        place = f": draw {draw} of chain {chains[0]}" + (f", near {point}" if point else "")
    message = (
        f"{count} of {total} draws diverged ({percent(count, total)}){place}. Estimates may be biased. "
        f"Raise target_accept{now} or reparameterise."
    )
    return Problem(Kind.DIVERGENCES, count, chains, message)


def late_divergences(stats: Statistics) -> str | None:
    """Return a note if many of the last draws of warm-up diverged although none did after it."""
    after = stats["diverging"]
    late = [values for chains in stats.late_warm_up("diverging") for values in chains]
    if after is not None and any(values.any() for values in after):
        return None
    count, total = sum(int(values.sum()) for values in late), sum(values.size for values in late)
    if count <= LATE_DIVERGENCES * total or count < 3:
        return None
    return (
        f"{count} of the last {total} draws of warm-up diverged ({percent(count, total)}), and none after it: there "
        "may be places that the chains no longer go to. Raise target_accept and see whether anything changes."
    )


def energy(stats: Statistics, facts: list[str]) -> Problem | None:
    """Look for chains of low E-BFMI."""
    samplers = [[bfmi(chain)[0] for chain in chains] for chains in stats.of_samplers("energy")]
    if not samplers:
        return None
    values = np.fmin.reduce(np.array(samplers))  # of a chain, the worst of its samplers
    low = [i for i, value in enumerate(values) if value < BFMI_LIMIT]
    if not low:
        if np.isfinite(values).any():
            facts.append(f"E-BFMI at least {math.floor(100 * np.nanmin(values) + 1e-9) / 100:.2f}")
        return None
    chains = tuple(stats.chain_ids[i] for i in low)
    worst = ", ".join(f"{values[i]:.2f}" for i in low)
    message = (
        f"E-BFMI is below {BFMI_LIMIT} in {join('chain', chains)} ({worst}). The tails may be poorly explored: "
        "tune longer or reparameterise."
    )
    return Problem(Kind.BAD_ENERGY, len(low), chains, message)


def acceptance(stats: Statistics, targets: np.ndarray, limits: np.ndarray) -> Problem | None:
    """Look for chains whose acceptance is not what their step size was tuned to."""
    samplers = stats.of_samplers("acceptance_rate")
    late = [stats.late_warm_up(name) for name in ("step_size", "acceptance_rate")]
    worst: set[int] = set()
    texts = []
    for k, (accept, target) in enumerate(zip(samplers, targets, strict=True)):
        bad = [i for i, values in enumerate(accept) if not np.isnan(target) and misses_target(values, target)]
        sizes, warm = (chains[k] if len(late[0]) == len(late[1]) > k else None for chains in late)
        if sizes is not None:
            bad = [
                i for i in bad if np.nanmean(accept[i]) < target or not _settled(sizes[i], warm[i], target, limits[k])
            ]
        worst |= set(bad)
        if bad:
            rates = ", ".join(f"{np.nanmean(accept[i]):.2f}" for i in bad)
            chains = join("chain", tuple(stats.chain_ids[i] for i in bad))
            texts.append(f"The mean acceptance of {chains} ({rates}) does not fit target_accept = {target:g}.")
    if not texts:
        return None
    message = " ".join([*texts, "The step size is not adapted: tune longer."])
    return Problem(Kind.BAD_ACCEPTANCE, len(worst), tuple(stats.chain_ids[i] for i in sorted(worst)), message)


def _settled(sizes: np.ndarray, accept: np.ndarray, target: float, limit: float) -> bool:
    """Tell whether acceptance above the target is none of the adaptation's fault, from late warm-up.

    The step size may be as long as it may be. Or acceptance falls so steeply with it that the step sizes of warm-up,
    which swing, were accepted as often as they should, and their average is accepted more often.
    """
    if not accept.size:
        return False
    return bool(np.mean(sizes >= _AT_LIMIT * limit) > _OFTEN) or not misses_target(accept, target)


def treedepth(stats: Statistics, max_treedepth: int | None, notes: list[str]) -> Problem | None:
    """Look for trajectories that were cut at the limit of their depth."""
    reached = stats["reached_max_treedepth"]
    if reached is None:
        return None
    count, total, _ = _count(reached, stats)
    if not count:
        return None
    now = "" if max_treedepth is None else f" (max_treedepth = {max_treedepth})"
    text = f"{count} of {total} draws ({percent(count, total)}) reached the tree-depth limit{now}."
    chains = tuple(
        chain
        for chain, values in zip(stats.chain_ids, reached, strict=True)
        if np.sum(values) > TREEDEPTH_SHARE * len(values)
    )
    if not chains:
        notes.append(text)
        return None
    message = f"{text} Sampling is slow, not wrong: raise max_treedepth or reparameterise."
    return Problem(Kind.TREEDEPTH, count, chains, message)


def _count(chains: list[np.ndarray], stats: Statistics) -> tuple[int, int, tuple[int, ...]]:
    """Return how many draws have a flag, of how many, and which chains have any."""
    counts = [int(np.sum(values.astype(bool))) for values in chains]
    which = tuple(chain for chain, count in zip(stats.chain_ids, counts, strict=True) if count)
    return sum(counts), sum(len(values) for values in chains), which
