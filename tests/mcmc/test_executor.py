"""Chains in other processes: the same draws, whatever the executor; a dead worker's chains are drawn again."""

import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine.driver import run
from nbinfer.engine.elsewhere import _like
from nbinfer.errors import NbinferWarning, ResumeError, SamplingError
from nbinfer.mcmc import elsewhere
from tests.mcmc.kept import Keeping
from tests.mcmc.test_resume_errors import version

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")]

SETTINGS = {"draws": 30, "tune": 20, "chains": 3, "random_seed": 1, "progressbar": False}


def logp(p, d):
    return -0.5 * np.sum((p.x - d.y) ** 2) - 0.5 * p.k


def model():
    return nb.Model({"x": nb.real(2), "k": nb.integer(0, 3)}, logp=logp, data={"y": np.array([1.0, -1.0])})


def failing(p, d):
    if p.x > 0.3:
        raise KeyError("too far")
    return -0.5 * p.x**2


class Bomb:
    """A model that ends the first process that it is sent to."""

    def __init__(self, model, mark):
        self.model, self.mark = model, mark

    def __reduce__(self):
        return explode, (self.model, self.mark)


def explode(model, mark):
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return model


class Always:
    """A model that ends each process that it is sent to."""

    def __reduce__(self):
        return die, ()


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class AtOnce:
    """The least that an executor is: it works when it is asked."""

    def submit(self, function, *arguments):
        future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as made:
        yield made


