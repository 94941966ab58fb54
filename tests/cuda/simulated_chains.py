"""Chains in the simulator: bit for bit those of plain Python, which runs beside it in the same process."""

import warnings

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.cuda import chains as on_gpu
from nbinfer.cuda import draws as draws_on_gpu
from nbinfer.distributions import half_cauchy, normal
from nbinfer.errors import CudaError, ModelError, PerformanceWarning
from nbinfer.mcmc import length
from nbinfer.mcmc.sampling import Sampling
from tests.often import often


def schools():
    data = {"y": np.array([28.0, 8, -3, 7]), "s": np.array([15.0, 10, 16, 11])}

    def logp(p, d):
        total = normal.logpdf(p.mu, 0.0, 5.0) + half_cauchy.logpdf(p.tau, 5.0) + normal.logpdf(p.z, 0.0, 1.0).sum()
        return total + normal.logpdf(d.y, p.mu + p.tau * p.z, d.s).sum()

    def shift(p, d):
        return p.mu + p.tau * p.z

    supports = {"mu": nb.real(), "tau": nb.positive(), "z": nb.real(4)}
    return nb.Model(supports, logp=logp, data=data, derived={"shift": shift})


def bell():
    def logp_grad(p, d, grad):
        total = 0.0
        for i in range(p.x.shape[0]):
            total -= 0.5 * (i + 1) * p.x[i] ** 2
            grad.x[i] -= (i + 1) * p.x[i]
        return total

    return nb.Model({"x": nb.real(3)}, logp_grad=logp_grad)


def sample(model, step, backend="cuda", **options):
    settings = dict(draws=6, tune=6, chains=2, random_seed=3, progressbar=False, discard_tuned_samples=False) | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nb.sample(model, step=step, backend=backend, **settings)


def assert_equal(trace, other):
    for group in ("posterior", "warmup_posterior", "sample_stats", "warmup_sample_stats"):
        mine, others = getattr(trace, group), getattr(other, group)
        assert set(mine) == set(others)
        for name, values in mine.items():
            np.testing.assert_array_equal(values, others[name], err_msg=f"{group}: {name}")
    assert (trace.draws_done == other.draws_done).all()


STEPS = {
    "nuts": nb.NUTS(),
    "nuts, diagonal": nb.NUTS(metric="diag"),
    "hmc": nb.HamiltonianMC(),
    "slice": nb.Slice(),
    "metropolis, one after the other": nb.Metropolis(),
    "metropolis, together": nb.Metropolis(blocked=True),
    "two": [nb.NUTS("z"), nb.Slice(["mu", "tau"])],
}


#: Plain Python is slow to simulate threads: one of NUTS, one of Metropolis, and two steps together.
@pytest.mark.parametrize(
    "name", often(STEPS, "nuts, diagonal", "hmc", "slice", "metropolis, one after the other", "two")
)
def test_draws_are_those_of_plain_python(name):
    step = STEPS[name]
    assert_equal(sample(schools(), step), sample(schools(), step, "cpu"))


def test_rows_go_through_buffers_of_any_size(monkeypatch):
    expected = sample(bell(), nb.HamiltonianMC(), "cpu", draws=25, tune=20)
    for most in (1, 3, 100):
        monkeypatch.setattr(draws_on_gpu, "MOST_ROWS", most)
        assert_equal(sample(bell(), nb.HamiltonianMC(), draws=25, tune=20), expected)


@pytest.mark.slow
def test_a_warm_up_that_ends_early():
    step = nb.HamiltonianMC(metric="diag")
    options = dict(tune="auto", draws=10, chains=3)
    assert_equal(sample(bell(), step, **options), sample(bell(), step, "cpu", **options))


def test_evaluations_that_raise_count_as_on_the_processor():
    def logp(p, d):
        if p.x > 0.3:
            raise ZeroDivisionError
        return -0.5 * p.x**2

    model = nb.Model({"x": nb.real()}, logp=logp)
    step = nb.Metropolis()
    assert_equal(sample(model, step), sample(model, step, "cpu"))


def test_an_error_of_the_model_arrives():
    def logp(p, d):
        if p.x > 0.3:
            raise RuntimeError("too far")
        return -0.5 * p.x**2

    with pytest.raises(RuntimeError, match="too far"):
        sample(nb.Model({"x": nb.real()}, logp=logp), nb.Slice(), draws=200)


def test_divergences_end_a_run_that_asks_for_it():
    step = nb.HamiltonianMC(Emax=1e-9, on_error="raise")
    with pytest.raises(nb.errors.SamplingError, match="stopped at the first divergence"):
        sample(bell(), step)


@pytest.fixture(params=["as few draws as can be", "as many"])
def a_launch(request, monkeypatch):
    """Whatever the clock says, a launch makes one draw, or as many as there is room for."""
    monkeypatch.setattr(on_gpu, "_next_pieces", lambda pieces, seconds, most: most if "many" in request.param else 1)


