"""Shrinks a failing program.

    python -m tests.autodiff.reduce 1234

prints the smallest program that the fuzzer's seed 1234 leads to. Statements are deleted, blocks replaced by what is in
them, expressions by their parts or by numbers, as long as the program fails in the same way.
"""

from __future__ import annotations

import argparse
import ast
import copy
import re
import time
from collections.abc import Callable, Iterator

from tests.autodiff.fuzz import Outcome, check
from tests.autodiff.programs import program


def reduce(text: str, fails: Callable[[str], bool], seconds: float = 60.0) -> str:
    """Return a small program for which `fails` still holds.

    Parameters
    ----------
    text : str
        A program for which it holds.
    fails : callable
        Takes a program.
    seconds : float
        After which to stop.
    """
    end = time.perf_counter() + seconds
    text = ast.unparse(ast.parse(text))
    position = 0
    changed = False
    while time.perf_counter() < end:
        candidate = next(_candidates(text, position), None)
        if candidate is None:
            if not changed:
                break
            position, changed = 0, False
            continue
        following, shorter = candidate
        if shorter != text and _size(shorter) < _size(text) and fails(shorter):
            text, changed = shorter, True
        else:
            position = following
    return text + "\n"


def failure(text: str, seed: int) -> Callable[[str], bool]:
    """Return the test whether a program fails in the fuzzer as this one does."""
    way = _way(check(text, seed))
    return lambda other: _way(check(other, seed)) == way


def _way(outcome: Outcome) -> tuple[str, str]:
    """Return how a program fails: numbers do not count, messages do, but for names in them."""
    if outcome.kind in ("mismatch", "value", "compiled"):
        return outcome.kind, ""
    lines = outcome.detail.strip().splitlines() or [""]
    return outcome.kind, re.sub(r"'\w+'|\d+", "...", lines[-1 if "exception" in outcome.kind else 0])


def _size(text: str) -> tuple[int, int]:
    tree = ast.parse(text)
    return sum(1 for _ in ast.walk(tree)), len(text)


def _candidates(text: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield changed programs, each with the number of the next change; large changes come first."""
    count = 0
    for changes in (_statement_changes, _expression_changes):
        number = 0
        while True:
            tree = ast.parse(text)
            found = changes(tree, number)
            if found is None:
                break
            if count >= first and found:
                shorter = _written(tree)
                if shorter is not None:
                    yield count + 1, shorter
            number += 1
            count += 1


def _written(tree: ast.Module) -> str | None:
    try:
        text = ast.unparse(ast.fix_missing_locations(tree))
        ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    return text


def _statement_changes(tree: ast.Module, number: int) -> bool | None:
    """Make change `number` among statements in place; None if there are not so many, False if it is not possible."""
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if not isinstance(block, list) or isinstance(node, ast.ClassDef):
                continue
            for k, statement in enumerate(block):
                inner = [*getattr(statement, "body", []), *getattr(statement, "orelse", [])]
                ways = 2 if isinstance(statement, ast.For | ast.If) else 1
                if number >= ways:
                    number -= ways
                    continue
                keep = inner if number == 1 else []
                block[k : k + 1] = keep
                if not block and field == "body":
                    if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                        return False
                    block.append(ast.Pass())
                return True
    return None


_NUMBERS = (0, 1, 0.5)


def _expression_changes(tree: ast.Module, number: int) -> bool | None:
    """Make change `number` among expressions in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.AnnAssign | ast.arguments):
            continue
        for field, value in ast.iter_fields(node):
            places = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for k, expression in places:
                if not isinstance(expression, ast.expr) or isinstance(getattr(expression, "ctx", None), ast.Store):
                    continue
                if isinstance(node, ast.Call) and field == "func":
                    continue
                choices = _simpler(expression)
                if number >= len(choices):
                    number -= len(choices)
                    continue
                chosen = copy.deepcopy(choices[number])
                if k is None:
                    setattr(node, field, chosen)
                else:
                    value[k] = chosen
                return True
    return None


def _simpler(expression: ast.expr) -> list[ast.expr]:
    """Return what may stand in the place of an expression."""
    if isinstance(expression, ast.Constant):
        return [ast.Constant(n) for n in _NUMBERS if type(n) is type(expression.value) and n < expression.value]
    parts = [e for e in ast.iter_child_nodes(expression) if isinstance(e, ast.expr)]
    if isinstance(expression, ast.Call):
        parts = [*expression.args]
        if isinstance(expression.func, ast.Attribute):
            parts.append(expression.func.value)
    found: list[ast.expr] = [p for p in parts if not isinstance(p, ast.Slice | ast.Name) or _is_value(p)]
    if not isinstance(expression, ast.Name | ast.Slice | ast.Tuple):
        found += [ast.Name(name, ast.Load()) for name in ("s", "x", "lp")]
    if not isinstance(expression, ast.Slice | ast.Tuple):
        found += [ast.Constant(n) for n in _NUMBERS]
    return found


def _is_value(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id not in ("np", "math")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.autodiff.reduce", description=__doc__.splitlines()[0])
    parser.add_argument("seed", type=int)
    parser.add_argument("--seconds", type=float, default=120.0)
    given = parser.parse_args()
    text = program(given.seed)
    outcome = check(text, given.seed)
    print(outcome.kind, outcome.detail, sep="\n")
    if outcome.failed:
        print(reduce(text, failure(text, given.seed), given.seconds))


if __name__ == "__main__":
    main()
