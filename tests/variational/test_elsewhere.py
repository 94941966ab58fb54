"""Fits that an executor makes are those that are made here."""

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from tests.variational.checkpoint.test_resume_fits import assert_same, mean, model

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")]

OPTIONS = {"random_seed": 4, "progressbar": False}


class Dying:
    """Ends its process, once."""

    def __init__(self, mark):
        self.mark = mark

    def __call__(self, approx, losses, i):
        if i == 5 and not self.mark.exists():
            self.mark.touch()
            os._exit(1)


@pytest.mark.parametrize("method", ["advi", "svgd"])
def test_a_fit_elsewhere_is_the_same(method):
    here = nb.Tracker(every=4, mean=mean)
    there = nb.Tracker(every=4, mean=mean)
    expected = nb.fit(30, model=model(), method=method, callbacks=[here], **OPTIONS)
    with ThreadPoolExecutor(1) as pool:
        found = nb.fit(30, model=model(), method=method, callbacks=[there], executor=pool, **OPTIONS)
    assert_same(found, expected)
    assert np.array(there["mean"]).tobytes() == np.array(here["mean"]).tobytes()


def test_refine_goes_on_here():
    inference = nb.ADVI(model=model(), random_seed=4)
    with ThreadPoolExecutor(1) as pool:
        inference.fit(20, executor=pool, progressbar=False)
    inference.refine(10, progressbar=False)
    assert inference.hist.tobytes() == nb.fit(30, model=model(), **OPTIONS).hist.tobytes()


@pytest.mark.skipif(not JIT, reason="once is enough")
def test_a_worker_that_dies(tmp_path):
    expected = nb.fit(30, model=model(), **OPTIONS)
    with ProcessPoolExecutor(1) as pool:
        found = nb.fit(30, model=model(), callbacks=[Dying(tmp_path / "died")], executor=pool, **OPTIONS)
    assert (tmp_path / "died").exists()
    assert_same(found, expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"executor": 2}, TypeError, "executor must be a concurrent.futures.Executor"),
        ({"executor": ThreadPoolExecutor(1), "checkpoint": "fit.nc"}, ValueError, "checkpoint is written where"),
        ({"executor": ThreadPoolExecutor(1), "method": "pathfinder"}, TypeError, "pathfinder takes no executor"),
    ],
)
def test_what_no_executor_can_do(options, error, message):
    with pytest.raises(error, match=message):
        nb.fit(5, model=model(), **OPTIONS, **options)


@pytest.mark.skipif(not JIT, reason="once is enough")
def test_a_model_that_cannot_be_sent():
    local = nb.Model({"x": nb.real()}, logp=lambda p, d: -0.5 * p.x**2)
    with ProcessPoolExecutor(1) as pool, pytest.raises(TypeError, match="executor sends the model to other processes"):
        nb.fit(5, model=local, executor=pool, **OPTIONS)
