"""The layers of the package, read from its sources, and what importing it does."""

import ast
import graphlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(importlib.util.find_spec("nbinfer").origin).parent
FILES = sorted(PACKAGE.rglob("*.py"))

#: Imports go from a layer to itself or to one further up in this list.
LAYERS = (
    ("_version", "errors", "arguments", "compile", "random", "vectormath", "datasets"),
    ("autodiff",),
    ("distributions",),
    ("model",),
    ("diagnostics",),
    ("trace",),
    ("mcmc", "variational", "particles", "cuda"),
    ("nbinfer",),
)

#: Files that stand where a user stands.
TOP = {"__init__.py", "__main__.py", "datasets/eight_schools.py"}

#: Costly to import, so imported where they are used; and only compilation may touch Numba.
HEAVY = {"scipy", "h5py", "tqdm", "pandas", "xarray", "arviz_base", "arviz_stats", "matplotlib"}
COMPILER = {"numba", "llvmlite"}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def part_of(path):
    """Return the part of the package that a file belongs to."""
    return "nbinfer" if name_of(path) in TOP else name_of(path).removesuffix(".py").split("/")[0]


def layer_of(part):
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


def imports(path, at_import_only=False):
    """Return (line, dotted name) of the imports of a file: all of them, or those that run when it is imported."""
    found = []

    def visit(node):
        if at_import_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if at_import_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.extend((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: imports name the package in full"
            found.extend((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def parts_imported(path):
    """Return (line, part) of every import from this package; the package itself counts as its top."""
    for line, dotted in imports(path):
        words = dotted.split(".")
        if words[0] == "nbinfer":
            known = len(words) > 1 and any(words[1] in layer for layer in LAYERS)
            yield line, words[1] if known else "nbinfer"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_downwards(path):
    here = layer_of(part_of(path))
    upwards = [f"{name_of(path)}:{line} imports {part}" for line, part in parts_imported(path) if layer_of(part) > here]
    assert upwards == []


def test_parts_do_not_import_in_circles():
    graph = {}
    for path in FILES:
        part = part_of(path)
        if part != "nbinfer":
            graph.setdefault(part, set()).update(p for _, p in parts_imported(path) if p != part)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_costly_packages_are_imported_where_they_are_used(path):
    costly = [
        f"{name_of(path)}:{line} imports {name}" for line, name in imports(path, True) if name.split(".")[0] in HEAVY
    ]
    assert costly == []


@pytest.mark.parametrize("path", [f for f in FILES if part_of(f) not in ("compile", "cuda")], ids=name_of)
def test_only_compilation_knows_the_compiler(path):
    at_import = [f"{name_of(path)}:{line}" for line, name in imports(path, True) if name.split(".")[0] in COMPILER]
    assert at_import == []
    assert not {"intrinsic", "cfunc"} & {name.split(".")[-1] for _, name in imports(path)}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_one_thing(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 450


def in_a_fresh_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_importing_loads_no_costly_package_and_starts_no_thread():
    unwanted = sorted(HEAVY | {"numba"})
    out = in_a_fresh_process(
        "import nbinfer, sys, threading\n"
        f"print([name for name in {unwanted} if name in sys.modules], threading.active_count())"
    )
    assert out == "[] 1\n"


def test_importing_touches_nothing_global():
    out = in_a_fresh_process(
        "import logging, signal, sys, warnings\n"
        "import numpy as np\n"
        "def state():\n"
        "    return (str(np.random.get_state()), list(warnings.filters), signal.getsignal(signal.SIGINT),\n"
        "            list(logging.getLogger().handlers), sys.getswitchinterval())\n"
        "before = state()\n"
        "import nbinfer\n"
        "print(state() == before)"
    )
    assert out == "True\n"


def test_importing_writes_nothing(tmp_path):
    code = "import nbinfer"
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=os.environ | {"NBINFER_CACHE_DIR": str(tmp_path / "cache")}
    )
    assert list(tmp_path.iterdir()) == []
