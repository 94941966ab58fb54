"""Generated code stays in the subset that CUDA device functions take: loops, numbers, elements, calls by name."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from nbinfer.autodiff import ADError, DerivativeWarning, Generated, value_and_grad
from nbinfer.distributions import normal
from tests.autodiff.case import Case
from tests.autodiff.found import FOUND
from tests.autodiff.idioms import X as X_OF_IDIOMS
from tests.autodiff.programs import program
from tests.autodiff.test_idioms import DERIVED
from tests.autodiff.test_posteriors import data_of, density, parameters_of
from tests.posteriors import NAMES, load

pytestmark = pytest.mark.either

STATEMENTS = (
    ast.FunctionDef, ast.Assign, ast.AugAssign, ast.For, ast.If, ast.Break, ast.Return, ast.Pass, ast.Raise, ast.Expr,
)  # fmt: skip
EXPRESSIONS = (
    ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Attribute,
    ast.Subscript, ast.Slice, ast.Tuple,
)  # fmt: skip
BUILTINS = {"range", "float", "int", "abs", "max", "min", "round"}
ALLOCATIONS = {"empty", "zeros", "ones"}
DTYPES = {"float64", "int64", "bool_"}


def outside(generated: Generated) -> Iterator[str]:
    """Yield what in generated code lies outside the subset."""
    (function,) = ast.parse(generated.source).body
    for node in ast.walk(function):
        if isinstance(node, ast.stmt | ast.expr) and not _is_inside(node, generated):
            yield ast.unparse(node)


def _is_inside(node: ast.stmt | ast.expr, generated: Generated) -> bool:
    if isinstance(node, ast.For):
        return not node.orelse and ast.unparse(node.iter).startswith("range(")
    if isinstance(node, ast.Raise):
        return ast.unparse(node).startswith(("raise ValueError('", "raise IndexError('", "raise AssertionError('"))
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Call):
        return not node.keywords and _is_known(node.func, generated)
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np":
        return node.attr in ALLOCATIONS | DTYPES
    if isinstance(node, ast.BinOp):  # of numbers, not of arrays
        return not any(isinstance(n, ast.Slice) for n in ast.walk(node))
    return isinstance(node, STATEMENTS + EXPRESSIONS)


def _is_known(function: ast.expr, generated: Generated) -> bool:
    if isinstance(function, ast.Name):
        return function.id in BUILTINS | {"ValueError", "IndexError", "AssertionError"} | set(generated.globals)
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        owner, name = function.value.id, function.attr
        return hasattr(math, name) if owner == "math" else owner == "np" and name in ALLOCATIONS
    return False


def derived(text: str, seed: int) -> Generated | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DerivativeWarning)
        try:
            return Case(text, seed).derive()
        except ADError:
            return None


def test_random_programs() -> None:
    found = [derived(program(seed), seed) for seed in range(60)]
    found += [derived(f"import math\nimport numpy as np\n{f.text}", f.seed) for f in FOUND]
    assert sum(generated is not None for generated in found) > 60
    for generated in filter(None, found):
        assert list(outside(generated)) == []


@pytest.mark.parametrize("name", NAMES)
def test_posteriors(name: str) -> None:
    posterior = load(name)
    point = parameters_of(posterior.model, posterior.points[0].values)
    generated = value_and_grad(density(posterior.model)).derive(point, data_of(posterior.model))
    assert list(outside(generated)) == []


#: One in eight of the everyday forms each time, the others where slow tests run.
FORMS = [pytest.param(f, marks=[pytest.mark.slow] * (k % 8 > 0), id=f.__name__) for k, f in enumerate(DERIVED)]


@pytest.mark.parametrize("function", FORMS)
def test_everyday_forms(function) -> None:
    assert list(outside(value_and_grad(function).derive(X_OF_IDIOMS))) == []


def test_what_lies_outside_is_noticed() -> None:
    def generated(text: str) -> Generated:
        return Generated("f", f"def f(x):\n    {text}\n", {"_helper": None}, (), (), {})

    for text in ("while x: pass", "return np.sum(x)", "return sum(x)", "return x[1:] + 1.0", "return [x]"):
        assert list(outside(generated(text))), text
    for text in ("return x[1] + 1.0", "_helper(x)", "y = x[1:]", "for i in range(3): x[i] += math.exp(x[i])"):
        assert not list(outside(generated(text))), text


# No allocation where the user made none -------------------------------------------------------------------------------

X, Y = np.ones((5, 2)), np.ones(5)


def by_loops(beta, X, y):
    lp = normal.logpdf(beta[0], 0.0, 1.0)
    for i in range(X.shape[0]):
        eta = 0.0
        for j in range(X.shape[1]):
            eta += X[i, j] * beta[j]
        if y[i] > 0.0:
            lp += math.log1p(eta * eta)
        else:
            lp -= math.exp(eta)
    return lp


def by_arrays(beta, X, y):
    sigma = math.exp(beta[1])
    return np.sum(normal.logpdf(y, X[:, 0] * beta[0], sigma)) + np.sum(np.where(X > 0.5, X, beta) ** 2)


@pytest.mark.parametrize("function", [by_loops, by_arrays])
def test_nothing_is_allocated(function) -> None:
    assert "np." not in value_and_grad(function).derive(np.ones(2), X, Y).source


def in_place(beta, y):
    a = np.zeros(5)
    a += beta[0]
    a[1:] *= y[1:]
    a *= beta[1]
    return a[4]


def test_changes_in_place_allocate_no_temporaries() -> None:
    source = value_and_grad(in_place).derive(np.ones(2), Y).source
    made = [line.split(" = ")[0].strip() for line in source.splitlines() if "(arena, " in line and " = " in line]
    assert sorted(name for name in made if not name.startswith("tape_")) == ["a", "a_bar"]
