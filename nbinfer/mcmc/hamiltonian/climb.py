"""A better start: from where a chain was put at random it climbs before warm-up, as long as that leads up steeply.

First trajectories fling a chain far away that begins where the density is low, since all its depth becomes speed; where
priors are wide it may not find back. A step of an ascent has no speed, see `nbinfer.optimize.climb`.
"""

from __future__ import annotations

from nbinfer.compile import entry, load_acquire, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.optimize import climb as ascent
from nbinfer.optimize.lbfgs import Lbfgs

#: How a chain climbs.
SEARCH = ascent.SEARCH

_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)


@entry("int64(intp, intp)")
def climb(chain_address: int, search_address: int) -> int:
    """Move a chain whose gradient is known up its log density: a C function of its own, which is compiled once."""
    chain, search = record_at(chain_address, Chain), record_at(search_address, Lbfgs)
    chain.logp = ascent.climb(
        search, chain.density, chain.n, chain.context, chain.position, chain.grad, chain.logp, chain.stop
    )
    if load_acquire(chain.stop) != 0:
        return _STOPPED  # the transition that follows sees it, too
    chain.gradients += search.evaluations
    return _OK
