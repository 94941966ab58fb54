"""Callbacks: when they are called, what they see, how they end a fit."""

import _thread
import time

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.engine import progress
from nbinfer.errors import ConvergenceWarning
from nbinfer.variational.report import still_falls
from tests.variational.targets import FIVE, conjugate, several

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")


def fit(n, *callbacks, model=None, **options):
    inference = nb.ADVI(model=model or several(), random_seed=1)
    return inference.fit(n, callbacks=callbacks, progressbar=False, **options), inference


class Seen:
    """Keeps the iterations that it is called after."""

    def __init__(self, every=None):
        self.iterations = []
        if every:
            self.every = every

    def __call__(self, approx, losses, i):
        assert len(losses) == i
        assert np.isfinite(losses[-1])
        self.iterations.append(i)


@pytest.mark.nojit  # long as plain Python
def test_a_callback_is_called_after_each_iteration_or_some():
    each, third, seventh = Seen(), Seen(3), Seen(7)
    _, inference = fit(10, each, third, seventh)
    assert each.iterations == list(range(1, 11))
    assert third.iterations == [3, 6, 9]
    assert seventh.iterations == [7]
    inference.refine(10, progressbar=False)
    assert third.iterations == [3, 6, 9, 12, 15, 18]
    assert seventh.iterations == [7, 14]


@pytest.mark.nojit  # long as plain Python
def test_stop_iteration_ends_a_fit_and_keeps_it():
    def enough(approx, losses, i):
        if i == 5:
            raise StopIteration

    approx, inference = fit(100, enough)
    assert len(approx.hist) == 5
    assert approx.report.iterations == 5
    assert not approx.report.interrupted
    assert len(inference.refine(3, progressbar=False).hist) == 8


@pytest.mark.nojit  # long as plain Python
def test_what_a_callback_raises_arrives_and_the_state_is_kept():
    def broken(approx, losses, i):
        if i == 4:
            raise KeyError("mine")

    inference = nb.ADVI(model=several(), random_seed=1)
    with pytest.raises(KeyError, match="mine"):
        inference.fit(100, callbacks=[broken], progressbar=False)
    assert len(inference.hist) == 4
    assert inference.approx.report.interrupted
    clean, _ = fit(4)
    np.testing.assert_array_equal(inference.approx.mean, clean.mean)


def test_an_interruption_keeps_what_there_is():
    def press(approx, losses, i):
        if i == 6:
            raise KeyboardInterrupt

    approx, _ = fit(100, press)
    assert len(approx.hist) == 6
    assert approx.report.interrupted


@pytest.mark.nojit  # long as plain Python
@pytest.mark.usefixtures("listening")
def test_ctrl_c_ends_a_fit_and_returns_it():
    def press(approx, losses, i):
        if i == 6:
            _thread.interrupt_main()
        if i > 6:
            time.sleep(0.01)

    approx, inference = fit(10_000, press)
    assert 6 <= len(approx.hist) < 10_000
    assert approx.report.interrupted
    assert "(interrupted)" in str(approx.report)
    kept = len(approx.hist)
    inference.refine(2, progressbar=False)
    whole, _ = fit(kept + 2)
    np.testing.assert_array_equal(inference.hist, whole.hist)


def test_callbacks_are_checked():
    with pytest.raises(TypeError, match=r"callbacks\[0\] is the class Tracker; pass one that is made"):
        fit(3, nb.Tracker)
    with pytest.raises(TypeError, match=r"callbacks\[0\] must be a function"):
        fit(1, 3)
    bad = Seen(2)
    bad.every = 0
    with pytest.raises(ValueError, match=r"callbacks\[0\].every must be an int from 1"):
        fit(1, bad)


@pytest.mark.nojit  # long as plain Python
def test_without_scores_callbacks_get_no_losses():
    seen = []
    approx, _ = fit(3, lambda approx, losses, i: seen.append(losses), score=False)
    assert seen == [None] * 3
    assert np.isnan(approx.hist).all()
    assert len(approx.hist) == 3


# ---- convergence


class Moves:
    """Stands for an approximation whose parameters are these, one after the other."""

    def __init__(self, *values):
        self.values = list(values)

    @property
    def params(self):
        return [nb.shared(self.values.pop(0))]


