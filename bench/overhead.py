"""What NUTS adds to the density: ``python -m bench.overhead``.

Time per gradient of a whole run (trajectories, adaptation, storing) less the time of the bare density, which a compiled
loop calls by its C address at 64 points of that run. Both are measured in turn, in one process, on one core; the least
of several repeats counts, since whatever disturbs a measurement makes it longer. A run counts its gradients itself.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from bench import models
from bench.common import Bare, gradients, heading, sampled, spread, table

#: Dimension of N(0, I) -> draws per chain, and as many of warm-up: about a tenth of a second.
DIMS = {10: 20000, 30: 12000, 100: 6000, 300: 2000, 1000: 1000}
RATIOS = {"logistic": 1.05, "radon": 1.15}


def bound(dim: int) -> float:
    """Return the nanoseconds that NUTS may take for each gradient."""
    return 110.0 + 0.8 * dim


def measure(model: Any, draws: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nanoseconds of a gradient in the sampler and by itself, one of each per repeat."""
    trace, _ = sampled(model, 1, draws, draws)  # compiles
    bare = Bare(model, trace)
    rows = []
    for seed in range(2, repeats + 2):
        alone = bare.measure()
        trace, _ = sampled(model, seed, draws, draws)
        rows.append((1e9 * trace.attrs["sampling_time"] / gradients(trace), 1e9 * min(alone, bare.measure())))
    both = np.array(rows)
    return both[:, 0], both[:, 1]


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.overhead", description="What NUTS adds to the density.")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each kind (%(default)s)")
    parser.add_argument("--dims", type=int, nargs="*", default=list(DIMS), help="dimensions of N(0, I)")
    options = parser.parse_args()
    print(
        heading("NUTS per gradient against the bare density, nanoseconds: median (least..most) of %d" % options.repeats)
    )
    rows = []
    for dim in options.dims:
        draws = DIMS.get(dim, max(1000, 200_000 // dim))
        within, alone = measure(models.std_normal(dim), draws, options.repeats)
        extra, allowed = within.min() - alone.min(), bound(dim)
        cells = [spread(within), spread(alone), f"{extra:.0f}", f"{allowed:.0f}"]
        rows.append([f"N(0, I), {dim}", *cells, "holds" if extra <= allowed else "MISSED"])
    print(table(["", "in NUTS", "bare", "least - least", "bound", ""], rows), flush=True)
    rows = []
    for name, allowed in RATIOS.items():
        within, alone = measure(models.MODELS[name](), 1000, options.repeats)
        ratio = within.min() / alone.min()
        cells = [spread(within), spread(alone), f"{within.min() - alone.min():.0f}", f"{ratio:.3f}", f"{allowed:.2f}"]
        rows.append([name, *cells, "holds" if ratio <= allowed else "MISSED"])
    print("\n" + table(["", "in NUTS", "bare", "least - least", "ratio", "bound", ""], rows))


if __name__ == "__main__":
    main()
