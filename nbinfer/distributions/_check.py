"""What parameters must be, and the messages about those that are not.

A family says it once: ``check = Check("normal", mu=REAL, sigma=POSITIVE)``. From that come ``check(mu, sigma)``, which
raises, the check that compiled draws make before they draw, and the names in messages about shapes.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from nbinfer.arguments import array
from nbinfer.compile import elementwise


class Condition(NamedTuple):
    """What a parameter must be.

    Attributes
    ----------
    wanted : str
        The words after "must be".
    test : callable
        Tells it of numbers and, in plain Python, of arrays; compiled, too. An `Elementwise` if there is a core.
    core : int
        How many axes, the last ones, the test takes together; 0 for a number.
    shared : bool
        Whether a number will do instead.
    told : callable or None
        What to tell of one that is not, besides its elements.
    """

    wanted: str
    test: Callable[..., Any]
    core: int = 0
    shared: bool = False
    told: Callable[[Any], str] | None = None


#: How far from 1 the sum of probabilities may be: they may have been float32, of which a thousand sum to 1 so far.
SUM_TOLERANCE = 1e-5

REAL = Condition("a finite number", lambda x: (x > -np.inf) & (x < np.inf))
BOUND = Condition("a number, which may be infinite", lambda x: x == x)
POSITIVE = Condition("positive and finite", lambda x: (x > 0.0) & (x < np.inf))
NONNEGATIVE = Condition("finite and not negative", lambda x: (x >= 0.0) & (x < np.inf))
PROBABILITY = Condition("between 0 and 1", lambda x: (x >= 0.0) & (x <= 1.0))
#: Draws of discrete families are int64, and with them their bounds.
INTEGER = Condition("a whole number that int64 holds", lambda x: (x == np.floor(x)) & (abs(x) < 2.0**63))
COUNT = Condition(
    "a whole number that is not negative and that int64 holds",
    lambda x: (x == np.floor(x)) & (x >= 0.0) & (x < 2.0**63),
)


def _are_probabilities(p: Any) -> Any:
    return np.all(p >= 0.0, -1) & (np.abs(np.sum(p, -1) - 1.0) <= SUM_TOLERANCE)


@elementwise(_are_probabilities, cores=(1,))
def _is_simplex(row: Any) -> Any:
    total = 0.0
    for p in row:
        total += p if p >= 0.0 else np.inf
    return abs(total - 1.0) <= SUM_TOLERANCE


def _are_increasing(c: Any) -> Any:
    return np.all(np.isfinite(c), -1) & np.all(c[..., 1:] > c[..., :-1], -1)


@elementwise(_are_increasing, cores=(1,))
def _is_increasing(row: Any) -> Any:
    last, ok = -np.inf, True
    for c in row:
        ok = ok and c > last
        last = c
    return ok and last < np.inf


def _tell_sum(p: Any) -> str:
    return f", which sum to {np.sum(p)}"


SIMPLEX = Condition("probabilities that sum to 1 along the last axis", _is_simplex, core=1, told=_tell_sum)
ORDERED = Condition("finite and increasing along the last axis", _is_increasing, core=1)


class FamilyModule(ModuleType):
    """What the module of a family is, so that ``normal(0.0, 1.0)`` can say what to write instead."""

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Refuse to be called.

        Raises
        ------
        TypeError
            Always; with the functions that there are.
        """
        name = self.__name__.removeprefix(f"{__package__}.")
        calls = [
            f"{name}.{part}({', '.join(inspect.signature(getattr(self, part)).parameters)})"
            for part in ("logpdf", "logpmf", "random")
            if hasattr(self, part)
        ]
        raise TypeError(f"{name} is a module, which cannot be called; write {' or '.join(calls)}.")


