"""What a file of a fit is refused for, before anything is done; and fits that are killed."""

import re

import numpy as np
import pytest

import nbinfer as nb
from bench.kill import FITS, fit_survives, fitted
from nbinfer.compile import JIT
from nbinfer.errors import ResumeError
from nbinfer.trace.disk import HDF5Store
from nbinfer.variational.checkpoint import keeping
from tests.variational.checkpoint.test_resume_fits import Leaving, left_by, logp, mean, model, rate

pytestmark = [
    pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning"),
    pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning"),
]

QUICK = {"random_seed": 1, "progressbar": False}


def shift(x, g, rate, t):
    x -= rate * g


def batches():
    while True:
        yield np.ones(3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"checkpoint": "fit"}, ValueError, "checkpoint is named .nc or .h5 or .hdf5 at its end, got 'fit'"),
        ({"checkpoint": 3}, TypeError, "checkpoint"),
        ({"checkpoint": nb.HDF5("fit.nc", thin=2)}, ValueError, "leave vars and thin of nb.HDF5 out"),
        ({"checkpoint": "nowhere/fit.nc"}, FileNotFoundError, "there is no folder"),
        ({"method": "dadvi"}, NotImplementedError, r"checkpoint: DADVI searches at fixed noise .* take nb.ADVI"),
        ({"method": "bam"}, NotImplementedError, "checkpoint: BaM remembers batches"),
        ({"method": "pathfinder"}, TypeError, "pathfinder takes no checkpoint: its paths take seconds"),
        ({"method": "advi->fullrank_advi"}, ValueError, "checkpoint is of one fit, and 'advi->fullrank_advi' is two"),
        ({"more_updates": {nb.shared(1.0): 2.0}}, NotImplementedError, "checkpoint: more_updates sets what only"),
        ({"max_seconds": -1.0}, ValueError, "max_seconds"),
    ],
)
def test_a_fit_that_no_file_can_keep(options, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        nb.fit(5, model=model(), **{"checkpoint": "fit.nc", **QUICK, **options})
    assert list(tmp_path.iterdir()) == []


def test_a_generator_has_no_position(tmp_path):
    fed = nb.Model({"x": nb.real(3), "s": nb.real()}, logp=logp, data={"y": nb.generator(batches())})
    with pytest.raises(
        nb.errors.StreamingError, match=r"checkpoint: data 'y' come from a generator, .* take nb.Minibatch"
    ):
        nb.fit(5, model=fed, checkpoint=tmp_path / "fit.nc", **QUICK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.nojit  # long as plain Python
def test_a_file_that_exists_and_one_that_is_replaced(tmp_path):
    path = tmp_path / "fit.nc"
    approx = nb.fit(5, model=model(), checkpoint=path, **QUICK)
    with pytest.raises(FileExistsError, match=r"fit.nc exists"):
        nb.fit(5, model=model(), checkpoint=path, **QUICK)
    again = nb.fit(5, model=model(), checkpoint=nb.HDF5(path, overwrite=True), **QUICK)
    assert again.hist.tobytes() == approx.hist.tobytes()
    with pytest.raises(nb.errors.BackendError, match="a run without draws, a fit maybe"):
        nb.load(path)


def test_data_that_are_set_on_the_way(tmp_path):
    m, path = model(), tmp_path / "fit.nc"

    def replace(approx, losses, i):
        if i == 3:
            m.set_data(y=np.zeros(3))

    with pytest.raises(nb.errors.VariationalInferenceError, match="data were set while the fit runs") as caught:
        nb.fit(6, model=m, checkpoint=path, callbacks=[replace], **QUICK)
    assert len(caught.value.trace.hist) == 3
    with pytest.raises(ResumeError, match="model is not that of the run; before -> now: data 'y'"):
        nb.resume(path, m, callbacks=[replace], progressbar=False)


@pytest.fixture
def left(tmp_path):
    falling = nb.adam(learning_rate=rate)
    return left_by(tmp_path, 5, 8, [nb.Tracker(mean=mean)], model=model(), obj_optimizer=falling)[:2]


def given(left, **changed):
    falling = nb.adam(learning_rate=rate)
    return {"callbacks": [left[1], nb.Tracker(mean=mean)], "obj_optimizer": falling, "progressbar": False, **changed}


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"obj_optimizer": None}, ResumeError, "obj_optimizer holds what no file keeps, rate; pass it again"),
        (
            {"obj_optimizer": nb.adam(learning_rate=0.1)},
            ResumeError,
            "obj_optimizer is not that of the fit; .*Adam.*0.1",
        ),
        ({"callbacks": None}, ResumeError, r"callbacks\[0\] of the fit, Leaving, is what no file keeps; pass it again"),
        (
            {"method": "fullrank_advi"},
            ResumeError,
            "method is not that of the fit; before -> now: group x, s: mean_field",
        ),
        ({"n": 7}, ValueError, "n must be at least 8, for which the fit was planned, got 7"),
        ({"n": 8.5}, ValueError, "n must be an int"),
        ({"draws": 10}, ValueError, "draws is of chains, and path holds a fit"),
        ({"cores": 1}, ValueError, "cores is of chains, and path holds a fit"),
        ({"model": model((1.0, 2.0, 3.0))}, ResumeError, "model is not that of the run; before -> now: data 'y'"),
    ],
)
def test_what_is_not_the_fits(left, changed, error, message):
    before = left[0].read_bytes()
    arguments = given(left, **changed)
    with pytest.raises(error, match=message):
        nb.resume(left[0], arguments.pop("model", model()), **arguments)
    assert left[0].read_bytes() == before
    assert len(nb.resume(left[0], model(), **given(left)).hist) == 8


