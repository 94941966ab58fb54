"""What is wrong with a model, found before its run."""

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.checks import ModelReport
from nbinfer.compile import JIT
from tests.checks import wrong
from tests.checks.wrong import WRONG, X

#: What is compiled each time; of the rest plain Python says the same.
CHEAP = ("a scale without its bound", "a gradient of another density")


PLAIN = [pytest.mark.slow] if JIT else []
CASES = [pytest.param(name, marks=[] if name in CHEAP else PLAIN) for name in WRONG]
plain = PLAIN[0] if PLAIN else lambda test: test


def fine():
    return nb.Model(**wrong.LINE, likelihood={"y": wrong.on_line}, data={"y": 2.0 * X, "x": X})


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_found(case):
    arguments, kinds, text = WRONG[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = nb.check_model(nb.Model(**arguments))
    assert [problem.kind.value for problem in report] == kinds, report
    assert text in str(report)


def test_the_page_has_them_all_and_their_kinds():
    page = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| ([^|]*) \| ([^|]*) \|$", page, re.MULTILINE))
    assert len(WRONG) > 20
    assert set(WRONG) <= set(said)
    assert [case for case, (_, kinds, _) in WRONG.items() if any(kind not in said[case] for kind in kinds)] == []


def test_nothing_is_wrong():
    report = nb.check_model(fine(), cores=2)
    assert isinstance(report, ModelReport)
    assert report.ok
    assert not report
    assert len(report) == 0
    assert str(report).startswith("No problems found with the model.\nA gradient takes ")
    low, high = report.seconds
    assert 0.0 < report.seconds_per_gradient < low < high


def test_the_estimate_grows_with_the_run():
    report = nb.check_model(fine(), draws=500, tune=0, chains=3, cores=2)
    assert report.seconds[0] == pytest.approx(report.seconds_per_gradient * 7 * 1500 / 2)
    assert "3 × 500 iterations" in str(report)


@plain
def test_scales_that_warm_up_learns_are_a_note():
    def logp(p, d):
        return -0.5 * (p.a / 1e-3) ** 2 - 0.5 * (p.b / 1e2) ** 2

    report = nb.check_model(nb.Model({"a": nb.real(), "b": nb.real()}, logp=logp))
    assert report.ok
    assert "warm-up learns such scales" in report.notes[0]


@plain
def test_a_prior_that_is_no_distribution_is_a_note():
    model = nb.Model({"mu": nb.real()}, likelihood={"y": wrong.differences}, data=wrong.DATA)
    report = nb.check_model(model)
    assert report.ok
    assert any("prior of 'mu' is no probability distribution" in note for note in report.notes)


@plain
def test_a_kink_is_no_wrong_gradient():
    def logp(p, d, grad):
        grad.mu[()] += -np.sign(p.mu)
        return -abs(p.mu)

    assert nb.check_model(nb.Model({"mu": nb.real()}, logp_grad=logp)).ok


@plain
def test_functions_of_a_flat_position_and_discrete_models():
    flat = nb.Model.flat(lambda x: -0.5 * np.sum(x**2), 2, compile=False)
    assert [problem.kind.value for problem in nb.check_model(flat)] == ["cost of a gradient"]
    counts = nb.Model({"k": nb.integer(0, 5)}, logp=lambda p, d: -0.5 * float(p.k))
    report = nb.check_model(counts)
    assert report.ok
    assert "The density takes" in report.notes[-1]


def test_the_model_of_the_block_and_bad_arguments():
    with fine():
        assert nb.check_model().ok
    with pytest.raises(TypeError, match="no model given"):
        nb.check_model()
    with pytest.raises(ValueError, match="draws must be an int from 1"):
        nb.check_model(fine(), draws=0)
    with pytest.raises(ValueError, match="chains must be an int from 1"):
        nb.check_model(fine(), chains=0)
    with pytest.raises(ValueError, match="cores must be an int from 1"):
        nb.check_model(fine(), cores=0)
