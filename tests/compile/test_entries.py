"""What a compiled function was made of: nothing that changed since, nothing of another process."""

import gc
import json
import os
import subprocess
import sys

import pytest

from nbinfer.compile import entries
from nbinfer.compile.entries import Entry

pytestmark = pytest.mark.nojit

STALE = """
import sys, json, warnings
warnings.simplefilter("ignore")
import numba, numpy as np, nbinfer as nb
PRECISION = 1.0
@numba.njit
def inner(x):
    return -0.5 * PRECISION * x * x
def logp(p, d):
    return inner(p.x)
def logp_grad(p, d, grad):
    grad.x[()] -= PRECISION * p.x
    return inner(p.x)
spreads = []
for PRECISION in (1.0, 16.0):
    derived = {"g": lambda p, d: PRECISION + 0.0 * p.x}
    model = nb.Model(parameters={"x": nb.real()}, logp=logp, logp_grad=logp_grad, derived=derived)
    trace = nb.sample(model, 1000, 500, chains=1, random_seed=1, progressbar=False)
    spreads += [float(trace["x"].std()), float(trace["g"].mean())]
print(json.dumps(spreads))
"""


def in_process(text):
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, env=dict(os.environ), check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_changed_global_of_a_compiled_helper_reaches_the_draws():
    spread_1, g_1, spread_16, g_16 = in_process(STALE)
    assert (g_1, g_16) == (1.0, 16.0)
    assert spread_1 == pytest.approx(1.0, rel=0.15)
    assert spread_16 == pytest.approx(0.25, rel=0.15)


LARGE = """
import json, warnings
warnings.simplefilter("ignore")
import numpy as np, nbinfer as nb
X = np.random.default_rng(0).normal(size=(2000, 100))
def fitted(p, d):
    return (X @ p.b)[:2]
def logp(p, d):
    return -0.5 * np.sum(p.b ** 2)
def logp_grad(p, d, grad):
    grad.b[:] -= p.b
    return -0.5 * np.sum(p.b ** 2)
model = nb.Model(parameters={"b": nb.real(100)}, logp=logp, logp_grad=logp_grad, derived={"fitted": fitted})
trace = nb.sample(model, 20, 20, chains=1, random_seed=1, progressbar=False)
print(json.dumps(float(np.abs(trace["fitted"] - (trace["b"] @ X.T)[..., :2]).max())))
"""


def test_code_that_means_something_in_one_process_only_is_not_kept():
    assert in_process(LARGE) < 1e-9
    assert in_process(LARGE) < 1e-9  # once a crash


@pytest.mark.parametrize("compiled", range(9))
def test_garbage_is_collected_after_some_compilations_and_what_is_frozen_stays_so(compiled, monkeypatch):
    collected = []
    monkeypatch.setattr(Entry, "compiled", [""] * compiled)
    monkeypatch.setattr(entries.gc, "collect", lambda: collected.append(compiled))
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with entries._no_garbage_collection():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0.9 * frozen > 0
    finally:
        gc.unfreeze()
    with entries._no_garbage_collection():
        pass
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert len(collected) == (2 if compiled == 7 else 0)


def test_an_interruption_says_what_was_compiled_and_not_where_in_numba(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    def halved(x):
        return 0.5 * x

    monkeypatch.setattr(entries, "CFunction", interrupted)
    with pytest.raises(KeyboardInterrupt, match="while halved was compiled") as press:
        Entry(halved, "float64(float64)").load()
    assert not any(frame.name == "interrupted" for frame in press.traceback)
    assert press.value.__suppress_context__
