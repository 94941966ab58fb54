"""Laws of the content hash: what is compiled changes it; names of files, lines and processes do not."""

import collections
import dataclasses
import dis
import enum
import math
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import nbinfer.distributions
import nbinfer.model.model
from nbinfer.compile import JIT, kernel
from nbinfer.compile.fingerprint import fingerprint, global_chains, written

_HELPER = """
import numpy as np
SCALE = 2.0
TABLE = np.arange(3.0)
def helper(x, power=2):
    return SCALE * x**power + TABLE[0]
"""

_MAIN = """
import math
import numpy as np
import helpers
from helpers import helper
LIMIT = 3.0
TABLE = np.arange(5.0)
def close(value):
    def inner(x):
        return x + value
    return inner
added = close(1.0)
def density(p, d, start=0.5):
    'Says what it is.'
    # a comment
    if p.x > LIMIT:
        return -math.inf
    return np.sum(TABLE) * helper(p.x) + helpers.helper(start) + added(p.x) - 0.25
"""

_EDITS = {
    "a helper in another file": ("helpers", "x**power", "x**(power + 1)"),
    "a constant of a helper's": ("helpers", "SCALE = 2.0", "SCALE = 2.5"),
    "a default of a helper's": ("helpers", "power=2", "power=3"),
    "an array of a helper's": ("helpers", "arange(3.0)", "arange(1.0, 4.0)"),
    "a global constant": ("main", "LIMIT = 3.0", "LIMIT = 4.0"),
    "a global array": ("main", "arange(5.0)", "arange(5.0) + 1e-9"),
    "the dtype of a global array": ("main", "arange(5.0)", "arange(5)"),
    "the value in a closure": ("main", "close(1.0)", "close(1.5)"),
    "the function in a closure": ("main", "x + value", "x - value"),
    "a default": ("main", "start=0.5", "start=0.75"),
    "a constant": ("main", "- 0.25", "- 0.5"),
    "a name": ("main", "p.x > LIMIT", "p.y > LIMIT"),
    "an operator": ("main", "p.x > LIMIT", "p.x >= LIMIT"),
}

_HARMLESS = {
    "a comment": ("main", "# a comment", "# another\n    # comment"),
    "a docstring": ("main", "Says what it is.", "Says more."),
    "blank lines": ("main", "def density", "\n\n\ndef density"),
    "spaces": ("main", "TABLE) * helper(p.x)", "TABLE)*helper( p.x )"),
    "a comment of a helper's": ("helpers", "SCALE = 2.0", "# new\nSCALE = 2.0"),
    "a global that is not used": ("main", "LIMIT = 3.0", "LIMIT = 3.0\nUNUSED = 1.0"),
    "a global named like an attribute": ("main", "LIMIT = 3.0", "LIMIT = 3.0\nx = 1.0"),
}


def load(folder, texts):
    """Import `main` and `helpers` from texts, and return `density`; only the second text has a file."""
    folder.mkdir()
    (folder / "helpers.py").write_text(texts["helpers"])
    sys.path.insert(0, str(folder))
    sys.modules.pop("helpers", None)
    try:
        space = {"__name__": "main"}
        exec(compile(texts["main"], "typed in", "exec"), space)
        return space["density"]
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("helpers", None)


TEXTS = {"helpers": _HELPER, "main": _MAIN}


def edited(edit):
    which, old, new = edit
    assert old in TEXTS[which]
    return {**TEXTS, which: TEXTS[which].replace(old, new)}


@pytest.mark.parametrize("what", _EDITS)
def test_an_edit_changes_the_hash(tmp_path, what):
    before = fingerprint(load(tmp_path / "a", TEXTS))
    assert fingerprint(load(tmp_path / "b", edited(_EDITS[what]))) != before


@pytest.mark.parametrize("what", _HARMLESS)
def test_what_is_not_compiled_does_not(tmp_path, what):
    before = fingerprint(load(tmp_path / "a", TEXTS))
    assert fingerprint(load(tmp_path / "b", edited(_HARMLESS[what]))) == before


def test_a_text_that_is_read_is_no_docstring():
    def returning(text):
        space = {}
        exec(f"def f():\n    '{text}'\n    return '{text}'", space)
        return fingerprint(space["f"])

    assert returning("a") == returning("a") != returning("b")


def test_a_global_array_counts_by_what_it_holds_now(tmp_path):
    density = load(tmp_path / "a", TEXTS)
    before = fingerprint(density)
    density.__globals__["TABLE"][0] += 1.0
    assert fingerprint(density) != before
    density.__globals__["TABLE"][0] -= 1.0
    assert fingerprint(density) == before


_SCRIPT = """
import sys
from pathlib import Path
from tests.compile.test_fingerprint import TEXTS, load
from nbinfer.compile.fingerprint import fingerprint
density = load(Path(sys.argv[1]), TEXTS)
print(fingerprint(density, {"a", "b", "c"}, {"k": 1.5}))
"""


@pytest.mark.parametrize("seed", ["0", "1"])
def test_another_process_finds_the_same_hash(tmp_path, seed):
    wanted = fingerprint(load(tmp_path / "a", TEXTS), {"c", "b", "a"}, {"k": 1.5})
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "b")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    assert run.stdout.strip() == wanted


