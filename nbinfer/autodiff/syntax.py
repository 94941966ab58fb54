"""Questions about syntax trees, and what to say of what is not supported."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from nbinfer.autodiff.sequences import CHANGES


def assigned(statements: Sequence[ast.stmt], in_place: bool = True) -> list[str]:
    """Return the names that statements assign; with or without those of ``+=`` and its like."""
    names: list[str] = []
    for statement in statements:
        changed = statement.target if isinstance(statement, ast.AugAssign) and not in_place else None
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt):
                names += assigned([child], in_place) if not isinstance(statement, ast.FunctionDef) else []
            elif child is not changed:
                names += targets(child)
        names += [statement.name] if isinstance(statement, ast.FunctionDef) else []
    return list(dict.fromkeys(names))


def targets(node: ast.AST) -> list[str]:
    """Return the names that a part of a statement assigns; those of comprehensions and lambdas are their own."""
    if isinstance(node, ast.Name):
        return [node.id] if isinstance(node.ctx, ast.Store) else []
    if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp | ast.Lambda):
        return []
    return [name for child in ast.iter_child_nodes(node) for name in targets(child)]


def in_place(statements: Sequence[ast.stmt]) -> list[str]:
    """Return the names whose memory statements change: by ``+=`` and its like, or by index."""
    found: list[str] = []
    for node in (node for statement in statements for node in ast.walk(statement)):
        target: ast.AST = node.target if isinstance(node, ast.AugAssign) else node
        if isinstance(target, ast.Subscript) and not isinstance(target.ctx, ast.Load):
            while isinstance(target, ast.Subscript):
                target = target.value
        elif target is node:
            continue
        found += [target.id] if isinstance(target, ast.Name) else []
    return list(dict.fromkeys(found))


def grown(statements: Sequence[ast.stmt]) -> list[str]:
    """Return the names of what statements append to, add to, or call such a method of."""
    calls = [n.func for statement in statements for n in ast.walk(statement) if isinstance(n, ast.Call)]
    owners = [f.value for f in calls if isinstance(f, ast.Attribute) and f.attr in CHANGES]
    owners += [n.target for s in statements for n in ast.walk(s) if isinstance(n, ast.AugAssign)]
    return [owner.id for owner in owners if isinstance(owner, ast.Name)]


def in_this_loop(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a body, those of branches included, those of inner loops left out."""
    found: list[ast.stmt] = []
    for statement in statements:
        found.append(statement)
        if not isinstance(statement, ast.For | ast.While):
            found += in_this_loop([c for c in ast.iter_child_nodes(statement) if isinstance(c, ast.stmt)])
    return found


def may_write(node: ast.expr) -> bool:
    """Tell whether an expression hands variables to a function, which may write to them: it is to be evaluated once."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    inputs = [part for call in calls for part in (*call.args, *(k.value for k in call.keywords))]
    return any(isinstance(n, ast.Name) for part in inputs for n in ast.walk(part))


#: What to write instead of a statement.
STATEMENTS: dict[type[ast.stmt], str] = {
    ast.Try: "try is not supported; test for the bad case with if and return -math.inf",
    ast.With: "with is not supported",
    ast.Raise: "raise is not supported; return -math.inf where the density is zero",
    ast.Delete: "del is not supported",
    ast.ClassDef: "a class inside the function is not supported",
    ast.Global: "global is not supported; pass values as arguments",
    ast.Nonlocal: "nonlocal is not supported; pass values as arguments",
    ast.Import: "import at the top of the module, not in the function",
    ast.ImportFrom: "import at the top of the module, not in the function",
    ast.Match: "match is not supported; use if and elif",
}

#: What to write instead of an expression.
EXPRESSIONS: dict[type[ast.AST], str] = {
    ast.Set: "sets are not supported; use separate variables",
    ast.SetComp: "sets are not supported; write a list",
    ast.JoinedStr: "text is not supported in a density",
    ast.Await: "await is not supported",
    ast.Yield: "yield is not supported",
    ast.YieldFrom: "yield is not supported",
    ast.Starred: "* is supported in calls only",
}
