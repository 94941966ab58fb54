"""When a sampler has passed on a posterior whose answers are known.

A run of 4 chains × 2000 draws is healthy, agrees with the reference within its own Monte Carlo error, is precise
enough for that to mean something, and has the right shape. With some 1300 statistics in a suite the limit is 5 standard
errors: a false alarm in one suite of 1000, where a limit of 4 would raise one in 12. What lies between 4 and 5 is run
once more, with four times the draws and another seed: a real bias doubles its z, noise does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist

from nbinfer.diagnostics import ess_bulk, ess_mean, ess_tail, rhat

CHAINS, DRAWS, TUNE = 4, 2000, 1000

MAX_Z, DOUBTFUL_Z = 5.0, 4.0
MAX_RHAT, MIN_ESS, MAX_DIVERGING = 1.01, 1000, 0.01
QUANTILES = {"q5": 0.05, "q50": 0.50, "q95": 0.95}

#: From which ESS on, how far mean (in reference sd) and sd (as a ratio) may be off.
EQUIVALENCE = ((10_000, 0.05, (0.955, 1.045)), (MIN_ESS, 0.15, (0.87, 1.15)))

KS_LEVEL, ENERGY_LEVEL, PERMUTATIONS, THINNED = 1e-4, 1e-3, 999, 1000


@dataclass(frozen=True)
class Reference:
    """What is known about a posterior; arrays over the reported parameters, in the order of `labels`.

    The standard errors are 0 and `n` is infinite where the answers are exact.
    """

    labels: list[str]
    mean: np.ndarray
    sd: np.ndarray
    quantiles: dict[str, np.ndarray]
    draws: np.ndarray
    mcse_mean: Any = 0.0
    mcse_sd: Any = 0.0
    n: float = np.inf

    @classmethod
    def of(cls, summary: Mapping[str, Any], draws: Mapping[str, np.ndarray]) -> Reference:
        """Read the answers of `tests.posteriors`: exact ones where there are any."""
        exact = "exact" in summary
        known = {k: np.array(v) for k, v in summary["exact" if exact else "reference"].items()}
        quantiles = {q: known[q] for q in QUANTILES}
        x = flatten({name: values[None] for name, values in draws.items()})[0]
        if exact:
            return cls(summary["parameters"], known["mean"], known["sd"], quantiles, x)
        n = summary["n_chains"] * summary["n_draws_per_chain"]
        errors = known["mcse_mean"], known["mcse_sd"]
        return cls(summary["parameters"], known["mean"], known["sd"], quantiles, x, *errors, n)


@dataclass(frozen=True)
class Sample:
    """One run: draws (chain, draw, parameter), log density (chain, draw), and how many draws diverged."""

    x: np.ndarray
    log_density: np.ndarray
    diverging: int = 0


@dataclass
class Verdict:
    """What is wrong with a run, and what is in doubt until it is run again."""

    problems: list[str] = field(default_factory=list)
    doubts: set[str] = field(default_factory=set)


def flatten(draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Lay the values of several names, each (chain, draw, …), side by side: (chain, draw, parameter)."""
    parts = [np.asarray(values, float) for values in draws.values()]
    return np.concatenate([p.reshape(*p.shape[:2], -1) for p in parts], axis=2)


def thin(x: np.ndarray, count: float) -> np.ndarray:
    """Keep about `count` evenly spaced draws of (chain, draw, …): (draw, …)."""
    pooled = x.reshape(-1, *x.shape[2:])
    return pooled[:: max(1, int(np.ceil(len(pooled) / count)))]


def z_scores(x: np.ndarray, reference: Reference) -> dict[str, np.ndarray]:
    """Return how many standard errors mean, sd and quantiles are off, for each parameter."""
    mean, sd = x.mean(axis=(0, 1)), x.std(axis=(0, 1), ddof=1)
    mcse_mean = sd / np.sqrt(ess_mean(x))
    # The delta method on the squared deviations. The usual plug-in, sd / sqrt(2 ESS), is wrong on antithetic chains.
    v = (x - mean) ** 2
    mcse_log_sd = np.sqrt(v.var(axis=(0, 1), ddof=1) / ess_mean(v)) / v.mean(axis=(0, 1)) / 2
    scores = {
        "mean": (mean - reference.mean) / np.hypot(mcse_mean, reference.mcse_mean),
        "sd": np.log(sd / reference.sd) / np.hypot(mcse_log_sd, reference.mcse_sd / reference.sd),
    }
    for name, p in QUANTILES.items():
        below = (x <= reference.quantiles[name]).astype(float)
        error = np.sqrt(p * (1 - p) * (1 / ess_mean(below) + 1 / reference.n))
        scores[name] = (below.mean(axis=(0, 1)) - p) / error
    return scores


