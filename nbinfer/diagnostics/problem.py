"""A problem of a run or a model, what is made of several, and words that messages about them share."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nbinfer import html


class Kind(enum.Enum):
    """What a `Problem` is about."""

    INTERRUPTED = "interrupted"
    TOO_FEW_DRAWS = "too few draws"
    NOT_FINITE = "draws not finite"
    NOT_MOVED = "parameters that never moved"
    DIVERGENCES = "divergences"
    CONVERGENCE = "R-hat"
    LOW_ESS = "effective sample size"
    BAD_ENERGY = "E-BFMI"
    BAD_ACCEPTANCE = "acceptance"
    TREEDEPTH = "tree depth"
    FUNCTIONS = "functions"
    START = "start"
    GRADIENT = "gradient"
    RANDOMNESS = "randomness in the density"
    SUPPORT = "support"
    SHAPES = "shapes"
    WITHOUT_EFFECT = "parameters without effect"
    DATA = "data"
    SCALE = "scale of parameters"
    COST = "cost of a gradient"
    KHAT = "k-hat"
    NOT_CONVERGED = "not converged"
    SKIPPED = "draws without a density"
    GAP = "noise that was learned"
    SEARCH = "search"
    PARTICLES = "particles"
    UNKNOWN = "how good the fit is"


@dataclass(frozen=True)
class Problem:
    """One kind of trouble.

    Attributes
    ----------
    kind : Kind
        What it is about.
    count : int
        How many draws, chains or quantities have it.
    chains : tuple of int
        Which chains have it; empty if it is no matter of single chains.
    message : str
        Counts, consequence and remedy in a few sentences.
    """

    kind: Kind
    count: int
    chains: tuple[int, ...]
    message: str

    def __str__(self) -> str:
        return self.message


class Collection:
    """A collection of problems: ``for problem in report``, ``len(report)``, and ``if report:`` when there are any."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.problems)

    def __len__(self) -> int:
        return len(self.problems)

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


class Findings(Collection):
    """Problems, and what else is good to know; ``print`` shows them.

    It is a collection of its problems: ``for problem in report``, ``len(report)``, and ``if report:`` when there are
    any.

    Attributes
    ----------
    problems : tuple of Problem
        The gravest first.
    notes : tuple of str
        What is no problem and still good to know.
    verdict : str
        What is said if there is no problem.
    """

    problems: tuple[Problem, ...] = ()

    def __init__(self, problems: Sequence[Problem], notes: Sequence[str], verdict: str) -> None:
        self.problems = tuple(problems)
        self.notes = tuple(notes)
        self.verdict = verdict

    def __str__(self) -> str:
        return "\n".join([self._head, *(f"- {problem.message}" for problem in self.problems), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        messages = (problem.message for problem in self.problems)
        return html.block(html.verdict(self.ok, self._head, messages, self.notes))

    @property
    def _head(self) -> str:
        return self.verdict if self.ok else f"{plural(len(self.problems), 'problem')} found:"


def of(count: int, total: int) -> str:
    """Write how many quantities of how many."""
    return f"{count} of {plural(total, 'quantity', 'quantities')}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def percent(count: int, total: int) -> str:
    """Write a share."""
    share = 100 * count / total
    return "< 0.1 %" if share < 0.1 else f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def round_down(value: float) -> int:
    """Round down to two digits."""
    unit = 10 ** max(math.floor(math.log10(value)) - 1, 0) if value >= 1 else 1
    return int(value // unit * unit)


def sentence(text: str) -> str:
    """Write what follows a sentence that has no full stop yet; nothing if there is nothing."""
    return f". {text}" if text else ""


def two_digits(value: float) -> str:
    """Write a number with two digits: 4.3, 220, 50000."""
    return f"{float(f'{value:.2g}'):g}"
