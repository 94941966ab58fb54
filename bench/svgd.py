"""What an iteration of Stein variational gradient descent costs.

``--peers PYTHON`` has an interpreter that knows PyMC or BlackJAX make iterations of theirs on the same data.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import nbinfer as nb
from bench import models
from bench.common import Bare, heading, number, table
from nbinfer.engine.driver import available_cores

#: Milliseconds that an iteration may take on two cores, by the number of particles.
BOUNDS = {100: 0.6, 1000: 6.0}
#: Nanoseconds that a pair may take on one core, by dtype and coordinates.
PER_PAIR = {("float32", 10): 0.7, ("float32", 50): 2.4, ("float64", 10): 1.3, ("float64", 50): 4.5}
#: Particles whose pairs are timed, and how many times as fast two cores are to be.
MANY, SPEEDUP = 4000, 1.8
#: Of the median that is not found of all pairs.
DRAWN = {"kernel": nb.RBF(pairs=2**17)}
#: Gradients of a measurement, shared by the iterations, and how many these are at least: a run takes a moment to begin.
GRADIENTS, LEAST = 20_000, 8


class Fit:
    """A fit that is on its way.

    Parameters
    ----------
    model : Model
    n, cores : int
    optimizer : rule, optional
    **options : object
        Of `nb.SVGD`.
    """

    def __init__(self, model: nb.Model, n: int, cores: int, optimizer: Any = None, **options: Any) -> None:
        self.n, self.cores, self._stretch, self.seconds = n, cores, max(GRADIENTS // n, LEAST), math.inf
        self._inference = nb.SVGD(n, model=model, random_seed=1, cores=cores, **options)
        self._inference.begin(obj_optimizer=optimizer)
        self._inference.run(self._stretch // 2, False, judged=False)

    def measure(self) -> None:
        """Make some iterations; the least that one of a stretch took is kept."""
        begun = time.perf_counter()
        self._inference.run(self._stretch, False, judged=False)
        self.seconds = min(self.seconds, (time.perf_counter() - begun) / self._stretch)


def measured(fits: list[Fit], repeats: int) -> list[Fit]:
    """Measure fits in turn, so that what else the machine does meets all of them."""
    for _ in range(repeats):
        for fit in fits:
            fit.measure()
    return fits


def normal(p: Any, d: Any) -> Any:
    return -0.5 * np.sum(p.x**2)


def judged(value: float, bound: float, most: bool = True) -> str:
    return f"bound {bound:g}: {'holds' if (value <= bound) == most else 'MISSED'}"


def pairs(repeats: int) -> list[list[str]]:
    """Return rows of what a pair costs: a whole iteration without its gradients, over the square of n."""
    rows = []
    for (dtype, dim), bound in PER_PAIR.items():
        model = nb.Model({"x": nb.real(dim)}, logp=normal)
        start = nb.fit(100, model=model, random_seed=1, progressbar=False).sample(100, random_seed=1)
        timed, cores = Bare(model, start, 0.02), range(1, min(available_cores(), 2) + 1)
        fits = measured([Fit(model, MANY, c, nb.sgd(learning_rate=0.1), dtype=dtype) for c in cores], repeats)
        gradients = MANY * min(timed.measure() for _ in range(repeats))
        cost = [1e9 * (fit.seconds - gradients / fit.cores) / MANY**2 for fit in fits]
        for fit, each in zip(fits, cost, strict=True):
            told = judged(each, bound) if fit.cores == 1 else judged(cost[0] / each, SPEEDUP, most=False)
            speedup = "" if fit.cores == 1 else number(cost[0] / each)
            rows.append([dtype, str(dim), str(fit.cores), number(each), speedup, told])
    return rows


def peers(python: str, model: nb.Model) -> list[list[str]]:
    """Let another interpreter measure PyMC and BlackJAX on the model's data; return rows of what they took."""
    script = Path(__file__).with_name("svgd_peers.py")
    rows = np.asarray(model.data["S"]).T  # of X, with the sign of 2 y - 1
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.npz"
        np.savez(file, X=rows, y=np.ones(len(rows)))
        command = [python, str(script), str(file), *map(str, BOUNDS)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [[row["what"], str(row["n"]), "all", number(1e3 * row["seconds"]), "", ""] for row in said]


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.svgd", description="What an iteration of SVGD costs.")
    parser.add_argument("--repeats", type=int, default=7, help="stretches of each fit (%(default)s)")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter with PyMC or BlackJAX to set beside")
    options = parser.parse_args()
    warnings.simplefilter("ignore", nb.errors.NbinferWarning)
    print(heading("SVGD, a pair of particles"), flush=True)
    print(table(["", "coordinates", "cores", "ns per pair", "times one core", ""], pairs(options.repeats)), flush=True)
    print("\n" + heading("SVGD, logistic regression 1000 x 25, float64"), flush=True)
    model = models.logistic()
    visited = nb.fit(2000, model=model, random_seed=1, progressbar=False).sample(1000, random_seed=1)
    timed = Bare(model, visited)
    bare = min(timed.measure() for _ in range(options.repeats))
    kinds: dict[str, dict[str, Any]] = {"all pairs": {}, "pairs drawn": DRAWN, "float32": {"dtype": "float32"}}
    cores = range(1, min(available_cores(), 2) + 1)
    cases = [(what, n, c) for n in BOUNDS for what in kinds for c in cores if n > 100 or what != "pairs drawn"]
    fits = measured([Fit(model, n, c, **kinds[what]) for what, n, c in cases], options.repeats)
    rows = []
    for (what, n, c), fit in zip(cases, fits, strict=True):
        is_bound = c == 2 and what == ("pairs drawn" if n == 1000 else "all pairs")
        told = judged(1e3 * fit.seconds, BOUNDS[n]) if is_bound else ""
        share = f"{fit.seconds * c / (n * bare):.2f}"
        rows.append([f"nbinfer, {what}", str(n), str(c), number(1e3 * fit.seconds), share, told])
    rows += peers(options.peers, model) if options.peers else []
    print(table(["", "particles", "cores", "ms per iteration", "of its gradients", ""], rows), flush=True)


if __name__ == "__main__":
    main()
