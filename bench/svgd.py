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
BOUNDS = {100: 0.6, 1000: 12.0}
#: Gradients of a measurement, shared by the iterations.
GRADIENTS = 20_000


def iteration(model: nb.Model, n: int, cores: int, repeats: int, **options: Any) -> float:
    """Return seconds of an iteration, the least of several stretches of a fit that is on its way."""
    inference, stretch, least = nb.SVGD(n, model=model, random_seed=1, cores=cores, **options), GRADIENTS // n, math.inf
    inference.begin()
    inference.run(stretch // 2, False, judged=False)
    for _ in range(repeats):
        begin = time.perf_counter()
        inference.run(stretch, False, judged=False)
        least = min(least, time.perf_counter() - begin)
    return least / stretch


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
    print(heading("SVGD, logistic regression 1000 x 25, float64"), flush=True)
    model = models.logistic()
    visited = nb.fit(2000, model=model, random_seed=1, progressbar=False).sample(1000, random_seed=1)
    timed = Bare(model, visited)
    bare = min(timed.measure() for _ in range(options.repeats))
    rows = []
    for n, bound in BOUNDS.items():
        for cores in range(1, min(available_cores(), 2) + 1):
            seconds = iteration(model, n, cores, options.repeats)
            verdict = "" if cores < 2 else f"bound {bound:g}: {'holds' if 1e3 * seconds <= bound else 'MISSED'}"
            share = f"{seconds * cores / (n * bare):.2f}"
            rows.append(["nbinfer", str(n), str(cores), number(1e3 * seconds), share, verdict])
    rows += peers(options.peers, model) if options.peers else []
    print(table(["", "particles", "cores", "ms per iteration", "of its gradients", ""], rows), flush=True)


if __name__ == "__main__":
    main()
