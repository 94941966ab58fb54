"""The layers of the package, read from its sources, and what importing it does."""

import ast
import functools
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
    ("_version", "errors", "spelling", "html", "arguments", "compile", "random", "vectormath", "datasets", "whole"),
    ("autodiff",),
    ("distributions", "streaming"),
    ("model",),
    ("diagnostics",),
    ("trace",),
    ("engine", "plots"),
    ("optimize", "live"),
    ("mcmc", "variational", "particles", "cuda"),
    ("predictive",),
    ("checks",),
    ("nbinfer",),
)

#: Files that stand where a user stands.
TOP = {"__init__.py", "__main__.py", "datasets/eight_schools.py"}

#: Costly to import, so imported where they are used; and only compilation may touch Numba.
HEAVY = {"scipy", "h5py", "tqdm", "pandas", "xarray", "arviz_base", "arviz_stats", "matplotlib"}
HEAVY_HERE = {"concurrent.futures", "importlib.metadata"}  # of the standard library: 15 of 90 ms, seldom needed
COMPILER = {"numba", "llvmlite"}


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def part_of(path):
    """Return the part of the package that a file belongs to."""
    return "nbinfer" if name_of(path) in TOP else name_of(path).removesuffix(".py").split("/")[0]


def layer_of(part):
    return next(i for i, layer in enumerate(LAYERS) if part in layer)


@functools.cache
def imports(path, at_import_only=False, for_types=True):
    """Return (line, dotted name) of a file's imports: all, those that ever run, or those that run at its import."""
    found = []

    def visit(node):
        if at_import_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        never_runs = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if never_runs and (at_import_only or not for_types):
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


@pytest.mark.either
def test_imports_go_downwards():
    upwards = [
        f"{name_of(path)}:{line} imports {part}"
        for path in FILES
        for line, part in parts_imported(path)
        if layer_of(part) > layer_of(part_of(path))
    ]
    assert upwards == []


def test_parts_do_not_import_in_circles():
    graph = {}
    for path in FILES:
        part = part_of(path)
        if part != "nbinfer":
            graph.setdefault(part, set()).update(p for _, p in parts_imported(path) if p != part)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def module_of(path):
    return ".".join(("nbinfer", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def test_no_room_has_a_circle_inside():
    """Not even by an import inside a function; only what is imported for types alone does not count."""
    modules = {module_of(path) for path in FILES}
    graph = {}
    for path in FILES:
        names = {name for _, name in imports(path, for_types=False)}
        found = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module_of(path)] = (found & modules) - {module_of(path)}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.either
def test_costly_packages_are_imported_where_they_are_used():
    costly = [
        f"{name_of(path)}:{line} imports {name}"
        for path in FILES
        for line, name in imports(path, at_import_only=True)
        if name.split(".")[0] in HEAVY
    ]
    assert costly == []


def test_only_compilation_knows_the_compiler():
    others = [path for path in FILES if part_of(path) not in ("compile", "cuda")]
    at_import = [
        f"{name_of(path)}:{line} imports {name}"
        for path in others
        for line, name in imports(path, at_import_only=True)
        if name.split(".")[0] in COMPILER
    ]
    assert at_import == []
    tools = {path: {name.split(".")[-1] for _, name in imports(path)} & {"intrinsic", "cfunc"} for path in others}
    assert [name_of(path) for path, names in tools.items() if names] == []


def reaches_into_numba(node):
    """Tell whether a piece of code names, or looks up by name, what Numba's documentation does not promise."""
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) in ("numba.core", "numba.np")
    return isinstance(node, ast.Constant) and str(node.value).startswith("numba.")


@pytest.mark.either
def test_one_file_reaches_what_numba_does_not_promise():
    promised = {"numba", "numba.extending", "numba.types"}
    others = [f for f in FILES if name_of(f) != "compile/numba_internals.py" and part_of(f) != "cuda"]
    imported = [
        f"{name_of(path)}:{line} imports {name}"
        for path in others
        for line, name in imports(path)
        if name.startswith("numba.") and (name in ("numba.core", "numba.np") or name.rpartition(".")[0] not in promised)
    ]
    named = [
        f"{name_of(path)}:{node.lineno} names {ast.unparse(node)}"
        for path in others
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if reaches_into_numba(node)
    ]
    assert imported + named == []


def test_a_file_is_one_thing():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def in_a_fresh_process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_importing_loads_no_costly_package_and_starts_no_thread():
    unwanted = sorted(HEAVY | HEAVY_HERE | {"numba"})
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


SECOND_RUN = """
import sys
import nbinfer as nb
def logp(p, d):
    return -0.5 * p.x**2
trace = nb.sample(nb.Model({"x": nb.real()}, logp=logp), 200, 200, random_seed=1, progressbar=False)
str(nb.summary(trace)), str(trace.report)
print([name for name in ("numba", "scipy", "h5py", "numpy.ma") if name in sys.modules])
"""


@pytest.mark.nojit
def test_a_run_that_finds_everything_compiled_imports_nothing_costly(tmp_path):
    """A second run takes a quarter of a second; each of these adds a hundredth to half of one."""
    script = tmp_path / "script.py"
    script.write_text(SECOND_RUN)
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-W", "ignore", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
