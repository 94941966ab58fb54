"""A process may be forked while another thread of it compiles: the child compiles, too."""

import functools
import os
import subprocess
import sys
import threading

import pytest

from nbinfer.compile import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="there is no fork here")

#: A thread has a lock in hand when the process forks; the child asks for it.
_HELD = """
import os, signal, sys, threading, time
import nbinfer
LOCKS
ready = threading.Event()
def work():
    with find():
        ready.set()
        time.sleep(0.3)
thread = threading.Thread(target=work)
thread.start()
ready.wait()
child = os.fork()
if child == 0:
    signal.alarm(10)  # ends it, if it waits; a new thread might bear the number of the one that is gone
    with find():
        os._exit(0)
thread.join()
sys.exit(os.waitpid(child, 0)[1] != 0)
"""

_FINDERS = {
    "our own": "from nbinfer.compile.forks import GATE\nfind = lambda: GATE",
    "plain Python's": "from nbinfer.model import evaluate\nfind = evaluate.plain_python",
    "Numba's": "from numba.core.compiler_lock import global_compiler_lock\nfind = lambda: global_compiler_lock",
    "LLVM's": "from llvmlite.binding import ffi\nfind = lambda: ffi.lib._lock",
    "an import's": (
        "from importlib._bootstrap import _ModuleLockManager\nimport contextlib\n"
        "@contextlib.contextmanager\ndef find():\n    with _ModuleLockManager('numba.core.types'):\n        yield"
    ),
    "a later import's of NumPy": (
        "from importlib._bootstrap import _ModuleLockManager\nimport contextlib\n"
        "@contextlib.contextmanager\ndef find():\n    with _ModuleLockManager('numpy.random'):\n        yield"
    ),
    "a cached property's": (
        "from nbinfer.compile.forks import cached_property\nimport contextlib\n"
        "class Thing:\n    wait = 0.0\n    @cached_property\n    def slow(self):\n"
        "        time.sleep(self.wait)\n        return contextlib.nullcontext()\n"
        "@contextlib.contextmanager\ndef get():\n    thing = Thing()\n    thing.wait = 0.0 if ready.is_set() else 3.0\n"
        "    threading.Timer(0.1, ready.set).start()\n    thing.slow\n    yield\n"
        "find = get"
    ),
}


def run(script, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        timeout=600,
    )


@pytest.mark.parametrize("which", _FINDERS)
def test_no_lock_is_held_in_the_child(which):
    result = run(_HELD.replace("LOCKS", _FINDERS[which]))
    assert result.returncode == 0, result.stderr


_COMPILING = """
import os, sys, threading, time
import numpy as np
import nbinfer as nb

def model(k, size):
    names = {"np": np}
    body = "".join(f"    s += np.sin(p.x * {i + k})\\n" for i in range(size))
    exec(f"def logp(p, d):\\n    s = -{k} * p.x**2\\n{body}    return s", names)
    return nb.Model({"x": nb.real()}, logp=names["logp"])

start, failed = time.time() % 1000, 0
for repeat in range(2):
    thread = threading.Thread(target=lambda: model(start + repeat, 4).bind(1).value([0.5]))
    thread.start()
    time.sleep(0.3 + 0.3 * repeat)
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(100)  # ends it, if it hangs
        model(start + repeat + 0.5, 0).bind(1).value([0.5])
        os._exit(0)
    failed += os.waitpid(child, 0)[1] != 0
    thread.join()
sys.exit(failed)
"""


@pytest.mark.nojit
def test_a_child_compiles_what_it_likes(tmp_path):
    result = run(_COMPILING, NBINFER_CACHE_DIR=str(tmp_path))
    assert result.returncode == 0, result.stderr


_LOGGING = """
import os, signal, threading, time
from nbinfer.compile import forks

signal.alarm(100)
inside = threading.Event()

def prepare():
    with forks.GATE:
        inside.set()
        time.sleep(0.5)  # the other thread is about to fork
        import logging
        logging.getLogger("a new one")

thread = threading.Thread(target=prepare)
thread.start()
inside.wait()
if os.fork() == 0:
    os._exit(0)
thread.join()
"""


def test_a_fork_waits_for_a_thread_that_needs_a_logger():
    """As the import of Numba does; the lock of logging is among those that a fork holds."""
    result = run(_LOGGING)
    assert result.returncode == 0, result.stderr


def test_a_fork_by_the_thread_that_compiles():
    with forks.GATE:
        child = os.fork()
        if child == 0:
            os._exit(0 if forks.GATE.acquire(blocking=False) else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert forks._HELD == []


def test_locks_are_free_in_the_parent_after_a_fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    got = []

    def ask():
        with forks.GATE:
            got.append(True)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(60.0)
    assert got == [True]


def test_cached_properties_are_computed_once_and_can_be_forgotten():
    class Thing:
        count = 0

        @forks.cached_property
        def value(self):
            """Say what it is."""
            self.count += 1
            return self.count

    thing = Thing()
    assert (thing.value, thing.value) == (1, 1)
    del thing.value
    assert thing.value == 2
    assert Thing.value.__doc__ == "Say what it is."
    assert not isinstance(Thing.__dict__["value"], functools.cached_property)
