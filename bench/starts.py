"""What a start is worth: ``python -m bench.starts``.

Four chains, on one core, of the default start and of ``init="pathfinder"``, for each posterior of `tests.posteriors`
and of `bench.models`: gradients of warm-up, those that the paths themselves took beside it, with their densities, and
the smallest bulk effective sample size and the largest R-hat of the draws that follow. Both begin with the same seeds;
the ratio is the geometric mean of the seeds' ratios, and counts the gradients of the paths, but not their densities.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from bench.common import gradients_of_warm_up, heading, number, spread, table
from bench.metric import POSTERIORS
from nbinfer.diagnostics import ess_bulk, rhat
from nbinfer.errors import ConvergenceWarning
from nbinfer.mcmc.hamiltonian.init import mixture_of_paths

INITS = ("auto", "pathfinder")


class Begun(NamedTuple):
    """One run of one posterior from one kind of start."""

    warmup: int  # gradients
    gradients: int  # of paths
    densities: int  # of paths
    ess: float
    rhat: float


def begun(model: Any, init: str, tune: int | str, draws: int, seed: int) -> Begun:
    """Sample from one kind of start."""
    gradients = densities = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        trace = nb.sample(model, draws, tune, init=init, chains=4, cores=1, random_seed=seed, progressbar=False)
        if init == "pathfinder":  # the same that `sample` has made
            report = mixture_of_paths(model, np.random.SeedSequence(seed)).report
            gradients, densities = report.gradients, report.densities
    names = list(model.parameters)
    ess = min(float(np.min(ess_bulk(trace[name]))) for name in names)
    worst = max(float(np.max(rhat(trace[name]))) for name in names)
    return Begun(gradients_of_warm_up(trace), gradients, densities, ess, worst)


def row(name: str, tune: int | str, draws: int, seeds: int) -> tuple[list[str], float]:
    """Return a row of the table, and its ratio."""
    model = POSTERIORS[name]()
    runs = {init: [begun(model, init, tune, draws, seed) for seed in range(1, seeds + 1)] for init in INITS}
    default, paths = (runs[init] for init in INITS)
    ratios = [(b.warmup + b.gradients) / a.warmup for a, b in zip(default, paths, strict=True)]
    ratio = float(np.exp(np.mean(np.log(ratios))))
    cells = [spread(run.warmup / 1000 for run in of) for of in (default, paths)]
    cells += [number(float(np.median([getattr(run, name) for run in paths]))) for name in ("gradients", "densities")]
    for measured, write in (("ess", number), ("rhat", lambda value: f"{value:.3f}")):
        cells += [write(float(np.median([getattr(run, measured) for run in of]))) for of in (default, paths)]
    return [name, *cells[:4], f"{ratio:.2f}", *cells[4:]], ratio


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.starts", description="What a start is worth.")
    parser.add_argument(
        "--models", nargs="*", choices=list(POSTERIORS), default=list(POSTERIORS), metavar="MODEL", help="which"
    )
    parser.add_argument("--tune", nargs="*", default=["auto", "1000"], help="lengths of warm-up (%(default)s)")
    parser.add_argument("--draws", type=int, default=1000, help="of each chain (%(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each model (%(default)s)")
    options = parser.parse_args()
    head = [
        "",
        "auto",
        "pathfinder",
        "paths",
        "densities",
        "ratio",
        "ESS, auto",
        "pathfinder",
        "R-hat, auto",
        "pathfinder",
    ]
    for tune in options.tune:
        print(heading(f"Thousands of gradients of warm-up, tune={tune}: median of {options.seeds} seeds"), flush=True)
        length = tune if tune == "auto" else int(tune)
        found = [row(name, length, options.draws, options.seeds) for name in options.models]
        print(table(head, [cells for cells, _ in found]))
        print(
            f"\ngeometric mean of the ratios: {np.exp(np.mean(np.log([ratio for _, ratio in found]))):.2f}\n",
            flush=True,
        )


if __name__ == "__main__":
    main()
