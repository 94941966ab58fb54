"""Pictures need matplotlib; every test of them leaves its settings and pyplot as they were."""

import sys

import numpy as np
import pytest

import nbinfer as nb

try:
    import matplotlib
except ImportError:  # without it one file stands for all, and says why
    collect_ignore_glob = ["test_[!p]*.py", "test_panels.py"]


@pytest.fixture(autouse=True)
def nothing_global():
    """No setting of matplotlib changes, and pyplot, which would keep figures, is not even imported."""
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    matplotlib.use("agg")
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


@pytest.fixture(scope="session")
def trace():
    """A number, a labelled vector and a count; divergences differ from chain to chain."""
    rng = np.random.default_rng(1)
    posterior = {
        "mu": rng.normal(size=(3, 200)),
        "theta": rng.normal([0.0, 100.0], size=(3, 200, 2)),
        "k": rng.poisson(2.0, (3, 200)),
    }
    stats = {"diverging": rng.random((3, 200)) < [[0.0], [0.02], [0.2]], "energy": rng.gamma(2.0, size=(3, 200))}
    return nb.Trace(posterior, stats, chain_ids=[0, 1, 4], dims={"theta": ["school"]}, coords={"school": ["A", "B"]})


@pytest.fixture(scope="session")
def wide():
    """A hundred quantities; the last ones have not mixed."""
    draws = np.random.default_rng(2).normal(size=(2, 40, 100))
    draws[1, :, 95:] += 5.0
    return nb.Trace({"x": draws})
