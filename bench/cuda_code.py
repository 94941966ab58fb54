"""What kernels of chains and of scores cost on a GPU, by step and model, from machine code: no GPU is needed.

``python -m bench.cuda_code`` compiles each step with five models for an H200, and the scores of particles, and writes
registers, local memory and PTX to ``docs/benchmarks/cuda-code.md``; that takes some minutes. Of a step it takes what
every run calls: the climb before warm-up and a metric along directions come on top, see `nbinfer.cuda.transition`.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import nbinfer as nb
from bench.common import heading, table
from nbinfer.compile import Entry
from nbinfer.cuda.offline import MachineCode, assemble
from nbinfer.distributions import half_cauchy, normal
from nbinfer.mcmc.ensemble import chees, mams
from nbinfer.mcmc.hamiltonian import hmc, nuts
from nbinfer.mcmc.walks import metropolis
from nbinfer.mcmc.walks import slice as slices

OUT = Path(__file__).parent.parent / "docs" / "benchmarks" / "cuda-code.md"


def schools() -> nb.Model:
    """Return eight schools, whose likelihood is a sum over vectors."""

    def logp(p: Any, d: Any) -> Any:
        total = normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + normal.logpdf(p.z, 0.0, 1.0).sum()
        return total + normal.logpdf(d.y, p.mu + p.tau * p.z, d.s).sum()

    data = {"y": np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), "s": np.array([15.0, 10, 16, 11, 9, 11, 10, 18])}
    return nb.Model({"mu": nb.real(), "tau": nb.positive(), "z": nb.real(8)}, logp=logp, data=data)


def logistic() -> nb.Model:
    """Return a logistic regression, which multiplies a matrix."""
    rng = np.random.default_rng(1)

    def logp(p: Any, d: Any) -> Any:
        eta = d.X @ p.b
        return -0.5 * (p.b * p.b).sum() + (d.y * eta - np.log1p(np.exp(eta))).sum()

    data = {"X": rng.normal(size=(50, 4)), "y": (rng.random(50) < 0.5).astype(float)}
    return nb.Model({"b": nb.real(4)}, logp=logp, data=data)


def radon() -> nb.Model:
    """Return a regression with groups, which indexes parameters by data."""
    rng = np.random.default_rng(2)

    def logp(p: Any, d: Any) -> Any:
        total = normal.logpdf(p.level, 0.0, 2.0) + normal.logpdf(p.floor, 0.0, 2.0)
        total += half_cauchy.logpdf(p.between, 1.0) + half_cauchy.logpdf(p.within, 1.0)
        total += normal.logpdf(p.county, p.level, p.between).sum()
        return total + normal.logpdf(d.y, p.county[d.of] + p.floor * d.x, p.within).sum()

    data = {"y": rng.normal(size=30), "x": rng.normal(size=30), "of": rng.integers(0, 5, 30)}
    supports = {"level": nb.real(), "floor": nb.real(), "between": nb.positive(), "within": nb.positive()}
    return nb.Model(supports | {"county": nb.real(5)}, logp=logp, data=data)


def share() -> nb.Model:
    """Return a model of numbers alone, one on an interval, with a derived quantity that is an array."""

    def logp(p: Any, d: Any) -> Any:
        return 3.0 * math.log(p.share) + 5.0 * math.log1p(-p.share) - 0.5 * p.other**2

    def both(p: Any, d: Any) -> Any:
        return np.array([p.share, p.other])

    return nb.Model({"share": nb.interval(0.0, 1.0), "other": nb.real()}, logp=logp, derived={"both": both})


def bell() -> nb.Model:
    """Return a normal distribution whose gradient is written by hand."""

    def logp_grad(p: Any, d: Any, grad: Any) -> Any:
        total = 0.0
        for i in range(p.x.shape[0]):
            total -= 0.5 * p.x[i] ** 2
            grad.x[i] -= p.x[i]
        return total

    return nb.Model({"x": nb.real(3)}, logp_grad=logp_grad)


MODELS: dict[str, Callable[[], nb.Model]] = {f.__name__: f for f in (bell, share, logistic, schools, radon)}
#: Steps by name: the C function, and whether it asks for gradients.
STEPS: dict[str, tuple[Entry, bool]] = {
    "Metropolis": (metropolis.step, False),
    "Slice": (slices.step, False),
    "ChEES": (chees.step, True),
    "MAMS": (mams.step, True),
    "HMC": (hmc.step, True),
    "NUTS": (nuts.step, True),
}


def code_of_chains(model: nb.Model, name: str, others: Sequence[Entry] = ()) -> MachineCode:
    """Return the machine code of a launch of chains.

    Parameters
    ----------
    model : Model
    name : str
        Of the step, as `STEPS` has it.
    others : sequence of Entry
        What the step calls besides, see `nbinfer.cuda.transition.Called`.
    """
    from numba import types

    from nbinfer.cuda.chains import python_kernel
    from nbinfer.cuda.transition import Called

    step, gradient = STEPS[name]
    called = Called(density=1 * gradient, value=2 * (not gradient), record=3, steps=[step], inner=[], others=others)
    kernel = python_kernel(model.bind(1).on_device(), called)
    return assemble(kernel, types.void(*[types.int64] * 7, *[types.int64[::1]] * 3))


def code_of_scores(model: nb.Model) -> MachineCode:
    """Return the machine code of the kernel that finds the scores of particles."""
    from numba import types

    from nbinfer.cuda.model import density_of
    from nbinfer.cuda.scores import make_score

    rows, row, integer = types.float64[:, ::1], types.float64[::1], types.int64
    score = make_score(density_of(model.bind(1)))
    return assemble(score, types.void(rows, rows, row, integer, integer, rows, integer))


def code_of(kernel: str, model: str) -> MachineCode:
    """Return the machine code of a step's chains, or of ``"scores"``, with one of `MODELS`."""
    made = MODELS[model]()
    return code_of_scores(made) if kernel == "scores" else code_of_chains(made, kernel)


def write(rows: Sequence[Sequence[str]], out: Path) -> None:
    """Write the table of what is known so far."""
    head = ["kernel", "model", "registers", "stack", "spilled", "float64", "PTX, kB", "to compile, s"]
    text = heading("Kernels of chains and of scores for an H200, from machine code") + "\n" + table(head, rows)
    out.write_text("# `python -m bench.cuda_code`\n\n```text\n" + text + "\n```\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser("python -m bench.cuda_code", description=__doc__.partition("\n")[0])
    parser.add_argument("--kernels", nargs="+", default=["scores", *STEPS], choices=["scores", *STEPS])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--out", type=Path, default=OUT, help="the file that takes the table (%(default)s)")
    options = parser.parse_args()
    rows = []
    for kernel in options.kernels:
        for model in options.models:
            begin = time.process_time()
            code = code_of(kernel, model)
            seconds = time.process_time() - begin
            row = [
                code.registers,
                code.stack,
                code.spills,
                code.doubles,
                f"{len(code.ptx) / 1e3:.0f}",
                f"{seconds:.1f}",
            ]
            rows.append([kernel, model, *map(str, row)])
            print(*rows[-1], flush=True)
            write(rows, options.out)


if __name__ == "__main__":
    main()
