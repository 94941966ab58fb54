"""The complex step: `math` and NumPy for numbers whose imaginary part carries a derivative.

A program of analytic functions, run at ``x + 1e-30j * d``, returns its derivative along d as imaginary part, exact to
rounding: nothing is subtracted. Comparisons look at the real part, so both runs take the same branches. Functions that
NumPy has for real numbers only are given here by value and derivative.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

STEP = 1e-30


def lifted(value: Callable[..., Any], *partials: Callable[..., Any]) -> Callable[..., Any]:
    """Extend a real function by its derivatives."""

    def function(*args: Any) -> Any:
        real = [np.real(a) for a in args]
        slope = sum(p(*real) * np.imag(a) for p, a in zip(partials, args, strict=True))
        return value(*real) + 1j * slope

    return function


def _absolute(z: Any) -> Any:
    return np.where(np.real(z) < 0.0, -z, z)[()]


def _larger(a: Any, b: Any) -> Any:
    return np.where(np.real(a) >= np.real(b), a, b)[()]


def _smaller(a: Any, b: Any) -> Any:
    return np.where(np.real(a) <= np.real(b), a, b)[()]


def _of_real_part(test: Callable[..., Any]) -> Callable[..., Any]:
    return lambda z: test(np.real(z))


def _where_not_negative(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda z: np.where(np.real(z) < 0.0, math.nan, function(z))[()]


def _clip(z: Any, lower: Any, upper: Any) -> Any:
    z = +z if lower is None else _larger(z, lower)
    return z if upper is None else _smaller(z, upper)


def _variance(z: Any, axis: Any = None, ddof: int = 0) -> Any:
    squares = (z - np.mean(z, axis=axis, keepdims=True)) ** 2
    return np.sum(squares, axis=axis) / (np.size(z) // np.size(np.sum(z, axis=axis)) - ddof)


def _real_nan_to_num(z: Any) -> Any:
    return np.where(np.isnan(np.real(z)), 0.0, z)[()]


def _reducing(function: Callable[..., Any], reduce: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function of two numbers the methods `reduce` and `outer`, as NumPy's have, for arrays of one axis."""

    def reducing(*args: Any) -> Any:
        return function(*args)

    reducing.reduce = lambda z, axis=0: reduce(z, axis=axis)  # type: ignore[attr-defined]
    reducing.outer = lambda a, b: function(np.asarray(a)[..., None], b)  # type: ignore[attr-defined]
    return reducing


def _log_sum(z: Any, axis: Any = None) -> Any:
    return np.log(np.sum(np.exp(z), axis=axis))


def _cholesky(a: Any) -> Any:
    n = a.shape[0]
    lower = np.zeros((n, n), complex)
    for i in range(n):
        for j in range(i + 1):
            total = a[i, j] - lower[i, :j] @ lower[j, :j]
            if i == j and total.real <= 0.0:
                raise np.linalg.LinAlgError("not positive definite")
            lower[i, j] = np.sqrt(total) if i == j else total / lower[j, j]
    return lower


def _slogdet(a: Any) -> tuple[Any, Any]:
    det = np.linalg.det(a)
    sign = 1.0 if det.real >= 0.0 else -1.0
    return sign, np.log(det * sign)


def _made(make: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any, dtype: Any = complex) -> Any:
        return make(*args, dtype=complex if dtype is float else dtype)

    return function


def _full(shape: Any, fill: Any) -> Any:
    return np.full(shape, fill, complex)


def _copy(z: Any) -> Any:
    return np.array(z, complex if np.asarray(z).dtype.kind == "f" else None)


def _remainder(a: Any, b: Any) -> Any:
    return a - b * np.floor(np.real(a) / np.real(b))


