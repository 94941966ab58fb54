"""A stand-in for a trace: the attributes that diagnostics read, and no more."""

from types import SimpleNamespace

import numpy as np


def a_run(chains=4, draws=1000, **changes):
    """Make a run with nothing wrong."""
    rng = np.random.default_rng(1)
    shape = (chains, draws)
    run = SimpleNamespace(
        posterior={"mu": rng.normal(4, 3, shape), "theta": rng.normal(size=(*shape, 2))},
        sample_stats={
            "diverging": np.zeros(shape, bool),
            "energy": rng.normal(size=shape),
            "acceptance_rate": rng.beta(8, 2, shape),
            "reached_max_treedepth": np.zeros(shape, bool),
            "tree_depth": np.full(shape, 3),
        },
        attrs={"target_accept": 0.8, "max_treedepth": 10},
        draws_done=np.full(chains, draws),
        chain_ids=list(range(chains)),
        interrupted=False,
        report=None,
    )
    vars(run).update(changes)
    return run