@pytest.mark.usefixtures("a_launch")
def test_chains_end_at_different_draws(monkeypatch):
    def limit(sampling, deadline, most_evaluations):
        sampling.chains.every.most_done = 6, 9

    monkeypatch.setattr(Sampling, "limit", limit)
    options = dict(draws=12, tune=4)
    mine = sample(bell(), nb.Metropolis(), **options)
    assert mine.draws_done.tolist() == [2, 5]
    assert_equal(mine, sample(bell(), nb.Metropolis(), "cpu", **options))
    assert np.isnan(mine["x"][0, 2:]).all()


@pytest.mark.usefixtures("a_launch")
def test_a_run_goes_on_from_a_file(tmp_path):
    whole = sample(bell(), nb.NUTS(), trace=str(tmp_path / "whole.nc"), draws=12)
    part = sample(bell(), nb.NUTS(), trace=str(tmp_path / "part.nc"), draws=12, max_evals=60)
    assert part.attrs["ended_by"] == "max_evals"
    del part
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        resumed = nb.resume(str(tmp_path / "part.nc"), bell(), progressbar=False)
    np.testing.assert_array_equal(resumed["x"], whole["x"])


def test_a_run_that_ends_when_it_has_enough(monkeypatch):
    monkeypatch.setattr(length, "_LEAST", 4)
    options = dict(draws="auto", target_ess=12, max_draws=30)
    trace = sample(bell(), nb.Slice(), **options)
    assert_equal(trace, sample(bell(), nb.Slice(), "cpu", **options))
    assert trace.attrs["ended_by"] in ("target_ess", "max_draws")
    assert len(trace) > 15


def test_what_cannot_run_there_is_said_before():
    with pytest.raises(ModelError, match="k is discrete: sum over their values"):
        sample(nb.Model({"k": nb.integer(0, 3)}, logp=lambda p, d: 0.1 * p.k), nb.Metropolis())
    with pytest.raises(ValueError, match=r"DEMetropolis cannot run on a GPU: .*; take one of NUTS, HamiltonianMC"):
        sample(bell(), nb.DEMetropolis(), chains=8)
    with pytest.raises(ValueError, match="no clock that timed=True could read"):
        sample(bell(), nb.NUTS(timed=True))
    with pytest.raises(ValueError, match="functions in plain Python"):
        sample(bell(), nb.NUTS(step_rand=lambda size: size))
    with pytest.raises(ValueError, match="unknown backend 'gpu'; choose 'cpu', 'cuda'"):
        sample(bell(), nb.NUTS(), backend="gpu")


def test_few_chains_are_told():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nb.sample(bell(), 4, 4, chains=2, backend="cuda", progressbar=False)
    said = [str(warning.message) for warning in caught if warning.category is PerformanceWarning]
    assert len(said) == 1
    assert said[0].startswith("2 chains keep few of the threads of a GPU busy")


def test_memory_that_is_too_small_is_said_before_anything_is_launched(monkeypatch):
    def refuse(needed, what):
        raise CudaError("memory", f"{what}: {needed}")

    monkeypatch.setattr(on_gpu.backend, "check_memory", refuse)
    with pytest.raises(CudaError, match=r"2 chains of \d+ bytes, their draws and the data: \d+"):
        sample(bell(), nb.NUTS())


def many_things():
    """A model with a bound that depends on a parameter, missing data, a loop of many turns, and rows of every type."""

    def logp(p, d):
        total = normal.logpdf(p.low, 0.0, 1.0) + normal.logpdf(p.high - p.low, 1.0, 1.0)
        for i in range(d.y.shape[0]):
            total += normal.logpdf(d.y[i], p.low, 1.0 + i)
        return total

    def above(p, d):
        return p.high > 1.0

    def rounded(p, d):
        return int(np.floor(p.high))

    def pair(p, d):
        return np.array([p.low, p.high])

    data = {"y": np.array([0.3, np.nan, 1.2])}
    supports = {"low": nb.real(), "high": nb.lower(lambda p, d: p.low)}
    derived = {"above": above, "rounded": rounded, "pair": pair}
    return nb.Model(supports, logp=logp, data=data, derived=derived, missing={"y": nb.real()})


def test_a_model_of_many_kinds_of_things():
    model = many_things()
    assert_equal(sample(model, nb.NUTS()), sample(model, nb.NUTS(), "cpu"))


def test_draws_that_are_thinned(tmp_path):
    traces = []
    for backend in ("cuda", "cpu"):
        kept = nb.HDF5(str(tmp_path / f"{backend}.nc"), thin=3)
        traces.append(sample(bell(), nb.HamiltonianMC(), backend, draws=14, trace=kept))
    assert_equal(*traces)
