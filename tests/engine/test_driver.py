"""The end of a run that does not come by itself: Ctrl-C, exceptions of the user's, divergences that are errors."""

import sys
import threading
import time

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.engine.chain import advance
from nbinfer.engine.driver import run_alone
from nbinfer.engine.progress import Silent
from nbinfer.errors import SamplingError
from tests.engine.test_chain import counting_chains
from tests.mcmc.models import half_line, raising, run, slow

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def interrupt_when(condition):
    """Raise KeyboardInterrupt in the main thread as Ctrl-C would, once the condition holds."""
    import _thread

    def wait():
        deadline = time.monotonic() + 60
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.005)
        _thread.interrupt_main()

    threading.Thread(target=wait, daemon=True).start()


def watched(monkeypatch):
    """Replace the display by one that tells the test where the slowest chain is."""
    seen = {}

    class Spy:
        def update(self, progress):
            seen["least"] = int(progress["done"].min())

        def close(self):
            seen["closed"] = True

    monkeypatch.setattr(sys.modules["nbinfer.mcmc.sample"], "display_of_chains", lambda *arguments: Spy())
    return seen


@pytest.mark.skipif(not JIT, reason="needs a run that can be timed by its draws")
def test_ctrl_c_keeps_what_is_finished(monkeypatch, listening):
    seen = watched(monkeypatch)
    interrupt_when(lambda: seen.get("least", 0) > 60)
    trace = run(slow(), draws=10_000_000 // 100, tune=50, chains=3, cores=2)
    assert trace.interrupted
    assert seen["closed"]
    done = trace.draws_done
    assert (done > 0).all()
    assert (done < 100_000).all()
    for chain, n in enumerate(done):
        assert np.isfinite(trace["x"][chain, :n]).all()
        assert np.isnan(trace["x"][chain, n:]).all()
    whole = run(slow(), draws=int(done.min()), tune=50, chains=3, cores=1)
    assert whole["x"][0].tobytes() == trace["x"][0, : done.min()].tobytes()
    assert "draws" in str(trace.report)


@pytest.mark.skipif(not JIT, reason="needs a run that can be timed by its draws")
def test_ctrl_c_in_warm_up_says_so(monkeypatch, listening):
    seen = watched(monkeypatch)
    interrupt_when(lambda: seen.get("least", 0) > 0)
    with pytest.raises(SamplingError, match="stopped during warm-up") as caught:
        run(slow(), draws=10, tune=1_000_000, chains=1)
    assert 0 < caught.value.trace.tune_done[0] < 1_000_000


def test_the_users_exception_reaches_them_with_the_point_and_the_draws():
    with pytest.raises(RuntimeError, match="beyond the limit") as caught:
        run(raising(), draws=2000, tune=100 if JIT else 10, chains=2)
    (note,) = [note for note in caught.value.__notes__ if "in chain" in note]
    assert float(note.split("x = ")[1].split(";")[0]) > 2.0
    trace = caught.value.trace
    assert trace["x"].shape == (2, trace.draws_done.max())


def arithmetic(p, d):
    if p.x > 1.0:
        raise ZeroDivisionError("a failure of arithmetic")
    return -0.5 * p.x**2


def arithmetic_grad(p, d, grad):
    grad.x[()] -= p.x
    return arithmetic(p, d)


@pytest.mark.skipif(not JIT, reason="inner functions are compiled")
def test_failures_of_arithmetic_are_divergences():
    import numba

    inner = numba.njit(arithmetic)

    def logp_grad(p, d, grad):
        grad.x[()] -= p.x
        return inner(p, d)

    model = nb.Model(parameters={"x": nb.real()}, logp=arithmetic, logp_grad=logp_grad)
    trace = run(model, start={"x": 0.0}, chains=2)
    assert trace.sample_stats["diverging"].sum() > 0
    assert (trace["x"] <= 1.0).all()
    assert not trace.interrupted


def test_on_error_raise_stops_at_a_divergence():
    with pytest.raises(SamplingError, match="first divergence") as caught:
        run(half_line(), draws=100_000, tune=5, chains=2, start={"x": 1.0}, nuts_kwargs={"on_error": "raise"})
    assert caught.value.trace.sample_stats["diverging"].any()


@pytest.mark.nojit
@pytest.mark.parametrize("cores", [1, 4])
def test_on_error_raise_stops_at_the_first_even_if_the_run_is_short(cores):
    options = dict(tune=5, start={"x": 1.0}, nuts_kwargs={"on_error": "raise"}, cores=cores)
    with pytest.raises(SamplingError, match=r"draw \d+ of chain \d, near x = [\d.e-]+; finished") as caught:
        run(half_line(), **options)
    trace = caught.value.trace
    where = [
        np.flatnonzero(flags[:n]) for flags, n in zip(trace.sample_stats["diverging"], trace.draws_done, strict=True)
    ]
    assert any(len(found) and found[0] == n - 1 for found, n in zip(where, trace.draws_done, strict=True))
    assert all(len(found) <= 1 for found in where)
    with pytest.raises(SamplingError, match=r"first divergence, .* near x = ") as caught:
        for _ in nb.iter_sample(500, nb.NUTS(on_error="raise"), {"x": 1.0}, tune=5, model=half_line(), random_seed=7):
            pass
    flags = caught.value.trace.sample_stats["diverging"][0]
    assert flags[-1]
    assert flags.sum() == 1


def grows(p, d):
    return np.zeros(2) if p.x < 0.3 else np.zeros(3)


@pytest.mark.parametrize("tune", [0, 20])
def test_a_derived_quantity_that_changes_its_shape_stops_the_run(tune):
    model = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2, derived={"grows": grows})
    with pytest.raises(SamplingError, match="another shape") as caught:
        run(model, 500, tune, chains=2, start={"x": 0.0})
    trace = caught.value.trace
    assert trace["x"].shape == (2, trace.draws_done.max())


def test_a_job_may_run_in_this_thread_moment_by_moment():
    """To the piece that was asked for, and not at all once the stop word is set."""
    blocks, x, _ = counting_chains(1, 3, 5)
    seen = []

    class Spy(Silent):
        def update(self, progress):
            seen.append(int(progress["done"][0]))

    outcome = run_alone(blocks, advance, 4, Spy())
    assert (blocks.progress["done"][0], outcome.interrupted, outcome.error) == (4, False, None)
    assert (seen[0], seen[-1]) == (1, 4)
    np.testing.assert_array_equal(x[1][0, :1, 0], [4.0])
    blocks.stop[0] = 1
    outcome = run_alone(blocks, advance, 8, Spy())
    assert (blocks.progress["done"][0], outcome.interrupted) == (4, True)
