"""A climb: up the log density as long as that leads up steeply, so that what begins there begins where mass is.

The first iteration of L-BFGS that gains no more than a nat per coordinate ends it, and is not taken: draws themselves
lie about half a nat per coordinate below the maximum, and the gradient still says how wide the density is. It does not
lead into the necks of funnels.
"""

from __future__ import annotations

from nbinfer.compile import Record, kernel, load_acquire
from nbinfer.engine.vectors import copy
from nbinfer.optimize.lbfgs import Outcome, Search, begin, iterate

#: How to climb. The tolerance is to be the number of coordinates.
SEARCH = Search(maxcor=10, max_iterations=60, max_evaluations=100)

_GOES_ON = int(Outcome.GOES_ON)


@kernel
def climb(own: Record, density: int, n: int, context: int, position: int, grad: int, logp: float, stop: int) -> float:
    """Climb from a point, or until the stop word is set.

    Parameters
    ----------
    own : Lbfgs record
    density, n, context : int
        As of `iterate`.
    position, grad : int
        Addresses of the point and its gradient; overwritten.
    logp : float
        The log density there; all of these are finite.
    stop : int
        Address of the stop word.

    Returns
    -------
    logp : float
        That of the point that is reached.
    """
    begin(own, n, position, grad, logp)
    outcome = _GOES_ON
    while outcome == _GOES_ON and load_acquire(stop) == 0:
        outcome = iterate(own, density, n, context)
        if outcome == _GOES_ON:
            copy(n, own.position, position)
            copy(n, own.grad, grad)
            logp = own.logp
    return logp
