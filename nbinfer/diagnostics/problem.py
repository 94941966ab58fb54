"""A problem of a run, and words that messages about problems share."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass


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
