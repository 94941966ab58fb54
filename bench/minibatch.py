"""What an iteration of a fit costs where rows come in batches: of memory, of a memory map, of an h5py file."""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import nbinfer as nb
from bench.common import heading, number, table
from nbinfer.distributions import normal

COLUMNS, BATCH = 20, 256
#: An iteration on a memory map may take so many of those on rows in memory.
DEARER = 1.2


def prior(p: Any, d: Any) -> float:
    return float(np.sum(normal.logpdf(p.w, 0.0, 1.0)))


def likelihood(p: Any, d: Any) -> Any:
    return normal.logpdf(d.y, d.X @ p.w, 1.0)


def model(X: Any, y: Any) -> nb.Model:
    """Return a linear regression on batches."""
    data = {"X": nb.Minibatch(X, BATCH), "y": nb.Minibatch(y, BATCH)}
    return nb.Model(
        {"w": nb.real(COLUMNS)}, prior=prior, likelihood={"y": likelihood}, data=data, total_size={"y": len(y)}
    )


def fixed(X: Any, y: Any) -> nb.Model:
    """Return the same on one batch that never changes: what gathering adds to."""
    data = {"X": np.array(X[:BATCH]), "y": np.array(y[:BATCH])}
    sizes = {"y": len(y)}
    return nb.Model({"w": nb.real(COLUMNS)}, prior=prior, likelihood={"y": likelihood}, data=data, total_size=sizes)


def seconds(models: dict[str, nb.Model], n: int, repeats: int) -> dict[str, float]:
    """Return seconds of an iteration of each, the least of several fits that take turns."""
    inferences = {name: nb.ADVI(model=m, random_seed=1) for name, m in models.items()}
    least = dict.fromkeys(models, np.inf)
    for inference in inferences.values():
        inference.begin(obj_optimizer=nb.adam(learning_rate=0.001))
        inference.run(2000, False, judged=False)  # compiles, and fetches pages
    for _ in range(repeats):
        for name, inference in inferences.items():
            count = n if name != "h5py file" else max(n // 100, 10)
            begin = time.perf_counter()
            inference.run(count, False, judged=False)
            least[name] = min(least[name], (time.perf_counter() - begin) / count)
    return least


def write(folder: Path, rows: int) -> tuple[Any, Any, Any]:
    """Write the rows to files; return them in memory, mapped, and as datasets."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(rows, COLUMNS))
    y = X @ rng.normal(size=COLUMNS) + rng.normal(size=rows)
    X.tofile(folder / "X")
    y.tofile(folder / "y")
    maps = np.memmap(folder / "X", np.float64, "r", shape=X.shape), np.memmap(folder / "y", np.float64, "r")
    file = h5py.File(folder / "rows.h5", "w")
    return (X, y), maps, tuple(file.create_dataset(name, data=v) for name, v in (("X", X), ("y", y)))


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.minibatch", description="What batches cost.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="(%(default)s)")
    parser.add_argument("--iterations", type=int, default=20_000, help="of each fit (%(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="fits of each kind (%(default)s)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(heading(f"Regression on {arguments.rows} rows of {COLUMNS}, batches of {BATCH}: microseconds an iteration"))
    with tempfile.TemporaryDirectory() as folder:
        memory, maps, datasets = write(Path(folder), arguments.rows)
        models = {
            "one batch for all": fixed(*memory),
            "rows in memory": model(*memory),
            "memory map": model(*maps),
            "h5py file": model(*datasets),
        }
        found = seconds(models, arguments.iterations, arguments.repeats)
    base = found["rows in memory"]
    print(
        table(["rows", "us", "of those in memory"], [[k, number(1e6 * s), f"{s / base:.2f}"] for k, s in found.items()])
    )
    ratio = found["memory map"] / base
    print(f"\nmemory map / memory: {ratio:.2f}, {'holds' if ratio <= DEARER else 'FAILS'} ({DEARER} at most)")
    print(f"peak resident memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
