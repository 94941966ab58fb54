"""Chains of the simulator beside compiled ones: in a process of its own, since Numba settles it when imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nbinfer.compile import JIT

HERE = Path(__file__).parent


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_first_draws_in_the_simulator_are_those_of_compiled_chains():
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "simulated_compiled.py")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=HERE.parent.parent)
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
