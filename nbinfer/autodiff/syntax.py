"""Questions about syntax trees, and what to say of what is not supported."""

from __future__ import annotations

import ast
from collections.abc import Sequence


def assigned(node: ast.For, target: str, in_place: bool = True) -> list[str]:
    """Return the names that a loop assigns, its own counter left out; with or without those of ``+=`` and its like."""
    changed = [n.target for n in ast.walk(node) if isinstance(n, ast.AugAssign)] if not in_place else []
    names: list[str] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store) and inner not in changed:
            names += [inner.id] if inner.id not in (target, *names) else []
    return names


def in_this_loop(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a body, those of branches included, those of inner loops left out."""
    found: list[ast.stmt] = []
    for statement in statements:
        found.append(statement)
        if not isinstance(statement, ast.For | ast.While):
            found += in_this_loop([c for c in ast.iter_child_nodes(statement) if isinstance(c, ast.stmt)])
    return found


def leaves(node: ast.If) -> bool:
    """Tell whether a branch may leave the function or the iteration."""
    return any(isinstance(s, ast.Return | ast.Continue) for s in in_this_loop([node]))


def may_write(node: ast.expr) -> bool:
    """Tell whether an expression hands variables to a function, which may write to them: it is to be evaluated once."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    inputs = [part for call in calls for part in (*call.args, *(k.value for k in call.keywords))]
    return any(isinstance(n, ast.Name) for part in inputs for n in ast.walk(part))


#: What to write instead of a statement.
STATEMENTS: dict[type[ast.stmt], str] = {
    ast.While: "while is not supported; write for i in range(n) with an if inside",
    ast.Break: "break is not supported; put the rest of the body under an if",
    ast.Try: "try is not supported; test for the bad case with if and return -math.inf",
    ast.With: "with is not supported",
    ast.Raise: "raise is not supported; return -math.inf where the density is zero",
    ast.Delete: "del is not supported",
    ast.FunctionDef: "a function inside the function is not supported; define it at the top of the module",
    ast.ClassDef: "a class inside the function is not supported",
    ast.Global: "global is not supported; pass values as arguments",
    ast.Nonlocal: "nonlocal is not supported; pass values as arguments",
    ast.Import: "import at the top of the module, not in the function",
    ast.ImportFrom: "import at the top of the module, not in the function",
    ast.Match: "match is not supported; use if and elif",
}

#: What to write instead of an expression.
EXPRESSIONS: dict[type[ast.AST], str] = {
    ast.Dict: "dictionaries are not supported; use separate variables, or an array with integer positions",
    ast.Set: "sets are not supported; use separate variables",
    ast.ListComp: "comprehensions are not supported; make an array with np.empty and fill it in a loop",
    ast.SetComp: "comprehensions are not supported; make an array with np.empty and fill it in a loop",
    ast.DictComp: "comprehensions are not supported; make an array with np.empty and fill it in a loop",
    ast.GeneratorExp: "generator expressions are not supported; write a loop that adds to a variable",
    ast.Lambda: "a lambda inside the function is not supported; define the function at the top of the module",
    ast.JoinedStr: "text is not supported in a density",
    ast.NamedExpr: ":= is not supported; write the assignment as a statement of its own",
    ast.Await: "await is not supported",
    ast.Yield: "yield is not supported",
    ast.YieldFrom: "yield is not supported",
    ast.Starred: "* is supported in calls only",
}
