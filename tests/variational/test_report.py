"""Reports on fits: collections of problems, as those on runs are."""

import copy
import math
import pickle

import pytest

from nbinfer.diagnostics.problem import Findings, Kind
from nbinfer.variational.pathfinder.report import PathfinderReport, PathReport
from nbinfer.variational.report import FitReport

GOOD = FitReport(10, False, True, 0, "path", 0.3, "", "mean_field")
BAD = FitReport(10, False, False, 2, "path", 0.9, "", "mean_field", gap=3.0, gap_error=0.1)
PATHS = PathfinderReport((PathReport(0, best=1, settled=True), PathReport(1, best=1), PathReport(2, reason="NaN")), 0)


@pytest.mark.parametrize("report", [GOOD, BAD, PATHS, Findings([], [], "")])
def test_a_report_is_true_where_there_are_problems(report):
    assert bool(report) is not report.ok
    assert list(report) == list(report.problems)
    assert len(report) == len(report.problems)
    assert all(f"- {problem.message}" in str(report).splitlines() for problem in report)


def test_problems_have_kinds_and_counts():
    assert [(problem.kind, problem.count) for problem in BAD] == [
        (Kind.KHAT, 1), (Kind.NOT_CONVERGED, 1), (Kind.SKIPPED, 2), (Kind.GAP, 1)
    ]  # fmt: skip
    assert [(problem.kind, problem.count) for problem in PATHS] == [(Kind.SEARCH, 1), (Kind.NOT_CONVERGED, 1)]
    assert not GOOD


def test_one_draw_was_skipped():
    one = FitReport(10, False, None, 1, "path", math.nan, "", "mean_field")
    assert [problem.message for problem in one] == ["1 draw had no density and was skipped."]


def test_reports_travel():
    for report in (GOOD, BAD, PATHS):
        assert str(pickle.loads(pickle.dumps(report))) == str(copy.deepcopy(report)) == str(report)
