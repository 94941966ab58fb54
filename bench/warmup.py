"""A warm-up as long as it must be: ``python -m bench.warmup``.

Four chains of 1000 draws with ``tune=1000`` and with ``tune="auto"``, per posterior and seed: when each chain ended its
warm-up, and how many gradients, those of warm-up included, it took until every marginal had a bulk effective sample
size of 400. Where the draws did not suffice, that is what they gave, in proportion. ``--coverage RUNS`` draws
parameters of three models from their priors, then data, and samples: of all 90 % intervals nine in ten must hold the
parameters, whatever a warm-up was ended by, and means must not be shifted against those of a given length; of these the
table tells the largest of any parameter. These runs keep 250 draws per chain, so that what they begin with shows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import nbinfer as nb
from bench.common import gradients_of_warm_up, heading, number, sampled, spread, table
from bench.metric import POSTERIORS
from nbinfer.diagnostics import ess_bulk
from nbinfer.distributions import half_normal, normal, poisson

ESS = 400.0
TUNES: tuple[int | str, int | str] = (1000, "auto")


def least_ess(trace: Any, names: Any, draws: int) -> float:
    """Return the smallest bulk effective sample size of the first draws of any marginal."""
    return min(float(np.min(ess_bulk(trace[name][:, :draws]))) for name in names)


def gradients_needed(trace: Any, names: Any) -> float:
    """Return the gradients, with those of warm-up, until its least effective sample size is `ESS`."""
    draws, steps = int(trace.draws_done.min()), trace.sample_stats["n_steps"].sum(axis=0)
    counts = [n for n in np.unique(np.geomspace(50, draws, 40).astype(int)) if n < draws]
    enough = next((n for n in counts if least_ess(trace, names, n) >= ESS), draws)
    kept = float(steps[:enough].sum())
    if enough == draws:
        kept *= ESS / min(least_ess(trace, names, draws), ESS)
    return gradients_of_warm_up(trace) + kept


def cost(model: Any, seeds: int, metric: str | None) -> list[str]:
    """Return a row: lengths of warm-up, gradients needed, by turns with and without a given length, and the ratio."""
    lengths: list[int] = []
    needed: dict[int | str, list[float]] = {tune: [] for tune in TUNES}
    for seed in range(1, seeds + 1):
        for tune in TUNES:
            trace, _ = sampled(model, seed, tune=tune, step=nb.NUTS(metric=metric))
            needed[tune].append(gradients_needed(trace, model.parameters) / 1e3)
            if tune == "auto":
                lengths += trace.tune_done.tolist()
    ratio = np.exp(np.mean(np.log(needed["auto"])) - np.mean(np.log(needed[1000])))
    return [spread(lengths), *(spread(needed[tune]) for tune in TUNES), f"{ratio:.2f}"]


# ---- coverage


def line() -> tuple[nb.Model, Callable[[np.random.Generator], tuple[dict[str, Any], dict[str, Any]]]]:
    """A straight line through points far from the origin: intercept and slope are correlated by .999."""
    t = np.arange(20.0, 40.0)

    def logp(p: Any, d: Any) -> Any:
        prior = normal.logpdf(p.a, 0.0, 10.0) + normal.logpdf(p.b, 0.0, 1.0) + half_normal.logpdf(p.s, 2.0)
        return prior + np.sum(normal.logpdf(d.y, p.a + p.b * d.t, p.s))

    def draw(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
        truth = {"a": rng.normal(0, 10), "b": rng.normal(), "s": abs(rng.normal(0, 2))}
        return truth, {"y": truth["a"] + truth["b"] * t + truth["s"] * rng.normal(size=t.size)}

    model = nb.Model({"a": nb.real(), "b": nb.real(), "s": nb.positive()}, logp=logp, data={"t": t, "y": t})
    return model, draw


def groups() -> tuple[nb.Model, Callable[[np.random.Generator], tuple[dict[str, Any], dict[str, Any]]]]:
    """Effects of ten groups, not centred: a posterior that is no Gaussian where the groups are alike."""

    def logp(p: Any, d: Any) -> Any:
        prior = normal.logpdf(p.mu, 0.0, 2.0) + half_normal.logpdf(p.tau, 1.0) + np.sum(normal.logpdf(p.z, 0.0, 1.0))
        return prior + np.sum(normal.logpdf(d.y, p.mu + p.tau * p.z, 1.0))

    def draw(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
        truth = {"mu": rng.normal(0, 2), "tau": abs(rng.normal()), "z": rng.normal(size=10)}
        return truth, {"y": truth["mu"] + truth["tau"] * truth["z"] + rng.normal(size=10)}

    parameters = {"mu": nb.real(), "tau": nb.positive(), "z": nb.real(10)}
    return nb.Model(parameters, logp=logp, data={"y": np.zeros(10)}), draw


def counts() -> tuple[nb.Model, Callable[[np.random.Generator], tuple[dict[str, Any], dict[str, Any]]]]:
    """Thirty counts whose log rate is a random walk: few of them say much."""

    def logp(p: Any, d: Any) -> Any:
        prior = normal.logpdf(p.level, 0.0, 1.0) + half_normal.logpdf(p.scale, 0.5)
        rates = np.exp(p.level + p.scale * np.cumsum(p.z))
        return prior + np.sum(normal.logpdf(p.z, 0.0, 1.0)) + np.sum(poisson.logpmf(d.y, rates))

    def draw(rng: np.random.Generator) -> tuple[dict[str, Any], dict[str, Any]]:
        truth = {"level": rng.normal(), "scale": abs(rng.normal(0, 0.5)), "z": rng.normal(size=30)}
        return truth, {"y": rng.poisson(np.exp(truth["level"] + truth["scale"] * np.cumsum(truth["z"])))}

    parameters = {"level": nb.real(), "scale": nb.positive(), "z": nb.real(30)}
    return nb.Model(parameters, logp=logp, data={"y": np.zeros(30, np.int64)}), draw


def intervals(trace: Any, truth: dict[str, Any]) -> np.ndarray:
    """Return whether 90 % intervals hold the truth, then means and standard deviations: shape (3, elements)."""
    rows = []
    for name, true in truth.items():
        low, high = np.quantile(trace[name], [0.05, 0.95], axis=(0, 1))
        held = (low < true) & (true < high)
        rows.append([np.ravel(values) for values in (held, trace[name].mean((0, 1)), trace[name].std((0, 1)))])
    return np.concatenate(rows, axis=1, dtype=float)


def coverage(name: str, runs: int, metric: str | None) -> list[list[str]]:
    """Return a row for each way to warm up: how often intervals hold the truth, and by how much means are shifted."""
    model, draw = {"line": line, "groups": groups, "counts": counts}[name]()
    found: dict[int | str, list[np.ndarray]] = {tune: [] for tune in TUNES}
    lengths: dict[int | str, list[int]] = {tune: [] for tune in TUNES}
    for run in range(runs):
        truth, data = draw(np.random.default_rng([run, 12]))
        model.set_data(**data)
        for tune in TUNES:
            trace, _ = sampled(model, run, 250, tune, nb.NUTS(metric=metric))
            lengths[tune] += trace.tune_done.tolist()
            found[tune].append(intervals(trace, truth))
    tables = {tune: np.swapaxes(found[tune], 0, 1) for tune in TUNES}
    shifts = (tables["auto"][1] - tables[1000][1]) / tables[1000][2]
    scores = shifts.mean(axis=0) / shifts.std(axis=0, ddof=1) * np.sqrt(runs)
    told = f"{np.abs(shifts.mean(axis=0)).max():.3f}, {np.abs(scores).max():.1f}"
    rows = []
    for tune, (held, _, _) in tables.items():
        shares, of_runs = 100.0 * held.mean(axis=0), 100.0 * held.mean(axis=1)  # parameters of a run are correlated
        whole = f"{shares.mean():.1f} ± {of_runs.std(ddof=1) / np.sqrt(runs):.1f}"
        ends = f"{shares.min():.1f}..{shares.max():.1f} ± {100.0 * np.sqrt(0.9 * 0.1 / runs):.1f}"
        shift = told if tune == "auto" else ""
        rows.append([name, str(tune), spread(lengths[tune]), str(len(shares)), whole, ends, shift])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.warmup", description="What a warm-up of its own length saves.")
    parser.add_argument(
        "--models", nargs="*", choices=list(POSTERIORS), default=list(POSTERIORS), metavar="MODEL", help="which"
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs of each model (%(default)s)")
    parser.add_argument("--metric", default=None, help="a metric of NUTS by name (the default)")
    parser.add_argument("--coverage", type=int, default=0, metavar="RUNS", help="count intervals over so many runs")
    options = parser.parse_args()
    if options.coverage:
        print(heading(f"Coverage of 90 % intervals, %, 4 x 250 draws, {options.coverage} runs: mean, and by parameter"))
        rows = [
            row for name in ("line", "groups", "counts") for row in coverage(name, options.coverage, options.metric)
        ]
        print(table(["", "tune", "warm-up", "parameters", "all", "least..most", "shift, sd and |z|"], rows))
        return
    print(heading(f"Thousands of gradients until each marginal has ESS {number(ESS)}: median of {options.seeds} seeds"))
    rows = [[name, *cost(POSTERIORS[name](), options.seeds, options.metric)] for name in options.models]
    print(table(["", "warm-up, auto", "tune=1000", "tune=auto", "ratio"], rows))
    ratios = [float(row[-1]) for row in rows]
    print(f"\ngeometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.2f}")


if __name__ == "__main__":
    main()