def test_convergence_is_a_small_change():
    check = nb.CheckParametersConvergence(every=10, tolerance=0.05)
    check(Moves([1.0, 2.0]), None, 10)
    check(Moves([1.1, 2.0]), None, 20)
    check(Moves([1.1, 2.2]), None, 30)
    with pytest.raises(StopIteration, match="Convergence achieved at 40"):
        check(Moves([1.11, 2.22]), None, 40)
    assert check.converged


@pytest.mark.parametrize(
    ("diff", "ord", "change"), [("relative", np.inf, 0.5), ("absolute", np.inf, 3.0), ("absolute", 1, 4.0)]
)
def test_changes_are_measured_as_asked(diff, ord, change):
    for tolerance, ends in ((change * 1.001, True), (change * 0.999, False)):
        check = nb.CheckParametersConvergence(every=1, tolerance=tolerance, diff=diff, ord=ord)
        check(Moves([2.0, 10.0]), None, 1)
        if ends:
            with pytest.raises(StopIteration):
                check(Moves([3.0, 7.0]), None, 2)
        else:
            check(Moves([3.0, 7.0]), None, 2)
            assert not check.converged


def test_settings_of_convergence_are_checked():
    with pytest.raises(ValueError, match="unknown diff 'rel'; choose 'relative', 'absolute'"):
        nb.CheckParametersConvergence(diff="rel")
    with pytest.raises(ValueError, match="tolerance must be positive"):
        nb.CheckParametersConvergence(tolerance=0.0)


@pytest.mark.nojit
def test_the_rule_fires_on_a_mean_and_only_when_it_has_arrived():
    check = nb.CheckParametersConvergence(diff="absolute", tolerance=1e-3)
    approx, _ = fit(50_000, check, model=conjugate(FIVE))
    assert check.converged
    assert approx.report.converged
    assert len(approx.hist) < 50_000
    assert approx.std[0] == pytest.approx(0.43643578, rel=0.05)


# ---- trackers


@pytest.mark.nojit  # long as plain Python
def test_a_tracker_keeps_what_functions_give():
    tracker = nb.Tracker(count=lambda: 7, mean=lambda approx, losses, i: approx.mean.copy(), i=lambda a, h, i: i)
    fit(4, tracker)
    assert tracker["count"] == [7] * 4
    assert tracker["i"] == [1, 2, 3, 4]
    assert np.array(tracker["mean"]).shape == (4, 10)
    assert tracker.hist["i"] == tracker["i"]
    tracker.clear()
    assert tracker["i"] == []
    with pytest.raises(KeyError):
        tracker["other"]
    with pytest.raises(TypeError, match="mean must be a function"):
        nb.Tracker(mean=3)


@pytest.mark.nojit  # long as plain Python
def test_a_tracker_may_look_now_and_then():
    tracker = nb.Tracker(every=5, i=lambda approx, losses, i: i)
    fit(12, tracker)
    assert tracker["i"] == [5, 10]


@pytest.mark.nojit  # long as plain Python
def test_the_bar_shows_the_mean_loss(monkeypatch, capsys):
    monkeypatch.setattr(progress, "_is_interactive", lambda: True)
    inference = nb.ADVI(model=several(), random_seed=1)
    approx = inference.fit(40)
    shown = capsys.readouterr().err
    assert "mean_field: 100%" in shown
    assert f"Average Loss = {approx.hist.mean():,.5g}" in shown
    inference.fit(40, progressbar=False)
    assert capsys.readouterr().err == ""


def test_a_report_tells_whether_the_loss_still_falls():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=5000)
    assert [still_falls(noise[:n]) for n in (0, 199, 200, 5000)] == [False] * 4
    assert np.mean([still_falls(rng.normal(size=2000)) for _ in range(100)]) < 0.05
    assert still_falls(noise - 0.001 * np.arange(5000))
    assert not still_falls(noise + 0.001 * np.arange(5000))
    assert still_falls(np.where(np.arange(5000) % 7 == 0, np.nan, noise - 0.001 * np.arange(5000)))
    assert not still_falls(np.append(noise - 0.01 * np.arange(5000), np.full(2000, -50.0)))


@pytest.mark.nojit  # long as plain Python
def test_what_to_do_about_a_bad_fit_depends_on_its_losses():
    far = nb.Model({"x": nb.real(3)}, logp=lambda p, d: -0.5 * np.sum((p.x - 30.0) ** 2))
    with pytest.warns(ConvergenceWarning, match=r"The loss was still falling: go on with refine, or raise n\. If"):
        assert nb.fit(1000, model=far, random_seed=1, progressbar=False).report.falls
