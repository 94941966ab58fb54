"""``draws="auto"``: how long a run is that ends when it has drawn enough.

It looks at its draws now and then, and ends when every quantity has the effective sample size that was asked for, bulk
and tail, and R-hat is no problem. When it looks depends on counts of draws alone, so that where it ends is a matter of
its seed, not of time or cores.

A run that ends when an estimate says so prefers moments at which the estimate is too good. What keeps that small is
that looks are few, each at half as many draws again as the one before, and that the first comes late: at `_FIRST` draws
for each effective one [1]_ [2]_. `bench/auto.py` measures what is left of it.

References
----------
.. [1] P. W. Glynn and W. Whitt, "The asymptotic validity of sequential stopping rules for stochastic simulations",
   Annals of Applied Probability 2, 180 (1992).
.. [2] J. M. Flegal and L. Gong, "Relative fixed-width stopping rules for Markov chain Monte Carlo simulations",
   Statistica Sinica 25, 655 (2015).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any, NamedTuple

from nbinfer.arguments import is_number
from nbinfer.mcmc.arguments import check_count, is_whole
from nbinfer.spelling import meant

#: What a run aims at: 100 effective draws for each of four chains.
TARGET = 400.0
#: Draws of a chain at most.
MOST = 20_000
#: The first look is at so many draws for each effective one that is wanted, but no chain is shorter than `_LEAST` then.
_FIRST, _LEAST = 2.5, 50
#: Draws at a look, as a multiple of those at the look before.
_NEXT = 1.5


class Goal(NamedTuple):
    """What a run of no given length is to reach.

    Attributes
    ----------
    ess : float
        Effective sample size of each quantity, of all chains together.
    most : int
        Draws of a chain, at which it ends in any case.
    """

    ess: float
    most: int


def is_draws(value: Any) -> bool:
    """Tell whether a value can be meant for `draws`."""
    return is_number(value) or (isinstance(value, str) and value == "auto")


def goal_for(draws: Any, target_ess: Any, max_draws: Any) -> Goal | None:
    """Return what ends a run of no given length; None for one whose draws are given, or None.

    Raises
    ------
    ValueError, TypeError
        If an argument is wrong, or one belongs to another kind of run.
    """
    if isinstance(draws, str) and draws != "auto":
        raise ValueError(f"draws must be a number of draws or 'auto', got {draws!r}.{meant(draws, ['auto'])}")
    if not isinstance(draws, str):
        if draws is not None and not is_whole(draws):
            raise TypeError(f"draws must be an int or 'auto', got {draws!r}.")
        for name, value in (("target_ess", target_ess), ("max_draws", max_draws)):
            if value is not None:
                raise ValueError(
                    f"{name} is of draws='auto', and draws is {draws}; pass draws='auto', or leave it out."
                )
        if draws is not None:
            check_count("draws", draws, 1)
        return None
    target = TARGET if target_ess is None else target_ess
    if not is_number(target):
        raise TypeError(f"target_ess must be a number of effective draws, got {target!r}.")
    if not 0.0 < target < math.inf:
        raise ValueError(f"target_ess must be positive and finite, got {target!r}.")
    most = MOST if max_draws is None else max_draws
    check_count("max_draws", most, 1)
    return Goal(float(target), int(most))


def first_look(goal: Goal, chains: int, thin: int, kept: Collection[str] | None = None) -> int:
    """Return at how many draws of each chain a run looks for the first time.

    Parameters
    ----------
    goal : Goal
    chains, thin : int
        Chains, and of how many draws of each one is kept.
    kept : collection of str, optional
        Names of the quantities that are kept. Default: all.

    Raises
    ------
    ValueError
        If no run can reach the goal.
    """
    if kept is not None and not kept:
        raise ValueError("draws='auto' looks at the draws that are kept, and trace keeps none; name some.")
    rows = chains * (goal.most // thin)
    if goal.ess > rows:
        raise ValueError(
            f"target_ess must be at most {rows}, the draws that {chains} chains can keep with max_draws={goal.most}, "
            f"got {goal.ess:g}; raise max_draws."
        )
    return min(thin * max(math.ceil(_FIRST * goal.ess / chains), _LEAST), goal.most)


def next_look(goal: Goal, draws: int) -> int:
    """Return at how many draws a run looks that has made so many."""
    return min(max(math.ceil(_NEXT * draws), draws + 1), goal.most)


def expected(goal: Goal, draws: int, ess: float) -> int:
    """Return how many draws there will be, going by the effective sample size of those that there are."""
    likely = draws * goal.ess / ess if ess > 0.0 else 0.0
    return min(max(next_look(goal, draws), math.ceil(min(likely, goal.most))), goal.most)
