"""What a metric makes of correlation, and of where there is none: ``python -m bench.metric``.

Four chains of 1000 + 1000 at target 0.8, for each posterior of `tests.posteriors` and of `bench.models`, and for a
straight line. Metrics take turns: each samples with a seed before the next seed is taken, and what is compared are runs
of one seed. The smallest bulk effective sample size of any parameter is set against the gradients of the draws that are
kept; those of warm-up, with the search of a start and of a step size, stand in a column of their own.

``--gaussians`` takes Gaussians of known correlation instead. ``--stuck`` takes regressions on which chains have got
stuck, and tells on which seeds they do. ``--json FILE`` adds a line to a file for each run, so that several processes
can share the work (``--only``, ``--first-seed``); ``--read FILE...`` makes tables of such files and runs nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from bench.common import heading, number, sampled, spread, table
from bench.correlated import GAUSSIANS, REGRESSIONS
from bench.models import MODELS
from nbinfer.diagnostics import ess_bulk, rhat
from tests.laws.acceptance import Reference, flatten, z_scores
from tests.posteriors import NAMES, load

Models = dict[str, Callable[[], Any]]

POSTERIORS: Models = {
    **{name: lambda name=name: load(name).model for name in NAMES},
    **MODELS,
    "straight_line": REGRESSIONS["straight_line"],
}
STUCK: Models = {**REGRESSIONS, "radon_noncentered": POSTERIORS["radon_noncentered"]}

#: Where there is nothing to learn but scales: what a metric of directions must not lose.
UNCORRELATED = ("std_normal", "logistic", "eight_schools", "eight_schools_noncentered", "sblri", "radon")
#: The least ratio of any, with one exception, and the least mean of those without correlation.
EACH, MEAN, EXCEPT = 0.85, 0.97, "eight_schools_centered"
#: The most gradients per draw of a Gaussian in two dimensions, however correlated.
FLAT = 4.0


class Run(NamedTuple):
    """One run of one posterior with one metric."""

    posterior: str
    metric: str
    seed: int
    dim: int
    ess: float
    draws: int  # of all chains
    gradients: int  # of these draws
    warmup: int  # gradients before them
    divergences: int
    rhat: float
    z: float  # the worst, in standard errors; NaN where no answers are known
    rank: float  # mean of the chains; NaN where the trace does not tell
    apart: list[int]  # chains whose density is another than that of the others

    @property
    def per_1000(self) -> float:
        return 1000.0 * self.ess / self.gradients

    @property
    def per_draw(self) -> float:
        return self.gradients / self.draws

    @property
    def is_stuck(self) -> bool:
        """Whether a chain is elsewhere than the others, or some have not mixed at all."""
        return bool(self.apart) or not self.rhat <= 1.1


def chains_apart(lp: np.ndarray, dim: int) -> list[int]:
    """Return the chains whose mean log density is far from that of the others.

    Far is three standard deviations of the log density within the others, each at least what it is for a Gaussian.
    The others speak by their medians, so that one more of them may be stuck.

    Parameters
    ----------
    lp : ndarray, shape (chain, draw)
    dim : int
        Coordinates of the posterior.
    """
    mean, sd = lp.mean(axis=1), lp.std(axis=1)
    apart = []
    for chain in range(len(lp)):
        distance = abs(mean[chain] - np.median(np.delete(mean, chain)))
        if distance > 3.0 * max(float(np.median(np.delete(sd, chain))), np.sqrt(0.5 * dim)):
            apart.append(chain)
    return apart


def worst_z(name: str, trace: Any) -> float:
    """Return how many standard errors a run is off, at most, by the rule of `tests.posteriors`.

    It is infinite if a statistic has no standard error, as where all draws are above a quantile, and NaN if there are
    no answers to compare with.
    """
    if name not in NAMES:
        return float("nan")
    known = load(name)
    reference = Reference.of(known.summary, known.draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = z_scores(flatten({n: trace[n] for n in known.draws}), reference)
    return float(np.nan_to_num(np.abs(list(scores.values())), nan=np.inf, posinf=np.inf).max())


def measure(name: str, model: Any, metric: str, seed: int, draws: int = 1000, tune: int = 1000) -> Run:
    """Run a model once."""
    trace, _ = sampled(model, seed, draws, tune, step=nb.NUTS(metric=metric, target_accept=0.8))
    values = [trace[n] for n in model.parameters]
    kept = int(trace.sample_stats["n_steps"].sum())
    return Run(
        posterior=name,
        metric=metric,
        seed=seed,
        dim=model.dim,
        ess=float(np.min([np.min(ess_bulk(value)) for value in values])),
        draws=int(trace.draws_done.sum()),
        gradients=kept,
        warmup=sum(trace.attrs["gradients"]) - kept,
        divergences=int(trace.sample_stats["diverging"].sum()),
        rhat=float(np.max([np.max(rhat(value)) for value in values])),
        z=worst_z(name, trace),
        rank=float(np.mean(getattr(getattr(trace, "metric", None), "rank", np.nan))),
        apart=chains_apart(trace.sample_stats["lp"], model.dim),
    )


def by_turns(models: Models, metrics: Sequence[str], seeds: Iterable[int]) -> Iterator[Run]:
    """Run each model with every metric before the next seed."""
    for name, make in models.items():
        model = make()
        for seed in seeds:
            for metric in metrics:
                yield measure(name, model, metric, seed)


# ---- tables


class Compared:
    """The runs of one posterior, by metric; the first metric is what the others are compared with."""

    def __init__(self, runs: Iterable[Run], posterior: str, metrics: Sequence[str]) -> None:
        found = [run for run in runs if run.posterior == posterior]
        self.runs = {metric: [run for run in found if run.metric == metric] for metric in metrics}
        self.dim = found[0].dim if found else 0

    def ratio(self, metric: str) -> np.ndarray:
        """Return by what factor draws are more effective per gradient than those of the first metric, seed by seed."""
        first = {run.seed: run.per_1000 for run in next(iter(self.runs.values()))}
        return np.array([run.per_1000 / first[run.seed] for run in self.runs[metric] if run.seed in first])

    def each(self, cell: Callable[[list[Run]], str]) -> str:
        """Lay out what is told of each metric."""
        told = [cell(runs) if runs else "-" for runs in self.runs.values()]
        return " → ".join(told) if set(told) != {"-"} else "-"


def geometric(values: Iterable[float]) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.mean(np.log(list(values)))))


def ratio_cell(ratios: np.ndarray) -> str:
    """Write the geometric mean, and the range if there is one."""
    if ratios.size == 0:
        return "-"
    middle = number(geometric(ratios))
    return middle if ratios.size == 1 else f"{middle} ({number(ratios.min())}..{number(ratios.max())})"


def told(
    of: Callable[[list[float]], Any], value: Callable[[Run], float], write: Callable[[float], str] = number
) -> Callable[[list[Run]], str]:
    """Return what writes the median, or another summary, of something over runs."""

    def cell(runs: list[Run]) -> str:
        summary = float(of([value(run) for run in runs]))
        return "-" if np.isnan(summary) else write(summary)

    return cell


per_draw = told(np.median, lambda run: run.per_draw)
warmup = told(np.median, lambda run: run.warmup / 1000.0)
rank = told(np.median, lambda run: run.rank)
worst_rhat = told(np.max, lambda run: run.rhat, "{:.3f}".format)
worst_score = told(np.max, lambda run: run.z, "{:.1f}".format)


def verdict(holds: bool) -> str:
    """Say whether a bound holds."""
    return "holds" if holds else "MISSED"


def efficiency(runs: list[Run], names: Sequence[str], metrics: Sequence[str]) -> str:
    """Lay out draws per gradient, posterior by posterior, and the means of their ratios."""
    head = ["", "d", "ESS/1000 grad.", *(f"{metric} / {metrics[0]}" for metric in metrics[1:])]
    head += ["grad./draw", "warm-up, k", "max R-hat", "max |z|", "rank", ""]
    compared = {name: Compared(runs, name, metrics) for name in names}
    rows = []
    for name, found in compared.items():
        ratios = [found.ratio(metric) for metric in metrics[1:]]
        cells = [found.each(lambda runs: spread(run.per_1000 for run in runs)), *map(ratio_cell, ratios)]
        cells += [found.each(cell) for cell in (per_draw, warmup, worst_rhat, worst_score, rank)]
        rows.append([name, str(found.dim), *cells, _judged(name, found, ratios)])
    return "\n".join([table(head, rows), "", *_means(compared, metrics)])


def _judged(name: str, found: Compared, ratios: list[np.ndarray]) -> str:
    """Tell whether the other metrics keep what holds for a posterior."""
    bounds = [geometric(ratio) >= EACH for ratio in ratios if ratio.size and name != EXCEPT]
    if name in GAUSSIANS and found.dim == 2:
        others = list(found.runs.values())[1:]
        bounds += [np.median([run.per_draw for run in runs]) <= FLAT for runs in others if runs]
    return verdict(all(bounds)) if bounds else ""


def _means(compared: dict[str, Compared], metrics: Sequence[str]) -> Iterator[str]:
    """Write the geometric means of a metric's ratios."""
    for metric in metrics[1:]:
        means = {name: geometric(r) for name, found in compared.items() if (r := found.ratio(metric)).size}
        plain = [mean for name, mean in means.items() if name in UNCORRELATED]
        text = f"{metric} / {metrics[0]}, geometric mean: {number(geometric(means.values()))} of {len(means)}"
        if plain:
            mean = geometric(plain)
            text += f", {number(mean)} of {len(plain)} uncorrelated (bound {MEAN:g}: {verdict(mean >= MEAN)})"
        yield text


