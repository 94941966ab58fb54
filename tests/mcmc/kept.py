"""A store that outlives its run, without a disk, and runs that die."""

import numpy as np

import nbinfer as nb
from nbinfer.engine.chain import Progress
from nbinfer.engine.driver import run_here
from nbinfer.mcmc.assign import assign, separated
from nbinfer.mcmc.sampling import Sampling
from nbinfer.random import seed_sequences
from nbinfer.trace.backend import Backend
from nbinfer.trace.store import MemoryStore


class Kept(MemoryStore):
    """Memory that stands for a file."""

    outlives = True
    is_finished = False

    def close(self, finished=True):
        self.is_finished = finished

    def left(self, draws=None):
        """What another process would find: rows, words and notes, copied, and nothing else."""
        twin = Kept(self.chains, self.tune, draws or self.draws, self.thin)
        twin.notes, twin.is_finished = dict(self.notes), self.is_finished and not draws
        twin._words = {name: words.copy() for name, words in self._words.items()}
        for group, arrays in self.groups.items():
            for name, array in arrays.items():
                rows = twin.array(group, name, array.shape[2:], array.dtype)
                rows[:, : array.shape[1]] = array
        return twin

    def extended(self, draws):
        return self.left(draws)

    @property
    def content(self):
        """All bytes of it."""
        rows = [(g, n, a.tobytes()) for g, arrays in self.groups.items() for n, a in arrays.items()]
        return rows, {name: words.tobytes() for name, words in self._words.items()}, dict(self.notes)


class Keeping(Backend):
    """Opens them, and keeps the last."""

    store = None

    def open(self, chains, tune, draws):
        self.store = Kept(chains, tune, draws, self.thin)
        return self.store


def begun(model, step, *, chains=2, tune, draws, thin=1, seed=5, auto=False, **options):
    """A run that is about to draw, and its store."""
    keeping = Keeping(thin=thin)
    steps = separated(assign(model, step))
    sequences = seed_sequences(seed, chains)
    return Sampling(
        model, steps, draws=draws, tune=tune, numbers=list(range(3, 3 + chains)), sequences=sequences, auto=auto,
        store=keeping.open, **options,
    )  # fmt: skip


def dead(model, step, snapshot, ends, **options):
    """What a run leaves that is killed when its chains have counted so many draws; its last snapshot is older."""
    sampling = begun(model, step, **options)
    chains = sampling.chains
    if snapshot:
        run_here(chains, snapshot)
    ends = np.maximum(ends, chains.every.done)
    chains.every.most_done = ends
    run_here(chains, int(ends.max()) + (ends.max() < sampling.tune + sampling.draws))  # what is finished leaves one
    store = sampling.store.left()
    return damaged(store)


def damaged(store):
    """Write what a kill may leave behind the counters, and over the blocks."""
    lines = store.words("progress", 8).view(Progress)[:, 0]
    tune, draws = store.finished(lines["done"], lines["skipped"])
    for group, arrays in store.groups.items():
        for array in arrays.values():
            warm = group.startswith("warmup_")
            for chain, row in enumerate(tune if warm else draws):
                if row < array.shape[1] and warm == (lines["done"][chain] < store.tune):
                    array[chain, row] = 1
    store._words["block"][:] = -1
    return store


def whole(model, step, **options):
    """The trace of a run that nobody ended."""
    sampling = begun(model, step, **options)
    run_here(sampling.chains, sampling.tune + sampling.draws)
    return sampling.trace(0.0)


def assert_same(resumed, trace):
    """Compare whole traces bit for bit, but for times."""
    groups = ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats", "observed_data")
    for group in groups:
        a, b = getattr(resumed, group), getattr(trace, group)
        assert list(a) == list(b)
        for name in a:
            assert a[name].dtype == b[name].dtype
            assert a[name].tobytes() == b[name].tobytes(), (group, name)
    assert (resumed.draws_done == trace.draws_done).all()
    assert (resumed.tune_done == trace.tune_done).all()
    assert resumed.chain_ids == trace.chain_ids
    assert resumed.interrupted == trace.interrupted
    times = ("created_at", "sampling_time")
    assert {k: v for k, v in resumed.attrs.items() if k not in times} == {
        k: v for k, v in trace.attrs.items() if k not in times
    }
    assert_same_metric(resumed.metric, trace.metric)


def assert_same_metric(one, other):
    if isinstance(one, tuple):
        for a, b in zip(one, other, strict=True):
            assert_same_metric(a, b)
    elif one is None:
        assert other is None
    else:
        assert one.scale.tobytes() == other.scale.tobytes()
        for a, b in zip(one.directions + one.eigenvalues, other.directions + other.eigenvalues, strict=True):
            assert a.tobytes() == b.tobytes()
        assert one.inv_mass().tobytes() == other.inv_mass().tobytes()
        assert one.labels == other.labels


__all__ = ["Keeping", "Kept", "assert_same", "begun", "dead", "nb", "whole"]
