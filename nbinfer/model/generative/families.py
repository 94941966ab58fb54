"""Calls of families in a user's function: what they are the density of, and the call that draws it."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from nbinfer.compile import kernel
from nbinfer.distributions._combined import name_of
from nbinfer.distributions._function import Density, Generator
from nbinfer.distributions._multivariate import Composed, ComposedGenerator
from nbinfer.distributions.glm._mark import Regression
from nbinfer.model.generative.scope import Scope, Underivable
from nbinfer.vectormath import exp, expit

#: What draws what another density than the plain one is of.
_DRAWN_BY = {"logpdf_chol": "random_chol", "logpdf_prec": "random_prec"}

#: Densities of a predictor called eta: the parameter that draws take instead.
_LINKED = {"logpmf_logit": "p", "logpmf_log": "mu"}

#: Regressions: family and density of one outcome given its predictor.
_REGRESSIONS = {
    "linear": ("normal", "logpdf"),
    "logistic": ("bernoulli", "logpmf_logit"),
    "poisson": ("poisson", "logpmf_log"),
    "negative_binomial": ("negative_binomial", "logpmf_log"),
    "softmax": ("categorical", "logpmf_logit"),
    "ordered": ("ordered_logistic", "logpmf"),
}

#: Parameters of draws that are lengths of what is drawn.
_LENGTHS = ("length", "k")

#: Families without a norm: as priors they say nothing, and nothing can be drawn from them.
IMPROPER = ("flat", "half_flat")


@kernel
def softmax(eta: Any) -> Any:
    """Return the probabilities of categories, along the last axis, of their predictors."""
    p = np.empty(eta.shape)
    rows, of = p.reshape((-1, eta.shape[-1])), np.ascontiguousarray(eta).reshape((-1, eta.shape[-1]))
    for i in range(rows.shape[0]):
        row = np.exp(of[i] - np.max(of[i]))
        rows[i] = row / np.sum(row)
    return p


class FamilyCall(NamedTuple):
    """A call of a density.

    Attributes
    ----------
    node : ast.Call
        The call.
    module : module
        The family.
    target : ast.expr
        What it is the density of.
    given : dict of str to ast.expr
        Parameters of the density, by name.
    owner : ast.expr or None
        What the function calls the family; None if it does not name it.
    density : str
        Name of the density in the family.
    core : int
        How many axes of the target, the last ones, are drawn together.
    is_sum : bool
        Whether it is the sum over the target, and no value for each element.
    """

    node: ast.Call
    module: Any
    target: ast.expr
    given: dict[str, ast.expr]
    owner: ast.expr | None
    density: str
    core: int
    is_sum: bool = False

    @property
    def name(self) -> str:
        """Name of the family."""
        return name_of(self.module)

    @property
    def discrete(self) -> bool:
        """Whether draws are integers."""
        return self.density.startswith("logpmf")

    @property
    def generator(self) -> Any:
        """What draws; None if the family knows nothing that does."""
        found = getattr(self.module, _DRAWN_BY.get(self.density, "random"), None)
        return found if isinstance(found, Generator | ComposedGenerator) else None

    def arguments(self, scope: Scope, lengths: list[ast.expr]) -> tuple[list[ast.expr], dict[str, Any]]:
        """Return the parameters of a draw in their order, and the objects that they need by name.

        Parameters
        ----------
        scope : Scope
            Of the function.
        lengths : list of ast.expr
            Of the last axes of what is drawn.
        """
        needs: dict[str, Any] = {}
        found: list[ast.expr] = []
        for name in self.generator.check.names:
            if name in self.given:
                found.append(self.given[name])
            elif name == _LINKED.get(self.density) and "eta" in self.given:
                link: Any = exp if name == "mu" else softmax if self._has_core("eta") else expit
                used = free_name(getattr(link, "py_func", link).__name__, scope)
                needs[used] = link
                found.append(ast.Call(ast.Name(used, ast.Load()), [self.given["eta"]], []))
            elif name in _LENGTHS and self.core:
                found.append(lengths[-1])
            else:
                raise scope.fail(
                    f"a draw from {self.name} needs {name!r}, which {self.density} does not take", self.node
                )
        return found, needs

    def draw(self, scope: Scope) -> tuple[ast.expr, dict[str, Any]]:
        """Return the expression of what draws, and the objects that it needs by name."""
        name = _DRAWN_BY.get(self.density, "random")
        if self.owner is not None:
            return ast.Attribute(self.owner, name, ast.Load()), {}
        used = free_name(f"{self.name}_{name}", scope)
        return ast.Name(used, ast.Load()), {used: self.generator}

    def _has_core(self, name: str) -> bool:
        density: Any = getattr(self.module, self.density)
        return bool(density.cores[list(density.names).index(name)])


def free_name(name: str, scope: Scope) -> str:
    """Return a name that a function does not use."""
    taken = scope.names()
    while name in taken:
        name += "_"
    return name


def family_call(node: ast.AST, scope: Scope) -> FamilyCall | None:
    """Read a call; None if it is none of a density of `nbinfer.distributions`.

    Raises
    ------
    Underivable
        If its arguments are not those of the density.
    """
    density = scope.resolve(getattr(node, "func", node))
    if not isinstance(node, ast.Call) or not isinstance(density, (Density, Composed, Regression)):
        return None
    given = _bound(node, density, scope)
    if isinstance(density, Regression):
        return _regression(node, density, given)
    core = len(density.signature[0]) if isinstance(density, Composed) else int(density.cores[0])
    if isinstance(node.func, ast.Attribute):
        owner, name = node.func.value, node.func.attr
        module, what = scope.resolve(owner), "an object that is no family"
    else:
        owner, name = None, density.py_func.__name__
        module, what = sys.modules.get(density.py_func.__module__), f"{ast.unparse(node.func)!r} alone"
    if not isinstance(module, ModuleType) or getattr(module, name, None) is not density:
        raise scope.fail(f"it takes a density from {what}; write family.{name}, with the family before the dot", node)
    if not name.startswith(("logpdf", "logpmf")):
        return None
    target = given.pop(next(iter(given)))
    return FamilyCall(node, module, target, given, owner, name, core)


def _bound(node: ast.Call, density: Any, scope: Scope) -> dict[str, ast.expr]:
    """Return the arguments of a call by name."""
    if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
        raise scope.fail("it passes arguments with a star; write each of them", node)
    named: Mapping[str, Any] = {k.arg: k.value for k in node.keywords if k.arg is not None}
    signature = getattr(density, "_signature", None) or inspect.signature(density.py_func)
    try:
        return dict(signature.bind(*node.args, **named).arguments)
    except TypeError as reason:
        raise scope.fail(f"{density!r} does not take these arguments: {reason}", node) from None


def _regression(node: ast.Call, density: Regression, given: dict[str, ast.expr]) -> FamilyCall:
    """Read a regression as the density of outcomes given their predictor."""
    family, name = _REGRESSIONS[density.py_func.__name__]
    eta: ast.expr = ast.BinOp(given.pop("X"), ast.MatMult(), given.pop("beta"))
    for shift in ("intercept", "offset"):
        if shift in given:
            eta = ast.BinOp(eta, ast.Add(), given.pop(shift))
    module = importlib.import_module(f"nbinfer.distributions.{family}")
    target = given.pop("y")
    names = list(getattr(module, name).names)[1:]
    return FamilyCall(node, module, target, {names[0]: ast.copy_location(eta, node), **given}, None, name, 0, True)


__all__ = ["IMPROPER", "FamilyCall", "Underivable", "family_call", "free_name", "softmax"]
