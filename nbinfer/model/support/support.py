"""The set a parameter lives in, as an object; `supports` has the functions that make one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nbinfer.arguments import as_floats
from nbinfer.compile import Kernel
from nbinfer.compile.fingerprint import fingerprint
from nbinfer.compile.forks import cached_property
from nbinfer.errors import ModelError
from nbinfer.model.support.bounds import Bound, BoundsError, fill, trouble, write_bounded
from nbinfer.model.support.checks import CHECKS, where
from nbinfer.model.transforms import elementwise as transforms
from nbinfer.model.transforms import matrices as matrix_transforms
from nbinfer.model.transforms import vectors as vector_transforms
from nbinfer.model.transforms.elementwise import Floats
from nbinfer.spelling import shown

_MODULES = {
    "real": transforms,
    "positive": transforms,
    "lower": transforms,
    "upper": transforms,
    "interval": transforms,
    "simplex": vector_transforms,
    "ordered": vector_transforms,
    "positive_ordered": vector_transforms,
    "unit_vector": vector_transforms,
    "cholesky_corr": matrix_transforms,
    "covariance": matrix_transforms,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Support:  # numpydoc ignore=PR02
    """The set a parameter lives in; made by `real`, `positive`, `simplex` and their like.

    Parameters
    ----------
    name : str
        The function that made it.
    shape : tuple of int
        Shape of a value: ``simplex(3, shape=2)`` has (2, 3), ``cholesky_corr(3)`` has (3, 3).
    size : int
        Number of unconstrained coordinates; 0 if discrete.
    discrete : bool
        Whether values are integers.
    constants : ndarray, float64, one-dimensional, read-only
        What the transform needs beside the coordinates: bounds for each element, or (k, count); NaN in place of bounds
        that are functions. For discrete supports the lowest values, then the highest, 2**53 where there is no end.
    transform : str
        What the kernels' names begin with.
    typed : str
        The call that made it.
    bounds : tuple of (str, bound)
        If one of the bounds is a function: each with the name of its argument, an array or ``f(p, d)``. The support
        then has values within a model only, where `at` puts numbers in their place.
    """

    name: str
    shape: tuple[int, ...]
    size: int
    discrete: bool
    constants: Floats
    transform: str
    typed: str
    bounds: tuple[tuple[str, Bound], ...] = ()

    def __post_init__(self) -> None:
        self.constants.setflags(write=False)

    def __reduce__(self) -> Any:
        return Support, tuple(getattr(self, field.name) for field in dataclasses.fields(self))

    @property
    def forward(self) -> Kernel[..., float]:
        """Kernel ``forward(u, x, constants) -> log|J|`` over flat arrays; overwrites ``x``."""
        return self._part("forward")  # type: ignore[no-any-return]

    @property
    def pullback(self) -> Kernel[..., None]:
        """Kernel ``pullback(u, x, constants, grad_x, grad_u)`` over flat arrays; overwrites ``grad_u``."""
        return self._part("pullback")  # type: ignore[no-any-return]

    @property
    def settle(self) -> Kernel[..., bool]:
        """Kernel ``settle(constants) -> bool``; completes constants whose bounds have been filled in."""
        return self._part("settle")  # type: ignore[no-any-return]

    @property
    def sensitivity(self) -> Kernel[..., None]:
        """Kernel ``sensitivity(u, x, constants, grad_x, grad_bounds)`` over flat arrays; overwrites ``grad_bounds``."""
        return self._part("sensitivity")  # type: ignore[no-any-return]

    @property
    def inverse(self) -> Callable[[Floats, Floats, Floats], None]:
        """Function ``inverse(x, u, constants)`` over flat arrays; overwrites ``u``."""
        return self._part("inverse")  # type: ignore[no-any-return]

    @property
    def is_identity(self) -> bool:
        """Whether the coordinates are the value."""
        return self.name == "real"

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What makes two supports the same, in terms that do not change from process to process."""
        functions = tuple((argument, fingerprint(bound)) for argument, bound in self.bounds if callable(bound))
        return (self.name, self.shape, self.constants.tobytes(), *functions)

    def at(self, bounds: Mapping[str, Any]) -> Support:
        """Return this support with numbers for its bounds.

        Parameters
        ----------
        bounds : mapping of str to array_like
            Each bound by its argument; broadcast to `shape`.

        Returns
        -------
        support : Support

        Raises
        ------
        BoundsError
            If nothing lies between such bounds.
        """
        values = [np.asarray(bounds[argument], np.float64) for argument, _ in self.bounds]
        constants = fill(values, self.shape)
        with np.errstate(all="ignore"):
            if not self.settle.py_func(constants):
                raise BoundsError(trouble(self.name, values, self.shape))
        typed = write_bounded(self.name, values, self.shape)
        return dataclasses.replace(self, constants=constants, typed=typed, bounds=())

    def image(self, u: ArrayLike) -> tuple[Any, float]:
        """Map unconstrained coordinates, shape (size,), to a value and the log of the Jacobian."""
        self._require_continuous("constrain")
        self._require_numbers()
        coordinates = np.ascontiguousarray(u, np.float64).reshape(-1)
        if coordinates.size != self.size:
            raise ModelError(f"{self!r} has {self.size} unconstrained coordinates, got {coordinates.size}")
        flat = np.empty(math.prod(self.shape))
        with np.errstate(all="ignore"):
            log_jacobian = float(self.forward.py_func(coordinates, flat, self.constants))
        return (flat.reshape(self.shape) if self.shape else float(flat[0])), log_jacobian

    def constrain(self, u: ArrayLike) -> Any:
        """Map unconstrained coordinates to a value.

        Parameters
        ----------
        u : array_like, shape (size,)
            The coordinates; a number will do if there is one.

        Returns
        -------
        value : float or ndarray
            A float if `shape` is ().

        Raises
        ------
        ValueError
            If ``u`` has another size, the support is discrete, or a bound is a function.
        """
        return self.image(u)[0]

    def unconstrain(self, value: ArrayLike) -> Floats:
        """Map a value to unconstrained coordinates.

        Parameters
        ----------
        value : array_like, shape `shape`
            A point inside the support; points on a bound have no finite coordinates.

        Returns
        -------
        u : ndarray, shape (size,)
            Empty for discrete supports.

        Raises
        ------
        ValueError
            If ``value`` has another shape or lies outside, the message says where; or if a bound is a function.
        """
        flat = np.asarray(self.check(value)).reshape(-1)
        u = np.empty(self.size)
        if not self.discrete:
            self._part("inverse")(flat, u, self.constants)
        return u

    def check(self, value: ArrayLike) -> Any:
        """Return a value as float64 (int64 if discrete) with `shape`, or say why it is none.

        Parameters
        ----------
        value : array_like, shape `shape`
            What may be a value of this support.

        Returns
        -------
        array : ndarray, shape `shape`
            A copy.

        Raises
        ------
        ValueError
            If ``value`` has another shape or lies outside the support or on its bound, or a bound is a function.
        """
        self._require_numbers()
        if hasattr(value, "filled") and np.any(getattr(value, "mask", False)):  # of np.ma, which takes long to import
            raise ModelError(f"a value of {self!r} must be numbers, got a masked array; pass value.filled(0.0)")
        try:
            array = as_floats(value)
        except (TypeError, ValueError):
            raise ModelError(f"a value of {self!r} must be numbers, got {shown(value)}") from None
        if array.shape != self.shape:
            raise ModelError(f"a value of {self!r} must have shape {self.shape}, got {array.shape}")
        if not np.all(np.isfinite(array)):
            bad = ~np.isfinite(array)
            raise ModelError(f"a value of {self!r} must be finite, got {array[bad][0]}{where(bad)}")
        reason = CHECKS[self.transform](array, self.constants)
        if reason:
            raise ModelError(f"a value of {self!r} {reason}")
        return array.astype(np.int64) if self.discrete else array

    @property
    def initial(self) -> Any:
        """The value a run starts from if nothing else is said: at coordinates 0, or the lowest of discrete values."""
        if not self.discrete:
            return self.constrain(np.zeros(self.size))
        lowest = self.constants[: self.constants.size // 2].astype(np.int64).reshape(self.shape)
        return lowest if self.shape else int(lowest)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Support) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.typed

    def _part(self, part: str) -> Any:
        self._require_continuous(part)
        return getattr(_MODULES[self.transform], f"{self.transform}_{part}")

    def _require_continuous(self, part: str) -> None:
        if self.discrete:
            raise ModelError(f"{self!r} is discrete: it has no unconstrained coordinates and no {part!r}")

    def _require_numbers(self) -> None:
        if self.bounds:
            raise ModelError(
                f"{self!r} has a bound that is a function of other parameters: it has values within a model only; "
                "use model.constrain and model.unconstrain"
            )
