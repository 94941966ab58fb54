"""The names that a random program may use at one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Array(NamedTuple):
    """An array of a random program."""

    name: str
    shape: tuple[int, ...]
    writable: bool = False


@dataclass
class Scope:
    """The names by kind.

    Attributes
    ----------
    numbers, variables : list of str
        Floats to read; those of them to write.
    ints, counters : list of (str, int)
        Integers to read, each with a number above it; those of them to write.
    flags : list of str
        Booleans.
    arrays : list of Array
        Arrays of floats.
    gathers, counts : list of str
        Arrays of four integers: of 0 to 2, and of 0 to 3.
    sizes : dict
        How to spell a size.
    wild : str
        An array of four numbers that may be 0, infinite or NaN; '' in tame programs.
    """

    numbers: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    ints: list[tuple[str, int]] = field(default_factory=list)
    counters: list[tuple[str, int]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    gathers: list[str] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    sizes: dict[int, list[str]] = field(default_factory=dict)
    wild: str = ""

    def inner(self) -> Scope:
        """Return a copy for a block: names that it makes are lost at its end."""
        return Scope(
            list(self.numbers), list(self.variables), list(self.ints), list(self.counters), list(self.flags),
            list(self.arrays), self.gathers, self.counts, self.sizes, self.wild,
        )  # fmt: skip