class Check:
    """The parameters of a family: called with them, it raises if one is not what it must be.

    Parameters
    ----------
    family : str
        Name for messages.
    **parameters : Condition
        What each must be, in their order.

    Attributes
    ----------
    names : tuple of str
        Of the parameters.
    cores : tuple of int
        How many axes of each belong to one draw.
    """

    def __init__(self, family: str, **parameters: Condition) -> None:
        self.family = family
        self.names = tuple(parameters)
        self.cores = tuple(condition.core for condition in parameters.values())
        self._told = {name: condition.told for name, condition in parameters.items() if condition.told}
        self._shared = {name for name, condition in parameters.items() if condition.shared}
        self._tests: list[tuple[tuple[str, ...], Callable[..., Any], str]] = [
            ((name,), condition.test, f"{family}: {name} must be {condition.wanted}")
            for name, condition in parameters.items()
        ]
        named = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in parameters]
        self.__signature__ = inspect.Signature(named)
        module = sys.modules.get(f"{__package__}.{family}")
        if type(module) is ModuleType:
            module.__class__ = FamilyModule

    def also(self, wanted: str, test: Callable[..., Any], names: Sequence[str] = ()) -> Check:
        """Add a condition on parameters, by default those that the arguments of `test` name; `wanted` says it all."""
        names = tuple(names) or tuple(inspect.signature(test).parameters)
        self._tests.append((names, test, f"{self.family}: {wanted}"))
        return self

    def tests(self) -> Iterator[tuple[tuple[str, ...], Callable[..., Any], str]]:
        """Yield the names that each condition is about, its test, and what to say where it fails."""
        yield from self._tests

    def __call__(self, *args: Any, **named: Any) -> None:
        """Raise if a parameter is not what it must be.

        Parameters
        ----------
        *args, **named : float or array
            The parameters of the family.

        Raises
        ------
        ValueError
            If one is not; the message says which, what was wanted, what came and at which index.
        TypeError
            If one is no number and no array of numbers.
        """
        bound = self.__signature__.bind(*args, **named)
        values = {name: self._numbers(name, value) for name, value in bound.arguments.items()}
        broadcast_shape(self.family, self.names, list(values.values()), self.cores)
        with np.errstate(all="ignore"):
            for names, test, message in self._tests:
                ok = np.asarray(test(*(values[name] for name in names)))
                if not ok.all():
                    raise ValueError(message + self._found(names, values, ok))

    def _numbers(self, name: str, value: Any) -> Any:
        numbers = as_numbers(self.family, name, value)
        core = self.cores[self.names.index(name)]
        if np.ndim(numbers) < core and not (name in self._shared and np.ndim(numbers) == 0):
            raise ValueError(f"{self.family}: {name} needs {core} or more axes, got shape {np.shape(numbers)}")
        return numbers

    def _found(self, names: Sequence[str], values: dict[str, Any], ok: np.ndarray) -> str:
        """Say what was found where a test first fails."""
        index = tuple(int(i) for i in np.argwhere(~ok)[0]) if ok.ndim else ()
        found = []
        for name in names:
            core = values[name].shape[np.ndim(values[name]) - self.cores[self.names.index(name)] :]
            found.append(np.broadcast_to(values[name], ok.shape + core)[index])
        words = [str(x) if len(names) == 1 else f"{name} = {x}" for name, x in zip(names, found, strict=True)]
        more = "".join(self._told[name](x) for name, x in zip(names, found, strict=True) if name in self._told)
        return f", got {', '.join(words)}{more}" + (f" at index {index}" if index else "")


def as_numbers(what: str, name: str, value: Any) -> Any:
    """Return an argument as a number or an array of int64 or float64, which are what compiled code computes with.

    Smaller floats would lose digits, unsigned integers wrap around below 0, and booleans have no arithmetic.

    Raises
    ------
    TypeError
        If it is no number and no array of numbers.
    """
    numbers = array(f"{what}: {name}", value)
    kind = numbers.dtype.kind
    if kind not in "biuf":
        raise TypeError(f"{what}: {name} must be a number or an array of numbers, got {value!r}")
    # Large unsigned integers do not fit into int64.
    wide = kind == "f" or numbers.dtype == np.uint64
    return numbers.astype(np.float64 if wide else np.int64, copy=False)[()]


def broadcast_shape(
    what: str, names: Sequence[str], values: Sequence[Any], cores: Sequence[int], size: Any = None
) -> tuple[int, ...]:
    """Return the common shape of arguments without their cores, or `size` if they fit into it.

    Raises
    ------
    ValueError
        If they do not broadcast; the message has every shape.
    """
    shapes = [np.shape(value) for value in values]
    outer = {shape[: len(shape) - core] for shape, core in zip(shapes, cores, strict=True)}
    wanted = None if size is None else _shape_of(what, size)
    try:
        common = np.broadcast_shapes(*outer)
        if wanted is not None and np.broadcast_shapes(common, wanted) != wanted:
            raise ValueError
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in zip(names, shapes, strict=True))
        if wanted is None:
            raise ValueError(f"{what}: shapes do not broadcast: {listed}") from None
        raise ValueError(f"{what}: the parameters do not broadcast to size {wanted}: {listed}") from None
    return common if wanted is None else wanted


def check_rng(what: str, rng: Any) -> None:
    """Require a generator of random numbers."""
    if not hasattr(rng, "standard_normal"):
        raise TypeError(f"{what}: rng must be a numpy.random.Generator, got {type(rng).__name__}")


def _shape_of(what: str, size: Any) -> tuple[int, ...]:
    """Return `size` as a shape."""
    sizes = array(f"{what}: size", size)
    if sizes.size and (sizes.dtype.kind not in "iu" or sizes.ndim > 1 or (sizes < 0).any()):
        raise ValueError(f"{what}: size must be an integer or a tuple of integers, none negative, got {size!r}")
    return tuple(np.atleast_1d(sizes).astype(np.int64).tolist())
