"""Densities compiled with parallel=True: in every process, over every pool of threads, after a fork."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.nojit

SCRIPT = """
import hashlib, os, sys
import numba, numpy as np
import nbinfer as nb
from nbinfer.compile import Entry

@numba.njit(parallel=True)
def squares(y, m):
    total = 0.0
    for i in numba.prange(y.size):
        total += (y[i] - m) ** 2
    return total

@numba.njit(parallel=True)
def flat(x, grad, data):
    total, slope = 0.0, 0.0
    for i in numba.prange(data.size):
        total -= 0.5 * (data[i] - x[0]) ** 2
        slope += data[i] - x[0]
    grad[0] = slope
    return total

@numba.njit(parallel=True)
def nested(p, d):
    total = 0.0
    for i in numba.prange(4):
        total += squares(d.y, p.m)
    return -0.125 * total

def fails(p, d):
    if p.m > 1.2:
        raise ZeroDivisionError("too far")
    return -0.5 * squares(d.y, p.m)

y = np.linspace(0.0, 2.0, 31)
models = [nb.Model.flat(flat, 1, y)] + [nb.Model({"m": nb.real()}, logp=f, data={"y": y}) for f in (nested, fails)]

def digest():
    found = hashlib.sha256()
    for model, step in zip(models, (nb.NUTS(), nb.Slice(), nb.Slice())):
        trace = nb.sample(model, 60, tune=60, chains=3, cores=2, step=step, random_seed=1, progressbar=False)
        found.update(b"".join(np.ascontiguousarray(trace[name]).tobytes() for name in trace.posterior))
    return found.hexdigest()

print(digest(), [e for e in Entry.compiled if not e.startswith("nbinfer.")], numba.threading_layer(), flush=True)
child = os.fork() if "fork" in sys.argv else -1
if child == 0:
    print(digest(), flush=True)
    os._exit(0)
if child > 0:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_parallel_density_runs_in_every_process_over_every_pool(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)

    def run(layer, *arguments):
        settings = {"NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", path, *arguments],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n")[:-1]

    (first,) = run("workqueue")
    draws, layer = first.split()[0], first.split()[-1]
    assert layer == "workqueue"
    assert run("workqueue") == [f"{draws} [] workqueue"]
    default = run("default", *(["fork"] if hasattr(os, "fork") else []))
    assert default[0].startswith(f"{draws} [] ")
    assert default[1:] == [draws] * hasattr(os, "fork")
