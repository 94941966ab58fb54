"""Sources of functions are found however Python was started, and the wrong text is never taken for one."""

import doctest
import importlib.util
import linecache
import os
import py_compile
import runpy
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from nbinfer.autodiff import ADError, value_and_grad
from nbinfer.autodiff.source import read_source

pytestmark = pytest.mark.either

FUNCTIONS = """
import functools
import math

import numpy as np

SCALE = 3.0


def f(x):
    return -0.5 * np.sum(x**2) / SCALE


class Densities:
    @staticmethod
    def total(x):
        text = '''of several
lines'''
        return np.sum(x) * math.pi


@functools.lru_cache
@functools.lru_cache(
    maxsize=1,
)
def decorated(x):
    return np.sum(x**3)


two = [lambda x: np.sum(x), lambda x: 2.0 * np.sum(x)]
table = {
    "a": lambda x: np.sum(x * 5.0),
    "b": lambda x: (
        np.sum(x)
        * 7.0
    ),
}


def around(k):
    def inner(x):
        return k * np.sum(x)

    return inner
"""

SHOWS = """
from nbinfer.autodiff import value_and_grad
found = [f, Densities.total, decorated.__wrapped__.__wrapped__, *two, *table.values(), around(11.0)]
for function in found:
    generated = value_and_grad(function).derive(np.ones(2))
    print(function.__code__.co_name, len(generated.source) > 0)
try:
    value_and_grad(lambda x: x.nothing(1)).derive(np.ones(2))
except Exception as error:
    print(error.source_line, "at line", error.line)
"""
PROGRAM = FUNCTIONS + SHOWS
LINE = 1 + PROGRAM[: PROGRAM.index("    value_and_grad(lambda")].count("\n")
WANTED = ["f", "total", "decorated", *["<lambda>"] * 4, "inner"]


def run(*command, cwd, **options):
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "NBINFER_CACHE_DIR": str(cwd / "cache")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    found = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, env=environment, cwd=cwd, **options
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def check(lines, line=LINE):
    assert [text.split()[0] for text in lines[:-1]] == WANTED
    assert lines[-1] == f"value_and_grad(lambda x: x.nothing(1)).derive(np.ones(2)) at line {line}"


def test_program_on_the_command_line(tmp_path):
    check(run("-W", "ignore", "-Bc", PROGRAM, cwd=tmp_path))


def test_program_from_standard_input(tmp_path):
    path = tmp_path / "program.txt"
    path.write_text(PROGRAM)
    with path.open() as file:
        check(run("-", cwd=tmp_path, stdin=file))


