"""The demonstration, as a process."""

import subprocess
import sys

import pytest

import nbinfer as nb
from nbinfer.__main__ import main

SHORT = ["--draws", "200", "--tune", "200", "--chains", "2"]


def demonstration(*arguments, code=None):
    how = ["-c", code] if code else ["-m", "nbinfer"]
    return subprocess.run([sys.executable, *how, *arguments], capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.nojit
def test_it_prints_the_summary_and_the_verdict():
    done = demonstration(*SHORT)
    assert done.returncode == 0, done.stderr
    for name in ("mu", "tau", "theta[0]", "theta[7]"):
        assert name in done.stdout


@pytest.mark.nojit
def test_the_same_seed_prints_the_same():
    first, second = demonstration(*SHORT, "--seed", "3"), demonstration(*SHORT, "--seed", "3", "--cores", "1")
    assert first.stdout == second.stdout != demonstration(*SHORT, "--seed", "4").stdout


@pytest.mark.nojit
def test_the_second_run_does_not_import_numba():
    code = "import sys; from nbinfer.__main__ import main; main(); print('numba' in sys.modules)"
    demonstration(*SHORT, code=code)
    assert demonstration(*SHORT, code=code).stdout.splitlines()[-1] == "False"


@pytest.mark.nojit
def test_warm_up_may_be_as_long_as_it_must_be():
    done = demonstration(*SHORT, "--tune", "auto")
    assert done.returncode == 0, done.stderr
    assert "theta[7]" in done.stdout


BAD = [
    (["--draws", "0"], "draws"),
    (["--chains", "0"], "chains"),
    (["--tune", "auto-"], "number of iterations or auto"),
]


@pytest.mark.parametrize(("arguments", "named"), BAD)
def test_bad_input_is_named(arguments, named):
    done = demonstration(*arguments)
    assert done.returncode != 0
    assert named in done.stderr.splitlines()[-1]


def test_warm_up_is_as_long_as_sample_has_it(monkeypatch):
    given = {}

    def sample(model, draws, **options):
        given.update(options)
        raise KeyboardInterrupt

    monkeypatch.setattr(nb, "sample", sample)
    with pytest.raises(KeyboardInterrupt):
        main([])
    assert given["tune"] is None
