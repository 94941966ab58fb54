"""Chains that go on from the last points of a trace."""

import numpy as np
import pytest

import nbinfer as nb

pytestmark = pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")

SETTINGS = {"draws": 20, "random_seed": 1, "progressbar": False}


def model():
    return nb.Model({"x": nb.real(2), "s": nb.positive()}, logp=lambda p, d: -0.5 * np.sum(p.x**2) - p.s)


@pytest.fixture
def first():
    return nb.sample(model(), tune=30, chains=2, chain_idx=5, **SETTINGS)


def test_draws_follow_those_that_are_there(first):
    both = nb.sample(model(), tune=0, trace=first, **SETTINGS)
    assert both.chains == [5, 6]
    assert both.draws_done.tolist() == [40, 40]
    assert both.tune_done.tolist() == [30, 30]
    np.testing.assert_array_equal(both["x"][:, :20], first["x"])
    assert len(first) == 20
    assert both.report is not None


def test_chains_begin_where_they_were(first):
    step = nb.Metropolis(scaling=1e-9)  # hardly moves
    both = nb.sample(model(), tune=0, trace=first, step=step, **SETTINGS)
    np.testing.assert_allclose(both["x"][:, 20], first["x"][:, -1], atol=1e-6)
    np.testing.assert_allclose(both["s"][:, 20], first["s"][:, -1], rtol=1e-6)


@pytest.mark.nojit  # long as plain Python
def test_the_same_seed_gives_other_random_numbers(first):
    step = nb.Metropolis(tune=False)
    one = nb.sample(model(), tune=0, chains=2, chain_idx=5, step=step, start=first.point(-1), **SETTINGS)
    both = nb.sample(model(), tune=0, trace=first, step=step, start=first.point(-1), **SETTINGS)
    assert not np.array_equal(both["x"][:, 20:], one["x"])


@pytest.mark.nojit  # long as plain Python
def test_a_start_wins_over_the_last_points(first):
    step = nb.Metropolis(scaling=1e-9)
    both = nb.sample(model(), tune=0, trace=first, step=step, start={"x": [7.0, 8.0]}, **SETTINGS)
    np.testing.assert_allclose(both["x"][:, 20], [[7.0, 8.0]] * 2, atol=1e-6)


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chains": 3}, r"chains must be 2, those of the trace"),
        ({"chain_idx": 1}, r"chain_idx must be 5, that of the trace"),
    ],
)
def test_what_contradicts_the_trace_is_refused(first, options, message):
    with pytest.raises(ValueError, match=message):
        nb.sample(model(), trace=first, **SETTINGS | options)


@pytest.mark.nojit  # long as plain Python
def test_a_trace_of_another_model_is_refused(first):
    other = nb.Model({"z": nb.real()}, logp=lambda p, d: -0.5 * p.z**2)
    with pytest.raises(ValueError, match=r"trace has no draws of 'z'"):
        nb.sample(other, trace=first, **SETTINGS)


@pytest.mark.nojit  # long as plain Python
def test_chains_without_draws_are_refused(first):
    with pytest.raises(ValueError, match=r"trace has no draw of chain 5"):
        nb.sample(model(), trace=first[:0], **SETTINGS)
