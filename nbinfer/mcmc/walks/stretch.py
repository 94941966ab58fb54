"""The affine-invariant ensemble sampler: a walker moves on the line through itself and another walker.

Goodman & Weare (2010), equations 7 to 9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbinfer.arguments import is_number
from nbinfer.compile import entry, floats_at, ints_at, record_at
from nbinfer.engine.chain import Chain, value_at
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, floats, per_coordinate
from nbinfer.engine.step import Around, Competence, Site, StepMethod, support_of
from nbinfer.random import uniform
from nbinfer.spelling import public

STRETCH = State(
    fields={
        "a": "f8",
        "peers": "i8",  # address of the addresses of all walkers' positions
        "n_peers": "i8",
        "itself": "i8",  # which of them this one is; -1: none
    },
    work={"trial": floats(per_coordinate)},
    statistics={"accept": "float64", "accepted": "bool", "lp": "float64", "tune": "bool"},
)
Stretch, Row = STRETCH.record, STRETCH.row

_OK = int(Status.OK)


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition: stretch or shrink the way from another walker by z, whose density is that of 1/sqrt(z)."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Stretch)
    n = chain.n
    count = own.n_peers - (1 if own.itself >= 0 else 0)
    other = min(int(uniform(chain.words) * count), count - 1)
    other += 1 if 0 <= own.itself <= other else 0
    root = 1.0 + uniform(chain.words) * (own.a - 1.0)
    z = root * root / own.a
    q, trial = floats_at(chain.position, n), floats_at(own.trial, n)
    pivot = floats_at(ints_at(own.peers, own.n_peers)[other], n)
    for i in range(n):
        trial[i] = pivot[i] + z * (q[i] - pivot[i])
    logp = value_at(chain, own.trial)
    change = (n - 1.0) * math.log(z) + logp - chain.logp
    accepted = math.log1p(-uniform(chain.words)) < change
    if accepted:
        for i in range(n):
            q[i] = trial[i]
        chain.logp, chain.gradient_known = logp, 0
    row = record_at(own.statistics, Row)
    row.accept = math.exp(min(change, 0.0))
    row.accepted = accepted
    row.lp = chain.logp
    row.tune = chain.tuning
    return _OK


@public
@dataclass(frozen=True)
class StretchMove(StepMethod):  # numpydoc ignore=PR02
    """Configure the affine-invariant ensemble sampler, emcee's stretch move [1]_.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample together, which must be continuous. Default: all that no other step samples.
    a : float
        Largest factor of a stretch; above 1.
    model : Model, optional
        That the variables are of. Default: that of the run.
    blocked : bool
        If False, there is one step for each variable.

    Notes
    -----
    The chains of a run are its walkers, each of which moves on the line to another: fewer than eight in turn, on one
    core, more in two halves, on all cores, each walker on the line to one of the other half. There must be at least
    twice as many as coordinates, for walkers never leave the space that they span. Statistics of each draw: accept
    (the probability of acceptance), accepted, lp, tune.

    References
    ----------
    .. [1] J. Goodman and J. Weare, "Ensemble samplers with affine invariance", Comm. App. Math. Comp. Sci. 5 (2010),
       equations 7 to 9.
    """

    a: float = 2.0
    model: Any = field(default=None, repr=False, compare=False)

    name = "stretch_move"
    state = STRETCH
    function = step
    population = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.a) or not 1.0 < self.a < np.inf:
            raise ValueError(f"a must be above 1, got {self.a!r}.")

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this step samples a variable: it can if that is continuous."""
        return Competence.INCOMPATIBLE if support_of(var).discrete else Competence.COMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if there are too few walkers."""
        least = max(2 * site.n, 3)
        if site.bound.chains < least:
            raise ValueError(
                f"StretchMove needs twice as many chains as coordinates, {least} for {', '.join(site.names)}, got "
                f"{site.bound.chains}; pass chains=."
            )

    def check_starts(self, site: Site, positions: np.ndarray) -> None:
        """Raise ValueError if the walkers do not span their space: no move would ever leave what they span."""
        ways = positions - positions.mean(0)
        largest = np.abs(ways).max(0)
        rank = int(np.linalg.matrix_rank(ways / np.where(largest > 0.0, largest, 1.0)))
        if rank < site.n:
            raise ValueError(
                f"the chains of StretchMove start in a space of dimension {rank} and would never leave it, but "
                f"{', '.join(site.names)} have {site.n} coordinates; pass start= with a point for each chain, "
                "or no start."
            )

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings."""
        own.a = self.a

    def connect(self, own: Memory, around: Around, site: Site) -> None:
        """Write where the other walkers are."""
        own.peers, own.n_peers, own.itself = around.peers
