"""Stores in files, filled as a run would."""

import numpy as np

from nbinfer.trace import Trace
from nbinfer.trace.disk import HDF5Store
from nbinfer.trace.store import DONE, SKIPPED

GROUPS = ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats", "observed_data", "constant_data")


def begun(path, chains=2, tune=3, draws=10, thin=1, notes=(), data=None, **kwargs):
    """Return a store of x (2,), k () int and a bool statistic that is ready for draws; `fill` makes them."""
    store = HDF5Store(path, chains, tune, draws, thin, **kwargs)
    with store.made():
        store.words("progress", 8)
        store.words("block", 11)[...] = 7
        for warm in ("", "warmup_"):
            store.array(f"{warm}posterior", "x", (2,), float)
            store.array(f"{warm}posterior", "k", (), np.int64)
            store.array(f"{warm}sample_stats", "diverging", (), bool)
        store.notes.update(notes)
        store.describe(about(store, observed_data=data))
    return store


def about(store, **kwargs):
    """Return a trace of what is done, as a run describes it."""
    lines = store.words("progress", 8)
    tune_done, draws_done = store.finished(lines[:, DONE].copy(), lines[:, SKIPPED])
    kwargs = {"attrs": {"sampling_time": np.nan, "seed": 3, "gradients": [0] * store.chains}} | kwargs
    kwargs.setdefault("interrupted", True)
    kwargs.setdefault("chain_ids", range(5, 5 + store.chains))
    return Trace(**store.show(tune_done, draws_done), tune_done=tune_done, draws_done=draws_done, **kwargs)


def value(chain, row):
    return 100.0 * (chain + 1) + row


def fill(store, done):
    """Write draws up to `done` of each chain, and count them."""
    for chain, until in enumerate(done):
        for draw in range(until):
            warm = draw < store.tune
            row = draw if warm else (draw - store.tune) // store.thin
            groups = [store.groups[("warmup_" if warm else "") + group] for group in ("posterior", "sample_stats")]
            if row == store.rows_in("warmup_" if warm else ""):
                break  # left over
            groups[0]["x"][chain, row] = value(chain, row) + np.array([0.0, 0.5])
            groups[0]["k"][chain, row] = value(chain, row)
            groups[1]["diverging"][chain, row] = row % 2
        store.words("progress", 8)[chain, DONE] = until


def assert_same(found, wanted, groups=GROUPS):
    """Require that two traces hold the same arrays: names, types, shapes and bits."""
    for group in groups:
        a, b = getattr(found, group), getattr(wanted, group)
        assert list(a) == list(b)
        for name in a:
            assert a[name].dtype == b[name].dtype, name
            assert a[name].shape == b[name].shape, name
            assert a[name].tobytes() == b[name].tobytes(), name
    assert found.draws_done.tolist() == wanted.draws_done.tolist()
    assert found.tune_done.tolist() == wanted.tune_done.tolist()
    assert found.chain_ids == wanted.chain_ids
