"""NUTS as the papers write it: one recursion over points that are plain objects.

It makes the transition of `nbinfer.mcmc.hamiltonian.tree` again, from the same random numbers in the same order and
with nothing else in common, so that the two agree point by point. The metric is a matrix throughout.

References
----------
.. [1] M. D. Hoffman and A. Gelman, "The No-U-Turn Sampler", JMLR 15 (2014): the recursion, algorithm 3.
.. [2] M. Betancourt, "A conceptual introduction to Hamiltonian Monte Carlo", arXiv:1701.02434, appendix A: how the draw
   is chosen.
.. [3] Stan, pull request 2800, "Additional U-turn checks" (2019).
.. [4] S. Blanes, F. Casas and J. M. Sanz-Serna, "Numerical integrators for the Hybrid Monte Carlo method", SIAM J. Sci.
   Comput. 36 (2014): the schemes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_A2, _A3, _B3 = (3 - 3**0.5) / 6, 12127897 / 102017882, 4271554 / 14421423

#: Shares of the step: a kick, a drift, a kick, …, a kick.
SCHEMES = {
    "leapfrog": (1 / 2, 1, 1 / 2),
    "twostage": (_A2, 1 / 2, 1 - 2 * _A2, 1 / 2, _A2),
    "threestage": (_A3, _B3, 1 / 2 - _A3, 1 - 2 * _B3, 1 / 2 - _A3, _B3, _A3),
}


class Turning(Exception):
    """A subtree turns: no point of it is the draw."""


class Diverging(Exception):
    """The energy has risen too far."""


class Stopped(Exception):
    """The chain is asked to stop."""


@dataclass(frozen=True)
class Point:
    """Where a step has led; `index` counts the steps from the start, backwards below zero."""

    index: int
    q: np.ndarray
    p: np.ndarray
    grad: np.ndarray
    logp: float
    energy: float


@dataclass
class Recursion:
    """Transitions by recursion; what came of the last one is left in the attributes.

    Attributes
    ----------
    depth, n_steps : int
    ending : str
        'turning', 'diverging', 'stopped', or 'unfinished' where the depth reached its limit.
    accept_sum, symmetric_sum, max_error : float
        As in a Tree record.
    """

    logp_grad: Callable
    inv_mass: np.ndarray
    step_size: float
    uniform: Callable
    integrator: str = "leapfrog"
    energy_limit: float = 1000.0
    stopped: Callable = lambda: False

    def transition(self, q, normals, max_depth):
        """Return the new point, None if stopped."""
        p = np.linalg.solve(np.linalg.cholesky(self.inv_mass).T, normals)
        self.start = self.draw = left = right = self.point(0, q, p, *self.logp_grad(q))
        self.depth = self.n_steps = 0
        self.accept_sum = self.symmetric_sum = self.max_error = 0.0
        self.ending, weight = "unfinished", 1.0
        while self.depth < max_depth and self.ending == "unfinished":
            self.sign = 1 if self.uniform() < 0.5 else -1
            old = (left, right) if self.sign > 0 else (right, left)
            self.candidate, self.weight = None, 0.0
            try:
                new = self.build(old[1], self.depth)
            except Stopped:
                return None
            except (Turning, Diverging) as cut:
                self.ending = type(cut).__name__.lower()
            else:
                if self.uniform() * weight < self.weight:  # the newer half is preferred
                    self.draw = self.candidate
                weight += self.weight
                left, right = (left, new[1]) if self.sign > 0 else (new[1], right)
                if self.turns(old, new):
                    self.ending = "turning"
            self.depth += 1
        return self.draw

    def build(self, edge, depth):
        """Return the first and the last of the 2**depth points that follow `edge`."""
        if depth == 0:
            leaf = self.leaf(edge)
            return leaf, leaf
        a = self.build(edge, depth - 1)
        b = self.build(a[1], depth - 1)
        if self.turns(a, b):
            raise Turning
        return a[0], b[1]

    def leaf(self, edge):
        """Return the next point, which is the candidate with its share of the weight."""
        if self.stopped():
            raise Stopped
        point = self.follow(edge)
        self.n_steps += 1
        error = point.energy - self.start.energy
        self.max_error = max(self.max_error, error, key=abs)
        if not -math.inf < error < self.energy_limit:
            raise Diverging
        weight = math.exp(min(-error, 650.0))
        self.accept_sum += min(1.0, weight)
        self.symmetric_sum += 2.0 * min(1.0, weight) / (1.0 + weight)
        self.weight += weight
        if self.candidate is None or self.uniform() * self.weight < weight:
            self.candidate = point
        return point

    def turns(self, a, b):
        """Whether span a and its successor b make a turn: as a whole, or either with the point next to it."""
        return any(self.turns_back(x, y) for x, y in ((a[0], b[1]), (a[0], b[0]), (a[1], b[1])))

    def turns_back(self, x, y):
        """Whether a momentum at x or y points back along the way from half a step before x to half a step beyond y."""
        way = self.sign * (y.q - x.q) + 0.5 * self.step_size * self.inv_mass @ (x.p + y.p)
        return not (way @ x.p > 0.0 and way @ y.p > 0.0)

    def follow(self, edge):
        """Return the point one step on."""
        q, p, grad, step = edge.q, edge.p, edge.grad, self.sign * self.step_size
        kicks, drifts = SCHEMES[self.integrator][::2], SCHEMES[self.integrator][1::2]
        for kick, drift in zip(kicks, drifts, strict=False):
            p = p + kick * step * grad
            q = q + drift * step * self.inv_mass @ p
            logp, grad = self.logp_grad(q)
        return self.point(edge.index + self.sign, q, p + kicks[-1] * step * grad, logp, grad)

    def point(self, index, q, p, logp, grad):
        """Return a point with its energy."""
        return Point(index, q, p, grad, logp, 0.5 * p @ self.inv_mass @ p - logp)
