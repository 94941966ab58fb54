"""What can be counted of how the code is written: no function is long, but for a few that are better whole."""

import ast
from pathlib import Path

import pytest

import nbinfer

LONGEST = 40

#: Where they are cut, a reader would have to put them together again: a table of coefficients; the checks of one public
#: function after the other; a recursion whose state is all in its loop.
WHOLE = {
    "diagnostics/autocovariance.py: effective_size",
    "diagnostics/rank.py: normal_quantile",
    "mcmc/sample.py: sample",
    "optimize/find.py: find_map",
}


def lines_of(function):
    """Count the lines from ``def`` to the end, without the docstring and without decorators."""
    first = function.body[0]
    described = ast.get_docstring(function, clean=False) is not None
    return function.end_lineno - function.lineno + 1 - described * (first.end_lineno - first.lineno + 1)


def functions():
    root = Path(nbinfer.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(root).as_posix()}: {node.name}", lines_of(node)


def test_lines_are_counted_without_docstring_and_decorators():
    source = '@kernel\ndef f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n    return a\n'
    assert lines_of(ast.parse(source).body[0]) == 4


@pytest.mark.either
def test_no_function_is_long():
    found = list(functions())
    long = {name for name, lines in found if lines > LONGEST}
    assert len(found) > 1000
    assert len(WHOLE) <= 6
    assert sorted(long - WHOLE) == []
    assert sorted(WHOLE - long) == []  # what was cut is not listed any more
