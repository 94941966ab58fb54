"""``tune="auto"``: each chain warms up for as long as it must, and whoever cannot tell for as long as always."""

import sys
import threading
import time

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.diagnostics.acceptance import misses_target
from nbinfer.mcmc import QuadPotentialFullAdapt
from nbinfer.mcmc.arguments import MOST_TUNE, warm_up
from tests.laws.mixed import mixture
from tests.mcmc.models import eight_schools, run, slow

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")
needs_long_chains = pytest.mark.skipif(not JIT, reason="needs long chains")


def auto(draws=50, **options):
    return run(draws=draws, tune="auto", **options)


@needs_long_chains
def test_each_chain_has_a_warm_up_of_its_own():
    trace = auto(discard_tuned_samples=False)
    done = trace.tune_done
    assert len(set(done.tolist())) > 1
    assert ((done >= 180) & (done <= MOST_TUNE)).all()
    assert trace.attrs["tune"] == "auto"
    assert not trace.interrupted
    assert trace.draws_done.tolist() == [50] * 4
    assert np.isfinite(trace["eta"]).all()
    assert not trace.sample_stats["tune"].any()
    for chain, count in enumerate(done):
        for group in (trace.warmup_posterior, trace.warmup_sample_stats):
            for name, array in group.items():
                assert array.shape[1] == done.max()
                assert array.base is None  # what nobody has used is given back
                rest = array[chain, count:]
                fill = {"f": np.isnan, "i": lambda x: x == np.iinfo(np.int64).min, "b": lambda x: ~x}
                assert fill[array.dtype.kind](rest).all(), name
                if array.dtype.kind == "f":
                    assert np.isfinite(array[chain, :count]).all(), name
        assert trace.warmup_sample_stats["tune"][chain, :count].all()
        steps = trace.warmup_sample_stats["n_steps"][chain, :count].sum() + trace.sample_stats["n_steps"][chain].sum()
        assert steps <= trace.attrs["gradients"][chain] < steps + 300
    assert f"after {done.min()} to {done.max()} of warm-up" in repr(trace)


@needs_long_chains
def test_the_step_size_has_settled():
    accepted = auto(chains=80, draws=1000, random_seed=5).sample_stats["acceptance_rate"].mean(axis=1)
    assert accepted.mean() == pytest.approx(0.81, abs=0.02)
    assert accepted.std() < 0.037  # of 1000 iterations of warm-up: .025
    assert not misses_target(accepted.repeat(100).reshape(80, 100), 0.8).sum() > 1


@needs_long_chains
@pytest.mark.parametrize(
    "step",
    [nb.NUTS(), nb.NUTS(metric="fisher_diag"), nb.NUTS(metric="dense"), nb.HamiltonianMC(), nb.NUTS(metric="diag")],
)
def test_everything_is_frozen_when_it_ends(step):
    trace = auto(step=step)
    assert (trace.tune_done < MOST_TUNE).any()
    size = trace.sample_stats["step_size"]
    assert (size == size[:, :1]).all()
    last = [trace.warmup_sample_stats["step_size_bar"][c, n - 1] for c, n in enumerate(trace.tune_done)]
    np.testing.assert_allclose(size[:, 0], last, rtol=1e-12)


def is_the_same(one, other, chain=slice(None)):
    assert one.tune_done.tolist() == other.tune_done[chain].tolist()
    for name in one.posterior:
        assert one[name].tobytes() == other[name][chain].tobytes()
    most = one.tune_done.max()
    for group in ("sample_stats", "warmup_sample_stats"):
        for name, array in getattr(one, group).items():
            rows = slice(most) if group.startswith("warmup") else slice(None)
            assert array[:, rows].tobytes() == getattr(other, group)[name][chain, rows].tobytes()


@needs_long_chains
@pytest.mark.parametrize("metric", ["fisher_diag", "fisher"])
def test_no_bit_depends_on_cores_or_on_other_chains(metric):
    one = auto(step=nb.NUTS(metric=metric), cores=1)
    is_the_same(auto(step=nb.NUTS(metric=metric), cores=2), one)
    is_the_same(auto(step=nb.NUTS(metric=metric), chains=1, chain_idx=2), one, slice(2, 3))


@needs_long_chains
def test_until_a_chain_settles_it_is_that_of_a_given_length():
    trace, whole = auto(), run(draws=50, tune=MOST_TUNE)
    assert (trace.tune_done < MOST_TUNE).any()
    for chain, count in enumerate(trace.tune_done):
        assert trace.warmup_sample_stats["lp"][chain, :100].tobytes() == (
            whole.warmup_sample_stats["lp"][chain, :100].tobytes()
        )
        assert (count == MOST_TUNE) == np.array_equal(
            trace.warmup_sample_stats["lp"][chain, :count], whole.warmup_sample_stats["lp"][chain, :count]
        )


def square(p, d):
    return -0.5 * p.x**2 - 0.5 * p.y**2


def plane():
    return nb.Model({"x": nb.real(), "y": nb.real()}, logp=square)


OTHERS = {
    "two steps": (plane, [nb.NUTS("x"), nb.Slice("y")]),
    "a step on a part, and itself on the rest": (plane, [nb.NUTS("x"), nb.NUTS("y")]),
    "a step without a gradient": (plane, nb.Metropolis()),
    "a population": (plane, nb.DEMetropolis()),
    "discrete variables": (mixture, None),
    "a dense metric": (plane, nb.NUTS(potential=QuadPotentialFullAdapt(2))),
    "a fixed metric": (plane, nb.NUTS(metric="unit")),
    "a scaling": (plane, nb.NUTS(scaling=np.ones(2))),
}


