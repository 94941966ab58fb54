"""Why chains do not meet: labels that they have exchanged, densities that have no end, and what does not matter."""

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.diagnostics import check
from tests.diagnostics.runs import a_run

SHAPE = (4, 200)
RNG = np.random.default_rng(3)


def run_of(**posterior):
    return a_run(*SHAPE, posterior=posterior, sample_stats={"diverging": np.zeros(SHAPE, bool)})


def said(run, **options):
    return check(run, **options).problems[0].message


def components(*centres):
    """Draws of a vector in two chains, and with its elements the other way round in the others."""
    draws = np.array(centres) + 0.1 * RNG.normal(size=(*SHAPE, len(centres)))
    draws[2:] = draws[2:, :, ::-1]
    return draws


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(("centres", "kind"), [((-1.0, 2.0), "ordered"), ((1.0, 2.0, 4.0), "positive_ordered")])
def test_labels_that_chains_have_exchanged_are_told(centres, kind):
    message = said(run_of(m=components(*centres)))
    assert f"exchanged their labels. Declare 'm' as nb.{kind}({len(centres)})" in message


@pytest.mark.nojit  # long as plain Python
def test_chains_in_other_places_have_exchanged_nothing():
    apart = components(-1.0, 2.0) + 5.0 * np.arange(4)[:, None, None]
    weights = np.stack([0.2 + 0.01 * RNG.normal(size=SHAPE)] * 2, axis=2)
    weights[..., 1] = 1.0 - weights[..., 0]
    weights[2:] = weights[2:, :, ::-1]
    for draws in (apart, weights):  # of a simplex no order is a cure
        assert "labels" not in said(run_of(m=draws))


def test_draws_beyond_all_posteriors_are_told():
    apart = np.array([1.0, 2.0, -1.0, -2.0])[:, None] * (1.0 + 0.001 * RNG.normal(size=SHAPE))
    assert "Draws go as far as x (2e+19): the density has no end there." in said(run_of(x=1e19 * apart))
    assert "no end" not in said(run_of(x=1e9 * apart))
    assert check(run_of(x=1e19 * RNG.normal(size=SHAPE))).ok  # who counts atoms


def one(p, d):
    return -0.5 * p.a**2


@pytest.mark.nojit  # long as plain Python
def test_a_parameter_that_the_density_does_not_know_is_told():
    parameters = {"a": nb.real(), "u": nb.real(2)}
    walk = RNG.normal(size=(*SHAPE, 2)).cumsum(axis=1)
    run = run_of(a=RNG.normal(size=SHAPE), u=walk)
    report = check(run, model=nb.Model(parameters, logp=one))
    assert "The density does not depend on u[0], u[1] on the scale that is sampled" in report.problems[0].message
    assert "The missing prior explains this." in report.problems[1].message
    known = nb.Model(parameters, logp=lambda p, d: -0.5 * p.a**2 - 1e-9 * np.sum(p.u**2))
    assert "does not depend" not in said(run, model=known)
