"""Results of kernels, in the simulator: in a process of its own, since Numba settles it when imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbinfer.compile import JIT

HERE = Path(__file__).parent


@pytest.mark.skipif(JIT, reason="the simulator runs plain Python: NUMBA_DISABLE_JIT=1 tests it")
def test_results_of_kernels_in_the_simulator():
    files = sorted(str(path) for path in HERE.glob("simulated_*.py"))
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=HERE.parent.parent)
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
