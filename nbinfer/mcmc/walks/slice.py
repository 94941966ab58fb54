"""Slice sampling of one coordinate after the other: a level below the density, an interval, a point in it.

The interval is that of Neal (2003), section 4: of width w around the present point at random, stepped out by w on both
sides (figure 3), then shrunk towards the present point (figure 5).
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import is_number, numbers
from nbinfer.compile import Record, entry, floats_at, ints_at, kernel, load_acquire, record_at
from nbinfer.engine.chain import Chain, conditional_at
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, floats, integers, per_coordinate
from nbinfer.engine.step import (
    Around,
    Competence,
    Site,
    StepMethod,
    fill_conditionals,
    pair_per_coordinate,
    support_of,
)
from nbinfer.mcmc.settings import check_tune
from nbinfer.random import uniform
from nbinfer.spelling import public

SLICES = State(
    fields={
        "tunes": "i8",
        "sweeps": "f8",  # warm-up sweeps so far
        "limit": "i8",  # turns of each loop at most
        "evaluations": "i8",  # of the density, in this transition
    },
    parts={
        "widths": floats(per_coordinate),
        "pairs": integers(pair_per_coordinate),  # for the model's `conditional`
    },
    statistics={"n_evals": "int64", "lp": "float64", "tune": "bool"},
)
Slices, Row = SLICES.record, SLICES.row

_OK, _STOPPED, _LIMIT = int(Status.OK), int(Status.STOPPED), int(Status.ITERATION_LIMIT)
_BAD_CONDITIONAL = int(Status.BAD_CONDITIONAL)
_NO_LIMIT = 1 << 62
_POLL = 64  # turns between two looks at the stop flag


@kernel
def _log_density(chain: Record, own: Record, i: int) -> float:
    """Return the log density at the position as it is, up to what does not depend on coordinate i."""
    own.evaluations += 1
    return conditional_at(chain, own.pairs, i, chain.position)


@kernel
def _step_out(chain: Record, own: Record, i: int, start: float, stride: float, level: float) -> tuple[float, int]:
    """Move one end of the interval outwards until it lies below the level."""
    q = floats_at(chain.position, chain.n)
    end, turns = start, 0
    q[i] = end
    while _log_density(chain, own, i) >= level:
        turns += 1
        if turns > own.limit:
            return end, _LIMIT
        if turns % _POLL == 0 and load_acquire(chain.stop) != 0:
            return end, _STOPPED
        end += stride
        q[i] = end
    return end, _OK


@kernel
def _sample(chain: Record, own: Record, i: int) -> int:
    """Move one coordinate; it is left as it was if that fails."""
    q, widths = floats_at(chain.position, chain.n), floats_at(own.widths, chain.n)
    old, width = q[i], widths[i]
    has_conditional = ints_at(own.pairs, 2 * chain.n)[2 * i] != 0
    now = _log_density(chain, own, i) if has_conditional else chain.logp
    if now == -np.inf:  # every point would lie in the slice
        return _BAD_CONDITIONAL
    level = now + math.log1p(-uniform(chain.words))
    left = old - width * uniform(chain.words)
    right = left + width
    left, status = _step_out(chain, own, i, left, -width, level)
    if status == _OK:
        right, status = _step_out(chain, own, i, right, width, level)
    turns = 0
    while status == _OK:
        q[i] = left + (right - left) * uniform(chain.words)
        logp = _log_density(chain, own, i)
        if logp >= level:
            chain.logp, chain.gradient_known = chain.logp + (logp - now) if has_conditional else logp, 0
            break
        if q[i] < old:
            left = q[i]
        else:
            right = q[i]
        turns += 1
        if turns > own.limit:
            status = _LIMIT
        elif turns % _POLL == 0 and load_acquire(chain.stop) != 0:
            status = _STOPPED
    if status != _OK:
        q[i] = old
        return status
    if chain.tuning != 0 and own.tunes != 0:
        widths[i] += (right - left - width) / (own.sweeps + 1.0)
    return _OK


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Move every coordinate once."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Slices)
    own.evaluations = 0
    for i in range(chain.n):
        status = _sample(chain, own, i)
        if status != _OK:
            return status
    if chain.tuning != 0:
        own.sweeps += 1.0
    row = record_at(own.statistics, Row)
    row.n_evals = own.evaluations
    row.lp = chain.logp
    row.tune = chain.tuning
    return _OK


@public
@dataclass(frozen=True)
class Slice(StepMethod):  # numpydoc ignore=PR02
    """Configure slice sampling [1]_.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample, which must be continuous. Default: all that no other step samples.
    w : float or array_like, shape (n,)
        First width of the interval, for each unconstrained coordinate.
    tune : bool
        During warm-up, make each width the mean of the intervals that points were found in.
    model : Model, optional
        That the variables are of. Default: that of the run.
    blocked : bool
        If False, there is one step for each variable.
    iter_limit : int, optional
        Turns of each of the loops that find interval and point; more end the run with an error. Default: no limit.

    Notes
    -----
    Needs no gradient. A model's `conditional` makes an evaluation as cheap as what depends on one coordinate.
    Statistics of each draw: n_evals (evaluations of the density), lp, tune.

    References
    ----------
    .. [1] R. M. Neal, "Slice sampling", Annals of Statistics 31 (2003), section 4 and figures 3 and 5.
    """

    w: ArrayLike = 1.0
    tune: bool = True
    model: Any = field(default=None, repr=False, compare=False)
    _: KW_ONLY
    iter_limit: float | None = None

    name = "slice"
    state = SLICES
    function = step

    def __post_init__(self) -> None:
        super().__post_init__()
        widths = numbers("w", self.w)
        if widths.ndim > 1 or not np.all((widths > 0.0) & np.isfinite(widths)):
            raise ValueError(f"w must be a positive number or a vector of them, got {self.w!r}.")
        check_tune("Slice", self.tune)
        if self.iter_limit is not None and not (is_number(self.iter_limit) and self.iter_limit >= 1):
            raise ValueError(f"iter_limit must be at least 1, or None, got {self.iter_limit!r}.")

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well slice sampling samples a variable: preferably if it is a continuous number."""
        support = support_of(var)
        if support.discrete:
            return Competence.INCOMPATIBLE
        return Competence.PREFERRED if support.shape == () else Competence.COMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if w does not fit the number of coordinates."""
        shape = np.shape(self.w)
        if shape not in ((), (site.n,)):
            raise ValueError(
                f"w has shape {shape}, but the coordinates of {', '.join(site.names)} are {site.n}; pass a number or "
                f"shape ({site.n},)."
            )

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write settings and first state."""
        own.tunes = self.tune
        own.limit = int(min(_NO_LIMIT if self.iter_limit is None else self.iter_limit, _NO_LIMIT))
        own.widths[:] = self.w

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write the functions of the model's conditionals."""
        fill_conditionals(own.pairs, around, site)
