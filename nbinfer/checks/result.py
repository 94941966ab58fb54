"""What simulations say of a sampler: ranks, p-values, and words for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nbinfer import html
from nbinfer.checks.uniformity import p_value
from nbinfer.diagnostics.problem import Kind, plural, two_digits

#: The smallest p-value times the number of tests, below which ranks are not uniform.
LEVEL = 0.01
#: Quantities that are listed.
_LISTED = 8


class Calibration:
    """Ranks of true values among draws, simulation by simulation; ``print`` shows what they say.

    Attributes
    ----------
    simulations, done : int
        Wanted, and made.
    ranks : dict of str to ndarray, shape (simulation, *shape)
        Share of the draws that lie below the true value, in (0, 1): (r + U) / (n + 1), where r of n thinned draws are
        below, U is uniform on (0, 1), and ties are broken at random. Uniform if all is well.
    counts : dict of str to ndarray of int64, shape (simulation, *shape)
        The n of each: the smaller of bulk and tail ESS.
    p_values : dict of str to ndarray, shape (*shape)
        How often uniform ranks are as uneven: twice the smaller of the p-values of chi-square, over at most twenty
        bins, and of the largest distance of the ECDF.
    tests : int
        Number of p-values.
    failed : list of (int, str)
        Simulations without ranks, since their run could not start, and why.
    problems : dict of str to int
        What the reports on the runs found, and in how many; a low ESS is none, since draws are thinned to it.
    interrupted : bool
        Whether simulations are missing.
    """

    def __init__(self, simulations: int) -> None:
        self.simulations, self.done = simulations, 0
        self.ranks: dict[str, Any] = {}
        self.counts: dict[str, Any] = {}
        self.p_values: dict[str, NDArray[np.float64]] = {}
        self.failed: list[tuple[int, str]] = []
        self.problems: Counter[str] = Counter()
        self.interrupted = False

    def add(self, found: Mapping[str, tuple[Any, Any]], report: Any) -> None:
        """Take what one simulation found: places and counts by name, and the report on its run."""
        for name, (place, n) in found.items():
            self.ranks.setdefault(name, []).append(place)
            self.counts.setdefault(name, []).append(n)
        self.done += 1
        self.problems.update(problem.kind.value for problem in report if problem.kind is not Kind.LOW_ESS)

    def closed(self) -> Self:
        """Make arrays of what was added, and test them."""
        self.ranks = {name: np.array(places) for name, places in self.ranks.items()}
        self.counts = {name: np.array(counts) for name, counts in self.counts.items()}
        self.p_values = {
            name: np.array([p_value(u) for u in places.reshape(len(places), -1).T]).reshape(places.shape[1:])
            for name, places in self.ranks.items()
        }
        return self

    @property
    def tests(self) -> int:
        """Number of quantities, element by element."""
        return sum(p.size for p in self.p_values.values())

    @property
    def smallest(self) -> float:
        """The smallest p-value times the number of tests; NaN without any."""
        return min((float(p.min()) for p in self.p_values.values() if p.size), default=np.nan) * self.tests

    @property
    def ok(self) -> bool:
        """Whether ranks may be uniform: the smallest p-value times the number of tests is above 0.01."""
        return bool(self.smallest > LEVEL)

    def __str__(self) -> str:
        return "\n".join([self._head, *(f"- {row}" for row in self._worst()), *self._more()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html.block(html.verdict(self.ok, self._head, self._worst(), self._more()))

    @property
    def _head(self) -> str:
        head = f"{plural(self.done, 'simulation')}, {plural(self.tests, 'quantity', 'quantities')}"
        if not self.tests:
            return f"{head}: nothing to say."
        verdict = "ranks are not uniform" if not self.ok else "no departure from uniform ranks"
        return f"{head}: {verdict}, the smallest p-value times their number is {two_digits(self.smallest)}."

    def _worst(self) -> list[str]:
        """Say of the quantities that depart what their ranks look like."""
        if self.ok:
            return []
        found = []
        for name, p in self.p_values.items():
            for index in np.ndindex(p.shape):
                label = name + (f"[{', '.join(map(str, index))}]" if index else "")
                found.append((float(p[index]), label, shape_of(self.ranks[name][(slice(None), *index)])))
        bad = sorted(row for row in found if row[0] * self.tests <= LEVEL)
        lines = [f"{label}: p = {two_digits(p)}; {words}" for p, label, words in bad[:_LISTED]]
        return lines + ([f"and {len(bad) - _LISTED} more"] if len(bad) > _LISTED else [])

    def _more(self) -> list[str]:
        lines = []
        if self.interrupted:
            lines.append(f"Interrupted: {self.done + len(self.failed)} of {self.simulations} simulations were made.")
        if self.failed:
            first, why = self.failed[0]
            lines.append(f"{plural(len(self.failed), 'run')} could not start, and are left out; of {first}: {why}")
        if self.problems:
            found = ", ".join(f"{kind} in {count}" for kind, count in self.problems.most_common())
            lines.append(f"Reports on {plural(self.done, 'run')} found {found}.")
        return lines


def shape_of(u: NDArray[np.float64]) -> str:
    """Say what ranks look like, and what that tells of the posterior."""
    shift = (u.mean() - 0.5) * np.sqrt(12.0 * len(u))
    spread = (np.mean((u - 0.5) ** 2) * 12.0 - 1.0) * np.sqrt(len(u) / 0.8)
    if abs(shift) >= abs(spread):
        side, draws = ("high", "low") if shift > 0 else ("low", "high")
        return f"ranks are {side}, so that draws are too {draws}"
    if spread > 0:
        return "ranks are low and high, so that draws are too narrow"
    return "ranks are in the middle, so that draws are too wide"
