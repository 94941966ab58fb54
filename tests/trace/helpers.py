"""Traces whose every number tells where it belongs."""

import numpy as np

from nbinfer.trace import Trace, fill_unfinished


def number(chain, draw, element=0):
    return 1000.0 * chain + draw + 0.001 * element


def make(chains=3, draws=10, done=None, first_chain=0, tune=0, **kwargs):
    """Return a trace of mu (), theta (2, 3) and k () int; chain, draw and element can be read off a value."""
    done = np.full(chains, draws) if done is None else np.asarray(done)
    chain, draw = np.arange(first_chain, first_chain + chains)[:, None], np.arange(draws)
    mu = number(chain, draw)
    arrays = {
        "mu": mu,
        "theta": number(chain[..., None], draw[:, None], np.arange(6)).reshape(chains, draws, 2, 3),
        "k": mu.astype(np.int64),
    }
    stats = {
        "lp": -mu,
        "acceptance_rate": mu / 1e4,
        "diverging": draw % 2 + 0 * chain == 1,
        "tree_depth": mu.astype(np.int64),
        "accepted": np.stack([mu, 2 * mu], axis=-1),
    }
    for array in [*arrays.values(), *stats.values()]:
        fill_unfinished(array, done)
    if tune:
        kwargs.setdefault("warmup_posterior", {"mu": -1 - number(chain, np.arange(tune))})
        kwargs.setdefault("warmup_sample_stats", {"lp": number(chain, np.arange(tune))})
    ids = range(first_chain, first_chain + chains)
    return Trace(arrays, stats, draws_done=done, chain_ids=list(ids), **kwargs)
