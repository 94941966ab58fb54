"""What is to be known of a fit by Pathfinder: what each path has found, and whether that can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from nbinfer import html
from nbinfer.diagnostics.problem import Collection, Kind, Problem
from nbinfer.diagnostics.psis import RELIABLE
from nbinfer.variational.report import problem


class PathReport(NamedTuple):
    """What has become of a path.

    Attributes
    ----------
    number : int
    iterations : int
        Of the search.
    gradients, densities : int
        Evaluations with and without gradient.
    best : int
        Iterate whose distribution is kept, counted from 1.
    elbo, error : float
        Estimate of its evidence lower bound, and the standard error of that.
    settled : bool
        Whether the search came to its end, and not to its last iteration.
    reason : str
        Why the path is dropped; '' if it is not.
    weight : float
        Of its distribution in the mixture.
    """

    number: int
    iterations: int = 0
    gradients: int = 0
    densities: int = 0
    best: int = 0
    elbo: float = math.nan
    error: float = math.nan
    settled: bool = False
    reason: str = ""
    weight: float = 0.0

    def __str__(self) -> str:
        if self.reason:
            return f"path {self.number}: dropped"
        if not self.best:
            return f"path {self.number}: stopped before its first iterate"
        return (
            f"path {self.number}: {self.iterations} iterations, {self.gradients} gradients; best at iterate "
            f"{self.best}, evidence lower bound {self.elbo:.6g} ± {self.error:.2g}, weight {self.weight:.3f}"
        )


@dataclass(frozen=True)
class PathfinderReport(Collection):
    """What is to be known of a fit; ``print`` shows it.

    It is a collection of its problems, as the report on a run is: ``for problem in report``, ``len(report)``, and
    ``if report:`` when there are any.

    Attributes
    ----------
    paths : tuple of PathReport
    draws : int
        Candidates of all paths, by which the mixture was weighed: as many densities.
    interrupted : bool
        Whether Ctrl-C or an error ended it.
    khat : float
        How heavy the tail of importance weights is; NaN: unknown.
    note : str
        What else is to be known of k-hat.
    """

    paths: tuple[PathReport, ...]
    draws: int = 0
    interrupted: bool = False
    khat: float = math.nan
    note: str = ""

    @property
    def iterations(self) -> int:
        """Of all paths."""
        return sum(path.iterations for path in self.paths)

    @property
    def gradients(self) -> int:
        """Evaluations with gradient, of all paths."""
        return sum(path.gradients for path in self.paths)

    @property
    def densities(self) -> int:
        """Evaluations without gradient, of all paths and for their weights; those for k-hat come on top."""
        return self.draws + sum(path.densities for path in self.paths)

    @property
    def dropped(self) -> list[PathReport]:
        """Paths that have found nothing."""
        return [path for path in self.paths if path.reason]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong, with a remedy, in a sentence or two each."""
        found = []
        if self.khat > RELIABLE:
            message = (
                f"k-hat is {self.khat:.2f}, above {RELIABLE}: the distributions that the paths have found are too far "
                "from the posterior for means and standard deviations to be relied on. Reparameterise the model, or "
                "sample it: nb.sample(init='pathfinder') begins there."
            )
            found.append(problem(Kind.KHAT, message))
        if self.dropped:
            reasons = "; ".join(f"path {path.number}: {path.reason}" for path in self.dropped)
            message = f"{len(self.dropped)} of {len(self.paths)} paths dropped. {reasons}."
            found.append(problem(Kind.SEARCH, message, len(self.dropped)))
        late = [path for path in self.paths if not path.settled and path.best]
        if late and not self.interrupted:
            message = f"{len(late)} of {len(self.paths)} paths came to their last iteration. Raise n."
            found.append(problem(Kind.NOT_CONVERGED, message, len(late)))
        return tuple(found)

    @property
    def head(self) -> str:
        """What was done and found, in a line."""
        if math.isnan(self.khat):
            verdict = f"No k-hat{': ' + self.note if self.note else ''}."
        elif self.khat == -math.inf:
            verdict = "k-hat is -inf: the approximation is exact."
        else:
            verdict = f"k-hat is {self.khat:.2f}{'; ' + self.note if self.note else ''}."
        return (
            f"{len(self.paths)} paths{' (interrupted)' if self.interrupted else ''}, {self.gradients} gradients and "
            f"{self.densities} densities. {verdict}"
        )

    def __str__(self) -> str:
        return "\n".join([self.head, *map(str, self.paths), *(f"- {each.message}" for each in self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        paths = html.first([str(path) for path in self.paths], "paths")
        return html.block(html.verdict(self.ok, self.head, (each.message for each in self), paths))
