"""What an iteration of variational inference costs beside the bare gradient, and how long a whole process takes.

python -m bench.vi --peers FILE...
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import nbinfer as nb
from bench import models
from bench.common import Bare, as_installed, heading, number, table

ITERATIONS = 10_000
#: An iteration of mean field on the logistic regression may take so many bare gradients.
DEARER = 1.3
#: A whole process, the second time: seconds.
PROCESS = 0.5

_SCRIPT = """
import nbinfer as nb
from bench import models
approx = nb.fit({n}, model=models.logistic(), random_seed=1, progressbar=False)
print(approx.khat)
"""

METHODS: dict[str, dict[str, Any]] = {
    "advi": {},
    "advi, plain": {"inf_kwargs": {"estimator": "plain"}},
    "advi, adam": {"obj_optimizer": nb.adam(learning_rate=0.01)},
    "low_rank_advi": {"method": "low_rank_advi"},
    "fullrank_advi": {"method": "fullrank_advi"},
}


def iteration(model: nb.Model, n: int, repeats: int, **options: Any) -> tuple[float, float]:
    """Return seconds of an iteration, the least of several fits, and the evidence lower bound of the last."""
    least = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        approx = nb.fit(n, model=model, random_seed=1, progressbar=False, **options)
        least = min(least, time.perf_counter() - begin)
    return least / n, approx.elbo(10_000, random_seed=2)


def process(n: int, repeats: int) -> float:
    """Return seconds of a process that fits and says k-hat, once everything is compiled."""
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT.format(n=n)]
    least = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=as_installed(Path(folder)))
            least = min(least, time.perf_counter() - begin)
    return least


def peers(files: list[str]) -> list[list[str]]:
    """Return rows of what other programs took: files of one JSON object per line, with `what` and `us_per_iter`."""
    rows = []
    for file in files:
        for line in Path(file).read_text().splitlines():
            if line.startswith("{"):
                said = json.loads(line)
                rows.append([said["what"], number(said["us_per_iter"]), "-", "-", str(said.get("elbo", "-"))])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.vi", description="What a fit costs.")
    parser.add_argument("--repeats", type=int, default=7, help="fits of each kind (%(default)s)")
    parser.add_argument("--peers", nargs="*", default=[], metavar="FILE", help="results of other programs")
    options = parser.parse_args()
    warnings.simplefilter("ignore", nb.errors.NbinferWarning)
    print(heading(f"Variational inference, logistic regression 1000 x 25, {ITERATIONS} iterations"), flush=True)
    model = models.logistic()
    visited = nb.fit(ITERATIONS, model=model, random_seed=1, progressbar=False).sample(1000, random_seed=1)
    timed = Bare(model, visited)
    bare = min(timed.measure() for _ in range(options.repeats))
    rows = [["bare gradient", number(1e6 * bare), "1.00", "", ""]]
    for name, chosen in METHODS.items():
        seconds, elbo = iteration(model, ITERATIONS, options.repeats, **chosen)
        verdict = ("holds" if seconds <= DEARER * bare else "MISSED") if name == "advi" else ""
        rows.append([name, number(1e6 * seconds), f"{seconds / bare:.2f}", verdict, f"{elbo:.2f}"])
    rows += peers(options.peers)
    print(table(["", "us per iteration", "of the gradient", f"bound {DEARER}", "ELBO"], rows), flush=True)
    whole = process(ITERATIONS, options.repeats)
    print(f"\nwhole process, second run: {whole:.2f} s (bound {PROCESS}: {'holds' if whole <= PROCESS else 'MISSED'})")


if __name__ == "__main__":
    main()
