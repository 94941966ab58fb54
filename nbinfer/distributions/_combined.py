"""Families made of families: what a combinator returns looks like a family's module, and is one to compiled code."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from nbinfer.compile.forks import cached_property
from nbinfer.distributions._check import Check, Condition, FamilyModule
from nbinfer.distributions._function import Density, Generator

#: Names of parameters, a test of them, and what to say where it fails.
Test = tuple[tuple[str, ...], Callable[..., Any], str]


class Family(FamilyModule):
    """A family of distributions; compiled code and models know modules, so that it is one.

    Parameters
    ----------
    name : str
        Such as ``truncated(normal)``.
    **members : object
        ``logpdf`` or ``logpmf``, ``logcdf`` and ``logsf`` where there are any, ``random``, ``support``, ``check``.
    """

    def __init__(self, name: str, **members: Any) -> None:
        super().__init__(f"nbinfer.distributions.{name}")
        self.__dict__.update(members)

    def __repr__(self) -> str:
        return f"<family {name_of(self)}>"


class Combined(Density):
    """A density written with ``*parameters``; `names` tell what stands for them."""

    def __init__(self, function: Callable[..., Any], names: Sequence[str], cores: Sequence[int]) -> None:
        super().__init__(function, cores)
        self.names = tuple(names)

    @cached_property
    def _signature(self) -> inspect.Signature:
        return signature(*self.names)


class CombinedGenerator(Generator):
    """A generator written with ``*parameters``."""

    @cached_property
    def _signature(self) -> inspect.Signature:
        return signature("rng", *self.check.names, size=None)


def signature(*names: str, **defaults: Any) -> inspect.Signature:
    """Return a signature of these names."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    given = [inspect.Parameter(name, kind) for name in names]
    return inspect.Signature([*given, *(inspect.Parameter(k, kind, default=v) for k, v in defaults.items())])


class Parts:
    """What a combinator takes from a family.

    Attributes
    ----------
    name : str
        Of the family.
    kind : str
        "logpdf" or "logpmf".
    density, random : kernel
        Its functions.
    parameters : tuple of str
        Their names.
    cores : tuple of int
        How many axes of each belong to a draw.
    check : Check
        Of the parameters.
    anything : dict
        Conditions on them by name, met by anything of the right number of axes.

    Raises
    ------
    TypeError
        If it is no family of one variable.
    """

    def __init__(self, family: Any, combinator: str) -> None:
        self.family = family
        self.name = name_of(family)
        self.kind = "logpmf" if hasattr(family, "logpmf") else "logpdf"
        self.density: Any = getattr(family, self.kind, None)
        self.random: Any = getattr(family, "random", None)
        self.check: Any = getattr(family, "check", None)
        if not (isinstance(self.density, Density) and isinstance(self.random, Generator)) or self.random.element:
            raise TypeError(
                f"{combinator} takes a family of one variable, such as nbinfer.distributions.normal, got {family!r}"
            )
        self.parameters: tuple[str, ...] = self.density.names[1:]
        self.cores: tuple[int, ...] = self.density.cores[1:]
        self.anything = {key: anything(core, core > 0) for key, core in zip(self.parameters, self.cores, strict=True)}

    @property
    def discrete(self) -> bool:
        """Whether values are whole numbers."""
        return self.kind == "logpmf"

    def distribution(self, combinator: str) -> tuple[Any, Any]:
        """Return ``logcdf`` and ``logsf``."""
        found = getattr(self.family, "logcdf", None), getattr(self.family, "logsf", None)
        if None in found:
            raise TypeError(f"{combinator} needs logcdf and logsf of a family, which {self.name} does not have")
        return found


def name_of(family: Any) -> str:
    """Return the name of a family without that of its package."""
    return str(getattr(family, "__name__", family)).rpartition("nbinfer.distributions.")[2].rpartition(".")[2]


class TwoChecks(Check):
    """A check of parameters in Python, and another one, of a single draw's, in compiled code.

    Attributes
    ----------
    whole, drawn : Check
        The two. Parameters have the same names and cores.
    """

    def __init__(self, whole: Check, drawn: Check) -> None:
        super().__init__(whole.family)
        self.names, self.cores, self.whole, self.drawn = drawn.names, drawn.cores, whole, drawn

    def tests(self) -> Iterator[Test]:
        return self.drawn.tests()

    def __call__(self, *args: Any, **named: Any) -> None:
        self.whole(*args, **named)


def forms(check: Check) -> list[Check]:
    """Return a check for Python and, where that differs, one for compiled code."""
    return [check.whole, check.drawn] if isinstance(check, TwoChecks) else [check]


def adopt(check: Check, other: Check, suffix: str = "", wrap: Callable[..., Any] = lambda test: test) -> Check:
    """Add the conditions of a component's check, whose parameters are called the same here but for a suffix."""
    for names, test, message in other.tests():
        wanted = message.partition(": ")[2]
        if len(names) == 1 and wanted.startswith(f"{names[0]} must be "):
            wanted = f"{names[0]}{suffix}{wanted.removeprefix(names[0])}"
        check.also(wanted, wrap(test), [f"{name}{suffix}" for name in names])
    return check


def anything(core: int, shared: bool = False) -> Condition:
    """Return the condition that is always met: others see to the parameter."""
    return Condition("a number", lambda x: True, core, shared)


def combined(name: str, argument: str, parameters: Sequence[str], cores: Sequence[int]) -> Callable[..., Combined]:
    """Mark functions of a family called `name`: of `argument` and ``*parameters``."""

    def mark(function: Callable[..., Any]) -> Combined:
        function.__module__ = f"nbinfer.distributions.{name}"  # for messages
        return Combined(function, [argument, *parameters], [0, *cores])

    return mark


def combined_generator(name: str, check: Check, discrete: bool) -> Callable[..., CombinedGenerator]:
    """Mark the generator of a family called `name`: of ``rng`` and ``*parameters``, among which may be `size`."""

    def mark(function: Callable[..., Any]) -> CombinedGenerator:
        function.__module__ = f"nbinfer.distributions.{name}"
        return CombinedGenerator(function, check, False, discrete)

    return mark
