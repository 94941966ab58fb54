"""Scalar rules: for each function a template of its value and templates of its partial derivatives.

``{0}``, ``{1}`` are the arguments and ``{o}`` is the result; the templates name what the reverse sweep needs. A partial
multiplies the adjoint of the result; where it holds ``{bar}`` it is the whole contribution. A value and its partials
share subexpressions, which LLVM merges.

Where a function is finite and its derivative is not, as that of a root is at 0, the derivative is 0 here. For what
stands under a root is nowhere negative, so where it is 0 and has a derivative, that is 0: the root then has a kink
there, or the derivative 0.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

import numpy as np

from nbinfer import vectormath
from nbinfer.autodiff.ir import promote
from nbinfer.vectormath import bessel, beta, deviance, error, gamma, incomplete_beta, incomplete_gamma, slopes

#: What generated code may call besides ``math`` and ``np``: the forms that take numbers only.
HELPERS: dict[str, Any] = {
    f"_{name}": function.numbers
    for name, function in vars(vectormath).items()
    if isinstance(function, vectormath.Elementwise)
}

#: What only derivatives of these functions need.
_SLOPES = (
    bessel.i1_over_i0_slope,
    bessel.log_i0e_slope,
    beta.digamma_difference,
    beta.log_binomial_by_k,
    beta.log_binomial_by_n,
    deviance.minus_deviance_by_k,
    deviance.stirling_rest_slope,
    error.log_erfcx_slope,
    error.mills,
    gamma.tetragamma,
    incomplete_beta.beta_density,
    incomplete_beta.beta_tail_by_a,
    incomplete_beta.beta_tail_by_b,
    incomplete_beta.beta_tail_by_x,
    incomplete_gamma.gamma_density,
    incomplete_gamma.gamma_tail_by_a,
    incomplete_gamma.gamma_tail_by_x,
    slopes.angle_slope,
    slopes.power_slope,
)
HELPERS |= {f"_{slope.py_func.__name__}": slope for slope in _SLOPES}

#: Evaluates templates where all arguments are known.
_FOLD_NAMES = {"math": math, "abs": abs, **{name: helper.py_func for name, helper in HELPERS.items()}}


#: Functions of `vectormath` that libm computes sooner, though not at a higher rate: better where one waits for another.
_SOONER = re.compile(r"\b_(exp|expm1|log|log2|log10|log1p|lgamma)\(")


def one_by_one(text: str) -> str:
    """Write a filled template for where the compiler cannot make vector code of it."""
    return _SOONER.sub(r"math.\1(", text)


class Rule(NamedTuple):
    """A scalar function.

    Attributes
    ----------
    name : str
        Its key in `RULES`.
    value : str
        Template of the value.
    partials : tuple of str
        Templates of the partial derivatives; () if the result has no derivative.
    kind : str
        Kind of the result; '' for the promoted kind of the arguments.
    cost : int
        Roughly, in additions: what it costs to compute the value twice.
    cuts : str
        What to say when the derivative vanishes although the value depends on a parameter; '' for nothing.
    """

    name: str
    value: str
    partials: tuple[str, ...] = ()
    kind: str = ""
    cost: int = 1
    cuts: str = ""

    @property
    def is_function(self) -> bool:
        """Whether it is a function of `vectormath`."""
        return self.value.startswith("_")

    @property
    def is_vectorised(self) -> bool:
        """Whether the compiler can make vector code of it."""
        return self.cost < 8 or self.is_function

    def result_kind(self, kinds: list[str]) -> str:
        """Return the kind of the result for arguments of these kinds."""
        if self.kind:
            return self.kind
        kind = promote(*kinds)
        return "i" if kind == "b" else kind

    def needs(self, position: int) -> tuple[bool, set[int]]:
        """Tell what the partial by one argument reads: the result or not, and which arguments."""
        partial = self.partials[position]
        return "{o}" in partial, {int(k) for k in re.findall(r"\{(\d)\}", partial)}

    def fold(self, constants: list[Any]) -> Any:
        """Evaluate the template; None where that fails."""
        text = self.value.format(*(f"a{i}" for i in range(len(constants))))
        try:
            with np.errstate(all="ignore"):
                folded = eval(text, dict(_FOLD_NAMES), {f"a{i}": c for i, c in enumerate(constants)})
        except (ArithmeticError, ValueError):
            return None
        return folded.item() if isinstance(folded, np.generic) else folded


def _incomplete(family: str, suffix: str) -> list[Rule]:
    """Return the rules of a regularised incomplete function and of its logarithm; 'incc' is the complement."""
    letters = {"gamma": "ax", "beta": "abx"}[family]
    args = ", ".join(f"{{{k}}}" for k in range(len(letters)))
    lower = suffix == "inc"
    slopes = tuple(f"_{family}_tail_by_{letter}({args}, {lower})" for letter in letters)
    density = f"{'' if lower else '-'}_{family}_density({args})"
    name = family + suffix
    return [
        Rule(name, f"_{name}({args})", (*(f"{{o}} * {slope}" for slope in slopes[:-1]), density), "f", 400),
        Rule(f"log_{name}", f"_log_{name}({args})", slopes, "f", 400),
    ]


def _times_log(log: str, lowest: str, argument: str) -> Rule:
    """Return the rule of a product with a logarithm, which is 0 where the factor is."""
    by_factor = f"_select({{0}} != 0.0 or {lowest} < {{1}} < math.inf, _{log}({{1}}), 0.0)"
    by_argument = f"({{0}} / {argument} if {{0}} != 0.0 else 0.0)"
    return Rule(f"x{log}y", f"_x{log}y({{0}}, {{1}})", (by_factor, by_argument), "f", 40)


def _rounded(text: str) -> str:
    """Return the template of a rounding as NumPy does it: NaN, infinity and the sign of 0 stay."""
    return f"(math.copysign(float({text}), {{0}}) if abs({{0}}) < 4503599627370496.0 else {{0}})"


def _whole(text: str) -> str:
    """Return the template of a rounding as Python does it, to an integer, which has no sign of 0."""
    return f"(float({text}) if abs({{0}}) < 4503599627370496.0 else {{0}})"


def _extreme(name: str, first: str) -> Rule:
    """Return the rule that takes the first argument where a condition holds."""
    return Rule(name, f"({{0}} if {first} else {{1}})", (f"(1.0 if {first} else 0.0)", f"(0.0 if {first} else 1.0)"))


_RULES = [
    Rule("add", "{0} + {1}", ("1.0", "1.0")),
    Rule("sub", "{0} - {1}", ("1.0", "-1.0")),
    Rule("mul", "{0} * {1}", ("{1}", "{0}")),
    Rule("div", "{0} / {1}", ("{bar} / {1}", "-({bar} / {1}) * {o}"), "f", 4),
    Rule("neg", "-{0}", ("-1.0",)),
    Rule(
        "pow",
        "{0} ** {1}",
        (
            "_power_slope({0}, {1})",
            "({o} * _log({0}) if 0.0 < {0} < math.inf and {o} != 0.0 else 0.0)",
        ),
        "",
        20,
    ),
    # Powers of floats by integers: by any, by one that is known and above 1, and by one that is known and below -1.
    # Numba's own power raises where it would divide by 0.
    Rule(
        "int_power",
        "({0} ** {1} if {1} >= 0 else 1.0 / {0} ** -{1})",
        ("({1} * {0} ** ({1} - 1) if {1} > 0 else {1} * {o} / {0} if {1} < 0 else 0.0)", ""),
        "f",
        20,
    ),
    Rule("whole_power", "{0} ** {1}", ("{1} * {0} ** ({1} - 1)", ""), "f", 20),
    Rule("reciprocal_power", "1.0 / {0} ** {1}", ("-{1} * {o} / {0}", ""), "f", 20),
    Rule("square", "{0} * {0}", ("2.0 * {0}",)),
    Rule("reciprocal_square", "1.0 / ({0} * {0})", ("-2.0 * {o} / {0}",), "f", 4),
    Rule("floordiv", "{0} // {1}", (), "", 4, "// has derivative 0"),
    Rule("mod", "{0} % {1}", ("1.0", "({o} - {0}) / {1}"), "", 4),
    Rule("exp", "_exp({0})", ("{o}",), "f", 20),
    Rule("exp2", "_exp2({0})", ("0.6931471805599453 * {o}",), "f", 20),
    Rule("log", "_log({0})", ("{bar} / {0}",), "f", 20),
    Rule("log2", "_log2({0})", ("1.4426950408889634 * {bar} / {0}",), "f", 20),
    Rule("log10", "_log10({0})", ("0.4342944819032518 * {bar} / {0}",), "f", 20),
    Rule("log1p", "_log1p({0})", ("{bar} / (1.0 + {0})",), "f", 20),
    Rule("expm1", "_expm1({0})", ("{o} + 1.0",), "f", 20),
    Rule("sqrt", "math.sqrt({0})", ("_select({o} != 0.0, 0.5 * {bar} / {o}, 0.0)",), "f", 6),
    Rule("sin", "math.sin({0})", ("math.cos({0})",), "f", 20),
    Rule("cos", "math.cos({0})", ("-math.sin({0})",), "f", 20),
    Rule("tan", "math.tan({0})", ("1.0 + {o} * {o}",), "f", 20),
    Rule("sinh", "_sinh({0})", ("_cosh({0})",), "f", 20),
    Rule("cosh", "_cosh({0})", ("_sinh({0})",), "f", 20),
    Rule("tanh", "_tanh({0})", ("1.0 - {o} * {o}",), "f", 20),
    Rule("asin", "math.asin({0})", ("({bar} / math.sqrt(1.0 - {0} * {0}) if abs({0}) != 1.0 else 0.0)",), "f", 20),
    Rule("acos", "math.acos({0})", ("(-{bar} / math.sqrt(1.0 - {0} * {0}) if abs({0}) != 1.0 else 0.0)",), "f", 20),
    Rule("atan", "math.atan({0})", ("{bar} / (1.0 + {0} * {0})",), "f", 20),
    Rule(
        "atan2",
        "math.atan2({0}, {1})",
        ("_angle_slope({1}, {0})", "-_angle_slope({0}, {1})"),
        "f",
        20,
    ),
    Rule(
        "hypot",
        "math.hypot({0}, {1})",
        ("({0} / {o} if {o} != 0.0 else 0.0)", "({1} / {o} if {o} != 0.0 else 0.0)"),
        "f",
        8,
    ),
    Rule("lgamma", "_lgamma({0})", ("_digamma({0})",), "f", 40),
    Rule("lgamma_positive", "_lgamma_positive({0})", ("_digamma_positive({0})",), "f", 40),
    Rule("digamma", "_digamma({0})", ("_trigamma({0})",), "f", 40),
    Rule("digamma_positive", "_digamma_positive({0})", ("_trigamma({0})",), "f", 40),
    Rule("trigamma", "_trigamma({0})", ("_tetragamma({0})",), "f", 40),
    Rule(
        "lbeta",
        "_lbeta({0}, {1})",
        ("_digamma_difference({0}, {1})", "_digamma_difference({1}, {0})"),
        "f",
        80,
    ),
    Rule(
        "log_binomial",
        "_log_binomial({0}, {1})",
        ("_log_binomial_by_n({0}, {1})", "_log_binomial_by_k({0}, {1})"),
        "f",
        80,
    ),
    Rule(
        "minus_deviance",
        "_minus_deviance({0}, {1}, {2})",
        (
            "_minus_deviance_by_k({0}, {1}, {2})",
            "{0} * (1.0 / max({1}, 1e-307)) - {2}",
            "{0} * (1.0 / max({2}, 1e-307)) - {1}",
        ),
        "f",
        40,
    ),
    Rule(
        "minus_deviance_log",
        "_minus_deviance_log({0}, {1})",
        ("{1} - _log({0})", "{0} - _exp(max({1}, -700.0))"),
        "f",
        60,
    ),
    Rule(
        "log_polya",
        "_log_polya({0}, {1}, {2}, {3})",
        (
            "_digamma({0} + {1}) - _digamma({0} + 1.0) + _log({2} / ({2} + {3}))",
            "-_digamma_difference({1}, {0}) - _log1p({2} / {3})",
            "({0} / {2} if {0} > 0.0 else 0.0) - ({0} + {1}) / ({2} + {3})",
            "({1} * ({2} / ({2} + {3})) - {0} * ({3} / ({2} + {3}))) / {3}",
        ),
        "f",
        200,
    ),
    Rule(
        "log_polya_rest",
        "_log_polya_rest({0}, {1})",
        (
            "_stirling_rest_slope({0}) - _digamma({0} + {1}) + _log({0} + {1})",
            "_digamma_difference({1}, {0}) + _log1p({0} / {1})",
        ),
        "f",
        160,
    ),
    Rule("stirling_rest", "_stirling_rest({0})", ("_stirling_rest_slope({0})",), "f", 60),
    Rule("stirling_rest_whole", "_stirling_rest_whole({0})", ("_stirling_rest_slope({0})",), "f", 40),
    *_incomplete("gamma", "inc"),
    *_incomplete("gamma", "incc"),
    *_incomplete("beta", "inc"),
    *_incomplete("beta", "incc"),
    Rule("erf", "_erf({0})", ("1.1283791670955126 * _exp(-{0} * {0})",), "f", 40),
    Rule("erfc", "_erfc({0})", ("-1.1283791670955126 * _exp(-{0} * {0})",), "f", 40),
    Rule("log_erfcx", "_log_erfcx({0})", ("_log_erfcx_slope({0})",), "f", 60),
    Rule("ndtr", "_ndtr({0})", ("0.3989422804014327 * _exp(-0.5 * {0} * {0})",), "f", 40),
    Rule("log_ndtr", "_log_ndtr({0})", ("_mills({0})",), "f", 60),
    Rule("ndtri", "_ndtri({0})", ("2.5066282746310002 * _exp(0.5 * {o} * {o})",), "f", 60),
    Rule("log_i0e", "_log_i0e({0})", ("_log_i0e_slope({0})",), "f", 60),
    Rule("i1_over_i0", "_i1_over_i0({0})", ("_i1_over_i0_slope({0})",), "f", 60),
    Rule("expit", "_expit({0})", ("{o} * _expit(-{0})",), "f", 20),
    Rule("logit", "_logit({0})", ("{bar} / ({0} * (1.0 - {0}))",), "f", 40),
    Rule("log1pexp", "_log1pexp({0})", ("_expit({0})",), "f", 40),
    Rule("log_expit", "_log_expit({0})", ("_expit(-{0})",), "f", 40),
    Rule("log1mexp", "_log1mexp({0})", ("-{bar} / _expm1(-{0})",), "f", 40),
    _times_log("log", "0.0", "{1}"),
    _times_log("log1p", "-1.0", "(1.0 + {1})"),
    Rule("logaddexp", "_logaddexp({0}, {1})", ("_expit({0} - {1})", "_expit({1} - {0})"), "f", 40),
    Rule("abs", "abs({0})", ("math.copysign(1.0, {0})",)),
    _extreme("max", "not {1} > {0}"),
    _extreme("min", "not {1} < {0}"),
    # NaN wins, as in NumPy; then it loses: the other argument is taken.
    _extreme("maximum", "{0} >= {1} or {0} != {0}"),
    _extreme("minimum", "{0} <= {1} or {0} != {0}"),
    _extreme("fmax", "{0} >= {1} or {1} != {1}"),
    _extreme("fmin", "{0} <= {1} or {1} != {1}"),
    Rule("nan_to_minus_inf", "({0} if {0} == {0} else -math.inf)", ("(1.0 if {0} == {0} else 0.0)",), "f"),
    Rule("select", "({1} if {0} else {2})", ("", "({bar} if {0} else 0.0)", "(0.0 if {0} else {bar})")),
    Rule(
        "where_valid",
        "({1} if {0} and {1} == {1} else -math.inf)",
        ("", "({bar} if {0} and {1} == {1} else 0.0)"),
        "f",
    ),
    Rule("copysign", "math.copysign({0}, {1})", ("math.copysign(1.0, {0}) * math.copysign(1.0, {1})", "0.0"), "f"),
    Rule("float", "float({0})", ("1.0",), "f"),
    Rule("inert", "{0}"),  # of what the result does not depend on, however it is chosen
    Rule("bool_to_float", "(1.0 if {0} else 0.0)", (), "f"),
    Rule("bool_to_int", "(1 if {0} else 0)", (), "i"),
    Rule("int", "int({0})", (), "i", 1, "int() has derivative 0"),
    Rule("floor", _rounded("math.floor({0})"), (), "f", 2, "floor has derivative 0"),
    Rule("ceil", _rounded("math.ceil({0})"), (), "f", 2, "ceil has derivative 0"),
    Rule("trunc", _rounded("math.trunc({0})"), (), "f", 2, "rounding towards 0 has derivative 0"),
    Rule("round", _rounded("round({0})"), (), "f", 2, "rounding has derivative 0"),
    Rule("whole_floor", _whole("math.floor({0})"), (), "f", 2, "floor has derivative 0"),
    Rule("whole_ceil", _whole("math.ceil({0})"), (), "f", 2, "ceil has derivative 0"),
    Rule("whole_trunc", _whole("math.trunc({0})"), (), "f", 2, "rounding towards 0 has derivative 0"),
    Rule("whole_round", _whole("round({0})"), (), "f", 2, "rounding has derivative 0"),
    Rule("sign", "(1.0 if {0} > 0.0 else -1.0 if {0} < 0.0 else {0})", (), "f", 1, "sign has derivative 0"),
    Rule("not", "not {0}", (), "b"),
    Rule("and", "{0} & {1}", (), "b"),
    Rule("or", "{0} | {1}", (), "b"),
    Rule("xor", "{0} != {1}", (), "b"),
    Rule("is_whole", "_is_whole({0})", (), "b"),
    # Numba's own take the difference of a number and itself, which is 0 where sums may be reordered.
    Rule("isfinite", "(abs({0}) < math.inf)", (), "b"),
    Rule("isnan", "({0} != {0})", (), "b"),
    Rule("isinf", "(abs({0}) == math.inf)", (), "b"),
    Rule("lt", "{0} < {1}", (), "b"),
    Rule("gt", "{0} > {1}", (), "b"),
    Rule("le", "{0} <= {1}", (), "b"),
    Rule("ge", "{0} >= {1}", (), "b"),
    Rule("eq", "{0} == {1}", (), "b"),
    Rule("ne", "{0} != {1}", (), "b"),
    Rule("bitand", "{0} & {1}", (), "i"),
    Rule("bitor", "{0} | {1}", (), "i"),
    Rule("bitxor", "{0} ^ {1}", (), "i"),
    Rule("lshift", "{0} << {1}", (), "i"),
    Rule("rshift", "{0} >> {1}", (), "i"),
]
RULES: dict[str, Rule] = {rule.name: rule for rule in _RULES}

#: Rules whose first argument is a condition.
CHOICES = {"select", "where_valid"}
