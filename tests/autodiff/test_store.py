"""What was derived and compiled once is found again: in this process, in another one, and only if nothing changed."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from nbinfer.autodiff import DerivativeWarning, grad, value_and_grad
from nbinfer.compile import Entry, files

pytestmark = pytest.mark.nojit

SCRIPT = """
import sys
import numpy as np
from nbinfer.autodiff import custom_vjp, value_and_grad
from nbinfer.compile import Entry
TABLE = np.array([2.0, 3.0])
@custom_vjp(lambda x: (np.exp(x),))
def mine(x):
    return np.exp(x)
def f(p, scale):
    a, b = p  # a comment
    return np.sum(np.exp(a) * TABLE) * scale + mine(b) + 0.0
value, (by_a, by_b) = value_and_grad(f)((np.zeros(2), 0.0), 1.0)
derived = "derived" if "nbinfer.autodiff.frontend" in sys.modules else "read"
compiled = "compiled" if Entry.compiled else "loaded"
print(value, by_a, by_b, derived, compiled)
assert ("numba" in sys.modules) == bool(Entry.compiled)
"""


def test_a_second_process_derives_and_compiles_nothing(tmp_path):
    script = tmp_path / "script.py"

    def run(old="", new=""):
        script.write_text(SCRIPT.replace(old, new))
        environment = {
            **os.environ,
            "NBINFER_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        result = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    assert run() == "6.0 [2. 3.] 1.0 derived compiled"
    assert run() == "6.0 [2. 3.] 1.0 read loaded"
    assert run("# a comment", "# another") == "6.0 [2. 3.] 1.0 read loaded"
    assert run("+ 0.0", "+ 1.0") == "7.0 [2. 3.] 1.0 derived compiled"
    assert run("[2.0, 3.0]", "[2.0, 4.0]") == "7.0 [2. 4.] 1.0 derived loaded"  # captured arrays are arguments
    assert run("(np.exp(x),)", "(5.0,)") == "6.0 [2. 3.] 5.0 derived compiled"


def weighted(x, y):
    return np.sum(np.exp(x) * y)


def counted(x):
    return int(x[0]) * x[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "cache_root", lambda: tmp_path)
    return tmp_path / "derived"


def test_known_code_is_loaded(folder):
    arguments = np.zeros(2), np.array([2.0, 3.0])
    value_and_grad(weighted)(*arguments)
    count = len(Entry.compiled)
    (file,) = folder.iterdir()
    name, source, *_ = json.loads(file.read_bytes().partition(b"\n")[2])
    again = value_and_grad(weighted)
    assert again(*arguments)[0] == 5.0
    assert again.source == source
    assert "deferred" in again.explain()
    assert name == "weighted_value_and_grad"
    assert len(Entry.compiled) == count
    value_and_grad(weighted, argnums=1)(*arguments)
    assert len(list(folder.iterdir())) == 2


def test_a_damaged_file_is_derived_anew(folder):
    arguments = np.zeros(2), np.array([2.0, 3.0])
    value_and_grad(weighted)(*arguments)
    (file,) = folder.iterdir()
    file.write_text("[1, 2")
    assert value_and_grad(weighted)(*arguments)[0] == 5.0


def test_code_that_was_derived_but_not_compiled_is_compiled(folder):
    def of_a_triangle(x):
        return np.sum(np.linalg.cholesky(np.eye(2) * x))

    derived = value_and_grad(of_a_triangle)
    derived._compiled(derived._take_apart((2.0,)))
    assert len(list(folder.iterdir())) == 1
    assert grad(of_a_triangle)(4.0) == pytest.approx(0.5)


def test_what_warns_is_not_kept_since_lines_move(folder):
    with pytest.warns(DerivativeWarning, match=r"int\(\) has derivative 0"):
        assert value_and_grad(counted)(np.array([2.0, 3.0]))[0] == 6.0
    assert not folder.exists()


def test_what_cannot_be_hashed_is_not_kept(folder):
    class Odd:
        factor = 2.0
        __slots__ = ("more",)

    odd = Odd()

    def f(x):
        return odd.factor * x

    assert grad(f)(1.0) == 2.0
    assert not folder.exists()
