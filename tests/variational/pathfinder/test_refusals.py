"""Paths that fail are dropped, counted and named; what makes no sense is refused; Ctrl-C keeps what was found."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import AEVBInferenceError, ConvergenceWarning, FitError, ParametrizationError
from tests.engine.interrupts import Presses
from tests.variational.targets import FIVE, conjugate, regression

MODEL = conjugate(FIVE)


def fit(model, n=1000, start=None, start_sigma=None, **options):
    options = {"random_seed": 1, "start": start, "start_sigma": start_sigma} | options
    return nb.Pathfinder(model=model, **options).fit(n, progressbar=False)


def no_number(p, d):
    return np.nan if p.x < -3.0 else -2.0 * (p.x - 1.0) ** 2


@pytest.mark.either
def test_a_path_that_meets_no_number_is_dropped_counted_and_named():
    model = nb.Model({"x": nb.real()}, logp=no_number)
    with pytest.warns(
        ConvergenceWarning, match=r"(\d) of 8 paths dropped. path \d: logp is not finite at the star"
    ) as told:
        approx = fit(model, start={"x": -3.0}, start_sigma=1.0, n_paths=8)
    assert told[0].filename == __file__
    dropped = approx.report.dropped
    assert 0 < len(dropped) < 8
    assert not approx.report.ok
    assert all("starting point of path" in path.reason and path.weight == 0.0 for path in dropped)
    assert f"path {dropped[0].number}: dropped" in str(approx.report).splitlines()
    assert (approx.params_dict["weights"].get_value() > 0.0).sum() == 8 - len(dropped)
    assert approx.mean == pytest.approx([1.0], abs=1e-3)
    assert approx.std == pytest.approx([0.5], abs=1e-3)


def test_if_all_fail_the_reasons_are_told():
    model = nb.Model({"x": nb.real()}, logp=no_number)
    with pytest.raises(FitError, match=r"no path has found an approximation. path 0: logp is not finite.*path 1: logp"):
        fit(model, start={"x": -10.0}, n_paths=2)
    with pytest.raises(FitError, match=r"path 0: logp is not finite at the starting point of path 0.*100 tries"):
        fit(nb.Model({"x": nb.real()}, logp=lambda p, d: np.nan * p.x), n_paths=1)


@pytest.mark.parametrize(
    ("logp", "start", "reason"),
    [
        (lambda p, d: 0.0 * p.x, 0.0, "the gradient is zero where it begins, at x = "),
        (lambda p, d: p.x if p.x <= 0.5 else -np.inf, 0.5, r"it is stuck where it begins, at x = 0\.5"),
        (lambda p, d: -0.5 * p.x**2 if p.x > 0.0 else -np.inf, 1.0, r"not finite at some draws of every distribution"),
    ],
    ids=["flat", "edge", "half"],
)
def test_why_a_path_finds_nothing(logp, start, reason):
    with pytest.raises(FitError, match=reason):
        fit(nb.Model({"x": nb.real()}, logp=logp), start={"x": start}, start_sigma=1e-300, n_paths=1, elbo_draws=30)


def raises(p, d):
    if p.x > 0.5:
        raise RuntimeError("too far")
    return p.x


@pytest.mark.either
@pytest.mark.filterwarnings("ignore::nbinfer.errors.PerformanceWarning")
def test_what_the_model_raises_arrives():
    model = nb.Model({"x": nb.real()}, logp=raises)
    with pytest.raises(RuntimeError, match="too far") as caught:
        fit(model, start={"x": 0.0})
    assert "in path 0 at x = " in "".join(caught.value.__notes__)
    with pytest.raises(RuntimeError, match="too far") as caught:
        fit(model, start={"x": 2.0})
    assert "at the starting point of path 0: x = " in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_paths": 0}, ValueError, "n_paths must be an int from 1"),
        ({"n_draws": 1.5}, ValueError, "n_draws must be an int from 1"),
        ({"elbo_draws": 0}, ValueError, "elbo_draws must be an int from 1"),
        ({"maxcor": 0}, ValueError, "maxcor must be an int from 1"),
        ({"cores": 0}, ValueError, "cores must be an int from 1"),
        ({"tolerance": -1.0}, ValueError, "tolerance must be a finite number from 0 on, got -1.0"),
        ({"start": {"nu": 1.0}}, ValueError, "nu"),
        ({"start_sigma": -1.0}, ParametrizationError, r"start_sigma\['mu'\] must be positive"),
        ({"local_rv": {"mu": 1}}, AEVBInferenceError, "local_rv: paths know no local parameters"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        nb.Pathfinder(model=MODEL, **options)


def test_what_it_cannot_do_is_said():
    inference = nb.Pathfinder(model=MODEL)
    with pytest.raises(TypeError, match="callbacks look at an approximation on its way"):
        inference.fit(callbacks=[print])
    with pytest.raises(TypeError, match="pathfinder has no obj_optimizer, for it has no optimiser to set; its options"):
        nb.fit(method="pathfinder", model=MODEL, obj_optimizer=nb.adam())
    with pytest.raises(TypeError, match="nothing to refine"):
        inference.refine(10)
    with pytest.raises(TypeError, match="report counts its gradients"):
        inference.run_profiling()
    with pytest.raises(ValueError, match="n must be an int from 0"):
        inference.fit(-1)
    with pytest.raises(ParametrizationError, match="z is discrete"):
        nb.Pathfinder(model=nb.Model({"z": nb.binary()}, logp=lambda p, d: -1.0 * p.z))


@pytest.mark.nojit
@pytest.mark.usefixtures("listening")
def test_ctrl_c_at_any_line_keeps_what_was_found():
    fit(regression())
    with Presses() as seen:
        fit(regression())
    watched = ("/engine/driver.py", "/variational/pathfinder/search.py", "/variational/pathfinder/mixture.py")
    places = [place for place in seen.places if place[1].startswith(watched)]
    assert len(places) > 60, "the tracer is blind"
    interrupted, lost = 0, []
    for place in places[::5]:
        with Presses(place):
            try:
                approx = fit(regression())
            except KeyboardInterrupt:
                lost.append(place)
                continue
        assert approx.params_dict["weights"].get_value().sum() == pytest.approx(1.0)
        assert np.isfinite(approx.sample(5).sample_stats["logq"]).all()
        interrupted += approx.report is not None and approx.report.interrupted
    assert not lost
    assert interrupted >= 5
