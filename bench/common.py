"""What the benchmarks share: the heading, tables, and timing of bare densities."""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import nbinfer as nb
from nbinfer.compile import address_of, call_density, entry
from nbinfer.errors import ConvergenceWarning

POINTS = 64  # a branch predictor learns the branches of a single point by heart


def heading(title: str) -> str:
    """Name what is measured, with what and on what."""
    names = ["nbinfer", "numba", "llvmlite", "numpy"]
    versions = ", ".join(f"{name} {_version(name)}" for name in names)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    where = f"{_processor()}, {cores} core{'s' if cores != 1 else ''}{load}"
    return f"{title}\nPython {platform.python_version()}, {versions}\n{where}, {time.strftime('%Y-%m-%d')}\n"


def _version(name: str) -> str:
    if name == "nbinfer":
        return nb.__version__
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def as_installed(folder: Path) -> dict[str, str]:
    """Return the environment of a process that has the package's bytecode at hand, which it keeps in a folder."""
    root = str(Path(nb.__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": root, "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in columns, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([line(head), "  ".join("-" * width for width in widths), *map(line, rows)])


def number(value: float) -> str:
    """Write a number to three digits or as an integer, whichever is longer."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(values: Iterable[float], write: Callable[[float], str] = number) -> str:
    """Write the median, and the range if there is one."""
    ordered = sorted(values)
    middle = write(float(np.median(ordered)))
    return middle if len(ordered) == 1 else f"{middle} ({write(ordered[0])}..{write(ordered[-1])})"


@entry("float64(intp, int64, intp, intp, intp, int64)")
def evaluate(function: int, n: int, points: int, grad: int, context: int, calls: int) -> float:
    """Call a density at `POINTS` points in turn; return the sum of what it returned."""
    total = 0.0
    for i in range(calls):
        total += call_density(function, n, points + 8 * n * (i % POINTS), grad, context)
    return total


class Bare:
    """The density of a model by itself, called by its address at points that a run has visited.

    Parameters
    ----------
    model : Model
    trace : Trace
        Where the points come from.
    seconds : float
        How long a measurement lasts.
    """

    def __init__(self, model: Any, trace: Any, seconds: float = 0.1) -> None:
        chains, draws = trace.draws_done.size, int(trace.draws_done.min())
        places = [(i % chains, int(k)) for i, k in enumerate(np.linspace(0, draws - 1, POINTS))]
        points = np.array([model.unconstrain({n: trace[n][place] for n in model.parameters}) for place in places])
        grad, bound = np.empty(model.dim), model.bind(1)
        self._alive = (points, grad, bound)
        self._arguments = (bound.density, model.dim, address_of(points), address_of(grad), bound.context(0))
        self._calls = POINTS
        while self.measure() * self._calls < 0.5 * seconds:
            self._calls *= 2

    def measure(self) -> float:
        """Return the seconds that a value with its gradient takes, the mean of many."""
        begun = time.perf_counter()
        evaluate(*self._arguments, self._calls)
        return (time.perf_counter() - begun) / self._calls


def sampled(model: Any, seed: int, draws: int = 1000, tune: int | str = 1000, step: Any = None) -> tuple[Any, float]:
    """Run four chains on one core; return the trace and the seconds that the whole call took."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        trace = nb.sample(model, draws, tune, step=step, chains=4, cores=1, random_seed=seed, progressbar=False)
    return trace, time.perf_counter() - begun


def gradients(trace: Any) -> int:
    """Return the number of gradients of a run, with warm-up, without the few dozen that look for a first step size."""
    return gradients_of_warm_up(trace) + int(trace.sample_stats["n_steps"].sum())


def gradients_of_warm_up(trace: Any) -> int:
    """Return the number of gradients of warm-up; chains may differ in how long theirs was."""
    steps = trace.warmup_sample_stats["n_steps"]
    return sum(int(steps[chain, :done].sum()) for chain, done in enumerate(trace.tune_done))
