"""Which rule the operators of Python and the functions of Python, NumPy and ours stand for."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.rules import RULES

#: Rules whose arguments are numbers, so that a bool among them is converted.
ARITHMETIC = {
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "pow",
    "square",
    "floordiv",
    "mod",
    "abs",
    "max",
    "min",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
}

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.BitAnd: "bitand",
    ast.BitOr: "bitor",
    ast.BitXor: "bitxor",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
}
COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.Gt: "gt",
    ast.LtE: "le",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}

#: Functions that work element by element, and their rules.
FUNCTIONS: dict[Any, str] = {
    abs: "abs",
    pow: "pow",
    float: "float",
    int: "int",
    bool: "bool",
    round: "whole_round",
    np.round: "round",
    np.rint: "round",
    np.fix: "trunc",
    np.trunc: "trunc",
    math.trunc: "whole_trunc",
    np.floor_divide: "floordiv",
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.divide: "div",
    np.negative: "neg",
    np.power: "pow",
    np.mod: "mod",
    np.maximum: "maximum",
    np.minimum: "minimum",
    np.fmax: "fmax",
    np.fmin: "fmin",
    np.logaddexp: "logaddexp",
    np.sign: "sign",
    np.square: "square",
    np.log2: "log2",
    np.log10: "log10",
    np.exp2: "exp2",
    np.logical_and: "and",
    np.logical_or: "or",
    np.logical_not: "not",
    np.logical_xor: "xor",
    np.bitwise_and: "bitand",
    np.bitwise_or: "bitor",
    np.less: "lt",
    np.greater: "gt",
    np.less_equal: "le",
    np.greater_equal: "ge",
    np.equal: "eq",
    np.not_equal: "ne",
    np.float64: "float",
    np.int64: "int",
    math.lgamma: "lgamma",
    math.erf: "erf",
    math.erfc: "erfc",
    math.log2: "log2",
    math.log10: "log10",
    math.fabs: "abs",
    np.abs: "abs",
    np.fabs: "abs",
}
for _function in vars(vectormath).values():
    if isinstance(_function, vectormath.Elementwise) and _function.py_func.__name__ in RULES:
        FUNCTIONS[_function.py_func] = _function.py_func.__name__
_SHARED = "exp log log1p expm1 sqrt sin cos tan sinh cosh tanh hypot copysign floor ceil isfinite isnan isinf"
for _name in _SHARED.split():
    FUNCTIONS[getattr(np, _name)] = FUNCTIONS[getattr(math, _name)] = _name
for _name in ("floor", "ceil"):
    FUNCTIONS[getattr(math, _name)] = f"whole_{_name}"
for _name in ("asin", "acos", "atan", "atan2"):
    FUNCTIONS[getattr(np, _name.replace("a", "arc", 1))] = FUNCTIONS[getattr(math, _name)] = _name