# ---- values


class Colour(enum.IntEnum):
    RED = 1
    BLUE = 2


class OtherColour(enum.IntEnum):
    RED = 1
    BLUE = 3


@dataclasses.dataclass
class Setting:
    size: float
    table: np.ndarray


Pair = collections.namedtuple("Pair", "a b")
OtherPair = collections.namedtuple("Pair", "a c")

DIFFERENT = [
    1, 1.0, True, 2, -0.0, 0.0, "1", b"1", None, 1j,
    (1, 2), [1, 2], (1, (2,)), ((1, 2),), {"a": 1}, {"a": 2}, {1, 2}, {1, 3},
    np.float64(1.0), np.float32(1.0), np.int64(1), np.dtype("f8"), np.dtype("f4"), np.float64, np.float32,
    np.zeros(2), np.zeros(3), np.zeros((2, 1)), np.zeros(2, "i8"),
    np.zeros(2, [("a", "f8")]), np.zeros(2, [("b", "f8")]),
    Colour.RED, Colour.BLUE, OtherColour.RED, Colour,
    Pair(1, 2), OtherPair(1, 2), Pair(1, 3),
    Setting(1.0, np.zeros(2)), Setting(1.0, np.ones(2)), Setting(2.0, np.zeros(2)),
    math.sqrt, math.exp, np.sqrt, np.exp, np.sum, math, np, len,
    lambda x: x, lambda x: x + 1, lambda x: x + 2,
]  # fmt: skip


def test_different_values_have_different_hashes_that_stay():
    hashes = [fingerprint(value) for value in DIFFERENT]
    assert len(set(hashes)) == len(hashes)
    assert [fingerprint(value) for value in DIFFERENT] == hashes


def test_layout_of_arrays_does_not_count_but_content_does():
    a = np.arange(6.0).reshape(2, 3)
    assert fingerprint(a) == fingerprint(np.asfortranarray(a))
    assert fingerprint(a) != fingerprint(a.T)


def test_what_cannot_be_hashed_is_never_found_again():
    thing = object()
    assert fingerprint(lambda: thing) != fingerprint(lambda: thing)
    unhashable = eval("lambda p: thing", {"thing": object()})
    assert fingerprint(unhashable) != fingerprint(unhashable)


def test_functions_may_call_each_other_in_circles():
    space = {}
    exec("def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 0 and even(n - 1)", space)
    before = fingerprint(space["even"])
    assert fingerprint(space["even"]) == before
    other = {}
    exec("def even(n):\n    return n == 0 or odd(n - 1)\ndef odd(n):\n    return n != 1 and even(n - 1)", other)
    assert fingerprint(other["even"]) != before


def test_kernels_and_their_options_count():
    def body(x):
        return x + 1.0

    plain, loose = kernel(body), kernel(body, reassociate=True)
    assert fingerprint(plain) == fingerprint(kernel(body))
    assert len({fingerprint(body), fingerprint(plain), fingerprint(loose)}) == 3


@pytest.mark.nojit
def test_dispatchers_count_by_their_function_and_options():
    from numba import njit

    def body(x):
        return x + 1.0

    def other(x):
        return x + 2.0

    hashes = {fingerprint(njit(body)), fingerprint(njit(other)), fingerprint(njit(body, fastmath=True))}
    assert len(hashes) == 3
    assert fingerprint(njit(body)) in hashes


def test_the_package_itself_is_covered_by_the_platform():
    space = {"normal": nbinfer.distributions}
    exec("def density(p, d):\n    return normal.anything(p)", space)
    assert fingerprint(space["density"]) == fingerprint(space["density"])


@pytest.mark.parametrize("module", [nbinfer.model.model, textwrap, dis])
def test_reading_of_globals_agrees_with_dis(module):
    for function in vars(module).values():
        code = getattr(function, "__code__", None)
        if code is None:
            continue
        wanted = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
        assert {chain[0] for chain in global_chains(code)} == wanted


def test_attributes_of_modules_are_followed():
    code = compile("def f(x):\n    return a.b.c(x) + d.e[0].f + x.g", "", "exec").co_consts[0]
    assert set(global_chains(code)) == {("a", "b", "c"), ("d", "e")}


@pytest.mark.nojit
def test_hashing_does_not_import_numba():
    script = (
        "import sys; from nbinfer.compile.fingerprint import fingerprint as f; f(len); print('numba' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout.strip() == "False"
    assert JIT


def test_whether_equal_tuples_are_one_object_does_not_count():
    one, other = (tuple(numbers) for numbers in ([1.0, 2.0], [1.0, 2.0]))
    assert fingerprint([one, one]) == fingerprint([one, other])
    assert fingerprint([one, (one,)]) != fingerprint([one, one])


class Opaque:
    """Nobody can tell what is in it."""

    __slots__ = ("inside",)


OPAQUE = Opaque()


def test_what_an_author_wrote_counts_beside_what_cannot_be_known():
    def one(p):
        return p.x + 1.0 if OPAQUE else p.x

    def other(p):
        return p.x + 2.0 if OPAQUE else p.x

    assert written(one) is not None
    assert written(one) != written(other)
    assert fingerprint(one) != fingerprint(one)  # compiled code is kept for what is known alone
