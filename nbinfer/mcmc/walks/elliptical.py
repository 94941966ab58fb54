"""Elliptical slice sampling (Murray, Adams & MacKay 2010): for densities that are a Gaussian times something.

A point moves on an ellipse through itself and a draw from the Gaussian. What decides is the density divided by the
Gaussian's, so that the step is right whatever Gaussian it is told; it is good if that is the prior.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbinfer.arguments import numbers
from nbinfer.compile import Record, entry, floats_at, kernel, load_acquire, record_at
from nbinfer.engine.chain import Chain, value_at
from nbinfer.engine.job import Status
from nbinfer.engine.state import Memory, State, floats, per_coordinate
from nbinfer.engine.step import Competence, Site, StepMethod, support_of
from nbinfer.mcmc.metric.definite import symmetric_and_positive
from nbinfer.random import fill_normal, uniform
from nbinfer.spelling import public

ELLIPSE = State(
    parts={
        "factor": floats(lambda step, site: site.n**2),  # lower Cholesky factor of the Gaussian's covariance
        "centre": floats(per_coordinate),
    },
    work={"old": floats(per_coordinate), "draw": floats(per_coordinate), "solved": floats(per_coordinate)},
    statistics={"n_evals": "int64", "lp": "float64", "tune": "bool"},
)
Ellipse, Row = ELLIPSE.record, ELLIPSE.row

_NEAREST = 1e-30  # angle that moves nothing
_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)


@kernel
def _excess(chain: Record, own: Record) -> tuple[float, float]:
    """Return the log density less the Gaussian's, and the log density, at the position as it is."""
    n = chain.n
    q, mean, factor = floats_at(chain.position, n), floats_at(own.centre, n), floats_at(own.factor, n * n)
    solved = floats_at(own.solved, n)
    squares = 0.0
    for i in range(n):
        total = q[i] - mean[i]
        for j in range(i):
            total -= factor[i * n + j] * solved[j]
        solved[i] = total / factor[i * n + i]
        squares += solved[i] * solved[i]
    logp = value_at(chain, chain.position)
    return logp + 0.5 * squares, logp


@kernel
def _draw_ellipse(chain: Record, own: Record) -> None:
    """Draw from the Gaussian; with the present point that is an ellipse. Both are kept less the mean."""
    n = chain.n
    q, old, mean = floats_at(chain.position, n), floats_at(own.old, n), floats_at(own.centre, n)
    draw, factor = floats_at(own.draw, n), floats_at(own.factor, n * n)
    fill_normal(chain.words, own.draw, n)
    for i in range(n - 1, -1, -1):
        total = 0.0
        for j in range(i + 1):
            total += factor[i * n + j] * draw[j]
        draw[i] = total
    for i in range(n):
        old[i] = q[i] - mean[i]


@kernel
def _go_to(chain: Record, own: Record, angle: float) -> None:
    """Go to the point of the ellipse at an angle; at 0 it is where the transition began."""
    n = chain.n
    q, mean = floats_at(chain.position, n), floats_at(own.centre, n)
    old, draw = floats_at(own.old, n), floats_at(own.draw, n)
    cosine, sine = math.cos(angle), math.sin(angle)
    for i in range(n):
        q[i] = mean[i] + cosine * old[i] + sine * draw[i]


@entry("int64(intp, intp)")
def step(chain_address: int, own_address: int) -> int:
    """Make one transition of a chain."""
    chain, own = record_at(chain_address, Chain), record_at(own_address, Ellipse)
    _draw_ellipse(chain, own)
    now, _ = _excess(chain, own)
    level = now + math.log1p(-uniform(chain.words))
    angle = 2.0 * math.pi * uniform(chain.words)
    low, high = angle - 2.0 * math.pi, angle
    evaluations = 1
    while True:
        _go_to(chain, own, angle)
        excess, logp = _excess(chain, own)
        evaluations += 1
        if excess >= level:
            break
        if angle < 0.0:
            low = angle
        else:
            high = angle
        if high - low < _NEAREST:  # this is the old point, and rounding hides that it is inside
            logp = chain.logp
            break
        if evaluations % 64 == 0 and load_acquire(chain.stop) != 0:
            _go_to(chain, own, 0.0)
            return _STOPPED
        angle = low + (high - low) * uniform(chain.words)
    chain.logp, chain.gradient_known = logp, 0
    row = record_at(own.statistics, Row)
    row.n_evals = evaluations
    row.lp = logp
    row.tune = chain.tuning
    return _OK