def energy_p_value(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """Return the p-value of the permutation test on the energy distance between two sets of points."""
    points = np.concatenate([x, y])
    n, m = len(x), len(y)
    distance = cdist(points, points)
    # Column 0 says which points are in x; the others are permutations of it.
    first = np.repeat((np.arange(n + m) < n)[:, None], PERMUTATIONS + 1, axis=1).astype(float)
    first[:, 1:] = rng.permuted(first[:, 1:], axis=0)
    within = np.einsum("ib,ib->b", first, distance @ first)
    touching = distance.sum(axis=1) @ first
    elsewhere = distance.sum() - 2 * touching + within
    energy = 2 * (touching - within) / (n * m) - within / n**2 - elsewhere / m**2
    return float((1 + np.sum(energy[1:] >= energy[0])) / (PERMUTATIONS + 1))


def health(sample: Sample, labels: list[str]) -> list[str]:
    """Return what is wrong with the chains themselves."""
    x = sample.x
    moving = np.any(np.diff(x, axis=1) != 0, axis=2).mean(axis=1)
    problems = [
        f"chain {c} is stuck: {share:.0%} of its draws are new" for c, share in enumerate(moving) if share < 0.5
    ]
    if not np.isfinite(x).all():
        return [*problems, "some draws are not finite"]
    for name, value, good in (
        ("R-hat", rhat(x), lambda v: v < MAX_RHAT),
        ("bulk ESS", ess_bulk(x), lambda v: v >= MIN_ESS),
        ("tail ESS", ess_tail(x), lambda v: v >= MIN_ESS),
    ):
        problems += [f"{name} of {labels[i]} is {value[i]:.5g}" for i in np.flatnonzero(~good(value))]
    if sample.diverging > MAX_DIVERGING * x[..., 0].size:
        problems.append(f"{sample.diverging} of {x[..., 0].size} draws diverged")
    return problems


def equivalence(x: np.ndarray, reference: Reference) -> list[str]:
    """Return the parameters whose mean or sd is too far off for a run of this precision, whatever its z."""
    shift = np.abs(x.mean(axis=(0, 1)) - reference.mean) / reference.sd
    ratio = x.std(axis=(0, 1), ddof=1) / reference.sd
    problems = []
    for i, (label, ess) in enumerate(zip(reference.labels, ess_mean(x), strict=True)):
        for least, most, (low, high) in EQUIVALENCE:
            if ess >= least:
                if shift[i] > most:
                    problems.append(f"mean of {label} is {shift[i]:.3f} sd off")
                if not low <= ratio[i] <= high:
                    problems.append(f"sd of {label} is {ratio[i]:.3f} times what it should be")
                break
    return problems


def judge(sample: Sample, reference: Reference, reference_density: np.ndarray) -> Verdict:
    """Hold one run against the reference."""
    verdict = Verdict(health(sample, reference.labels))
    with np.errstate(divide="ignore", invalid="ignore"):  # a chain that stands still has no standard error
        scores = z_scores(sample.x, reference)
    for statistic, z in scores.items():
        for label, score in zip(reference.labels, z, strict=True):
            if not abs(score) <= MAX_Z:
                verdict.problems.append(f"{statistic} of {label}: z = {score:.1f}")
            elif abs(score) > DOUBTFUL_Z:
                verdict.doubts.add(f"{statistic} of {label}")
    verdict.problems += equivalence(sample.x, reference)
    if verdict.problems:
        return verdict
    thinned = thin(sample.log_density, ess_mean(sample.log_density))
    p = stats.ks_2samp(thinned, reference_density, method="asymp").pvalue
    if not p > KS_LEVEL:
        verdict.problems.append(f"log density is distributed differently: p = {p:.1e}")
    rng = np.random.default_rng(1)
    p = energy_p_value(thin(sample.x, THINNED) / reference.sd, reference.draws / reference.sd, rng)
    if not p > ENERGY_LEVEL:
        verdict.doubts.add("energy distance")
    return verdict


def problems_of(
    run: Callable[[int, int], Sample], reference: Reference, reference_density: np.ndarray, seed: int
) -> list[str]:
    """Apply the whole rule.

    Parameters
    ----------
    run : callable
        ``run(draws, seed)`` samples `CHAINS` chains of so many draws after `TUNE` iterations of warm-up.
    reference : Reference
        The answers.
    reference_density : ndarray, shape (n,)
        Log density of the reference draws.
    seed : int
        Of the first run; the second, if there is one, takes the next.

    Returns
    -------
    problems : list of str
        Empty if the sampler has passed.
    """
    first = judge(run(DRAWS, seed), reference, reference_density)
    if first.problems or not first.doubts:
        return first.problems
    second = judge(run(4 * DRAWS, seed + 1), reference, reference_density)
    return second.problems + [f"{doubt}: still off in the second run" for doubt in sorted(first.doubts & second.doubts)]
