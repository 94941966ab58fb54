"""Where each parameter lies: among coordinates, constrained values, discrete values and constants."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import readonly
from nbinfer.compile.keys import sources
from nbinfer.errors import ModelError
from nbinfer.model.data import check_name
from nbinfer.model.support.bounds import BoundsError, evaluate
from nbinfer.model.support.support import Support
from nbinfer.spelling import nearest

_NOTHING: Mapping[str, float] = MappingProxyType({})


class Parameter(NamedTuple):
    """One parameter of a model and its places.

    Attributes
    ----------
    name : str
        Its name.
    support : Support
        Where it lives.
    before : type or None
        Named tuple of the parameters declared before, if one of its bounds is a function.
    q, x, z, c, b : slice
        Its places among the unconstrained coordinates, the constrained values in scratch memory (empty for real
        parameters, which are views of the coordinates), the discrete values, the constants of transforms, and those in
        scratch memory, which have places only if they depend on other parameters.
    """

    name: str
    support: Support
    before: Any
    q: slice
    x: slice
    z: slice
    c: slice
    b: slice

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

    @property
    def functions(self) -> dict[str, Any]:
        """Bounds that are functions, by argument."""
        return {argument: bound for argument, bound in self.support.bounds if callable(bound)}


class Layout:
    """All parameters of a model, in their order.

    Attributes
    ----------
    parameters : dict of str to Parameter
        By name.
    dim, values, discrete, bounds : int
        Number of unconstrained coordinates, of constrained values kept in scratch memory, of discrete values, and of
        constants of transforms kept in scratch memory.
    constants : ndarray
        Constants of all transforms.
    """

    def __init__(self, supports: Mapping[str, Any]) -> None:
        if not isinstance(supports, Mapping):
            raise ModelError(f"parameters must map names to supports, got {type(supports).__name__}")
        if not supports:
            raise ModelError("a model needs at least one parameter, got none: parameters={'mu': nb.real()}")
        self.parameters: dict[str, Parameter] = {}
        starts = [0, 0, 0, 0, 0]
        for name, support in supports.items():
            check_name(name, "the parameter name")
            if not isinstance(support, Support):
                hint = f"; call it: {getattr(support, '__name__', 'real')}(...)" if callable(support) else ""
                raise ModelError(
                    f"parameter {name!r} must be a support such as nb.real() or nb.positive(), got {support!r}{hint}"
                )
            count = math.prod(support.shape)
            moved = 0 if support.is_identity or support.discrete else count
            constants = support.constants.size if moved else 0
            before = named_tuple(f"Before_{name}", self.parameters) if support.bounds else None
            sizes = [support.size, moved, count if support.discrete else 0, constants, constants if before else 0]
            places = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
            self.parameters[name] = Parameter(name, support, before, *places)
            starts = [place.stop for place in places]
        self.dim, self.values, self.discrete, constants, self.bounds = starts
        self.constants = np.zeros(max(constants, 1))
        for parameter in self.parameters.values():
            if parameter.c.stop > parameter.c.start:
                self.constants[parameter.c] = parameter.support.constants
        self.tuple_class = named_tuple("Parameters", self.parameters)

    def __reduce__(self) -> Any:
        # Classes of named tuples are made with it, and have no name by which to find them.
        return Layout, ({name: p.support for name, p in self.parameters.items()},)

    @property
    def bounds_start(self) -> int:
        """Where the constants of transforms lie in scratch memory: after the values and their gradients."""
        return 2 * self.values

    @property
    def trial_start(self) -> int:
        """Where a position to try lies in scratch memory: after these constants and their gradients."""
        return self.bounds_start + 2 * self.bounds

    @property
    def scratch(self) -> int:
        """Number of float64 of scratch memory a chain needs."""
        return self.trial_start + self.dim + 1

    @property
    def continuous(self) -> list[Parameter]:
        """Parameters that have coordinates."""
        return [p for p in self.parameters.values() if not p.support.discrete]

    @property
    def dependent(self) -> list[Parameter]:
        """Parameters with a bound that is a function."""
        return [p for p in self.parameters.values() if p.support.bounds]

    def bound_values(self, p: Parameter, values: Mapping[str, Any], data: Any) -> dict[str, Any]:
        """Evaluate the bounds of a parameter, by argument, at values of the parameters before it."""
        return evaluate(p.name, dict(p.support.bounds), p.shape, self.before(p, values), data, self.parameters)

    def before(self, p: Parameter, values: Mapping[str, Any]) -> Any:
        """Return what the bounds of a parameter see: values of the parameters before it."""
        return p.before(*(_seen(values[name], self.parameters[name]) for name in p.before._fields))

    def support(self, p: Parameter, values: Mapping[str, Any], data: Any) -> Support:
        """Return the support of a parameter at values of the parameters before it; BoundsError if it is empty."""
        if not p.support.bounds:
            return p.support
        try:
            return p.support.at(self.bound_values(p, values, data))
        except BoundsError as error:
            raise BoundsError(f"{p.name}: {p.support!r} has no values here: {error}") from None

    def walk(self, q: Any, data: Any, discrete: np.ndarray | None = None) -> Iterator[tuple[str, Any, float]]:
        """Go through name, value and log of the Jacobian of each parameter at a position.

        Bounds may depend on the parameters before: where they leave nothing, the walk ends with a BoundsError.
        """
        position = self.position(q)
        values: dict[str, Any] = {}
        for name, p in self.parameters.items():
            log_jacobian = 0.0
            if not p.support.discrete:
                values[name], log_jacobian = self.support(p, values, data).image(position[p.q])
            elif discrete is None:
                values[name] = p.support.initial
            else:
                values[name] = discrete[p.z].reshape(p.shape).copy() if p.shape else int(discrete[p.z][0])
            yield name, values[name], log_jacobian

    def image(
        self, q: Any, data: Any, discrete: np.ndarray | None = None, scales: Mapping[str, float] = _NOTHING
    ) -> tuple[dict[str, Any], float]:
        """Map coordinates to values by name and the log of the Jacobian, where `scales` multiply parameters' shares."""
        steps = list(self.walk(q, data, discrete))
        return {name: value for name, value, _ in steps}, float(sum(scales.get(n, 1.0) * log for n, _, log in steps))

    def position(self, q: Any, name: str = "q") -> np.ndarray:
        """Check and convert coordinates."""
        try:
            position = np.ascontiguousarray(q, np.float64)
        except (TypeError, ValueError):
            raise ModelError(f"{name}: a position must be {self.dim} numbers, got {type(q).__name__}") from None
        if position.shape != (self.dim,):
            raise ModelError(f"{name}: a position must have shape ({self.dim},), got {position.shape}")
        return position

    def check(self, point: Mapping[str, Any], data: Any, *, partial: bool) -> dict[str, Any]:
        """Return checked values of a point; with all that is wrong in one error.

        Parameters
        ----------
        point : mapping
            Constrained values by name.
        data : named tuple
            For bounds that are functions.
        partial : bool
            Whether names may be missing.
        """
        return {name: value for name, (_, value) in self._checked(point, data, partial).items() if name in point}

    def _checked(self, point: Mapping[str, Any], data: Any, partial: bool) -> dict[str, tuple[Support, Any]]:
        """Return each parameter's support and value at a point; what may be missing is at unconstrained 0."""
        if not isinstance(point, Mapping):
            raise ModelError(f"a point must map parameter names to values, got {type(point).__name__}")
        wrong = []
        for name in point:
            if name not in self.parameters:
                near = nearest(name, self.parameters)
                hint = f" (did you mean {near!r}?)" if near else f"; they are {', '.join(self.parameters)}"
                wrong.append(f"{name!r} is no parameter{hint}")
        missing = [name for name in self.parameters if name not in point]
        if missing and not partial:
            wrong.append(f"missing: {', '.join(missing)}")
        found: dict[str, tuple[Support, Any]] = {}
        for name, p in self.parameters.items():
            unknown = [other for other in p.before._fields if other not in found] if p.support.bounds else []
            if unknown or (name in missing and not partial):
                continue
            try:
                support = self.support(p, {other: value for other, (_, value) in found.items()}, data)
            except BoundsError as error:
                wrong.append(str(error))
                continue
            try:
                found[name] = support, support.initial if name in missing else support.check(point[name])
            except ValueError as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise ModelError("; ".join(wrong))
        return found

    def unconstrain(self, point: Mapping[str, Any], data: Any) -> np.ndarray:
        """Map a point, maybe partial, to coordinates."""
        q = np.zeros(self.dim)
        wrong = []
        for name, (support, value) in self._checked(point, data, partial=True).items():
            if name in point:
                try:
                    q[self.parameters[name].q] = support.unconstrain(value)
                except ValueError as error:
                    wrong.append(f"{name}: {error}")
        if wrong:
            raise ModelError("; ".join(wrong))
        return q

    def completed(
        self, point: Mapping[str, Any], q: np.ndarray, discrete: np.ndarray, data: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the coordinates and discrete values of a partial point, with those given here for what is missing.

        Raises
        ------
        ModelError
            If a value of the point lies outside its bounds there, or they leave nothing between them.
        """
        q, discrete = q.copy(), discrete.copy()
        values: dict[str, Any] = {}
        for name, p in self.parameters.items():
            support = self.support(p, values, data)
            if name in point:
                values[name] = support.check(point[name])
                if p.support.discrete:
                    discrete[p.z] = np.ravel(values[name])
                else:
                    q[p.q] = support.unconstrain(values[name])
            elif p.support.discrete:
                values[name] = discrete[p.z].reshape(p.shape)
            else:
                values[name] = support.image(q[p.q])[0]
        return q, discrete

    def discrete_values(self, point: Mapping[str, Any]) -> np.ndarray:
        """Lay out the discrete values of a point, maybe partial."""
        z = np.zeros(max(self.discrete, 1), np.int64)
        for p in self.parameters.values():
            if p.support.discrete:
                z[p.z] = np.ravel(point.get(p.name, p.support.initial))
        return z

    def as_tuple(self, values: Mapping[str, Any]) -> Any:
        """Make the named tuple that the user's functions see: NumPy floats, ints and arrays, which are read-only."""
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
        """Return what generated code depends on: transforms, names, kinds of supports, axes; not lengths and bounds."""
        axes = [tuple(length == 1 for length in p.shape) for p in self.parameters.values()]
        listed = zip(self.parameters.values(), axes, strict=True)
        return [(sources(Support.__module__),), *((p.name, p.support.name, one, *p.functions) for p, one in listed)]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the parameters, on which what functions return depends."""
        return [p.shape for p in self.parameters.values()]


def named_tuple(name: str, fields: Iterable[str]) -> Any:
    """Make the class of a named tuple."""
    return collections.namedtuple(name, tuple(fields))


def _seen(value: Any, parameter: Parameter) -> Any:
    if parameter.shape:
        return readonly(np.asarray(value))
    return int(value) if parameter.support.discrete else np.float64(value)
