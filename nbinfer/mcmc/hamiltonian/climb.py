"""A better start: from where a chain was put at random it climbs before warm-up, as long as that leads up steeply.

First trajectories fling a chain far away that begins where the density is low, since all its depth becomes speed; where
priors are wide it may not find back. A step of an ascent has no speed. The first iteration that gains no more than a
nat per coordinate ends it, and is not taken: draws themselves lie about half a nat per coordinate below the maximum, so
that a chain has arrived, and its gradient, from which the first metric is made, still says how wide the density is.
"""

from __future__ import annotations

from nbinfer.compile import entry, load_acquire, record_at
from nbinfer.engine.chain import Chain
from nbinfer.engine.job import Status
from nbinfer.mcmc.hamiltonian.phase import copy
from nbinfer.optimize import lbfgs
from nbinfer.optimize.lbfgs import Lbfgs, Outcome, Search

#: How a chain climbs.
SEARCH = Search(maxcor=10, max_iterations=60, max_evaluations=100)

_OK, _STOPPED, _GOES_ON = int(Status.OK), int(Status.STOPPED), int(Outcome.GOES_ON)


@entry("int64(intp, intp)")
def climb(chain_address: int, search_address: int) -> int:
    """Move a chain whose gradient is known up its log density: a C function of its own, which is compiled once."""
    chain, search = record_at(chain_address, Chain), record_at(search_address, Lbfgs)
    lbfgs.begin(search, chain.n, chain.position, chain.grad, chain.logp)
    outcome = _GOES_ON
    while outcome == _GOES_ON:
        if load_acquire(chain.stop) != 0:
            return _STOPPED  # the transition that follows sees it, too
        outcome = lbfgs.iterate(search, chain.density, chain.n, chain.context)
        if outcome == _GOES_ON:
            copy(search.position, chain.position, chain.n)
            copy(search.grad, chain.grad, chain.n)
            chain.logp = search.logp
    chain.gradients += search.evaluations
    return _OK
