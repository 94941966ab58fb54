r"""Annealed particles: the density part of the forces grows from nothing, time and again, so that all modes are found.

.. math:: \phi_i = \frac1n \sum_j \Big[\frac{a(t)}T k(x_j, x_i) \nabla\log p(x_j) + \nabla_{x_j} k(x_j, x_i)\Big]

References
----------
.. [1] F. D'Angelo and V. Fortuin, "Annealed Stein variational gradient descent", arXiv:2101.09815 (2021), sec. 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbinfer.arguments import MOST, count, is_number, positive
from nbinfer.compile import address_of, entry, floats_at, record_at
from nbinfer.engine.written import kept
from nbinfer.spelling import public
from nbinfer.variational.stein.stage import Part, Stage
from nbinfer.variational.stein.state import Stein_

#: What the phase needs: addresses of what phases share and of the factors from an iteration on, and that iteration.
Annealing_ = np.dtype([("stein", "i8"), ("factors", "i8"), ("first", "i8"), ("temperature", "f8")], align=True)


@public
@kept
@dataclass(frozen=True)
class CyclicAnnealing:  # numpydoc ignore=PR02
    """Factors that grow from 0 to 1 in each of some cycles, and are 1 after these [1]_.

    Iteration t of a cycle of P, from 0, has the factor ``((t + 1) / P) ** power``: particles spread over where the
    density is flat, and gather where it is not, time and again.

    Parameters
    ----------
    period : int
        Iterations of a cycle.
    cycles : int
        How many. Go on for as many iterations again after them: particles rest at the posterior of the model alone.
    power : float
        Above 0. The larger, the longer the factor stays small.

    References
    ----------
    .. [1] F. D'Angelo and V. Fortuin, "Annealed Stein variational gradient descent", arXiv:2101.09815 (2021).

    Examples
    --------
    >>> factor = CyclicAnnealing(period=4, cycles=2, power=2.0)
    >>> [factor(i) for i in range(9)]
    [0.0625, 0.25, 0.5625, 1.0, 0.0625, 0.25, 0.5625, 1.0, 1.0]
    """

    period: int = 500
    cycles: int = 4
    power: float = 2.0

    def __post_init__(self) -> None:
        count("period", self.period, 1, MOST)
        count("cycles", self.cycles, 1, MOST)
        positive("power", self.power)

    def __call__(self, i: int) -> float:
        """Return the factor of an iteration, counted from 0."""
        if i >= self.period * self.cycles:
            return 1.0
        return float(((i % self.period + 1) / self.period) ** self.power)


@entry("int64(intp, int64, int64)")
def anneal(address: int, row: int, piece: int) -> int:
    """Have the scores of an iteration count less: a phase of one row."""
    own = record_at(address, Annealing_)
    stein, k = record_at(own.stein, Stein_), piece - own.first
    factor = floats_at(own.factors, k + 1)[k]
    stein.temperature = own.temperature / factor if factor > 0.0 else math.inf
    return 0


def factors(factor: Callable[[int], float], first: int, count: int) -> NDArray[np.float64]:
    """Return the factors of some iterations, from number `first`.

    Raises
    ------
    ValueError
        If one is no number from 0 to 1.
    """
    found = [factor(i) for i in range(first, first + count)]
    for i, value in enumerate(found, first):
        if not is_number(value) or not 0.0 <= value <= 1.0:
            raise ValueError(f"annealing({i}) must be a number from 0 to 1, got {value!r}.")
    return np.array(found, np.float64)


class Annealing(Stage):
    """The stage.

    Parameters
    ----------
    crew : Crew
    factor : callable
        From the number of an iteration, from 0, to the factor.
    """

    def __init__(self, crew: Any, factor: Callable[[int], float]) -> None:
        self._factor, self._own, self._factors = factor, np.zeros(1, Annealing_), np.zeros(0)
        self._own["stein"], self._own["temperature"] = crew.stein.address, crew.stein.temperature
        self.before = [Part(anneal, address_of(self._own))]

    def make_room(self, done: int, first: int, count: int) -> None:
        self._factors = factors(self._factor, first, count)
        self._own["factors"], self._own["first"] = address_of(self._factors), done
