"""What the three kinds of tests need: nothing, the simulator, or the compiler of the extra."""

import importlib.util
import os

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")

#: Tests of results run in the simulator, which is a matter of the whole process: `test_simulator.py` starts one.
collect_ignore_glob = [] if SIMULATED else ["simulated_*.py"]


def pytest_configure(config):
    if SIMULATED and importlib.util.find_spec("numba_cuda"):  # which warns that NumPy's matrices are old
        config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:numba_cuda")
