"""Runs that ended before their time: before the first draw, and while rows are written."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import BackendError, SamplingError
from nbinfer.trace.records import sqlite, text
from tests.trace.records.test_records import backend_of, kind, place  # noqa: F401
from tests.trace.records.test_runs import model

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")


def run(to, other=False, **options):
    m = nb.Model({"y": nb.real()}, logp=lambda p, d: -0.5 * p.y**2) if other else model()
    settings = {"draws": 20, "tune": 10, "chains": 2, "random_seed": 1, "progressbar": False, "step": nb.Metropolis()}
    return nb.sample(m, trace=to, **settings | options)


def died(to, **options):
    """A run that ends in its warm-up, whose statistics are written."""
    with pytest.raises(SamplingError, match="during warm-up"):
        run(to, max_evals=6, **options)


@pytest.mark.parametrize("other", [False, True])
def test_a_run_without_draws_keeps_no_other_away(kind, place, other):  # noqa: F811
    died(backend_of(kind, place), chains=4)
    assert nb.load(place).chains == [0, 1, 2, 3]
    assert nb.load(place).tune_done.all()
    trace = run(backend_of(kind, place), other)
    found = nb.load(place)
    assert found.chains == [0, 1]
    for group in ("posterior", "sample_stats", "warmup_sample_stats"):
        for name, draws in getattr(trace, group).items():
            np.testing.assert_array_equal(getattr(found, group)[name], draws)


def test_nor_does_it_take_draws_of_others_away(kind, place):  # noqa: F811
    first = run(backend_of(kind, place))
    died(backend_of(kind, place), random_seed=2)
    assert nb.load(place).tune_done.min() > 10
    with pytest.raises(BackendError, match="holds posterior of x"):
        run(backend_of(kind, place), other=True)
    with pytest.raises(BackendError, match="has draws of chain 0 with this random_seed already"):
        run(backend_of(kind, place))
    second = run(backend_of(kind, place), random_seed=2)
    found = nb.load(place)
    np.testing.assert_array_equal(found["x"], np.concatenate([first["x"], second["x"]], axis=1))
    assert found.tune_done.tolist() == [20, 20]
    with pytest.raises(BackendError, match="has draws of chain 0 with this random_seed already"):
        run(backend_of(kind, place), random_seed=2)


def strict(text_of_page):
    def no(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text_of_page, parse_constant=no)


def test_a_page_is_json(tmp_path):
    data = {"y": np.array([1.0, np.nan, -np.inf])}
    trace = nb.Trace({"x": np.zeros((1, 2))}, observed_data=data, attrs={"sampling_time": np.nan, "seed": 1})
    text.dump(tmp_path / "run", trace)
    strict((tmp_path / "run" / "trace.json").read_text())
    found = text.load(tmp_path / "run")
    np.testing.assert_array_equal(found.observed_data["y"], data["y"])
    assert np.isnan(found.attrs["sampling_time"])


CHILD = """
import sys, itertools
import numpy as np
from nbinfer.trace import Trace
from nbinfer.trace.records import sqlite, text
store = (text.Text if sys.argv[1] == "text" else sqlite.SQLite)(sys.argv[2]).open(2, 0, 500_000)
x, lp = store.array("posterior", "x", (2,), float), store.array("sample_stats", "lp", (), float)
x[...] = np.arange(1_000_000.0).reshape(2, -1, 1)
lp[...] = -x[..., 0]
store.describe(Trace({"x": np.zeros((2, 0, 2))}))
store.ready()
for done in itertools.count(700, 700):
    store.look(np.array([done, done - 1]), last=True)
    print(done, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nobody is killed there")
@pytest.mark.parametrize("seconds", [0.0, 0.013])
def test_a_process_that_is_killed_while_it_writes(kind, place, seconds):  # noqa: F811
    name, environment = kind.__name__.rpartition(".")[2], os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", CHILD, name, str(place)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        told = [int(child.stdout.readline()) for _ in range(3)]
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        told += [int(line) for line in child.stdout.read().splitlines() if line]
    found = kind.load(place)
    assert found.interrupted
    assert (found.draws_done >= [told[-1], told[-1] - 1]).all()  # what was committed is there
    for chain, done in enumerate(found.draws_done):
        wanted = np.arange(done) + chain * 500_000.0
        assert (found["x"][chain, :done] == wanted[:, None]).all()
        assert (found["lp"][chain, :done] == -wanted).all()
    kind.dump(place, found)  # and others can be added
    assert kind.load(place).draws_done.tolist() == (2 * found.draws_done).tolist()


def test_names_that_are_near(tmp_path):
    sqlite.dump(tmp_path / "run", nb.Trace({"x": np.zeros((1, 2))}))
    with pytest.raises(FileNotFoundError, match=r"there is no file .*run; did you mean 'run\.sqlite'\?"):
        nb.load(tmp_path / "run")
    with pytest.raises(TypeError, match=r"trace must be a back end, got its class; pass one, nb\.Text\(name\)"):
        nb.sample(model(), trace=nb.Text)