@public
@dataclass(frozen=True)
class EllipticalSlice(StepMethod):  # numpydoc ignore=PR02
    """Configure elliptical slice sampling [1]_.

    Parameters
    ----------
    vars : str, variable or sequence of them, optional
        Names of the variables to sample together, which must be continuous. Default: all that no other step samples.
    prior_cov : array_like, shape (n, n), optional
        Covariance of the Gaussian prior of the unconstrained coordinates. The model's density includes that prior.
    prior_chol : array_like, shape (n, n), optional
        Its lower Cholesky factor instead.
    model : Model, optional
        That the variables are of. Default: that of the run.
    blocked : bool
        If False, there is one step for each variable.
    prior_mean : float or array_like, shape (n,)
        Its mean.

    Notes
    -----
    Needs no gradient and no tuning. Statistics of each draw: n_evals (evaluations of the density), lp, tune.

    References
    ----------
    .. [1] I. Murray, R. P. Adams and D. J. C. MacKay, "Elliptical slice sampling", AISTATS 2010, figure 2.
    """

    prior_cov: ArrayLike | None = None
    prior_chol: ArrayLike | None = None
    model: Any = field(default=None, repr=False, compare=False)
    _: KW_ONLY
    prior_mean: ArrayLike = 0.0

    name = "elliptical_slice"
    state = ELLIPSE
    function = step

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.prior_cov is None) == (self.prior_chol is None):
            which = "both" if self.prior_cov is not None else "neither"
            raise ValueError(f"EllipticalSlice needs prior_cov or prior_chol, got {which}.")
        if not np.all(np.isfinite(numbers("prior_mean", self.prior_mean))):
            raise ValueError(f"prior_mean must be finite, got {self.prior_mean!r}.")
        self._factor()

    def _factor(self) -> NDArray[np.float64]:
        """Return the lower Cholesky factor."""
        if self.prior_cov is not None:
            return symmetric_and_positive("prior_cov", self.prior_cov)[1]
        matrix = numbers("prior_chol", self.prior_chol)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"prior_chol must be a square matrix, got shape {matrix.shape}.")
        good = np.isfinite(matrix) & np.where(np.eye(len(matrix)), matrix > 0.0, np.triu(matrix, 1) == 0.0)
        if not good.all():
            i, j = np.argwhere(~good)[0]
            raise ValueError(
                "prior_chol must be finite and lower triangular, with a positive diagonal; "
                f"entry ({i}, {j}) is {matrix[i, j]}."
            )
        return matrix

    @staticmethod
    def competence(var: Any, has_grad: bool = True) -> Competence:
        """Tell how well this step samples a variable: it can if that is continuous."""
        return Competence.INCOMPATIBLE if support_of(var).discrete else Competence.COMPATIBLE

    def check(self, site: Site) -> None:
        """Raise ValueError if the Gaussian does not fit the number of coordinates."""
        shape = self._factor().shape
        if shape[0] != site.n or np.shape(self.prior_mean) not in ((), (site.n,)):
            raise ValueError(
                f"the prior has shapes {shape} and {np.shape(self.prior_mean)}, but the coordinates of "
                f"{', '.join(site.names)} are {site.n}."
            )

    def initialise(self, own: Memory, site: Site, tune: int, position: np.ndarray) -> None:
        """Write the settings."""
        own.factor[:] = self._factor().ravel()
        own.centre[:] = self.prior_mean
