"""Fits that are gone on with are the fits that nobody ended."""

import shutil

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.engine.snapshot import Snapshots
from nbinfer.trace.disk import HDF5Store
from nbinfer.variational.checkpoint import keeping

pytestmark = [
    pytest.mark.nojit,
    pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning"),
    pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning"),
]

N = 60 if JIT else 14
AT = N // 2


def logp(p, d):
    return -0.5 * np.sum((p.x - d.y) ** 2) - 0.5 * p.s**2


def each(p, d):
    return -0.5 * (d.y - p.x[0]) ** 2


def prior_of_x(p, d):
    return -0.5 * p.x @ p.x


def model(y=(1.0, -0.5, 0.25)):
    return nb.Model({"x": nb.real(3), "s": nb.real()}, logp=logp, data={"y": np.array(y)})


def of_batches():
    data = {"y": nb.Minibatch(np.arange(20.0), batch_size=5)}
    terms = {"prior": prior_of_x, "likelihood": {"y": each}}
    return nb.Model({"x": nb.real(3)}, data=data, total_size={"y": 20}, **terms)


class Leaving:
    """Leaves at an iteration what a process that dies there leaves."""

    def __init__(self, path, at):
        self.path, self.at = path, at

    def __call__(self, approx, losses, i):
        left = self.path.with_name("left.nc")
        if i == self.at and not left.exists():
            shutil.copy(self.path, left)


@pytest.fixture(params=["every iteration", "the first one"])
def snapshots(request, monkeypatch):
    """Where there are snapshots: a fit goes on from the last one."""
    always = request.param == "every iteration"
    monkeypatch.setattr(keeping, "_SPAN", 0.0 if always else 1e9)
    monkeypatch.setattr(keeping, "_SHARE", 0)


def assert_same(approx, expected):
    assert approx.hist.tobytes() == expected.hist.tobytes()
    for one, other in zip(approx.params, expected.params, strict=True):
        assert one.get_value().tobytes() == other.get_value().tobytes()
    assert str(approx.report) == str(expected.report)
    assert approx.draw(3).positions.tobytes() == expected.draw(3).positions.tobytes()
    expected.draws_so_far -= 3


def left_by(folder, at=AT, n=N, callbacks=(), **options):
    """Return the file of a fit that has died, the callback that it had, and the fit that has not."""
    path = folder / "fit.nc"
    leaving = Leaving(path, at)
    whole = nb.fit(n, callbacks=[leaving, *callbacks], checkpoint=path, progressbar=False, random_seed=4, **options)
    return path.with_name("left.nc"), leaving, whole


