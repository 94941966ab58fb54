"""The programs of public bug reports that lie beside the project, if they do; each exits 0 once its fault is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CASES = ROOT.parent / "shared" / "cases"

#: Left out, each with its reason.
LATER = {
    "compile_time_many_parameters": "it looks at the clock, and is for a machine that does nothing else",
}

PROGRAMS = sorted(path for path in CASES.glob("*.py") if not path.name.startswith("_"))
NONE = pytest.param(CASES, marks=pytest.mark.skip("the programs do not lie beside the project, in ../shared/cases"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """One folder of compiled code for all programs; some look into it or spoil it in one of their own."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.nojit
@pytest.mark.parametrize("program", PROGRAMS or [NONE], ids=lambda path: path.stem)
def test_the_fault_is_gone(program, cache):
    if program.stem in LATER:
        pytest.skip(LATER[program.stem])
    environment = os.environ | {"NBINFER_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=600, env=environment, cwd=cache
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
