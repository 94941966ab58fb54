"""What a chain of an ensemble keeps, and what the first chain keeps for all: the leader.

All chains make trajectories of one step size, one length and one metric, which are the leader's. They learn them
together in warm-up, between two draws (`nbinfer.mcmc.ensemble.learning`).
"""

from __future__ import annotations

from typing import Any

from nbinfer.engine.state import Inner, State, floats, per_coordinate
from nbinfer.mcmc.adaptation.step_size import AVERAGING
from nbinfer.optimize.lbfgs import Search

#: How a chain climbs before its first transition, see `nbinfer.optimize.climb`; of many each remembers little.
SEARCH = Search(maxcor=3, max_iterations=60, max_evaluations=100)

#: Vectors of a trajectory: its point, the momentum and the gradient there, and where it began.
_POINT = 4
#: Sums over a block of chains: of where they began, of where their paths ended, of squares of the first.
_SUMS = 3


def _of_points(step: Any, site: Any) -> int:
    return _POINT * int(site.n)


def _of_sums(step: Any, site: Any) -> int:
    return _SUMS * int(site.n)


ENSEMBLE = State(
    fields={
        "n": "i8",  # coordinates
        "leader": "i8",  # address of this record of the first chain
        "chain": "i8",  # address of the chain
        "climb": "i8",  # C function that looks for a better start; 0: the chain begins where it is
        "begun": "i8",  # whether the first transition has been prepared
        "integrator": "i8",
        "max_steps": "i8",
        "jitter": "f8",  # how far lengths of paths are from their mean at most, relatively
        "energy_limit": "f8",
        # What the leader has learnt, beside the step size and the metric.
        "adapts_step_size": "i8",
        "harmonic": "i8",  # whether that is by the harmonic mean of acceptances
        "adapts_length": "i8",
        "by_rate": "i8",  # whether that is by change per length, or by change alone
        "adapts_metric": "i8",
        "rate": "f8",  # of the length
        "length": "f8",  # of the next trajectories, in the mean
        "log_length_bar": "f8",  # the average of its logarithm
        "slope_square": "f8",  # running mean of the square of its slope
        "count": "f8",  # of updates
        # How a chain's last transition went.
        "tuning": "i8",
        "path": "f8",  # its length
        "accept": "f8",
        "diverging": "i8",
        # Sums over a block of chains, which the first of them keeps.
        "weight": "f8",
        "slope": "f8",
        "inverse_accept": "f8",
        "whole": "f8",  # paths that did not diverge
    },
    parts={
        "averaging": AVERAGING,
        "scale": floats(per_coordinate),  # the root of the inverse mass; the leader's counts
        "search": Inner(lambda step: SEARCH),
    },
    work={"point": floats(_of_points), "sums": floats(_of_sums)},
    statistics={
        "lp": "float64",
        "acceptance_rate": "float64",
        "step_size": "float64",
        "n_steps": "int64",
        "diverging": "bool",
        "energy_error": "float64",
        "tune": "bool",
        "accepted": "bool",
        "path_length": "float64",
    },
)
Ensemble, Row = ENSEMBLE.record, ENSEMBLE.row
