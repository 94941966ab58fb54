"""Run a model's functions in plain Python: to check, to replay failures, to explain bad values."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import kernels
from nbinfer.compile.forks import hold_at_forks
from nbinfer.compile.in_python import in_python
from nbinfer.compile.pool import turn
from nbinfer.compile.python_functions import python_function
from nbinfer.errors import ModelError, NbinferWarning, calls_above
from nbinfer.spelling import meant

_LOCK = hold_at_forks(threading.RLock())

#: Shapes that a message lists.
_SHOWN = 12

#: Exceptions that say that this point is bad, not that the function is wrong.
NUMERICAL = (ArithmeticError, np.linalg.LinAlgError)


@contextlib.contextmanager
def plain_python() -> Iterator[None]:
    """Let kernels that a user's function calls run as Python within the block, so that nothing is compiled."""
    with _LOCK, turn(), np.errstate(all="ignore"):
        before = kernels.JIT
        kernels.JIT = False
        try:
            yield
        finally:
            kernels.JIT = before


def is_numerical(error: BaseException) -> bool:
    """Whether an exception says that a point is bad; Python's math raises where compiled code returns NaN."""
    return isinstance(error, NUMERICAL) or (isinstance(error, ValueError) and "math domain error" in str(error))


def call(function: Any, *args: Any) -> Any:
    """Call a user's function in plain Python; what writes to parameters or data gets an error that says so."""
    try:
        with plain_python():
            value = in_python(function)(*args)
        # What NumPy makes of numbers, as np.where does, is a number.
        return value[()] if isinstance(value, np.ndarray) and value.shape == () else value
    except Exception as error:
        raise_if_written(error)
        note = _of_names(error) or _of_shapes(error, args)
        if note:
            error.add_note(note)
        raise


def _of_names(error: Exception) -> str:
    """Say how names are written in functions, to one who writes them otherwise; '' if that is not the matter."""
    of: Any = getattr(error, "obj", None) if isinstance(error, AttributeError) else None
    if hasattr(of, "_fields"):
        near = meant(error.name, of._fields)  # type: ignore[attr-defined]
        return f"{type(of).__name__} has {', '.join(of._fields)}{f'.{near}' if near else ''}"
    if isinstance(error, AttributeError) and "can't set attribute" in str(error):
        return "parameters and data are read-only in a function: give the new value a name of its own, mu = ..."
    if isinstance(error, TypeError) and "tuple indices must be" in str(error):
        return "parameters and data are attributes in a function: p.mu and d.y, not p['mu'] and d['y']"
    if isinstance(of, np.ndarray) or (isinstance(error, IndexError) and "only integers, slices" in str(error)):
        return (
            "data are plain NumPy arrays in a function, whatever they were before; the columns of a data frame are "
            "entries of their own if it is passed whole: data=frame, and d.y is its column y"
        )
    return ""


def _of_shapes(error: Exception, args: Sequence[Any]) -> str:
    """Say what shapes there are, and how indices count, where arrays do not fit each other."""
    if isinstance(error, IndexError) and "must be of integer" in str(error):
        return "indices are integers, and a column with decimals or gaps is none: pass it as such, g.astype(int)"
    if not isinstance(error, IndexError) and "broadcast" not in str(error) and "mismatch" not in str(error):
        return ""
    shapes = [
        f"{name} {np.shape(value)}"
        for group in args
        if hasattr(group, "_fields")
        for name, value in zip(group._fields, group, strict=True)
    ]
    counted = ", and indices count from 0" if isinstance(error, IndexError) else ""
    return f"shapes are {', '.join(shapes[:_SHOWN])}{', …' if len(shapes) > _SHOWN else ''}{counted}" if shapes else ""


def raise_if_written(error: BaseException) -> None:
    """Raise a ModelError if an exception, NumPy's or Numba's, is about a write to memory that is read-only."""
    from nbinfer.compile.readable import written

    message = written(error)
    if message is not None:
        raise ModelError(message) from None