CASES = {
    "advi": {},
    "fullrank_advi": {"obj_optimizer": nb.adam(learning_rate=0.01), "obj_n_mc": 2},
    "low_rank_advi": {"inf_kwargs": {"rank": 2}, "start": {"s": 0.5}, "start_sigma": 0.2},
    "nfvi=planar*2": {"total_grad_norm_constraint": 10.0},
    "svgd": {"inf_kwargs": {"n_particles": 12, "kernel": nb.IMQ()}},
    "noisy": {
        "inf_kwargs": {"n_particles": 12, "noisy": True, "metric": "diag", "annealing": nb.CyclicAnnealing(N // 4, 2)},
        "obj_optimizer": nb.sgd(learning_rate=0.5),
    },
    "asvgd": {"obj_n_mc": 20, "obj_optimizer": nb.optimizers.rmsprop(learning_rate=0.01)},
    "batches": {},
    "learnt": {"more_obj_params": ["y"]},
}


@pytest.mark.parametrize("name", CASES)
def test_a_fit_that_is_gone_on_with_is_the_same(name, tmp_path, snapshots):
    method = {"batches": "advi", "learnt": "advi", "noisy": "svgd"}.get(name, name)
    m = of_batches() if name == "batches" else model()
    plain = nb.fit(N, method=method, model=m, random_seed=4, progressbar=False, **CASES[name])
    left, leaving, whole = left_by(tmp_path, method=method, model=m, **CASES[name])
    assert_same(whole, plain)
    resumed = nb.resume(left, m, callbacks=[leaving], progressbar=False)
    assert_same(resumed, plain)
    with pytest.raises(nb.errors.ResumeError, match=f"the fit is finished, after {N} iterations; pass n= more"):
        nb.resume(left, m, callbacks=leaving, progressbar=False)
    more = nb.resume(left, m, n=N + 7, callbacks=[leaving], progressbar=False)
    assert_same(more, nb.fit(N + 7, method=method, model=m, random_seed=4, progressbar=False, **CASES[name]))


def test_refine_goes_on_after_it(tmp_path, snapshots):
    left, leaving, _ = left_by(tmp_path, model=model())
    with model() as m:
        resumed = nb.resume(left, callbacks=[leaving], progressbar=False)
    inference = nb.ADVI(model=m, random_seed=4)
    inference.fit(N, checkpoint=tmp_path / "own.nc", progressbar=False)
    inference.refine(9, progressbar=False)
    assert len(resumed.hist) == N
    assert inference.hist.tobytes() == nb.fit(N + 9, model=m, random_seed=4, progressbar=False).hist.tobytes()


def test_a_fit_after_another_of_the_same_approximation(tmp_path, snapshots):
    def twice(path, **options):
        inference = nb.ADVI(model=m, random_seed=4)
        inference.fit(5, progressbar=False)
        falling = nb.adam(learning_rate=rate)
        inference.fit(N, progressbar=False, obj_optimizer=falling, checkpoint=path, **options)
        return inference.approx

    m, path = model(), tmp_path / "fit.nc"
    leaving = Leaving(path, 5 + AT)
    expected = twice(path, callbacks=[leaving])
    fresh = nb.ADVI(model=m, random_seed=4)
    given = {"method": fresh, "obj_optimizer": nb.adam(learning_rate=rate), "callbacks": [leaving]}
    assert_same(nb.resume(tmp_path / "left.nc", m, progressbar=False, **given), expected)
    assert expected.report.iterations == N


def rate(i):
    return 0.1 / (1.0 + i)


def test_callbacks_remember_what_they_did(tmp_path, snapshots):
    def own():
        return nb.CheckParametersConvergence(every=3, tolerance=0.02), nb.Tracker(every=2, mean=mean, i=count)

    check, tracker = own()
    n = 400 if JIT else 40
    options = {"model": model(), "obj_optimizer": nb.adam(learning_rate=0.1)}
    left, leaving, whole = left_by(tmp_path, 11, n, [check, tracker], **options)
    assert len(tracker["mean"]) > 5
    _, again = own()
    resumed = nb.resume(left, options["model"], callbacks=[leaving, again], progressbar=False)
    assert_same(resumed, whole)
    assert resumed.report.converged == whole.report.converged
    assert again["i"] == tracker["i"]
    assert np.array(again["mean"]).tobytes() == np.array(tracker["mean"]).tobytes()


def mean(approx, losses, i):
    return approx.mean.copy()


def count(approx, losses, i):
    return i


def test_what_a_tracker_keeps_may_be_more_than_there_was_room_for(tmp_path, monkeypatch, snapshots):
    monkeypatch.setattr(keeping, "_ROOM", 64)
    tracker = nb.Tracker(mean=mean)
    left, leaving, whole = left_by(tmp_path, model=model(), callbacks=[tracker])
    again = nb.Tracker(mean=mean)
    assert_same(nb.resume(left, model(), callbacks=[leaving, again], progressbar=False), whole)
    assert np.array(again["mean"]).tobytes() == np.array(tracker["mean"]).tobytes()


def test_what_no_file_keeps_is_said_once(tmp_path, snapshots):
    with pytest.warns(nb.errors.NbinferWarning, match=r"callbacks\[1\] remembers what no file keeps, object"):
        left_by(tmp_path, model=model(), callbacks=[nb.Tracker(what=lambda: object())])


def test_a_rule_of_convergence_goes_on(tmp_path, snapshots):
    n = 5000 if JIT else 60
    options = {"model": model(), "convergence": nb.RAABBVI(learning_rate=0.3)}
    left, leaving, whole = left_by(tmp_path, 1200 if JIT else 40, n, **options)
    assert JIT is False or whole.report.rates
    resumed = nb.resume(left, options["model"], callbacks=[leaving], progressbar=False)
    assert_same(resumed, whole)
    assert repr(resumed.report.rates) == repr(whole.report.rates)


def test_a_snapshot_that_is_ahead_of_the_counter(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "_SPAN", 0.0)
    monkeypatch.setattr(keeping, "_SHARE", 0)
    left, leaving, whole = left_by(tmp_path, model=model())
    store = HDF5Store.reopen(left)
    done = store.words("progress", 8)[0]
    assert list(keeping._texts_in(store)) == [str(done[0] - 2), str(done[0] - 1)]  # of two snapshots
    done[0] -= 2
    store.discard()
    last, keep = tmp_path / "last.nc", Snapshots.keep

    def dies_before(self, *arguments):
        if not last.exists():
            shutil.copy(left, last)
        keep(self, *arguments)

    monkeypatch.setattr(Snapshots, "keep", dies_before)
    assert_same(nb.resume(left, model(), callbacks=[leaving], progressbar=False), whole)
    assert_same(nb.resume(last, model(), callbacks=[leaving], progressbar=False), whole)


def test_a_limit_in_seconds(tmp_path):
    path, m = tmp_path / "fit.nc", model()
    with pytest.warns(
        nb.errors.NbinferWarning, match=r"max_seconds=1e-06 has ended the fit: \d+ of \d+ iter.*nb.resume"
    ):
        short = nb.fit(10**6, model=m, random_seed=4, checkpoint=path, max_seconds=1e-6, progressbar=False)
    assert short.report.interrupted
    assert len(short.hist) < 10**6
    with pytest.warns(nb.errors.NbinferWarning, match="max_seconds"):
        further = nb.resume(path, m, max_seconds=0.01, progressbar=False)
    assert len(further.hist) >= len(short.hist)
    assert further.hist[: len(short.hist)].tobytes() == short.hist.tobytes()
    inference = nb.ADVI(model=m, random_seed=4)
    with pytest.warns(nb.errors.NbinferWarning, match="refine goes on"):
        inference.fit(10**6, max_seconds=1e-6, progressbar=False)
    done = len(inference.hist)
    inference.refine(10, progressbar=False)
    assert len(inference.hist) == done + 10