def _expit(z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def _digamma_difference(a: Any, b: Any) -> Any:
    return special.digamma(a) - special.digamma(a + b)


def _best(better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def function(*items: Any) -> Any:
        result, *rest = items[0] if len(items) == 1 else items
        for item in rest:
            result = better(result, item)
        return result

    return function


_REAL_ONLY: dict[str, Callable[..., Any]] = {
    "lgamma": lifted(special.gammaln, special.digamma),
    "erf": lifted(special.erf, lambda a: 2.0 / math.sqrt(math.pi) * np.exp(-a * a)),
    "erfc": lifted(special.erfc, lambda a: -2.0 / math.sqrt(math.pi) * np.exp(-a * a)),
    "atan2": lifted(np.arctan2, lambda a, b: b / (a * a + b * b), lambda a, b: -a / (a * a + b * b)),
    "hypot": lifted(np.hypot, lambda a, b: a / np.hypot(a, b), lambda a, b: b / np.hypot(a, b)),
    "log": lambda z, base=None: np.log(z) if base is None else np.log(z) / np.log(base),
    "log2": lambda z: np.log(z) / math.log(2.0),
    "log10": lambda z: np.log(z) / math.log(10.0),
    "copysign": lambda a, b: _absolute(a) * math.copysign(1.0, np.real(b)),
    "fabs": _absolute,
    "pow": lambda a, b: a**b,
    # Python's are integers, which have no negative zero.
    "floor": lambda z: np.floor(np.real(z)) + 0.0,
    "ceil": lambda z: np.ceil(np.real(z)) + 0.0,
    "trunc": lambda z: np.trunc(np.real(z)) + 0.0,
}
_ROOT = math.sqrt(2.0 * math.pi)
_TESTS = ("isfinite", "isnan", "isinf")
_SHARED = ("exp", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")

MATH = types.SimpleNamespace(
    pi=math.pi,
    e=math.e,
    inf=math.inf,
    nan=math.nan,
    asin=np.arcsin,
    acos=np.arccos,
    atan=np.arctan,
    **{name: _of_real_part(getattr(math, name)) for name in _TESTS},
    fsum=sum,
    prod=math.prod,
    **{name: getattr(np, name) for name in _SHARED},
    **_REAL_ONLY,
)


def _poisoned(shape: Any, dtype: Any = float) -> Any:
    """Stand in for np.empty: what is read before it is written shows."""
    return np.full(shape, 10**9 if np.dtype(dtype).kind in "iub" else math.nan, dtype)


#: NumPy, but for memory that is not initialised.
POISONED = types.SimpleNamespace(
    **{
        **{name: thing for name, thing in vars(np).items() if not name.startswith("_")},
        "empty": _poisoned,
        "empty_like": lambda z, dtype=None: _poisoned(z.shape, z.dtype if dtype is None else dtype),
    }
)

NUMPY = types.SimpleNamespace(
    **{
        **{name: thing for name, thing in vars(np).items() if not name.startswith("_")},
        **{name: _made(getattr(np, name)) for name in ("zeros", "ones", "empty")},
        **{name: _REAL_ONLY[name] for name in ("hypot", "log2", "log10", "copysign", "fabs")},
        **{name: _of_real_part(getattr(np, name)) for name in ("floor", "ceil", "trunc")},
        **{name: _of_real_part(getattr(np, name)) for name in _TESTS},
        **{name: _where_not_negative(getattr(np, name)) for name in ("log", "sqrt")},
        "log1p": lambda z: np.where(np.real(z) < -1.0, math.nan, np.log1p(z))[()],
        "zeros_like": lambda z: np.zeros(z.shape, complex),
        "ones_like": lambda z: np.ones(z.shape, complex),
        "empty_like": lambda z: np.empty(z.shape, complex),
        "full": _full,
        "copy": _copy,
        "full_like": lambda z, fill: _full(z.shape, fill),
        "eye": np.eye,
        "abs": _absolute,
        "absolute": _absolute,
        "heaviside": lambda z, half: np.heaviside(np.real(z), half),
        "sign": lambda z: np.sign(np.real(z)),
        "maximum": _reducing(_larger, np.max),
        "minimum": _reducing(_smaller, np.min),
        "clip": _clip,
        "fmax": _larger,
        "fmin": _smaller,
        "logaddexp": _reducing(lambda a, b: np.log(np.exp(a) + np.exp(b)), _log_sum),
        "floor_divide": lambda a, b: np.floor_divide(np.real(a), np.real(b)),
        "mod": _remainder,
        "remainder": _remainder,
        "round": lambda z: np.round(np.real(z)),
        "rint": lambda z: np.rint(np.real(z)),
        "fix": lambda z: np.fix(np.real(z)),
        "float64": lambda z: z,
        "var": _variance,
        "std": lambda z, *axis, **named: np.sqrt(_variance(z, *axis, **named)),
        "nan_to_num": _real_nan_to_num,
        "vdot": np.dot,
        "float_power": lambda a, b: a**b,
        "amax": np.max,
        "amin": np.min,
        "arctan2": _REAL_ONLY["atan2"],
        "linalg": types.SimpleNamespace(
            cholesky=_cholesky,
            solve=np.linalg.solve,
            inv=np.linalg.inv,
            det=np.linalg.det,
            slogdet=_slogdet,
            norm=lambda z, axis=None: np.sqrt(np.sum(z * z, axis=axis)),
        ),
    }
)

BUILTINS: dict[str, Any] = {
    "abs": _absolute,
    "max": _best(_larger),
    "min": _best(_smaller),
    "float": lambda z: z,
    "int": lambda z: int(np.real(z)),
    "round": lambda z: round(np.real(z)),
}

SPECIAL: dict[str, Any] = {
    "select": lambda condition, a, b: np.where(condition, a, b)[()],
    "expit": _expit,
    "log1pexp": lambda z: np.log1p(np.exp(z)),
    "logsumexp": _log_sum,
    "solve_lower": lambda a, b: np.linalg.solve(np.tril(a), b),
    "solve_upper": lambda a, b: np.linalg.solve(np.triu(a), b),
    "digamma": lifted(special.digamma, lambda a: special.polygamma(1, a)),
    "trigamma": lifted(lambda a: special.polygamma(1, a), lambda a: special.polygamma(2, a)),
    "lbeta": lifted(special.betaln, _digamma_difference, lambda a, b: _digamma_difference(b, a)),
    "ndtr": lifted(special.ndtr, lambda a: np.exp(-0.5 * a * a) / _ROOT),
    "log_ndtr": lifted(special.log_ndtr, lambda a: np.exp(-0.5 * a * a - special.log_ndtr(a)) / _ROOT),
    "ndtri": lifted(special.ndtri, lambda p: _ROOT * np.exp(0.5 * special.ndtri(p) ** 2)),
    "log_i0e": lifted(lambda a: np.log(special.i0e(a)), lambda a: special.i1e(a) / special.i0e(a) - np.sign(a)),
    "logit": lambda p: np.log(p / (1.0 - p)),
    "log_expit": lambda z: -np.log1p(np.exp(-z)),
    "log1mexp": lambda z: np.log(-np.expm1(z)),
    "xlogy": lambda a, b: a * np.log(b),
    "xlog1py": lambda a, b: a * np.log1p(b),
    "row_sum": lambda rows: np.sum(rows, -1),
    "row_logsumexp": lambda rows: _log_sum(rows, -1),
    "pick": lambda rows, k: rows[..., k],
}

#: What a program finds under these names in a complex run.
NAMES: dict[str, Any] = {"math": MATH, "np": NUMPY, **BUILTINS, **SPECIAL}


def moved(args: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    """Give arguments an imaginary part; a direction of None leaves one as it is."""
    return [
        a if d is None else np.complex128(a + 1j * STEP * d) if np.ndim(a) == 0 else a + 1j * STEP * d
        for a, d in zip(args, directions, strict=True)
    ]
