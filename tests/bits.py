"""Runs of every kind and the hash of what each gives; ``python -m tests.bits`` notes them for this machine.

The hashes tell a change that moves code from one that moves draws. Machine code may round differently on another
processor or by other versions, so the table has one column for each combination that somebody has noted.
"""

import functools
import hashlib
import json
import platform
from pathlib import Path

import numpy as np

import nbinfer as nb
from nbinfer import mcmc
from nbinfer.mcmc.assign import CompoundStep
from nbinfer.variational import methods
from tests.laws.mixed import mixture
from tests.mcmc.discrete.test_gibbs import draw_x, draw_z
from tests.mcmc.models import eight_schools

TABLE = Path(__file__).with_name("bits.json")
SHORT = {"draws": 60, "tune": 240, "chains": 3, "random_seed": 20, "progressbar": False}


def spins(p, d):
    total = 0.0
    for i in range(4):
        total += 0.7 * (2.0 * p.b[i] - 1.0) * (2.0 * p.b[(i + 1) % 4] - 1.0)
    return total - 0.1 * (p.n - 3.0 * p.c) ** 2


@functools.cache
def discrete():
    """A model of nothing but discrete variables, of each kind."""
    return nb.Model({"b": nb.binary(4), "c": nb.categorical(3), "n": nb.integer(0, 12)}, logp=spins)


@functools.cache
def gaussian():
    """A correlated Gaussian of three coordinates, whose gradient is derived."""
    return nb.Model({"x": nb.real(3)}, logp=lambda p, d: -0.5 * np.sum((d.root @ p.x) ** 2), data={"root": ROOT})


ROOT = np.array([[1.0, 0.4, 0.0], [0.0, 1.5, -0.3], [0.0, 0.0, 0.7]])
METRICS = ("fisher", "fisher_diag", "diag", "diag_grad", "dense", "unit")
SCALES = np.linspace(0.5, 2.0, 10)
COVARIANCE = np.diag(SCALES) + 0.1


def _sampled(model, step=None, **options):
    return lambda: nb.sample(model(), step=step, **(SHORT | options))


def _iterated():
    for trace in nb.iter_sample(40, nb.NUTS(), model=eight_schools(), tune=60, random_seed=3):
        last = trace
    return last


def _proposals():
    named = {}
    for name in ("normal", "cauchy", "laplace", "multivariate_normal"):
        scale = ROOT.T @ ROOT if name.startswith("multi") else None
        step = nb.Metropolis(proposal_dist=name, S=scale, blocked=scale is not None)
        named[f"Metropolis {name}"] = _sampled(gaussian, step)
    return named


#: Fits that multiply matrices with NumPy, whose BLAS rounds as its kernels do: no table knows which they are.
BY_BLAS = ("dadvi", "bam", "pathfinder")
#: Those whose kernels are another's.
ALIKE = ("asvgd",)


def _fitted(method, **options):
    """Return a fit in two parts, whose optimiser goes on."""

    def run():
        kind = methods.METHODS[method]
        inference = kind(model=eight_schools(), random_seed=20, **options)
        inference.fit(150, progressbar=False)
        return inference.refine(150, progressbar=False)

    return run


#: Each run by name: every step kind, compounds, populations of fewer than eight chains, and the iterator.
RUNS = {
    **{f"NUTS {metric}": _sampled(eight_schools, nb.NUTS(metric=metric)) for metric in METRICS},
    **{f"NUTS {name}": _sampled(eight_schools, nb.NUTS(integrator=name)) for name in ("twostage", "threestage")},
    "NUTS given diagonal": _sampled(eight_schools, nb.NUTS(potential=mcmc.QuadPotentialDiag(SCALES))),
    "NUTS given matrix": _sampled(eight_schools, nb.NUTS(potential=mcmc.QuadPotentialFull(COVARIANCE))),
    "NUTS symmetric": _sampled(eight_schools, nb.NUTS(accept_statistic="symmetric")),
    "NUTS default": _sampled(eight_schools),
    "HamiltonianMC": _sampled(eight_schools, nb.HamiltonianMC()),
    "HamiltonianMC dense": _sampled(eight_schools, nb.HamiltonianMC(metric="dense")),
    **_proposals(),
    "Metropolis mixed": _sampled(discrete, nb.Metropolis()),
    "Slice": _sampled(gaussian, nb.Slice()),
    "EllipticalSlice": _sampled(gaussian, nb.EllipticalSlice(prior_cov=np.eye(3))),
    "DEMetropolis": _sampled(gaussian, nb.DEMetropolis(), chains=6),
    "DEMetropolisZ": _sampled(gaussian, nb.DEMetropolisZ()),
    "StretchMove": _sampled(gaussian, nb.StretchMove(), chains=7),
    "ChEES": _sampled(gaussian, nb.ChEES(), chains=16),
    "MAMS": _sampled(gaussian, nb.MAMS(), chains=17),
    "BinaryMetropolis": _sampled(discrete, [nb.BinaryMetropolis("b"), nb.Metropolis(["c", "n"])]),
    "BinaryGibbsMetropolis": _sampled(discrete, [nb.BinaryGibbsMetropolis("b"), nb.Metropolis(["c", "n"])]),
    "CategoricalGibbsMetropolis": _sampled(
        discrete, [nb.CategoricalGibbsMetropolis("c", proposal="proportional"), nb.Metropolis(["b", "n"])]
    ),
    "GibbsStep": _sampled(mixture, [nb.GibbsStep("z", draw_z), nb.GibbsStep("x", draw_x)]),
    "CompoundStep": _sampled(mixture, CompoundStep([nb.CategoricalGibbsMetropolis("z"), nb.Slice("x")])),
    "assigned": _sampled(mixture),
    "NUTS beside Slice": _sampled(eight_schools, [nb.NUTS(["mu", "eta"]), nb.Slice("tau")]),
    "iter_sample": _iterated,
    **{f"fit {method}": _fitted(method) for method in methods.METHODS if method not in (*BY_BLAS, *ALIKE)},
}


def key():
    """Name what the bits of a run depend on, besides the run."""
    import llvmlite
    import llvmlite.binding as llvm
    import numba

    features = hashlib.sha256(llvm.get_host_cpu_features().flatten().encode()).hexdigest()[:8]
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
    return f"{llvm.get_host_cpu_name()} {features}, {versions}, llvmlite {llvmlite.__version__}"


def digest(result):
    """Hash the draws and statistics of a trace; of an approximation its losses and draws."""
    found = hashlib.sha256()
    trace = result
    if isinstance(result, nb.Approximation):
        trace = result.sample(20, random_seed=1)
        found.update(result.hist.tobytes())
    for group in (trace.posterior, trace.sample_stats, trace.warmup_sample_stats):
        for name in sorted(group):
            found.update(name.encode() + np.ascontiguousarray(group[name]).tobytes())
    return found.hexdigest()[:16]


def noted():
    """Return the hashes noted for this processor and these versions, None if there are none."""
    return json.loads(TABLE.read_text()).get(key()) if TABLE.exists() else None


def main():
    """Note the hashes of this machine and these versions, and print what has changed."""
    import warnings

    warnings.simplefilter("ignore")
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    before, now = table.get(key(), {}), {name: digest(run()) for name, run in RUNS.items()}
    for name in sorted(set(before) | set(now)):
        if before.get(name) != now.get(name):
            print(f"{name}: {before.get(name)} -> {now.get(name)}")
    table[key()] = now
    TABLE.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