def assert_same(one, other):
    for group in ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats"):
        ours, theirs = getattr(one, group), getattr(other, group)
        assert list(ours) == list(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    times = {"created_at", "sampling_time"}
    assert {n: v for n, v in one.attrs.items() if n not in times} == {
        n: v for n, v in other.attrs.items() if n not in times
    }
    assert str(one.metric) == str(other.metric)
    assert str(one.report) == str(other.report)


@pytest.mark.parametrize("options", [{}, {"step": nb.NUTS(["x"]), "discard_tuned_samples": False}, {"tune": "auto"}])
def test_processes_draw_the_same(pool, options):
    assert_same(nb.sample(model(), executor=pool, **SETTINGS | options), nb.sample(model(), **SETTINGS | options))


def test_a_population_is_drawn_as_a_whole(pool):
    options = {"step": nb.DEMetropolis(["x"]), "chains": 5}
    assert_same(nb.sample(model(), executor=pool, **SETTINGS | options), nb.sample(model(), **SETTINGS | options))


def test_threads_draw_the_same():
    with ThreadPoolExecutor(2) as threads:
        assert_same(nb.sample(model(), executor=threads, **SETTINGS), nb.sample(model(), **SETTINGS))


def test_a_file_takes_the_draws_of_processes(pool, tmp_path):
    trace = nb.sample(model(), executor=pool, trace=tmp_path / "run.nc", **SETTINGS)
    assert_same(nb.load(tmp_path / "run.nc"), trace)
    longer = nb.resume(tmp_path / "run.nc", model(), draws=40, progressbar=False)
    np.testing.assert_array_equal(longer["x"], nb.sample(model(), **SETTINGS | {"draws": 40})["x"])


def test_limits_hold_in_processes(pool):
    options = {"draws": 1000, "max_evals": 300}
    assert_same(nb.sample(model(), executor=pool, **SETTINGS | options), nb.sample(model(), **SETTINGS | options))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_the_chains_of_a_dead_worker_are_drawn_again(tmp_path, monkeypatch, method):
    from nbinfer.mcmc.sampling import Sampling

    part = Sampling.part
    bomb = lambda self, chains: (Bomb(self.model, tmp_path / "mark"), *part(self, chains)[1:])  # noqa: E731
    monkeypatch.setattr(Sampling, "part", bomb)
    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        trace = nb.sample(model(), executor=pool, **SETTINGS)
    assert (tmp_path / "mark").exists()
    monkeypatch.undo()
    assert_same(trace, nb.sample(model(), **SETTINGS))


def test_a_worker_that_dies_each_time_is_told(tmp_path, monkeypatch):
    from nbinfer.mcmc.sampling import Sampling

    def sent(self, chains):
        return (Always(), None, None, None, 0, 0, False)

    monkeypatch.setattr(Sampling, "part", sent)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool, pytest.raises(SamplingError) as failed:
        nb.sample(model(), executor=pool, **SETTINGS)
    assert "workers of the executor have died 3 times over the same part of the run" in str(failed.value)


def test_what_takes_the_place_of_a_broken_pool_is_made_like_it():
    with (
        ProcessPoolExecutor(3, get_context("spawn"), os.getpid, (), max_tasks_per_child=2) as pool,
        _like(pool) as twin,
    ):
        for name in ("_max_workers", "_mp_context", "_initializer", "_initargs", "_max_tasks_per_child"):
            assert getattr(twin, name) == getattr(pool, name)
    with ThreadPoolExecutor(1) as threads, pytest.raises(SamplingError, match="executor, a ThreadPoolExecutor, has br"):
        _like(threads)


def test_a_chain_that_fails_hides_no_other():
    start = [{"x": 0.299}, {"x": -8.0}, {"x": -8.0}]
    options = {"step": nb.Metropolis(scaling=0.1, tune=False), "start": start, "executor": AtOnce()}
    with pytest.raises(KeyError, match="too far") as failed:
        nb.sample(nb.Model({"x": nb.real()}, logp=failing), **SETTINGS | options | {"tune": 0})
    assert failed.value.trace.draws_done.tolist()[1:] == [30, 30]


@pytest.mark.parametrize("step", [nb.Slice(["x"]), nb.DEMetropolis(["x"])], ids=["alone", "population"])
def test_what_has_ended_in_the_middle_of_a_draw_can_be_gone_on_with(monkeypatch, step):
    """As a run does that a limit, Ctrl-C or an exception ends between two of its steps."""
    keeping, options = Keeping(), {**SETTINGS, "step": step}

    def stopped(chains, until, cores, display):
        outcome = run(chains, until - 12, cores, display)
        chains.every.position[0] += 1.0
        return outcome

    monkeypatch.setattr(elsewhere, "run", stopped)
    short = nb.sample(model(), executor=AtOnce(), trace=keeping, **options)
    assert short.interrupted
    monkeypatch.undo()
    assert_same(nb.resume(keeping.store.left(), model(), progressbar=False), nb.sample(model(), **options))


def test_draws_of_processes_are_compared_after_an_upgrade():
    keeping = Keeping()
    nb.sample(model(), executor=AtOnce(), trace=keeping, **SETTINGS)
    store = keeping.store
    version(store, "numpy", "0.0.1")
    wrong = store.left()
    wrong.groups["posterior"]["x"][0, -1] += 1e-9
    with pytest.raises(ResumeError, match="'x' of chain 0, posterior row 29; versions differ, numpy"):
        nb.resume(wrong, model(), 40, progressbar=False)
    with pytest.warns(NbinferWarning, match="so far draws are equal"):
        nb.resume(store, model(), 40, progressbar=False)


def test_text_takes_the_draws_of_others(tmp_path):
    trace = nb.sample(model(), executor=AtOnce(), trace=nb.Text(tmp_path / "run"), **SETTINGS | {"progressbar": True})
    np.testing.assert_array_equal(nb.load(tmp_path / "run")["x"], trace["x"])


def test_what_a_function_raises_there_arrives_here(pool):
    failing_model = nb.Model({"x": nb.real()}, logp=failing)
    with pytest.raises(KeyError, match="too far") as failed:
        nb.sample(failing_model, executor=pool, start={"x": 0.0}, **SETTINGS)
    assert "in chain" in failed.value.__notes__[0]
    assert failed.value.trace.chains == [0, 1, 2]


def test_a_model_that_cannot_be_sent_says_why(pool):
    unsendable = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    with pytest.raises(TypeError, match=r"executor sends the model .* Functions must be at the top of a module"):
        nb.sample(unsendable, executor=pool, **SETTINGS)


@pytest.mark.parametrize("given", [2, ProcessPoolExecutor, "processes"])
def test_what_is_no_executor_is_refused(given):
    with pytest.raises(TypeError, match=r"executor must be a concurrent\.futures\.Executor"):
        nb.sample(model(), executor=given, **SETTINGS)


def test_what_takes_no_work_is_refused():
    with ThreadPoolExecutor(1) as threads:
        pass
    with pytest.raises(ValueError, match=r"executor must take work, and ThreadPoolExecutor takes none any more .*new"):
        nb.sample(model(), executor=threads, **SETTINGS)


def test_what_returns_no_future_is_refused():
    class Client:
        submit = staticmethod(lambda function: "a future of another kind")

    with pytest.raises(TypeError, match=r"of Client returns str\. A client of Dask has one in client\.get_ex"):
        nb.sample(model(), executor=Client(), **SETTINGS)
