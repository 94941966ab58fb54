"""Ctrl-C while predictions are made: what there is comes back, whole and marked."""

import signal
import threading

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import NbinferWarning
from nbinfer.predictive import over

DRAWS = 4000


def logp(p, d):
    return -(p.mu**2)


def slow(p, d, rng):
    return p.mu + 0.0 * np.sum(rng.normal(0.0, 1.0, 100_000))


@pytest.fixture(scope="module")
def model():
    return nb.Model({"mu": nb.real()}, logp=logp, predict={"y": slow})


@pytest.fixture(scope="module")
def trace():
    return nb.Trace({"mu": np.arange(2.0 * DRAWS).reshape(2, DRAWS)})


@pytest.fixture
def pressed(monkeypatch):
    """Press Ctrl-C once a few draws have been evaluated; all of them would take half a minute."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    update, times = over._Together.update, []

    def press(self, progress):
        update(self, progress)
        if progress["done"].sum() >= 3 and not times:
            times.append(1)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    monkeypatch.setattr(over._Together, "update", press)
    yield
    signal.signal(signal.SIGINT, before)


def test_predictions_come_back_as_far_as_they_are(model, trace, pressed):
    with pytest.warns(NbinferWarning, match=r"interrupted: \d+ of 8000 draws were predicted from; the others hold"):
        group = nb.sample_posterior_predictive(trace, model, random_seed=1)
    done = ~np.isnan(group["y"])
    assert 3 * over.CHUNK <= done.sum() < 2 * DRAWS
    np.testing.assert_array_equal(group["y"][done], trace["mu"][done])
    assert group.attrs["interrupted"] is True


@pytest.mark.either
def test_samples_come_back_that_are_whole(model, trace, pressed):
    with pytest.warns(NbinferWarning, match=r"interrupted: \d+ of 5000 samples were predicted"):
        samples = nb.sample_ppc(trace, 5000, model, size=2, random_seed=1)["y"]
    assert 0 < len(samples) < 5000
    np.testing.assert_array_equal(samples[:, 0], samples[:, 1])


@pytest.mark.either
def test_several_models_and_other_functions_of_draws_raise(model, trace, pressed):
    with pytest.raises(KeyboardInterrupt):
        nb.sample_ppc_w([trace, trace], 5000, [model, model], random_seed=1)


def test_functions_over_draws_raise(model, trace, pressed):
    with pytest.raises(KeyboardInterrupt):
        over.over_draws(model, trace, {"y": slow})
