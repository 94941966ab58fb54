"""A process that is killed: while its file is made, while it draws, while it ends."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.trace.disk import HDF5Store

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nobody is killed there")

#: A run that says how far it is; it writes as a kernel does, the row, then the counter.
CHILD = """
import sys, pathlib, time
import numpy as np
from tests.trace.disk.helpers import about, begun
print("making", flush=True)
store = begun(pathlib.Path(sys.argv[1]), draws=500, notes={"recipe": "r" * 5000})
x, lines = store.groups["posterior"]["x"], store.words("progress", 8)
lines[:, 0] = 3
print("drawing", flush=True)
for row in range(500):
    for chain in range(2):
        x[chain, row] = 1000 * chain + row
        lines[chain, 0] = row + 4
store.describe(about(store, attrs={"sampling_time": 1.0, "seed": 3, "gradients": [1, 2]}, interrupted=False))
print("ending", flush=True)
store.close()
print("ended", flush=True)
time.sleep(60)
"""


def check(path):
    """Look at what was left: nothing, or a file with finished draws only."""
    left = sorted(entry.name for entry in path.parent.iterdir())
    if not path.exists():
        assert set(left) <= {"run.nc.part", "run.nc.lock"}
        return None
    import h5py

    with h5py.File(path) as file:
        assert set(file["posterior"]) >= {"x", "k", "chain", "draw"}
    trace = nb.load(path)
    for chain, done in enumerate(trace.draws_done):
        rows = np.arange(done)
        assert (trace["x"][chain, :done] == (1000 * chain + rows)[:, None]).all()
        assert np.isnan(trace["x"][chain, done:]).all()
    store = HDF5Store.reopen(path)
    assert store.notes["recipe"] == "r" * 5000
    assert store.words("block", 11).tolist() == [[7] * 11] * 2
    if store.is_finished:
        assert trace.attrs["gradients"] == [1, 2]
    store.close(finished=store.is_finished)
    return trace


@pytest.mark.parametrize("moment", ["making", "drawing", "ending", "ended"])
def test_whenever_a_process_is_killed_its_file_can_be_read(tmp_path, moment):
    rng, path = random.Random(moment), tmp_path / "run.nc"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        while child.stdout.readline() != f"{moment}\n":
            pass
        time.sleep(0.01 * rng.random())
        child.kill()
    trace = check(path)
    assert trace is not None or moment == "making"
    if moment == "ended":
        assert trace.draws_done.tolist() == [500, 500]
        assert trace.attrs["gradients"] == [1, 2]
    HDF5Store(path, 1, 0, 1, overwrite=True).discard()
    assert [entry.name for entry in tmp_path.iterdir()] == ([] if trace is None else ["run.nc"])
