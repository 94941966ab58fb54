"""Annealed particles: what the factor multiplies, and modes that are found by it."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT
from nbinfer.variational.stein import annealing as annealing_
from nbinfer.variational.stein import operator as operators
from tests.variational.families.laws import faulty
from tests.variational.stein.targets import at, fitted, forces, normal

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.ConvergenceWarning")

FACTORS = [0.0, 0.25, 0.5, 1.0, 0.1]


def check_factors(temperature=1.5):
    """Each iteration's density part is multiplied by its factor; those of a fit after another begin anew."""
    inference = at(np.random.default_rng(1).normal(size=(4, 2)), normal(2), nb.RBF(0.6), temperature=temperature,
                   annealing=lambda i: FACTORS[i])  # fmt: skip
    fit = [
        lambda: fitted(inference, 1, nb.sgd(learning_rate=0.1)),
        *[lambda: inference.refine(1, progressbar=False)] * 3,
    ]
    for factor, step in zip([*FACTORS[:4], *FACTORS[:2]], [*fit, *fit[:2]], strict=True):
        before = inference.approx.histogram
        step()
        moved = 0.1 * forces(before, -before * factor, nb.RBF(0.6), temperature)
        np.testing.assert_allclose(inference.approx.histogram - before, moved, rtol=1e-9, atol=1e-13)


def test_factors_multiply_the_density_part():
    check_factors()


@pytest.mark.parametrize(
    "edit",
    [("own.temperature / factor", "own.temperature"), ("own.temperature / factor", "1.0 / factor")],
    ids=["no factor", "no temperature"],
)
@pytest.mark.skipif(JIT, reason="plain Python says the same of a mutant, without compiling it")
def test_a_fault_is_seen(edit, monkeypatch):
    monkeypatch.setattr(operators, "Annealing", faulty(annealing_, edit).Annealing)
    with pytest.raises((AssertionError, IndexError, FloatingPointError)):
        check_factors()


def two_modes_logp(p, d):
    return np.logaddexp(-0.5 * np.sum((p.x - 5.0) ** 2), -0.5 * np.sum((p.x + 5.0) ** 2))


@pytest.mark.nojit
def test_both_modes_are_found_from_one():
    """Without a factor no particle leaves the mode that all begin at."""
    model = nb.Model({"x": nb.real(1)}, logp=two_modes_logp)
    shares = []
    for annealing in (None, nb.CyclicAnnealing(period=200, cycles=2)):
        inference = nb.SVGD(20, model=model, random_seed=1, start={"x": [-5.0]}, annealing=annealing, cores=1)
        points = fitted(inference, 800).histogram
        shares.append(np.mean(points > 0.0))
        for mode in (-5.0, 5.0):
            near = points[points * mode > 0.0]
            assert not near.size or near.mean() == pytest.approx(mode, abs=0.1)
    assert shares[0] == 0.0
    assert 0.2 <= shares[1] <= 0.8


@pytest.mark.either
def test_forces_at_the_end_are_those_of_the_posterior():
    """Whatever the factor was in the last iteration."""
    found = []
    for annealing in (None, lambda i: 0.01):
        inference = at([[0.0], [1.0], [2.5]], normal(), nb.RBF(0.5), annealing=annealing)
        inference.begin(obj_optimizer=nb.sgd(learning_rate=1e-12))
        inference.run(1, False, judged=True)
        found.append(inference.approx.report.force)
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_what_factors_are_refused():
    with pytest.raises(ValueError, match=r"annealing\(2\) must be a number from 0 to 1, got 1\.5"):
        fitted(nb.SVGD(4, model=normal(), annealing=lambda i: 0.75 * i), 3)
    for wrong, got in ((0.5, "0.5"), (nb.CyclicAnnealing, "the class CyclicAnnealing")):
        with pytest.raises(TypeError, match=rf"a function of the iteration, such as nb.CyclicAnnealing\(\), got {got}"):
            nb.SVGD(4, model=normal(), annealing=wrong)
    for wrong in ({"period": 0}, {"cycles": 0}, {"power": 0.0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            nb.CyclicAnnealing(**wrong)