def stuck(runs: list[Run], names: Sequence[str], metrics: Sequence[str]) -> str:
    """Lay out on which seeds a chain is stuck, and whether the first metric's are stuck on them too."""
    rows = []
    for name in names:
        found = Compared(runs, name, metrics)
        where = {metric: [run.seed for run in of if run.is_stuck] for metric, of in found.runs.items()}
        for metric, of in found.runs.items():
            cells = [f"{len(where[metric])} of {len(of)}", ", ".join(map(str, where[metric])) or "-"]
            cells += [cell(of) for cell in (worst_rhat, per_draw, warmup)] if of else ["-"] * 3
            judged = "" if metric == metrics[0] else verdict(set(where[metric]) <= set(where[metrics[0]]))
            rows.append([name, str(found.dim), metric, *cells, judged])
    return table(["", "d", "metric", "stuck", "seeds", "max R-hat", "grad./draw", "warm-up, k", ""], rows)


# ---- the program


class Kind(NamedTuple):
    """A kind of comparison."""

    title: str
    models: Models
    lay_out: Callable[[list[Run], Sequence[str], Sequence[str]], str]
    seeds: int  # unless told otherwise


KINDS = {
    "posteriors": Kind("Metrics on posteriors", POSTERIORS, efficiency, 10),
    "gaussians": Kind("Metrics on Gaussians", GAUSSIANS, efficiency, 10),
    "stuck": Kind("Stuck chains", STUCK, stuck, 20),
}


