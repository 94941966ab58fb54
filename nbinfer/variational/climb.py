"""A better start of the means: up the log density, as long as that leads up steeply, see `nbinfer.optimize.climb`.

Where gradients are large beside what the draws of a batch tell of their change, a normal distribution that is matched
to them becomes narrow and stays where it is.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from nbinfer.compile import address_of, entry, record_at
from nbinfer.engine.state import BLOCK, WORK, Memory, Plan
from nbinfer.optimize.climb import SEARCH, climb
from nbinfer.optimize.lbfgs import LBFGS, Lbfgs
from nbinfer.variational.fitting import Fitting


@entry("int64(intp, intp, int64, intp, intp, intp)")
def _climb(search_address: int, density: int, n: int, context: int, position: int, stop: int) -> int:
    """Move a position, whose density and gradient the search knows, up."""
    search = record_at(search_address, Lbfgs)
    climb(search, density, n, context, position, search.trial_grad, search.logp, stop)
    return 0


def climbed(fitting: Fitting, position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a climb from a position ends, at which the density and its gradient are finite."""
    bound, plan = fitting.bound, Plan()
    place = plan.place(LBFGS, SEARCH, SimpleNamespace(n=bound.dim))
    block, work = (np.zeros(plan.sizes[space], np.int64) for space in (BLOCK, WORK))
    plan.relocate(block[None], np.array([[address_of(block), address_of(work), 0]]))
    own, reached = Memory(place, block, work), position.copy()
    SEARCH.initialise(own, float(bound.dim))
    own.logp, own.trial_grad[:] = bound.value_and_grad(position)
    fit = fitting.fit
    _climb(own.address, int(fit.density), bound.dim, int(fit.context), address_of(reached), address_of(fitting.stop))
    return reached
