"""What an iteration of each step method costs: ``python -m bench.steps``.

Independent standard normals, bits or categories in 1, 10 and 100 dimensions, one chain on one core; the time of
sampling by the number of iterations, with storing. ``--pymc PYTHON`` has an interpreter that knows PyMC make iterations
of its steps on the same models, by calling them in a loop, without storing. Its Metropolis moves the elements of a
variable one after the other, ours together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import nbinfer as nb
from bench.common import heading, number, table

#: The Metropolis family and slice must be so many times faster than PyMC's.
FASTER = 20.0
DIMS = (1, 10, 100)


def continuous(dim: int) -> nb.Model:
    return nb.Model({"x": nb.real(dim)}, logp=normal)


def bits(dim: int) -> nb.Model:
    return nb.Model({"x": nb.binary(dim)}, logp=field)


def categories(dim: int) -> nb.Model:
    return nb.Model({"x": nb.categorical(4, dim)}, logp=field)


def normal(p: Any, d: Any) -> float:
    lp = 0.0
    for i in range(p.x.size):
        lp -= 0.5 * p.x[i] ** 2
    return lp


def field(p: Any, d: Any) -> float:
    lp = 0.0
    for i in range(p.x.size):
        lp += 0.3 * p.x[i]
    return lp


#: Name -> (model, step for a dimension, chains for a dimension, whether the bound holds for it).
STEPS: dict[str, tuple[Callable[[int], nb.Model], Callable[[int], Any], Callable[[int], int], bool]] = {
    "Metropolis": (continuous, lambda dim: nb.Metropolis(), lambda dim: 1, True),
    "DEMetropolisZ": (continuous, lambda dim: nb.DEMetropolisZ(), lambda dim: 1, True),
    "DEMetropolis": (continuous, lambda dim: nb.DEMetropolis(), lambda dim: max(4, 2 * dim), True),
    "StretchMove": (continuous, lambda dim: nb.StretchMove(), lambda dim: max(4, 2 * dim), False),
    "Slice": (continuous, lambda dim: nb.Slice(), lambda dim: 1, True),
    "EllipticalSlice": (continuous, lambda dim: nb.EllipticalSlice(prior_cov=np.eye(dim)), lambda dim: 1, False),
    "HamiltonianMC": (continuous, lambda dim: nb.HamiltonianMC(), lambda dim: 1, False),
    "NUTS": (continuous, lambda dim: nb.NUTS(), lambda dim: 1, False),
    "BinaryMetropolis": (bits, lambda dim: nb.BinaryMetropolis(), lambda dim: 1, True),
    "BinaryGibbsMetropolis": (bits, lambda dim: nb.BinaryGibbsMetropolis(), lambda dim: 1, True),
    "CategoricalGibbsMetropolis": (categories, lambda dim: nb.CategoricalGibbsMetropolis(), lambda dim: 1, True),
}


def measure(name: str, dim: int, repeats: int) -> float:
    """Return the least seconds of an iteration of one chain."""
    make, step, chains, _ = STEPS[name]
    model, options = make(dim), {"chains": chains(dim), "cores": 1, "progressbar": False, "step": step(dim)}

    def run(draws: int) -> float:
        trace = nb.sample(model, draws, draws, **options)
        return float(trace.attrs["sampling_time"])

    draws = 100
    while run(draws) < 0.02:
        draws *= 4
    return min(run(draws) for _ in range(repeats)) / (2 * draws * chains(dim))


def peers(python: str, repeats: int) -> dict[str, float]:
    """Let another interpreter measure PyMC's steps; return seconds by name and dimension."""
    script = Path(__file__).with_name("steps_pymc.py")
    command = [python, str(script), str(repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {f"{row['name']} {row['dim']}": row["seconds"] for row in said}


def ising(repeats: int) -> list[str]:
    """Measure a sweep over 400 spins with the whole density and with what depends on one."""
    from bench.ising import conditional, logp

    seconds = []
    for extra in ({}, {"conditional": conditional}):
        model = nb.Model({"s": nb.binary((20, 20))}, logp=logp, **extra)
        options: dict[str, Any] = {"chains": 1, "cores": 1, "progressbar": False, "random_seed": 1}
        nb.sample(model, 10, 10, **options)
        seconds.append(min(nb.sample(model, 200, 50, **options).attrs["sampling_time"] for _ in range(repeats)) / 250)
    whole, single = seconds
    return [number(1e6 * whole), number(1e6 * single), f"{whole / single:.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.steps", description="What an iteration of each step costs.")
    parser.add_argument("--repeats", type=int, default=5, help="measurements of each kind (%(default)s)")
    parser.add_argument("--only", nargs="*", default=list(STEPS), help="names of step methods")
    parser.add_argument("--pymc", metavar="PYTHON", help="an interpreter with PyMC to set beside")
    options = parser.parse_args()
    warnings.simplefilter("ignore", nb.errors.NbinferWarning)
    print(heading(f"Microseconds per iteration, least of {options.repeats}"), flush=True)
    there = peers(options.pymc, options.repeats) if options.pymc else {}
    rows = []
    for name in options.only:
        for dim in DIMS:
            ours, theirs = measure(name, dim, options.repeats), there.get(f"{name} {dim}")
            cells = [number(1e6 * theirs), f"{theirs / ours:.0f}"] if theirs else ["-", "-"]
            bounded = theirs and STEPS[name][3]
            verdict = "" if not bounded else "holds" if theirs / ours >= FASTER else "MISSED"
            rows.append([name, str(dim), number(1e6 * ours), *cells, verdict])
    print(table(["", "dimension", "nbinfer", "PyMC", "ratio", f"bound {FASTER:.0f}"], rows), flush=True)
    head = ["sweep over 400 spins", "whole density", "conditional", "ratio"]
    print("\n" + table(head, [["Ising", *ising(options.repeats)]]))


if __name__ == "__main__":
    main()
