"""What posterior predictive draws cost: ``python -m bench.predictive``.

Predictions from 100,000 draws of eight schools, and of 2500 values from each of 4000 draws of a regression. The time is
that of the whole call, with new arrays for the results; compilation has been done. Beside it stands what a value costs,
and what one costs of NumPy's ``standard_normal(out=)`` in memory that was there. ``--pymc PYTHON`` has an interpreter
that knows PyMC predict from the same draws of the same models; what its compilation takes at each call is set apart.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from bench.common import heading, number, table
from nbinfer.distributions import normal
from nbinfer.engine.driver import available_cores

CHAINS = 4
Y, SIGMA = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])


class Case(NamedTuple):
    """A model, draws of its parameters, and how many times faster than PyMC it must be."""

    model: nb.Model
    trace: nb.Trace
    bound: float

    @property
    def values(self) -> int:
        """Number of values that a call predicts."""
        return len(self.trace) * CHAINS * self.model.data["y"].size


def logp(p: Any, d: Any) -> float:
    return 0.0


def schools(p: Any, d: Any, rng: Any) -> Any:
    return normal.random(rng, p.mu + p.tau * p.eta, d.sigma)


def line(p: Any, d: Any, rng: Any) -> Any:
    return normal.random(rng, p.a + p.b * d.x, p.s)


def cases() -> dict[str, Case]:
    """Return the cases by name."""
    rng = np.random.default_rng(1)

    def draws(n: int, **shapes: tuple[int, ...]) -> nb.Trace:
        return nb.Trace({name: np.abs(rng.normal(size=(CHAINS, n, *shape))) for name, shape in shapes.items()})

    few = nb.Model(
        {"mu": nb.real(), "tau": nb.positive(), "eta": nb.real(8)},
        logp=logp,
        data={"y": Y, "sigma": SIGMA},
        predict={"y": schools},
    )
    many = nb.Model(
        {"a": nb.real(), "b": nb.real(), "s": nb.positive()},
        logp=logp,
        data={"x": np.linspace(-1.0, 1.0, 2500), "y": np.zeros(2500)},
        predict={"y": line},
    )
    return {
        "schools": Case(few, draws(25_000, mu=(), tau=(), eta=(8,)), 20.0),
        "line": Case(many, draws(1000, a=(), b=(), s=()), 2.0),
    }


def least(run: Callable[[], Any], repeats: int) -> float:
    """Return the least seconds of several calls."""
    found = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        found.append(time.perf_counter() - begin)
    return min(found)


def ours(case: Case, cores: int, repeats: int) -> float:
    """Return the seconds of a call, once it is compiled."""

    def predict() -> Any:
        return nb.sample_posterior_predictive(case.trace, case.model, random_seed=1, cores=cores, progressbar=False)

    predict()
    return least(predict, repeats)


def numpys(repeats: int) -> float:
    """Return the seconds of a value of NumPy's."""
    rng, out = np.random.Generator(np.random.Philox(1)), np.zeros(10**6)
    return least(lambda: rng.standard_normal(out=out), repeats) / out.size


def pymcs(python: str, all_cases: dict[str, Case], repeats: int) -> dict[str, dict[str, float]]:
    """Let another interpreter predict from the same draws; return seconds by name of the case."""
    script = Path(__file__).with_name("predictive_pymc.py")
    with tempfile.TemporaryDirectory() as folder:
        for name, case in all_cases.items():
            draws = {f"draws_{key}": array for key, array in case.trace.posterior.items()}
            np.savez(Path(folder) / f"{name}.npz", **case.model.data, **draws)
        command = [python, str(script), folder, str(repeats)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    said = [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]
    return {row.pop("name"): row for row in said}


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.predictive", description="What predictions cost.")
    parser.add_argument("--repeats", type=int, default=7, help="calls of each (%(default)s)")
    parser.add_argument("--pymc", metavar="PYTHON", help="an interpreter with PyMC to set beside")
    options = parser.parse_args()
    warnings.simplefilter("ignore", nb.errors.NbinferWarning)
    print(heading("posterior predictive draws, milliseconds of a call"), flush=True)
    all_cases = cases()
    theirs = pymcs(options.pymc, all_cases, 3) if options.pymc else {}
    rows, plain = [], numpys(options.repeats)
    for name, case in all_cases.items():
        for cores in range(1, min(available_cores(), 2) + 1):
            seconds = ours(case, cores, options.repeats)
            row = [name, str(cores), number(1e3 * seconds), number(1e9 * seconds / case.values), number(1e9 * plain)]
            if name in theirs:
                ratio = theirs[name]["seconds"] / seconds
                verdict = "" if cores < 2 else f"bound {case.bound:g}: {'holds' if ratio >= case.bound else 'MISSED'}"
                row += [number(1e3 * theirs[name][key]) for key in ("seconds", "compile")]
                row += [f"{ratio:.1f}", verdict]
            rows.append(row + [""] * (9 - len(row)))
    head = ["", "cores", "ms", "ns per value", "NumPy's", "PyMC ms", "and compiling", "ratio", ""]
    print(table(head, rows), flush=True)


if __name__ == "__main__":
    main()
