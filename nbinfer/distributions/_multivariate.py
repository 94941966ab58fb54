"""Densities of vectors and matrices: how their functions are marked, and what their parameters must be.

A `signature` names the axes that belong to each argument, one letter an axis: ``("k", "k", "kk")`` are two vectors and
a matrix. Equal letters are equal sizes, which Python compares; axes before these are batches.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.registry import HANDLERS, handles
from nbinfer.compile import Kernel, elementwise
from nbinfer.compile.forks import cached_property
from nbinfer.distributions._check import Check, Condition, as_numbers, broadcast_shape, check_rng
from nbinfer.distributions._function import Density
from nbinfer.distributions._linalg import cholesky

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend


def compare_sizes(what: str, names: Sequence[str], values: Sequence[Any], signature: Sequence[str]) -> None:
    """Refuse arguments whose own axes are too few or differ in size where they must not; so of batches."""
    shapes = [np.shape(value) for value in values]
    listed = ", ".join(f"{name} {shape}" for name, shape in zip(names, shapes, strict=True))
    sizes: dict[str, int] = {}
    for name, shape, letters in zip(names, shapes, signature, strict=True):
        if len(shape) < len(letters):
            raise ValueError(f"{what}: {name} needs {len(letters)} or more axes: {listed}")
        for letter, size in zip(letters, shape[len(shape) - len(letters) :], strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ValueError(f"{what}: the last axes do not fit together: {listed}")
    broadcast_shape(what, names, values, [len(letters) for letters in signature])


class Multivariate(Density):
    """A density of arrays.

    It is written as an expression that sums over last axes; or for a single element, where `each` is true. Batches are
    loops over elements in compiled code, and where `each` is true everywhere.
    """

    def __init__(self, function: Callable[..., Any], signature: Sequence[str], each: bool) -> None:
        super().__init__(function, [len(letters) for letters in signature])
        self.signature = signature
        self._each = each
        if each:
            HANDLERS[function] = self._build

    def _build(self, b: Frontend, *args: Any) -> Any:
        from nbinfer.autodiff.batches import one_by_one

        return one_by_one(b, self.py_func, self.cores, args)

    def __call__(self, *args: Any, **named: Any) -> Any:
        bound = self._signature.bind(*args, **named).arguments
        values = [as_numbers(_name(self), name, value) for name, value in bound.items()]
        compare_sizes(_name(self), self.names, values, self.signature)
        outer = np.broadcast_shapes(*(np.shape(v)[: np.ndim(v) - n] for v, n in zip(values, self.cores, strict=True)))
        if not (self._each and outer):
            return super().__call__(*values)
        whole = [
            np.broadcast_to(v, outer + np.shape(v)[np.ndim(v) - n :]) for v, n in zip(values, self.cores, strict=True)
        ]
        logp = np.empty(outer)
        for index in np.ndindex(outer):
            logp[index] = super().__call__(*(v[index] for v in whole))
        return logp


class Composed(Kernel[..., Any]):
    """A density of arrays that calls others; a batch is a matrix of rows in compiled code and in models."""

    def __init__(self, function: Callable[..., Any], signature: Sequence[str]) -> None:
        super().__init__(function, {})
        self.signature = signature

    @cached_property
    def _bind(self) -> Callable[..., inspect.BoundArguments]:
        return inspect.signature(self.py_func).bind

    def __call__(self, *args: Any, **named: Any) -> Any:
        bound = self._bind(*args, **named).arguments
        values = [as_numbers(_name(self), name, value) for name, value in bound.items()]
        compare_sizes(_name(self), list(bound), values, self.signature)
        for name, value, letters in zip(bound, values, self.signature, strict=True):
            if len(letters) == 2 and value.ndim > 2:
                raise ValueError(
                    f"{_name(self)}: {name} must be one matrix, got shape {value.shape}; loop over several"
                )
        with np.errstate(all="ignore"):
            return self.py_func(*values)

    def __repr__(self) -> str:
        return f"<density {_name(self)}>"


class ComposedGenerator(Kernel[..., Any]):
    """A generator that prepares its parameters once and leaves the drawing to another."""

    def __init__(self, function: Callable[..., Any], check: Check) -> None:
        super().__init__(function, {})
        self.check = check

    def __call__(self, rng: np.random.Generator, *args: Any, **named: Any) -> Any:
        bound = inspect.signature(self.py_func).bind(rng, *args, **named).arguments
        check_rng(_name(self), rng)
        bound |= {name: as_numbers(_name(self), name, bound[name]) for name in self.check.names}
        self.check(*(bound[name] for name in self.check.names))
        return self.py_func(**bound)

    def __repr__(self) -> str:
        return f"<generator {_name(self)}>"


def _name(function: Kernel[..., Any]) -> str:
    return f"{function.py_func.__module__.rpartition('.')[2]}.{function.py_func.__name__}"


def multivariate(*signature: str, each: bool = False) -> Callable[[Callable[..., Any]], Multivariate]:
    """Mark a density of arrays; see `Multivariate`."""
    return lambda function: Multivariate(function, signature, each)


def composed(*signature: str) -> Callable[[Callable[..., Any]], Composed]:
    """Mark a density made of others and of linear algebra."""
    return lambda function: Composed(function, signature)


def composed_generator(check: Check) -> Callable[[Callable[..., Any]], ComposedGenerator]:
    """Mark a generator made of another."""
    return lambda function: ComposedGenerator(function, check)


@elementwise(lambda x: np.asarray(x)[..., None])
def column(x: Any) -> Any:
    """Return a number, or an array with an axis of components at its end."""
    return x


@handles(column.py_func)
def _column_in_models(b: Frontend, x: Any) -> Any:
    from nbinfer.autodiff.indexing import subscript

    x = b.operand(x)
    return subscript(b, x, [Ellipsis, None]) if x.ndim else x


# What parameters must be ----------------------------------------------------------------------------------------------


def _are_covariances(A: Any) -> Any:
    if A.shape[-1] != A.shape[-2]:
        return np.zeros(A.shape[:-2], bool)
    largest = np.max(np.abs(A), axis=(-2, -1))
    asymmetry = np.max(np.abs(A - np.swapaxes(A, -1, -2)), axis=(-2, -1))
    matrices = A.reshape(-1, *A.shape[-2:])
    positive = np.reshape([cholesky(matrix)[0, 0] > 0.0 for matrix in matrices], A.shape[:-2])
    return (asymmetry <= 1e-10 * largest) & positive


def _are_factors(L: Any) -> Any:
    if L.shape[-1] != L.shape[-2]:
        return np.zeros(L.shape[:-2], bool)
    lower = np.all(np.isfinite(L) & (np.tril(L) == L), axis=(-2, -1))
    return lower & np.all(np.diagonal(L, axis1=-2, axis2=-1) > 0.0, -1)


@elementwise(_are_factors, cores=(2,))
def is_factor(L: Any) -> Any:
    """Tell whether a matrix is lower triangular with a positive diagonal."""
    ok = L.shape[0] == L.shape[1]
    for i in range(L.shape[0] if ok else 0):
        ok = ok and L[i, i] > 0.0
        for j in range(L.shape[1]):
            ok = ok and (abs(L[i, j]) < np.inf if j <= i else L[i, j] == 0.0)
    return ok


def _are_real(x: Any) -> Any:
    return np.all(np.isfinite(x), -1)


@elementwise(_are_real, cores=(1,))
def is_real(row: Any) -> Any:
    """Tell whether all elements of a row are finite."""
    ok = True
    for x in row:
        ok = ok and abs(x) < np.inf
    return ok


@elementwise(lambda x: np.all((x > 0.0) & (x < np.inf), -1), cores=(1,))
def is_positive(row: Any) -> Any:
    """Tell whether all elements of a row are positive and finite."""
    ok = True
    for x in row:
        ok = ok and x > 0.0 and x < np.inf
    return ok


#: The rest of a message.
FITS = "mu must have an element for each row of the matrix"

VECTOR = Condition("finite numbers along the last axis", is_real, 1)
POSITIVES = Condition("positive and finite along the last axis", is_positive, 1)
FACTOR = Condition("a lower triangular matrix with a positive diagonal", is_factor, 2)
#: For Python only: who draws has a factor.
COVARIANCE = Condition("a symmetric positive definite matrix", _are_covariances, 2)