def read_runs(paths: Iterable[str]) -> list[Run]:
    """Return the runs that files tell of, one on each line."""
    return [Run(**json.loads(line)) for path in paths for line in Path(path).read_text().splitlines()]


def written(runs: Iterable[Run], path: str | None) -> Iterator[Run]:
    """Add a line to a file, if there is one, for each run as it comes."""
    for run in runs:
        if path:
            with open(path, "a") as file:
                file.write(json.dumps(run._asdict()) + "\n")
        yield run


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.metric", description="Metrics, with and without correlation.")
    kind = parser.add_mutually_exclusive_group()
    for name in ("gaussians", "stuck"):
        kind.add_argument(f"--{name}", dest="kind", action="store_const", const=name, help="instead of posteriors")
    parser.add_argument("--metrics", nargs="+", default=["fisher_diag", "fisher"], help="the first is compared with")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these posteriors")
    parser.add_argument("--seeds", type=int, help="runs of each posterior and metric (10; 20 with --stuck)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="K", help="the first of them (%(default)s)")
    parser.add_argument("--json", metavar="FILE", help="add a line for each run")
    parser.add_argument("--read", nargs="+", metavar="FILE", help="tables of such files; nothing is run")
    options = parser.parse_args()
    title, models, lay_out, seeds = KINDS[options.kind or "posteriors"]
    unknown = set(options.only or []) - set(models)
    if unknown:
        parser.error(f"unknown posterior {min(unknown)!r}; choose from {', '.join(models)}")
    models = {name: make for name, make in models.items() if name in (options.only or models)}
    if options.read:
        runs = [run for run in read_runs(options.read) if run.metric in options.metrics]
    else:
        span = range(options.first_seed, options.first_seed + (options.seeds or seeds))
        runs = list(written(by_turns(models, options.metrics, span), options.json))
    known = {run.posterior for run in runs}
    many = len({run.seed for run in runs})
    print(heading(f"{title}, 4 x (1000 + 1000), target 0.8: median (least..most) of {many} seeds"))
    print(lay_out(runs, [name for name in models if name in known], options.metrics))


if __name__ == "__main__":
    main()