def check_shapes(
    terms: Mapping[str, tuple[int, ...] | None], data: Mapping[str, tuple[int, ...]], parameters: Mapping[str, Any]
) -> None:
    """Require likelihood terms that bear the name of data to have no more values than these along any axis.

    They may have fewer: a number is the sum; an axis may be summed, or begin later. More come of broadcasting (n, 1)
    against (n,); of other terms, where that happens, a warning is all that can be said.
    """
    for name, shape in terms.items():
        if name in data and shape is not None and not _fits_into(shape, data[name]):
            raise ModelError(
                f"likelihood {name!r} must have one value for each observation, so the shape of its data, "
                f"{data[name]}, got {shape}; arrays of shapes (n, 1) and (n,) broadcast to (n, n): give both sides one "
                f"shape, for example d.{name}.ravel()"
            )
        if name not in data and shape is not None and len(shape) > 1:
            _warn_of_broadcast(name, shape, {**data, **{key: p.shape for key, p in parameters.items()}})


def _fits_into(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Tell whether axes can be left out of a shape, and others cut, so that this one remains."""
    left = iter(whole)
    return all(any(length <= available for available in left) for length in shape)


def _warn_of_broadcast(name: str, shape: tuple[int, ...], known: Mapping[str, tuple[int, ...]]) -> None:
    if shape in known.values():
        return
    columns = [key for key, s in known.items() if len(s) == len(shape) and 1 in s and max(s) > 1]
    rows = [key for key, s in known.items() if len(s) == len(shape) - 1 and s]
    for a, b in ((a, b) for a in columns for b in rows):
        with contextlib.suppress(ValueError):
            if np.broadcast_shapes(known[a], known[b]) == shape:
                warnings.warn(
                    f"the likelihood {name!r} has {' x '.join(map(str, shape))} values, which looks as if {a!r} of "
                    f"shape {known[a]} was broadcast against {b!r} of shape {known[b]}; if that is not meant, use "
                    f"{a}.ravel()",
                    NbinferWarning,
                    stacklevel=calls_above(),
                )
                return


def check_arguments(function: Any, label: str, names: tuple[str, ...], called: str = "") -> None:
    """Require something that can be compiled and takes the arguments `names`; messages write it as `called`."""
    wanted = f"{called or (label if label.isidentifier() else 'f')}({', '.join(names)})"
    if not callable(function):
        raise ModelError(f"{label} must be a function {wanted}, got {type(function).__name__}")
    code = getattr(python_function(function), "__code__", None)
    if code is None or inspect.ismethod(function):
        raise ModelError(f"{label} must be a plain or njit function {wanted}, got {_unfit(function, wanted)}")
    required = code.co_argcount - len(python_function(function).__defaults__ or ())
    if code.co_flags & 0x0C or not required <= len(names) <= code.co_argcount or code.co_kwonlyargcount:
        hint = "; write each argument out, also where a decorator calls it" if code.co_flags & 0x0C else ""
        arguments = str(inspect.signature(python_function(function), follow_wrapped=False))
        raise ModelError(f"{label} must take {len(names)} arguments, {wanted}, got {code.co_name}{arguments}{hint}")


def _unfit(function: Any, wanted: str) -> str:
    """Say what is no function with a text of its own, and what to write instead."""
    if isinstance(function, functools.partial):
        name = getattr(function.func, "__name__", "f")
        given = ", ".join([*map(repr, function.args), *(f"{k}={v!r}" for k, v in function.keywords.items())])
        more = f" and {given}" if 0 < len(given) <= 40 else ""
        return f"a functools.partial; write a def {wanted} that calls {name} with its arguments{more}"
    if isinstance(function, types.BuiltinFunctionType | type):
        return f"{function.__name__}; wrap it in a def"
    owner = function.__self__ if inspect.ismethod(function) else None
    if owner is not None or type(function).__module__ not in ("builtins", "functools"):
        kind = owner.__name__ if isinstance(owner, type) else type(owner).__name__
        what = f"a method of {kind}" if owner is not None else type(function).__name__
        return (
            f"{what}; write a def {wanted} outside of the class, and pass what it reads of self as data: "
            "with data={'scale': model.scale}, self.scale is d.scale"
        )
    return f"{type(function).__name__}; wrap it in a def"


def check_number(value: Any, label: str) -> None:
    """Require a real number."""
    if isinstance(value, np.ndarray):
        raise ModelError(
            f"{label} must return a number, got an array of shape {value.shape}; sum it with np.sum "
            "(a likelihood may return an array, one term per observation)"
        )
    _check_real(value, label, "a number")


def check_nothing(value: Any, label: str) -> None:
    """Require that a gradient was written where it belongs, and not returned."""
    if value is not None:
        raise ModelError(
            f"{label} must write the gradient into its argument and return nothing, got {type(value).__name__}; "
            "a function that returns the density and writes its gradient is logp_grad"
        )


def _check_real(value: Any, label: str, wanted: str) -> None:
    if value is None:
        raise ModelError(f"{label} must return {wanted}, got None; is there a return statement on every path?")
    if isinstance(value, (complex, np.complexfloating)) or (isinstance(value, np.ndarray) and value.dtype.kind == "c"):
        raise ModelError(f"{label} must return {wanted}, got complex; take the real part or check the domain of roots")
    real = isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating))
    if not real and not (isinstance(value, np.ndarray) and value.dtype.kind in "biuf"):
        raise ModelError(f"{label} must return {wanted}, got {type(value).__name__}")


def check_term(value: Any, label: str) -> None:
    """Require a real number or an array of them."""
    _check_real(value, label, "a number or an array of numbers")


class Facts(NamedTuple):
    """What one run of the functions in Python showed.

    Attributes
    ----------
    terms : dict of str to (tuple of int or None)
        For each likelihood term the shape of its value; None for a number.
    derived : dict of str to (tuple of int, str)
        Shape and dtype of each derived quantity.
    bounds : dict of (str, str) to (tuple of int or None)
        For each bound that is a function, by argument and parameter, the shape of its value; None for a number.
    """

    terms: dict[str, tuple[int, ...] | None]
    derived: dict[str, tuple[tuple[int, ...], str]]
    bounds: dict[tuple[str, str], tuple[int, ...] | None]

    def as_json(self) -> dict[str, Any]:
        """Return the facts as plain data."""
        return {"terms": self.terms, "derived": self.derived, "bounds": list(self.bounds.items())}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Facts:
        """Read what `as_json` returned."""
        terms = {name: None if shape is None else tuple(shape) for name, shape in plain["terms"].items()}
        derived = {name: (tuple(shape), kind) for name, (shape, kind) in plain["derived"].items()}
        bounds = {tuple(key): None if shape is None else tuple(shape) for key, shape in plain["bounds"]}
        return cls(terms, derived, bounds)


def trial_points(dim: int) -> list[np.ndarray]:
    """Return the points at which functions are tried: unconstrained 0 first."""
    return [np.zeros(dim), *np.random.Generator(np.random.Philox(key=1)).uniform(-1.0, 1.0, (4, dim))]


def retrying(evaluate: Callable[[np.ndarray], Any], dim: int) -> Any:
    """Evaluate at unconstrained 0; if that is numerically bad, at a few other points, before giving up."""
    errors = []
    for q in trial_points(dim):
        try:
            return evaluate(q)
        except Exception as error:
            if not is_numerical(error):
                raise
            errors.append(error)
    raise errors[0]


def describe_derived(value: Any, label: str) -> tuple[tuple[int, ...], str]:
    """Return shape and dtype (float64, int64 or bool) of a derived quantity."""
    if isinstance(value, (tuple, list, dict)):
        got = type(value).__name__
        raise ModelError(f"{label} must return a number or one array, got {got}; make each part a quantity of its own")
    _check_real(value, label, "a number or an array of numbers")
    kind = {"b": "bool", "i": "int64", "u": "int64", "f": "float64"}[np.asarray(value).dtype.kind]
    return np.shape(value), kind
