"""A path: a job whose pieces are iterations of a search, and that keeps the best normal distribution it has passed.

At each iterate the last steps say how the density is curved, and thereby a normal distribution (`factors`). A few draws
of it, of the same noise at all iterates, say how large the evidence lower bound would be; the distribution where it is
largest is kept [1]_, with what chance may have added to it taken off: a distribution that is right has no spread, and
others win by luck. A path may be best before it comes to the maximum, which lies far from most of the mass.

References
----------
.. [1] L. Zhang, B. Carpenter, A. Gelman and A. Vehtari, "Pathfinder: parallel quasi-Newton variational inference", JMLR
   23 (2022), algorithm 1.
"""

from __future__ import annotations

import math

import numpy as np

from nbinfer.compile import Record, call_density, entry, floats_at, kernel, load_acquire, record_at, store_release
from nbinfer.engine.job import JOB, Status, progress_line
from nbinfer.engine.state import Inner, State, floats, per_coordinate
from nbinfer.optimize import lbfgs
from nbinfer.optimize.lbfgs import Lbfgs, Outcome
from nbinfer.random import Purpose, fill_normal, start
from nbinfer.variational.pathfinder import factors
from nbinfer.variational.pathfinder.factors import FACTORS, Factors

#: A path: the header of its block.
PATH = State(
    base=JOB,
    leads=True,
    fields={
        "density": "i8",  # C function with gradient; that without; and the pointer they are given
        "value": "i8",
        "context": "i8",
        "n": "i8",  # coordinates
        "elbo_draws": "i8",
        "most": "i8",  # iterations
        "logp": "f8",  # where it begins
        "end": "i8",  # the `Outcome` of the last iteration
        "iterates": "i8",  # so many have been looked at
        "densities": "i8",  # evaluated without gradient
        "best": "i8",  # the best iterate, counted from 1; 0: none yet
        "best_elbo": "f8",
        "best_error": "f8",  # its standard error
        "elbos": "i8",  # address, of those of all iterates
    },
    parts={
        "search": Inner(lambda paths: paths.search),
        "now": FACTORS,
        "kept": FACTORS,
        "position": floats(per_coordinate),  # where it begins
        "grad": floats(per_coordinate),
        "noise": floats(lambda paths, site: paths.elbo_draws * site.n),
    },
    work={"draw": floats(per_coordinate)},
)
Path = PATH.record

#: What a path publishes after each iteration.
Progress = progress_line({"best_elbo": "f8", "gradients": "i8"})

#: So many iterates without a better distribution end a path: where a density has no maximum, a search has no end.
_PATIENCE = 100
#: So many standard errors are taken off an evidence lower bound before it is compared: of many, some are large by luck.
SURELY = 2.0

_NOISE = int(Purpose.NOISE)
_OK, _STOPPED = int(Status.OK), int(Status.STOPPED)
_GOES_ON, _SETTLED = int(Outcome.GOES_ON), int(Outcome.SETTLED)


@kernel
def _begin(path: Record, search: Record, now: Record) -> None:
    """Begin where the path does, with curvature 1; draw the noise that serves at all iterates."""
    lbfgs.begin(search, path.n, path.position, path.grad, path.logp)
    alpha = floats_at(now.alpha, path.n)
    for i in range(path.n):
        alpha[i] = 1.0
    start(path.words, 0, path.number, _NOISE)
    fill_normal(path.words, path.noise, path.elbo_draws * path.n)
    path.iterates = path.best = path.densities = 0
    path.best_elbo, path.best_error = -np.inf, 0.0


@kernel
def _elbo(path: Record, now: Record) -> tuple[float, float]:
    """Return the evidence lower bound of the distribution at hand and its standard error.

    It is -inf if one of the draws has no density.
    """
    n, elbo, squares = path.n, 0.0, 0.0
    for k in range(path.elbo_draws):
        logq = factors.draw(now, n, path.noise + 8 * n * k, path.draw)
        logp = call_density(path.value, n, path.draw, 0, path.context)
        path.densities += 1
        if not -np.inf < logp - logq < np.inf:
            return -np.inf, 0.0
        apart = logp - logq - elbo
        elbo += apart / (k + 1)
        squares += apart * (logp - logq - elbo)
    return elbo, math.sqrt(squares / path.elbo_draws / max(path.elbo_draws - 1, 1))


@kernel
def _look(path: Record, search: Record, now: Record) -> bool:
    """Find the distribution at the iterate, and keep it if it is the best so far; tell whether more may come."""
    n, elbo, error, gain = path.n, -np.inf, 0.0, np.inf
    if factors.factorise(now, n, search.maxcor, search.pairs, search.newest, search.steps, search.changes):
        gain = factors.place(now, n, search.position, search.grad)
        elbo, error = _elbo(path, now)
    floats_at(path.elbos, path.most)[path.iterates] = elbo
    path.iterates += 1
    if elbo - SURELY * error > path.best_elbo - SURELY * path.best_error:
        path.best, path.best_elbo, path.best_error = path.iterates, elbo, error
        factors.keep(now, n, record_at(path.kept, Factors))
    late = path.best > 0 and path.iterates - path.best >= _PATIENCE
    return gain > search.tolerance and not late


@entry("int64(intp, int64)")
def advance(address: int, until: int) -> int:
    """Advance a path to iteration `until`; one that has ended is as far as any could be.

    Returns
    -------
    status : int
    """
    path = record_at(address, Path)
    progress = record_at(path.progress, Progress)
    search, now = record_at(path.search, Lbfgs), record_at(path.now, Factors)
    if path.done == 0:
        _begin(path, search, now)
    while path.done < until:
        if load_acquire(path.stop) != 0:
            return _STOPPED
        remembered, logp = search.remembered, search.logp
        outcome = lbfgs.iterate(search, path.density, path.n, path.context)
        if search.remembered != remembered:
            newest = 8 * path.n * search.newest
            factors.rescale(path.n, now.alpha, search.steps + newest, search.changes + newest)
        if search.logp > logp and not _look(path, search, now):
            outcome = _SETTLED
        path.end = outcome
        path.done += 1
        if outcome != _GOES_ON:
            path.done = path.most
        progress.best_elbo, progress.gradients = path.best_elbo, search.evaluations
        store_release(path.progress, path.done)
    return _OK