@needs_long_chains
@pytest.mark.parametrize("name", OTHERS)
def test_whoever_cannot_tell_takes_a_thousand(name):
    model, step = OTHERS[name]
    options = dict(model=model(), step=step, chains=3, draws=20)
    trace = auto(**options)
    assert trace.tune_done.tolist() == [MOST_TUNE] * 3
    assert trace.attrs["tune"] == MOST_TUNE
    is_the_same(trace, run(tune=MOST_TUNE, **options))


@needs_long_chains
def test_draw_by_draw_it_is_a_thousand():
    options = dict(model=eight_schools(), random_seed=1)
    *_, one = nb.iter_sample(5, tune="auto", **options)
    *_, other = nb.iter_sample(5, tune=1000, **options)
    is_the_same(one, other)
    stepper = nb.NUTS().on(eight_schools(), tune="auto", random_seed=1)
    assert stepper.tune


@pytest.mark.parametrize(
    ("tune", "error", "message"),
    [
        ("Auto", ValueError, "tune must be a number of iterations or 'auto', got 'Auto'"),
        ("automatic", ValueError, "tune must be a number of iterations or 'auto', got 'automatic'"),
        ("1000", ValueError, "tune must be a number of iterations or 'auto', got '1000'"),
        (-1, ValueError, "tune must be at least 0, got -1"),
        (1.5, TypeError, "tune must be an int or 'auto', got 1.5"),
        ([], TypeError, r"tune must be an int or 'auto', got \[\]"),
        (True, TypeError, "tune must be an int or 'auto', got True"),
    ],
)
def test_what_is_no_length_is_refused(tune, error, message):
    for call in (
        lambda: run(tune=tune),
        lambda: next(nb.iter_sample(5, tune=tune, model=eight_schools())),
        lambda: nb.NUTS().on(eight_schools(), tune=tune),
    ):
        with pytest.raises(error, match=message):
            call()


def test_what_a_length_means():
    assert warm_up("auto") == (MOST_TUNE, True)
    assert warm_up(np.int64(7)) == (7, False)


@needs_long_chains
@pytest.mark.parametrize("tune", range(0, 31, 6))
@pytest.mark.parametrize("metric", ["fisher_diag", "fisher"])
def test_a_given_length_is_kept_however_short(metric, tune):
    trace = run(tune=tune, draws=20, chains=2, step=nb.NUTS(metric=metric))
    assert trace.tune_done.tolist() == [tune] * 2
    assert trace.attrs["tune"] == tune
    assert np.isfinite(trace["eta"]).all()


# While it runs


class Watching:
    """A display that notes the lines, and interrupts once a condition on them holds."""

    def __init__(self, condition):
        self.condition, self.lines = condition, None

    def update(self, progress):
        self.lines = progress.copy()

    def close(self):
        pass

    def wait(self):
        import _thread

        deadline = time.monotonic() + 60
        while (self.lines is None or not self.condition(self.lines)) and time.monotonic() < deadline:
            time.sleep(0.002)
        _thread.interrupt_main()


@needs_long_chains
def test_ctrl_c_between_the_ends_of_two_warm_ups(monkeypatch, listening):
    watching = Watching(lambda lines: (lines["done"] > MOST_TUNE + 5).any())
    monkeypatch.setattr(sys.modules["nbinfer.mcmc.sample"], "display_of_chains", lambda *arguments: watching)
    threading.Thread(target=watching.wait, daemon=True).start()
    trace = run(slow(), draws=100_000, tune="auto", chains=4, cores=2)
    assert trace.interrupted
    assert trace.draws_done.max() > 0
    whole = run(slow(), draws=int(trace.draws_done.max()), tune="auto", chains=4)
    for chain, (tuned, drawn) in enumerate(zip(trace.tune_done, trace.draws_done, strict=True)):
        assert tuned <= whole.tune_done[chain]
        assert not drawn or tuned == whole.tune_done[chain]
        assert np.isnan(trace["x"][chain, drawn:]).all()
        assert trace["x"][chain, :drawn].tobytes() == whole["x"][chain, :drawn].tobytes()
        lp = trace.warmup_sample_stats["lp"][chain]
        assert np.isfinite(lp[:tuned]).all()
        if drawn:
            assert np.isnan(lp[tuned:]).all()


@needs_long_chains
def test_the_display_ends_where_the_chains_do(monkeypatch):
    watching = Watching(lambda lines: True)
    made = []
    monkeypatch.setattr(
        sys.modules["nbinfer.mcmc.sample"], "display_of_chains", lambda *arguments: made.append(arguments) or watching
    )
    trace = auto()
    assert made == [(False, range(4), MOST_TUNE, MOST_TUNE + 50)]
    assert watching.lines["done"].tolist() == [MOST_TUNE + 50] * 4
    assert (MOST_TUNE - watching.lines["skipped"]).tolist() == trace.tune_done.tolist()


@needs_long_chains
def test_ragged_warm_ups_can_be_merged():
    merged, whole = nb.trace.merge_traces([auto(chains=2), auto(chains=2, chain_idx=2)]), auto()
    assert merged.tune_done.tolist() == whole.tune_done.tolist()
    assert merged.attrs["tune"] == "auto"
    most = whole.tune_done.max()
    assert merged.warmup_sample_stats["lp"].tobytes() == whole.warmup_sample_stats["lp"][:, :most].tobytes()


@needs_long_chains
def test_ragged_warm_ups_can_be_handed_to_arviz():
    pytest.importorskip("arviz_base")
    trace = auto(chains=2, discard_tuned_samples=False)
    for stored in (trace.to_arviz(), trace.cut().to_arviz()):
        assert stored["warmup_posterior"]["eta"].shape == (2, trace.tune_done.min(), 8)
        assert stored["warmup_sample_stats"]["n_steps"].values.min() > 0
        assert stored.attrs["tune"] == "auto"
