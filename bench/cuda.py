"""What a GPU makes of particles and chains: checked, timed and set beside what its machine code allows.

On a machine with a GPU one command checks results against the processor's, times everything and writes a table to
``docs/benchmarks/cuda.md``; it takes less than ten minutes, and stops timing when `--seconds` are over. Without one it
prints floors and estimates from machine code, and says what was not measured.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbinfer as nb
from bench import models
from bench.common import heading, number, table
from nbinfer.cuda import backend, offline
from nbinfer.errors import CudaError

OUT = Path(__file__).parent.parent / "docs" / "benchmarks" / "cuda.md"

#: An H200: processors, lanes of each in single precision, cycles in a second. Double precision has half the lanes.
PROCESSORS, LANES, HERTZ = 132, 128, 1.98e9

#: Particles and coordinates, with the seconds that an iteration's sums over pairs are to take in float32.
PAIRS = [(10_000, 10, 0.13e-3), (100_000, 10, 11e-3), (100_000, 50, 60e-3), (1_000_000, 10, 1.1)]
#: Gradients per second that logistic regression, 1000 rows and 10 coefficients, is to reach.
GRADIENTS = 1.4e8
#: Chains of each run by `sample`.
CHAINS = (1_000, 10_000, 100_000)


class Cost(NamedTuple):
    """What the sums over all pairs cost.

    Attributes
    ----------
    slots : float
        Instructions of a pair; in double precision one that adds and multiplies takes two.
    registers, spills : int
    """

    slots: float
    registers: int
    spills: int


def cost_of(dim: int, dtype: Any) -> Cost:
    """Return the cost by the machine code of the kernel: its inner loops, shared out among their pairs."""
    from numba import from_dtype, int64, types

    from nbinfer.cuda.forces import GAUSSIAN, cut_for, make_few, weights
    from nbinfer.cuda.forces_many import make_many

    cut, real = cut_for(dim, dtype), from_dtype(np.dtype(dtype))
    weigh = backend.compiled(weights(GAUSSIAN, dtype)[1], device=True, fastmath=True)
    make, layout = (make_few, (2,)) if cut.is_small else (make_many, (2, 1, 2))
    a = {axes: types.Array(real, axes, "C") for axes in (1, 2, 3)}
    kinds = [*(a[axes] for axes in layout), a[1], int64, real, real, int64[::1], a[3]]
    code = offline.assemble(make(cut, GAUSSIAN, dtype, weigh), types.void(*kinds), fastmath=True)
    mixes = sorted(offline.inner_loops(code.cubin), key=lambda loop: -loop.counts["FFMA"] - loop.counts["DFMA"])
    slots = [loop.instructions + loop.counts["DFMA"] for loop in mixes]
    if cut.is_small:
        return Cost(slots[0] / cut.rows, code.registers, code.spills)
    pairs, chunks = cut.own * cut.tile / cut.threads, -(-dim // cut.depth)
    sums, exponents = slots[0] * cut.tile / 2, slots[1] * chunks * cut.depth / 2
    return Cost((sums + exponents) * cut.panels / pairs, code.registers, code.spills)


def floor_of(n: int, dim: int, dtype: Any) -> float:
    """Return the seconds that multiplications and exponentials of all pairs take, if nothing else is done."""
    lanes = LANES if np.dtype(dtype).itemsize == 4 else LANES / 2
    return n * n * (2 * dim + 2) / (PROCESSORS * lanes * HERTZ)


def estimate(n: int, cost: Cost) -> float:
    """Return the seconds that all pairs take, if a slot of every processor holds an instruction in every cycle."""
    return n * n * cost.slots / (PROCESSORS * LANES * HERTZ)


def can_measure() -> str:
    """Return why nothing can be measured; empty: all can."""
    try:
        backend.require()
    except CudaError as reason:
        return str(reason)
    return "kernels run in the simulator" if backend.simulated() else ""


class Measured(NamedTuple):
    """A row of what was found: what, how long it took, and how it was checked."""

    what: str
    seconds: float
    check: str


def timed(run: Callable[[int], None], enough: float = 0.5) -> float:
    """Return seconds of one of many that follow each other, once the first has compiled what it needs."""
    run(1)
    count = 1
    while True:
        begin = time.perf_counter()
        run(count)
        seconds = time.perf_counter() - begin
        if seconds > enough or count >= 4096:
            return seconds / count
        count *= 2 if seconds > enough / 16 else 8


def measured_pairs(n: int, dim: int, dtype: Any) -> Measured:
    """Time the sums over pairs alone, and compare forces on some particles with the formula."""
    from nbinfer.cuda.swarm import Pull, Swarm

    h, rng = 2.0 * dim, np.random.default_rng(1)
    x = rng.normal(size=(n, dim)).astype(dtype).astype(float)

    def scores(x: Any, g: Any, logps: Any) -> None:
        pass

    swarm = Swarm(n, dim, dtype, Pull(h), None, nb.sgd(), scores)
    swarm.put(x, {})
    swarm.at["g"].copy_to_device(-x)
    swarm.at["logps"].copy_to_device(np.zeros(n))
    look = swarm.look()
    assert look is not None
    some = rng.choice(n, min(n, 50), replace=False)
    apart = x[some, None, :] - x[None, :, :] if n * dim < 2e6 else None
    check = "not checked at this size"
    if apart is not None:
        weights = np.exp(-0.5 / h * (apart**2).sum(axis=2))
        wanted = (weights @ -x + np.einsum("ij,ijk->ik", weights, apart) / h) / n
        check = f"{np.abs(look[2][some] - wanted).max() / np.abs(wanted).max():.1e}"

    def run(count: int) -> None:
        for _ in range(count):
            swarm.add_up()
        swarm.wait()

    return Measured(f"pairs, n={n}, d={dim}, {np.dtype(dtype).name}", timed(run), check)


def measured_fit(n: int, dim: int, dtype: str) -> Measured:
    """Time iterations of a whole fit, and compare a short one with the processor's."""
    model = models.logistic(1000, dim)

    def fit(backend: str, n: int, count: int) -> Any:
        inference = nb.SVGD(n, model=model, random_seed=1, backend=backend, dtype=dtype)
        return inference.fit(count, obj_optimizer=nb.adam(learning_rate=0.05), progressbar=False).histogram

    off = float(np.abs(fit("cuda", 500, 5) - fit("cpu", 500, 5)).max())
    inference = nb.SVGD(n, model=model, random_seed=1, backend="cuda", dtype=dtype)
    inference.fit(1, obj_optimizer=nb.adam(learning_rate=0.05), progressbar=False)
    seconds = timed(lambda count: inference.run(count, False, judged=False) and None)
    return Measured(f"SVGD, n={n}, logistic 1000x{dim}, {dtype}", seconds, f"{off:.1e}")


