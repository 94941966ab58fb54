"""How a problem is worded."""

import numpy as np

from nbinfer.diagnostics import check
from nbinfer.diagnostics.problem import Kind


def test_an_r_hat_above_its_limit_reads_as_above_it():
    draws = np.random.default_rng(1).normal(size=(4, 500))
    found = [check({"x": draws + shift * np.array([[1.0], [0], [0], [0]])}) for shift in np.linspace(0.25, 0.33, 30)]
    messages = [problem.message for report in found for problem in report if problem.kind == Kind.CONVERGENCE]
    assert any("x 1.011" in message for message in messages)
    assert not any("x 1.010" in message for message in messages)


def test_a_problem_is_printed_as_what_it_says():
    (problem,) = check({"x": np.full((2, 50), np.nan)})
    assert str(problem) == problem.message
    assert "(per cent: x 100)" in problem.message
