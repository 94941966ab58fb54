"""Runs that are gone on with at the edges of what runs are: few and many chains, processes, threads, scripts, disks."""

import multiprocessing
import resource
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.errors import BackendError
from nbinfer.mcmc.running import Running
from tests.mcmc.kept import assert_same, dead, whole
from tests.mcmc.test_resume import DRAWS, TUNE, continuous
from tests.mcmc.test_resume_file import dying, ended, options

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

SIZES = {
    "one chain": ({"chains": 1, "tune": TUNE, "draws": DRAWS}, 3, [TUNE + 2]),
    "many chains": ({"chains": 100, "tune": 2, "draws": 2}, 1, [1, 2, 3]),
    "one draw": ({"tune": TUNE, "draws": 1}, 2, [TUNE]),
    "no warm-up": ({"tune": 0, "draws": DRAWS}, 1, [3]),
}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("name", SIZES)
def test_runs_of_any_size(name):
    size, snapshot, ends = SIZES[name]
    m, step = continuous(), nb.Slice()
    left = dead(m, step, snapshot, np.resize(ends, size.get("chains", 2)), **size)
    assert_same(nb.resume(left, m, progressbar=False), whole(m, step, **size))


@pytest.mark.nojit  # long as plain Python
def test_one_that_dies_again_and_again_before_a_draw(tmp_path, monkeypatch):
    path, m = tmp_path / "run.nc", continuous()
    ended(path, nb.Slice())
    for _ in range(3):
        with monkeypatch.context() as patch:
            left = dying(patch, path)
            nb.resume(path, m, progressbar=False)
        left.replace(path)
    assert_same(nb.resume(path, m, progressbar=False), nb.sample(m, step=nb.Slice(), **options()))


@pytest.mark.nojit  # long as plain Python
def test_two_threads_write_to_two_files(tmp_path):
    m, step, found = continuous(), nb.Slice(), {}

    def draw(seed):
        found[seed] = nb.sample(m, step=step, trace=tmp_path / f"{seed}.nc", **options(random_seed=seed))

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (1, 2):
        expected = nb.sample(m, step=step, **options(random_seed=seed))
        assert_same(found[seed], expected)
        assert_same(nb.load(tmp_path / f"{seed}.nc"), expected)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_run_of_another_process_is_gone_on_with_here(tmp_path, how):
    path, m = tmp_path / "run.nc", continuous()
    child = multiprocessing.get_context(how).Process(target=ended, args=(path, nb.Slice()))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert_same(nb.resume(path, m, progressbar=False), nb.sample(m, step=nb.Slice(), **options()))


SCRIPT = """
import os, signal, sys
import numpy as np
import nbinfer as nb
from nbinfer.mcmc.sampling import Sampling

SCALE = 2.0

def half(x):
    return 0.5 * x

def logp(p, d):
    return -half(SCALE * np.sum((p.x - d.y) ** 2))

if __name__ == "__main__":
    model = nb.Model({"x": nb.real(2)}, logp=logp, data={"y": np.array([1.0, -1.0])})
    if os.path.exists(sys.argv[1]):
        nb.resume(sys.argv[1], model, progressbar=False)
    else:
        Sampling.close = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
        nb.sample(model, 20, 10, trace=sys.argv[1], step=nb.Slice(), max_evals=60, random_seed=1, progressbar=False)
"""


def half(x):
    return 0.5 * x


SCALE = 2.0


def of_script(p, d):
    return -half(SCALE * np.sum((p.x - d.y) ** 2))


@pytest.mark.nojit  # long as plain Python
def test_a_script_that_is_killed_and_run_again(tmp_path):
    path, script = tmp_path / "run.nc", tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(path)]
    assert subprocess.run(command).returncode == -9
    assert nb.load(path).interrupted
    script.write_text("# a comment, and other lines\n\n" + SCRIPT)
    assert subprocess.run(command).returncode == 0
    m = nb.Model({"x": nb.real(2)}, logp=of_script, data={"y": np.array([1.0, -1.0])})
    assert_same(nb.load(path), nb.sample(m, 20, 10, step=nb.Slice(), random_seed=1, progressbar=False))


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.parametrize("again", [False, True], ids=["a new run", "one that is gone on with"])
def test_what_vanishes_while_draws_are_made_takes_none_away(tmp_path, monkeypatch, what, again):
    folder, m, draw = tmp_path / "folder", continuous(), Running._draw
    folder.mkdir()
    path = folder / "run.nc"
    if again:
        ended(path, nb.Slice())

    def removed_first(*arguments):
        shutil.rmtree(folder) if what == "folder" else path.unlink()
        return draw(*arguments)

    monkeypatch.setattr(Running, "_draw", removed_first)
    with pytest.raises(BackendError, match=r"was moved or removed .* trace\.save writes them elsewhere") as caught:
        nb.resume(path, m, progressbar=False) if again else nb.sample(m, trace=path, step=nb.Slice(), **options())
    monkeypatch.undo()
    expected = nb.sample(m, step=nb.Slice(), **options())
    assert_same(caught.value.trace, expected)
    caught.value.trace.save(tmp_path / "saved.nc")
    assert_same(nb.load(tmp_path / "saved.nc"), expected)


@pytest.mark.nojit  # long as plain Python
def test_a_disk_that_is_full_when_a_file_is_made_longer(tmp_path):
    path, m = tmp_path / "run.nc", continuous()
    ended(path, nb.Slice(), 1500 if JIT else 800)
    before, (soft, hard) = nb.load(path), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 65536, hard))
    try:
        with pytest.raises(OSError, match="File too large: the draws need") as caught:
            nb.resume(path, m, 100_000, progressbar=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.nc"]
    for trace in (caught.value.trace, nb.load(path)):
        assert trace.draws_done.tolist() == before.draws_done.tolist()
        assert trace["x"].tobytes() == before["x"].tobytes()
    expected = nb.sample(m, step=nb.Slice(), **options(draws=DRAWS + 5))
    assert_same(nb.resume(path, m, DRAWS + 5, progressbar=False), expected)