def measured_chains(chains: int) -> Iterator[Measured]:
    """Time draws of chains, each by a thread, and compare moments with the processor's."""
    model = models.logistic(1000, 10)
    for name, step in (("ChEES", nb.ChEES()), ("NUTS", nb.NUTS()), ("HMC", nb.HamiltonianMC(path_length=1.0))):
        options: dict[str, Any] = {"progressbar": False, "random_seed": 1}
        begin = time.perf_counter()
        trace = nb.sample(model, draws=20, tune=100, chains=chains, step=step, backend="cuda", **options)
        seconds = time.perf_counter() - begin
        few = nb.sample(model, draws=2000, tune=500, chains=4, **options)
        var = next(iter(model.parameters))
        off = np.abs(trace[var].mean((0, 1)) - few[var].mean((0, 1))) / few[var].std((0, 1))
        yield Measured(f"{name}, {chains} chains, logistic 1000x10, of a draw", seconds / 120, f"{off.max():.1e} sd")


def all_measured(seconds: float) -> Iterator[Measured]:
    """Measure one after the other while there is time."""
    jobs: list[Callable[[], Any]] = []
    for n, dim, _ in PAIRS:
        jobs.append(lambda n=n, dim=dim: [measured_pairs(n, dim, np.float32)])
        if n <= 100_000:
            jobs.append(lambda n=n, dim=dim: [measured_pairs(n, dim, np.float64)])
    jobs += [lambda n=n, t=t: [measured_fit(n, 10, t)] for n in (1000, 10_000, 100_000) for t in ("float32", "float64")]
    jobs += [lambda chains=chains: measured_chains(chains) for chains in CHAINS]
    end = time.monotonic() + seconds
    for job in jobs:
        if time.monotonic() > end:
            print("the time is over; what is missing was not measured")
            return
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield from job()
        except (CudaError, NotImplementedError, ValueError) as reason:
            print(f"not measured: {reason}")


def estimates() -> str:
    """Return the table of what machine code allows."""
    rows = []
    for dtype in (np.float32, np.float64):
        costs = {dim: cost_of(dim, dtype) for _, dim, _ in PAIRS}
        for n, dim, goal in PAIRS:
            cost, floor = costs[dim], floor_of(n, dim, dtype)
            wanted = f"{1e3 * goal:.3g}" if dtype is np.float32 else ""
            row = [
                f"n={n}, d={dim}, {np.dtype(dtype).name}",
                f"{cost.slots:.0f}",
                str(cost.registers),
                str(cost.spills),
            ]
            rows.append([*row, number(1e3 * floor), number(1e3 * estimate(n, cost)), wanted])
    head = ["all pairs", "slots of a pair", "registers", "bytes spilled", "floor, ms", "estimate, ms", "to reach, ms"]
    return table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.cuda", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=480.0, help="after which nothing more is timed (%(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="the file that takes the table (%(default)s)")
    options = parser.parse_args()
    parts = [heading("Particles and chains on a GPU")]
    reason = can_measure()
    if not reason:
        device = backend.require().get_current_device()
        name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
        parts.append(f"{name}, compute capability {'.'.join(map(str, device.compute_capability))}\n")
    if backend.has_package() and not backend.simulated():
        parts.append("Floors and estimates, from machine code for an H200 at 1.98 GHz:\n\n" + estimates() + "\n")
    if reason:
        parts.append(f"Not measured: {reason}\n")
    else:
        rows = [[row.what, number(1e3 * row.seconds), row.check] for row in all_measured(options.seconds)]
        parts.append("Measured:\n\n" + table(["what", "ms", "largest difference from the processor"], rows) + "\n")
    text = "\n".join(parts)
    print(text)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("# `python -m bench.cuda`\n\n```text\n" + text + "```\n", encoding="utf-8")


if __name__ == "__main__":
    main()