@pytest.mark.nojit  # long as plain Python
def test_callbacks_that_are_too_many(left):
    more = [*given(left)["callbacks"], nb.CheckParametersConvergence()]
    with pytest.raises(ResumeError, match=r"CheckParametersConvergence.* is no callback of the fit"):
        nb.resume(left[0], model(), **given(left, callbacks=more))


@pytest.mark.nojit  # long as plain Python
def test_an_inference_is_made_again(tmp_path):
    path, m = tmp_path / "fit.nc", model()
    leaving = Leaving(path, 3)
    nb.KLqp(nb.FullRank(model=m, random_seed=1)).fit(6, checkpoint=path, callbacks=[leaving], progressbar=False)
    lost = tmp_path / "left.nc"
    with pytest.raises(ResumeError, match="method was an object, of an operator KL"):
        nb.resume(lost, m, callbacks=leaving, progressbar=False)
    used = nb.KLqp(nb.FullRank(model=m))
    used.fit(2, progressbar=False)
    with pytest.raises(ResumeError, match="method has been fitted since"):
        nb.resume(lost, m, callbacks=leaving, method=used, progressbar=False)
    fresh = nb.KLqp(nb.FullRank(model=m))
    assert nb.resume(lost, m, callbacks=leaving, method=fresh, progressbar=False).hist.size == 6


@pytest.mark.nojit  # long as plain Python
def test_losses_that_come_out_another_way(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_SPAN", 1e9)
    lost, leaving, _ = left_by(tmp_path, 5, 8, model=model())
    store = HDF5Store.reopen(lost)
    store.array("sample_stats", "loss", (), np.float64)[0, 2] += 1e-9
    store.discard()
    before = lost.read_bytes()
    with pytest.raises(ResumeError, match=r"losses come out another way .* after iteration 3, and there"):
        nb.resume(lost, model(), callbacks=leaving, progressbar=False)
    assert lost.read_bytes() == before


@pytest.mark.nojit  # long as plain Python
def test_snapshots_that_are_damaged(tmp_path):
    lost, leaving, _ = left_by(tmp_path, 5, 8, model=model())
    store = HDF5Store.reopen(lost)
    store.groups["sampling_state"]["slots"][...] ^= 5
    store.discard()
    with pytest.raises(ResumeError, match="both snapshots of the fit are damaged"):
        nb.resume(lost, model(), callbacks=leaving, progressbar=False)


def test_a_file_of_chains_has_no_iterations(tmp_path):
    path = tmp_path / "run.nc"
    nb.sample(model(), 5, 5, trace=path, step=nb.Slice(), **QUICK)
    with pytest.raises(ValueError, match=re.escape("n is of fits, and path holds a run of chains")):
        nb.resume(path, model(), n=10)


@pytest.mark.skipif(not JIT, reason="plain Python is too slow to be killed often")
@pytest.mark.parametrize("name", FITS)
def test_a_fit_that_is_killed_loses_nothing(tmp_path, name):
    """Whatever the moments are; `bench.kill` has more."""
    n = FITS[name].n // 2
    whole = fitted(FITS[name]._replace(n=n))
    assert fit_survives(name, n, whole, tmp_path, np.random.default_rng(len(name)).uniform(0.8, 1.6, 2))
