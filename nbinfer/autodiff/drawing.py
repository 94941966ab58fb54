"""Draws of random numbers, in functions whose value alone is generated: calls that stay in the order of the text.

Elements of an array are drawn one after the other, as NumPy and families draw them: the same generator gives the same
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nbinfer.autodiff.ir import Value
from nbinfer.autodiff.lazy import Lazy, is_array
from nbinfer.autodiff.shapes import sizes_of

if TYPE_CHECKING:
    from nbinfer.autodiff.frontend import Frontend

#: Methods of a NumPy generator that draw numbers: their parameters, with what stands for one that is left out.
_METHODS: dict[str, dict[str, float | None]] = {
    "random": {},
    "standard_normal": {},
    "standard_exponential": {},
    "standard_cauchy": {},
    "normal": {"loc": 0.0, "scale": 1.0},
    "laplace": {"loc": 0.0, "scale": 1.0},
    "logistic": {"loc": 0.0, "scale": 1.0},
    "lognormal": {"mean": 0.0, "sigma": 1.0},
    "uniform": {"low": 0.0, "high": 1.0},
    "exponential": {"scale": 1.0},
    "gamma": {"shape": None, "scale": 1.0},
    "standard_gamma": {"shape": None},
    "chisquare": {"df": None},
    "standard_t": {"df": None},
    "beta": {"a": None, "b": None},
    "weibull": {"a": None},
    "pareto": {"a": None},
    "triangular": {"left": None, "mode": None, "right": None},
    "poisson": {"lam": 1.0},
    "binomial": {"n": None, "p": None},
    "negative_binomial": {"n": None, "p": None},
    "geometric": {"p": None},
    "integers": {"low": None, "high": None},
}
_INTEGERS = ("poisson", "binomial", "negative_binomial", "geometric", "integers")


class Draws:
    """A method of a generator of random numbers."""

    def __init__(self, name: str, value: Value) -> None:
        self.name = name
        self.value = value


class Random:
    """A generator of random numbers; `value` is how generated code calls it."""

    def __init__(self, value: Value) -> None:
        self.value = value

    def __getattr__(self, name: str) -> Draws:
        return Draws(name, self.value)


def draws(function: Any, args: Sequence[Any], named: dict[str, Any]) -> bool:
    """Tell whether a call draws random numbers: a method of a generator, or the generator of a family."""
    if isinstance(function, Draws):
        return True
    given = [*args[:1], *([named["rng"]] if "rng" in named else [])]
    return hasattr(function, "element") and any(isinstance(x, Random) for x in given)


def draw(b: Frontend, function: Any, args: Sequence[Any], named: dict[str, Any]) -> Any:
    """Draw a number, or an array of them."""
    if isinstance(function, Draws):
        return _by_method(b, function, list(args), dict(named))
    return _from_family(b, function, list(args), dict(named))


def _by_method(b: Frontend, method: Draws, args: list[Any], named: dict[str, Any]) -> Any:
    name, rng = method.name, method.value
    if name not in _METHODS:
        raise b.error(f"rng.{name} is not supported here; draw from a family, as in normal.random(rng, mu, sigma)")
    given = _bound(b, f"rng.{name}", [*_METHODS[name], "size"], args, named)
    size = given.pop("size", None)
    if name == "integers" and "high" not in given and "low" in given:
        given = {"low": b.constant(0), "high": given["low"]}
    operands = []
    for word, usual in _METHODS[name].items():
        if word not in given and usual is None:
            raise b.error(f"rng.{name} misses the argument {word!r}")
        operands.append(b.operand(given[word]) if word in given else b.constant(usual))
    kind = "i" if name in _INTEGERS else "f"
    return _each(b, f"{rng.access}.{name}", kind, [], operands, size)


def _from_family(b: Frontend, family: Any, args: list[Any], named: dict[str, Any]) -> Any:
    words = ["rng", *family.check.names, "size"]
    given = _bound(b, repr(family), words, args, named)
    rng, size = given.pop("rng").value, given.pop("size", None)
    for word in family.check.names:
        if word not in given:
            raise b.error(f"{family!r} misses the argument {word!r}")
    operands = [b.operand(given[word]) for word in family.check.names]
    name = next((n for n, known in b.names.items() if known is family), None)
    if name is None:
        name = b.global_name(f"{family.py_func.__module__.rpartition('.')[2]}_{family.py_func.__name__}")
        b.names[name] = family
    kind = "i" if np.dtype(family.dtype).kind == "i" else "f"
    if not any(family.check.cores) and not family.element:
        return _each(b, name, kind, [rng], operands, size)
    if size is not None:
        raise b.error(f"the size of {family!r} is not supported here; let its parameters have the shape")
    outer = max(x.ndim - core for x, core in zip(operands, family.check.cores, strict=True))
    stored = [b.stored(x) if isinstance(x, Lazy) else x for x in operands]
    return b.draw(name, kind, outer + family.element.count(","), [rng, *stored])


def _bound(b: Frontend, name: str, words: list[str], args: list[Any], named: dict[str, Any]) -> dict[str, Any]:
    """Return arguments by name."""
    unknown = [word for word in named if word not in words or word in words[: len(args)]]
    if len(args) > len(words) or unknown:
        what = f"no argument {unknown[0]!r} here" if unknown else f"at most {len(words)} arguments"
        raise b.error(f"{name} takes {what}; it takes {', '.join(words)}")
    found = dict(zip(words, args, strict=False)) | named
    return {word: x for word, x in found.items() if x is not None}


def _each(b: Frontend, name: str, kind: str, first: list[Value], operands: list[Any], size: Any) -> Any:
    """Draw a number from numbers, or one for each element of a shape."""
    arrays = [b.lazy(x) for x in operands if is_array(x)]
    if size is None and not arrays:
        return b.draw(name, kind, 0, [*first, *operands])
    dims = b.broadcast([x.dims for x in arrays]) if size is None else sizes_of(b, size)
    b.broadcast([dims, *(x.dims for x in arrays)])  # they fit
    array = b.alloc(dims, kind, "empty", "draws")

    def body(index: list[Value], carried: list[Value]) -> list[Value]:
        numbers = [b.lazy(x).at(b.spread(b.lazy(x), index, dims)) if is_array(x) else x for x in operands]
        b.store(array, index, b.draw(name, kind, 0, [*first, *numbers]))
        return []

    b.nest(dims, [], body)
    return array
