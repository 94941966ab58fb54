"""What is done in another thread is done whole, and the press that came meanwhile is raised behind it."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from nbinfer import whole
from tests.engine.interrupts import PRESS

pytestmark = pytest.mark.usefixtures("listening")


def test_an_interruption_waits_for_what_must_be_whole():
    pressed, done = threading.Event(), []

    def work():
        pressed.set()
        time.sleep(0.2)
        done.append(True)

    def press():
        pressed.wait()
        signal.raise_signal(signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        whole.uninterrupted(work)
    presser.join()
    assert done == [True]


def test_an_error_of_what_must_be_whole_is_raised():
    with pytest.raises(ZeroDivisionError):
        whole.uninterrupted(lambda: 1 // 0)


@pytest.mark.parametrize(("name", "at"), [("numpy.random", "numpy.random._pcg64"), ("h5py", "h5py._hl.filters")])
def test_a_press_during_the_import_of_a_module_in_c_comes_when_it_is_whole(name, at):
    code = f"""
import signal, sys
from nbinfer.whole import whole

{PRESS}

sys.meta_path.insert(0, Press({at!r}))
try:
    whole({name!r})
except KeyboardInterrupt:
    print({at!r} in sys.modules and {name!r} in sys.modules)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert out.stdout == "True\n", out.stderr


def test_runs_import_random_numbers_whole():
    code = """
import sys
from nbinfer import whole
before, asked = whole.uninterrupted, []
whole.uninterrupted = lambda work: asked.append(work) or before(work)
from nbinfer.random import seed_sequences
assert "numpy.random" not in sys.modules
seed_sequences(1, 1)
print(len(asked))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert out.stdout == "1\n", out.stderr
