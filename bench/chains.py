"""What many chains cost, and what cores bring to a population: ``python -m bench.chains``.

The first table compares an HMC draw among ten thousand chains with one among four, on one core and without warm-up:
by the time of the run, and by that of the whole call with starts, diagnostics and trace. The second runs a population
on one core and on two, by turns. The least of several repeats counts.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np

import nbinfer as nb
from bench import models
from bench.common import heading, table
from nbinfer.errors import ConvergenceWarning

#: Chains and draws of each -> what a draw may cost, in the run and in the whole call, compared with four long chains.
MANY = {(4, 25_000): None, (10_000, 100): (1.3, 2.0), (10_000, 10): (None, 4.0)}
#: How much faster a population of so many chains must be on two cores.
MEMBERS, FASTER = 64, 1.7


def run(model: Any, draws: int, **options: Any) -> tuple[float, float]:
    """Return the seconds of a run and of the whole call."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        trace = nb.sample(model, draws, 0, random_seed=1, progressbar=False, **options)
    return trace.attrs["sampling_time"], time.perf_counter() - begun


def many(repeats: int) -> list[list[str]]:
    """Return a row for each number of chains."""
    model = models.std_normal(10)
    step = nb.HamiltonianMC()
    run(model, 100, step=step, chains=4, cores=1)  # compiles
    seconds = {
        shape: np.min([run(model, shape[1], step=step, chains=shape[0], cores=1) for _ in range(repeats)], axis=0)
        for shape in MANY
    }
    base = seconds[4, 25_000] / 100_000
    rows = []
    for (chains, draws), allowed in MANY.items():
        each = seconds[chains, draws] / (chains * draws)
        ratios = each / base
        holds = [most is None or ratio <= most for ratio, most in zip(ratios, allowed or (None, None), strict=True)]
        bounds = "" if allowed is None else " / ".join("-" if most is None else f"{most:g}" for most in allowed)
        cells = [f"{1e6 * each[0]:.2f}", f"{1e6 * each[1]:.2f}", f"{ratios[0]:.2f}", f"{ratios[1]:.2f}", bounds]
        rows.append([f"{chains} chains x {draws}", *cells, "holds" if all(holds) else "MISSED"])
    return rows


def population(repeats: int) -> list[str]:
    """Return a row about a population on one core and on two."""
    model, step = models.MODELS["logistic"](), nb.DEMetropolis()
    options: dict[str, Any] = {"step": step, "chains": MEMBERS}
    run(model, 10, cores=1, **options)
    seconds = np.array([[run(model, 300, cores=cores, **options)[0] for cores in (1, 2)] for _ in range(repeats)]).min(
        0
    )
    ratio = seconds[0] / seconds[1]
    cells = [f"{seconds[0]:.3f}", f"{seconds[1]:.3f}", f"{ratio:.2f}", f"{FASTER:g}"]
    return [f"DEMetropolis, {MEMBERS} chains, logistic", *cells, "holds" if ratio >= FASTER else "MISSED"]


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.chains", description="Many chains, and populations.")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind (%(default)s)")
    options = parser.parse_args()
    print(heading(f"HMC on N(0, I), 10 coordinates, one core, microseconds per draw: least of {options.repeats}"))
    head = ["", "run", "whole call", "run, ratio", "call, ratio", "bounds", ""]
    print(table(head, many(options.repeats)), flush=True)
    print()
    head = ["seconds", "one core", "two", "ratio", "bound", ""]
    print(table(head, [population(options.repeats)]))


if __name__ == "__main__":
    main()
