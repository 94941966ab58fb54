"""A better start of the means: up the log density, as long as that leads up steeply.

Where gradients are large beside what the draws of a batch tell of their change, a normal distribution that is matched
to them becomes narrow and stays where it is. As before a warm-up, the first iteration of L-BFGS that gains no more than
a nat per coordinate ends the climb, and is not taken: it does not lead into the necks of funnels.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, entry, load_acquire, record_at
from nbinfer.engine.state import BLOCK, WORK, Memory, Plan
from nbinfer.engine.vectors import copy
from nbinfer.optimize.lbfgs import LBFGS, Lbfgs, Outcome, Search, begin, iterate
from nbinfer.variational.fitting import Fitting

_GOES_ON = int(Outcome.GOES_ON)


@entry("int64(intp, intp, int64, intp, intp, intp)")
def _climb(search_address: int, density: int, n: int, context: int, position: int, stop: int) -> int:
    """Move a position, whose density and gradient the search knows, up."""
    search = record_at(search_address, Lbfgs)
    begin(search, n, position, search.trial_grad, search.logp)
    outcome = _GOES_ON
    while outcome == _GOES_ON and load_acquire(stop) == 0:
        outcome = iterate(search, density, n, context)
        if outcome == _GOES_ON:
            copy(n, search.position, position)
    return 0


def climbed(fitting: Fitting, position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a climb from a position ends, at which the density and its gradient are finite."""
    bound, search, plan = fitting.bound, Search(maxcor=10, max_iterations=60, max_evaluations=100), Plan()
    place = plan.place(LBFGS, search, SimpleNamespace(n=bound.dim))
    block, work = (np.zeros(plan.sizes[space], np.int64) for space in (BLOCK, WORK))
    plan.relocate(block[None], np.array([[address_of(block), address_of(work), 0]]))
    own, reached = Memory(place, block, work), position.copy()
    search.initialise(own, float(bound.dim))
    own.logp, own.trial_grad[:] = bound.value_and_grad(position)
    fit = fitting.fit
    _climb(own.address, int(fit.density), bound.dim, int(fit.context), address_of(reached), address_of(fitting.stop))
    return reached