def test_module_that_is_run(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    check(run("-m", "program", cwd=tmp_path))


def test_archive_that_is_run(tmp_path):
    with zipfile.ZipFile(tmp_path / "program.pyz", "w") as archive:
        archive.writestr("__main__.py", "import inside\n" + PROGRAM)
        archive.writestr("inside.py", PROGRAM)
    lines = run("program.pyz", cwd=tmp_path)
    check(lines[: len(lines) // 2])
    check(lines[len(lines) // 2 :], LINE + 1)


def test_program_run_by_runpy(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(FUNCTIONS)
    names = runpy.run_path(str(path))
    assert [read_source(g).name for g in (names["f"], *names["two"])] == ["f", "<lambda>", "<lambda>"]


def test_prompt(tmp_path):
    pty = pytest.importorskip("pty")
    pytest.importorskip("readline")
    program = (
        "import numpy as np\nfrom nbinfer.autodiff import value_and_grad as both\n"
        "def f(x):\n    y = x\n    return np.sum(y**2)\n\ndef f(x):\n    return np.sum(x)\n\n"
        "g = lambda x: np.sum(x) * 3.0\n"
        "print('found', both(f)(np.ones(2))[0], both(g)(np.ones(2))[0])\nexit()\n"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"HOME": str(tmp_path), "NBINFER_CACHE_DIR": str(tmp_path), "TERM": "dumb"}
    process = subprocess.Popen([sys.executable, "-q"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    os.write(ours, program.encode())
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # its end is closed
            break
        if not part:
            break
        shown += part
    process.wait()
    os.close(ours)
    assert b"found 2.0 6.0" in shown, shown.decode()


def test_notebook_cells(tmp_path):
    pytest.importorskip("IPython")
    shell = f"from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell().run_cell({PROGRAM!r})\n"
    check(run("-c", shell, cwd=tmp_path), LINE - 1)  # IPython leaves out empty lines at the top


def test_cells_with_magic(tmp_path):
    pytest.importorskip("IPython")
    cell = f"%%time\n{PROGRAM}"
    shell = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        f"InteractiveShell.instance().run_cell({cell!r}, store_history=True)\n"
    )
    lines = run("-c", shell, cwd=tmp_path)
    check(lines[: len(WANTED) + 1])


def test_cells_in_the_line_cache():
    file = "<cell 1>"
    linecache.cache[file] = (len(FUNCTIONS), None, FUNCTIONS.splitlines(True), file)
    names = {"__name__": "__main__"}
    exec(compile(FUNCTIONS, file, "exec"), names)
    assert value_and_grad(names["two"][1])(np.ones(2))[0] == 4.0
    assert value_and_grad(names["table"]["b"])(np.ones(2))[0] == 14.0


def test_doctest():
    text = (
        ">>> import numpy as np\n>>> from nbinfer.autodiff import grad\n"
        ">>> def f(x):\n...     return np.sum(x)\n>>> grad(f)(np.zeros(1))\narray([1.])\n"
    )
    test = doctest.DocTestParser().get_doctest(text, {}, "typed", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


WITHOUT = ["standard input", "made by exec", "no source file"]


@pytest.mark.parametrize("way", WITHOUT)
def test_no_source(tmp_path, way):
    program = "import nbinfer as nb\nMADE\nprint([nb.Model({'x': nb.real()}, logp=f).bind(1).gradient_warning])\n"
    definition = "def f(p, d):\n    return -0.5 * p.x**2\n"
    if way == "standard input":
        lines = run("-", cwd=tmp_path, input=program.replace("MADE", definition))
    elif way == "made by exec":
        lines = run("-c", program.replace("MADE", f"exec({definition.replace('0.5', '0.25 * 2')!r})"), cwd=tmp_path)
    else:
        path = tmp_path / "frozen.py"
        path.write_text(program.replace("MADE", definition))
        py_compile.compile(str(path), cfile=str(tmp_path / "frozen.pyc"))
        path.unlink()
        lines = run("frozen.pyc", cwd=tmp_path)
    (message,) = eval(lines[-1])
    assert "\n" not in message
    assert "the source of 'f' is kept nowhere" in message
    cure = "it where it was, beside its bytecode" if way == "no source file" else "the function in a file"
    assert f"put {cure}, or give the gradient yourself" in message


EDITS = [
    ("    return x[0] - c * x[1]\n", "    return x[0]\n"),  # what was taken away
    ("    y = x[0]\n    if c > 1:\n        y = 2 * y\n        y = y + 1\n    return y\n",
     "    y = x[0]\n    if c > 1:\n        y = 2 * y\n    y = y + 1\n    return y\n"),  # only a jump differs
    ("    return x[0] * 2\n", "    return x[0] * 2.0\n"),
    ("    return np.sum(x)\n", "    return np.prod(x)\n"),
]  # fmt: skip


def loaded(path, text):
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("old", "new"), EDITS)
def test_edited_meanwhile(tmp_path, old, new):
    head = "import numpy as np\nc = 2\n\n\ndef f(x):\n"
    path = tmp_path / "edited.py"
    module = loaded(path, head + old)
    path.write_text(head + new)
    with pytest.raises(ADError, match="has changed since it was loaded") as caught:
        read_source(module.f)
    assert caught.value.line == 5


def test_lines_inserted_above(tmp_path):
    text = "def f(x):\n    return x[0]\n\n\ndef g(x):\n    return x.nothing()\n"
    path = tmp_path / "moved.py"
    module = loaded(path, text)
    path.write_text("\n# a comment\n" + text)
    with pytest.raises(ADError) as caught:
        value_and_grad(module.g).derive(np.ones(2))
    assert (caught.value.line, caught.value.source_line) == (8, "return x.nothing()")


def with_assertion(x):
    assert x[0] > 0.0, "positive"
    assert len(x) == 2
    assert x[1] < 9.0
    return np.sum(x)


def test_assertions_rewritten_by_pytest():
    source = read_source(with_assertion)
    assert source.place(source.body[0]).text == 'assert x[0] > 0.0, "positive"'


def test_lambda_that_nothing_keeps():
    with pytest.raises(ADError, match="kept nowhere"):
        read_source(eval("lambda x: np.sum(x)"))
