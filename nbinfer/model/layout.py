"""Where each parameter lies: among coordinates, constrained values, discrete values and constants."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from nbinfer.errors import ModelError
from nbinfer.model.data import check_name
from nbinfer.model.support import Support


class Parameter(NamedTuple):
    """One parameter of a model and its places.

    Attributes
    ----------
    name : str
        Its name.
    support : Support
        Where it lives.
    q, x, z, c : slice
        Its places among the unconstrained coordinates, the constrained values in scratch memory (empty for real
        parameters, which are views of the coordinates), the discrete values, and the constants of transforms.
    """

    name: str
    support: Support
    q: slice
    x: slice
    z: slice
    c: slice

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.support.shape

    @property
    def size(self) -> int:
        """Number of unconstrained coordinates."""
        return self.support.size

    @property
    def elements(self) -> int:
        """Number of elements of the value."""
        return math.prod(self.support.shape)


class Layout:
    """All parameters of a model, in their order.

    Attributes
    ----------
    parameters : dict of str to Parameter
        By name.
    dim, values, discrete : int
        Number of unconstrained coordinates, of constrained values kept in scratch memory, of discrete values.
    constants : ndarray
        Constants of all transforms.
    """

    def __init__(self, supports: Mapping[str, Any]) -> None:
        if not isinstance(supports, Mapping):
            raise ModelError(f"parameters must map names to supports, got {type(supports).__name__}")
        if not supports:
            raise ModelError("a model needs at least one parameter, got none: parameters={'mu': nb.real()}")
        self.parameters: dict[str, Parameter] = {}
        starts = [0, 0, 0, 0]
        for name, support in supports.items():
            check_name(name, "the parameter name")
            if not isinstance(support, Support):
                hint = f"; call it: {getattr(support, '__name__', 'real')}(...)" if callable(support) else ""
                raise ModelError(
                    f"parameter {name!r} must be a support such as nb.real() or nb.positive(), got {support!r}{hint}"
                )
            count = math.prod(support.shape)
            moved = 0 if support.is_identity or support.discrete else count
            sizes = (support.size, moved, count if support.discrete else 0, support.constants.size if moved else 0)
            places = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
            self.parameters[name] = Parameter(name, support, *places)
            starts = [place.stop for place in places]
        self.dim, self.values, self.discrete, constants = starts
        self.constants = np.zeros(max(constants, 1))
        for parameter in self.parameters.values():
            if parameter.c.stop > parameter.c.start:
                self.constants[parameter.c] = parameter.support.constants
        self.tuple_class = collections.namedtuple("Parameters", tuple(self.parameters))  # type: ignore[misc]

    @property
    def trial_start(self) -> int:
        """Where a position to try lies in scratch memory: after the values and their gradients."""
        return 2 * self.values

    @property
    def scratch(self) -> int:
        """Number of float64 of scratch memory a chain needs."""
        return self.trial_start + self.dim + 1

    @property
    def continuous(self) -> list[Parameter]:
        """Parameters that have coordinates."""
        return [p for p in self.parameters.values() if not p.support.discrete]

    def initial_point(self) -> dict[str, Any]:
        """Return the constrained values at unconstrained 0; the lowest of discrete ones."""
        return {name: p.support.initial for name, p in self.parameters.items()}

    def constrain(self, q: Any, discrete: np.ndarray | None = None) -> dict[str, Any]:
        """Map coordinates to values by name."""
        position = self.position(q)
        result: dict[str, Any] = {}
        for name, p in self.parameters.items():
            if not p.support.discrete:
                result[name] = p.support.constrain(position[p.q])
            elif discrete is None:
                result[name] = p.support.initial
            else:
                result[name] = discrete[p.z].reshape(p.shape).copy() if p.shape else int(discrete[p.z][0])
        return result

    def position(self, q: Any) -> np.ndarray:
        """Check and convert coordinates."""
        try:
            position = np.ascontiguousarray(q, np.float64)
        except (TypeError, ValueError):
            raise ModelError(f"a position must be {self.dim} numbers, got {type(q).__name__}") from None
        if position.shape != (self.dim,):
            raise ModelError(f"a position must have shape ({self.dim},), got {position.shape}")
        return position

    def check(self, point: Mapping[str, Any], *, partial: bool) -> dict[str, Any]:
        """Return checked values of a point; with all that is wrong in one error.

        Parameters
        ----------
        point : mapping
            Constrained values by name.
        partial : bool
            Whether names may be missing.
        """
        if not isinstance(point, Mapping):
            raise ModelError(f"a point must map parameter names to values, got {type(point).__name__}")
        wrong = []
        for name in point:
            if name not in self.parameters:
                import difflib

                near = difflib.get_close_matches(str(name), self.parameters, 1)
                hint = f" (did you mean {near[0]!r}?)" if near else f"; they are {', '.join(self.parameters)}"
                wrong.append(f"{name!r} is no parameter{hint}")
        missing = [name for name in self.parameters if name not in point]
        if missing and not partial:
            wrong.append(f"missing: {', '.join(missing)}")
        values = {}
        for name, p in self.parameters.items():
            if name in point:
                try:
                    values[name] = p.support.check(point[name])
                except ValueError as error:
                    wrong.append(f"{name}: {error}")
        if wrong:
            raise ModelError("; ".join(wrong))
        return values

    def unconstrain(self, point: Mapping[str, Any]) -> np.ndarray:
        """Map a point, maybe partial, to coordinates."""
        values = self.check(point, partial=True)
        q = np.zeros(self.dim)
        wrong = []
        for p in self.continuous:
            if p.name in values:
                try:
                    q[p.q] = p.support.unconstrain(values[p.name])
                except ValueError as error:
                    wrong.append(f"{p.name}: {error}")
        if wrong:
            raise ModelError("; ".join(wrong))
        return q

    def discrete_values(self, point: Mapping[str, Any]) -> np.ndarray:
        """Lay out the discrete values of a point, maybe partial."""
        z = np.zeros(max(self.discrete, 1), np.int64)
        for p in self.parameters.values():
            if p.support.discrete:
                z[p.z] = np.ravel(point.get(p.name, p.support.initial))
        return z

    def as_tuple(self, values: Mapping[str, Any]) -> Any:
        """Make the named tuple that the user's functions see: NumPy floats, ints and arrays."""
        return self.tuple_class(*(_seen(values[name], p) for name, p in self.parameters.items()))

    def coordinate_name(self, index: int) -> str:
        """Name a coordinate for messages: ``eta[3]``; of transformed vectors the unconstrained one is meant."""
        for p in self.continuous:
            if p.q.start <= index < p.q.stop:
                if p.shape == ():
                    return p.name
                within = index - p.q.start
                if p.size == p.elements:
                    return f"{p.name}[{', '.join(str(int(i)) for i in np.unravel_index(within, p.shape))}]"
                return f"{p.name} (unconstrained coordinate {within})"
        raise IndexError(index)

    def keys(self) -> Iterable[tuple[Any, ...]]:
        """Return what generated code depends on: names, kinds of supports, shapes; not the bounds."""
        return [(p.name, p.support.name, p.shape, p.size) for p in self.parameters.values()]


def _seen(value: Any, parameter: Parameter) -> Any:
    if parameter.shape:
        return np.asarray(value)
    return int(value) if parameter.support.discrete else np.float64(value)
