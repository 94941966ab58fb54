"""Chains that learn together, in the simulator: bit for bit those of plain Python, blocks and sums included."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda import draws as draws_on_gpu
from nbinfer.engine import team
from nbinfer.mcmc.sampling import Sampling
from tests.cuda.simulated_chains import assert_equal, bell, sample, schools
from tests.often import often


def pair():
    """A model of two variables, cheap in plain Python."""

    def logp_grad(p, d, grad):
        grad.x[0] -= 2.0 * p.x[0] - p.y
        grad.x[1] -= 2.0 * p.x[1]
        grad.y[()] -= p.y - p.x[0]
        return -0.5 * (p.x[0] ** 2 + 2.0 * p.x[1] ** 2 + (p.y - p.x[0]) ** 2)

    return nb.Model({"x": nb.real(2), "y": nb.real()}, logp_grad=logp_grad)


STEPS = {
    "chees": (schools, nb.ChEES()),
    "mams": (pair, nb.MAMS()),
    "of a length, without a step size to learn": (pair, nb.ChEES(path_length=1.0, adapt_step_size=False)),
    "two": (pair, [nb.MAMS("x"), nb.Slice("y")]),
}


@pytest.mark.parametrize("name", often(STEPS, "chees", "mams"))
def test_draws_are_those_of_plain_python(name):
    make, step = STEPS[name]
    options = dict(chains=16, draws=2, tune=3)
    assert_equal(sample(make(), step, **options), sample(make(), step, "cpu", **options))


def test_blocks_of_several_chains_are_added_up_as_on_the_processor(monkeypatch):
    monkeypatch.setattr(team, "_ROWS", 4)
    options = dict(chains=18, draws=2, tune=4, superchains=6)
    assert team.blocks_of(np.zeros(18, np.int64))[0] == 4
    mine = sample(bell(), nb.ChEES(), **options)
    assert_equal(mine, sample(bell(), nb.ChEES(), "cpu", **options))
    sizes = mine.warmup_sample_stats["step_size"]
    assert (sizes == sizes[0]).all()
    assert len(set(sizes[0])) == 4


def test_rows_go_through_buffers_of_any_size(monkeypatch):
    options = dict(chains=16, draws=4, tune=3)
    expected = sample(bell(), nb.MAMS(), "cpu", **options)
    for most in (1, 2):
        monkeypatch.setattr(draws_on_gpu, "MOST_ROWS", most)
        assert_equal(sample(bell(), nb.MAMS(), **options), expected)


def test_a_run_goes_on_from_a_file(tmp_path):
    options = dict(chains=16, draws=6, tune=3)
    whole = sample(bell(), nb.ChEES(), trace=str(tmp_path / "whole.nc"), **options)
    most = int(0.8 * sum(whole.attrs["gradients"]))
    part = sample(bell(), nb.ChEES(), trace=str(tmp_path / "part.nc"), max_evals=most, **options)
    assert part.attrs["ended_by"] == "max_evals"
    assert 0 < part.draws_done.min() < 6
    del part
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resumed = nb.resume(str(tmp_path / "part.nc"), bell(), progressbar=False)
    np.testing.assert_array_equal(resumed["x"], whole["x"])


@pytest.mark.parametrize("backend", ["cuda", "cpu"])
def test_the_end_of_one_chain_is_that_of_all(monkeypatch, backend):
    def limit(sampling, deadline, most_evaluations):
        sampling.chains.every.most_done[3] = 4

    monkeypatch.setattr(Sampling, "limit", limit)
    trace = sample(pair(), nb.ChEES(), backend, chains=16, draws=5, tune=2)
    assert trace.interrupted
    assert trace.draws_done[3] == 2
    assert trace.draws_done.max() <= 3  # no more than the draw that was under way


def test_what_stops_a_run_is_told():
    step = nb.ChEES(Emax=1e-9, on_error="raise")
    with pytest.raises(nb.errors.SamplingError, match="stopped at the first divergence"):
        sample(bell(), step, chains=16, tune=2)

    def logp(p, d):
        if p.x[0] > 1.5:
            raise RuntimeError("too far")
        return -0.5 * p.x[0] ** 2 - 0.5 * p.x[1] ** 2

    with pytest.raises(RuntimeError, match="too far"):
        sample(nb.Model({"x": nb.real(2)}, logp=logp), nb.MAMS(), chains=16, draws=50)


def test_chains_that_look_at_each_other_stay_on_the_processor():
    with pytest.raises(ValueError, match=r"DEMetropolis cannot run on a GPU: its chains look at each other while"):
        sample(bell(), nb.DEMetropolis(), chains=16)
    with pytest.raises(ValueError, match="ChEES needs at least 16 chains"):
        sample(bell(), nb.ChEES(), chains=8)
