"""Runs that write to text, to SQLite, or to an object of the user's."""

import numpy as np
import pytest

import nbinfer as nb


def model():
    return nb.Model({"x": nb.real(2), "k": nb.integer(0, 3)}, logp=lambda p, d: -0.5 * np.sum(p.x**2) - 0.5 * p.k)


def run(trace, **options):
    settings = {"draws": 20, "tune": 10, "chains": 2, "random_seed": 1, "progressbar": False}
    return nb.sample(model(), trace=trace, **settings | options)


def assert_same(one, other):
    for group in ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats"):
        ours, theirs = getattr(one, group), getattr(other, group)
        assert list(ours) == list(theirs)
        for name in ours:
            assert ours[name].dtype == theirs[name].dtype
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert one.attrs == other.attrs
    assert str(one.report) == str(other.report)
    assert str(one.metric) == str(other.metric)


@pytest.fixture(params=["text", "sqlite", "hdf5"])
def name(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return request.param


FILES = {"text": "mcmc", "sqlite": "mcmc.sqlite", "hdf5": "mcmc.nc"}


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
@pytest.mark.parametrize("options", [{}, {"discard_tuned_samples": False}, {"chains": 1, "chain_idx": 3}])
def test_a_run_reads_back_as_it_was(name, options):
    trace = run(name, **options)
    assert_same(trace, nb.load(FILES[name]))
    memory = run(None, **options)
    for quantity, draws in memory.posterior.items():
        np.testing.assert_array_equal(trace[quantity], draws)


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
@pytest.mark.parametrize("name", ["text", "sqlite"], indirect=True)
def test_a_second_run_is_added(name):
    first, second = run(name), run(name, random_seed=2)
    found = nb.load(FILES[name])
    assert found.draws_done.tolist() == [40, 40]
    np.testing.assert_array_equal(found["x"], np.concatenate([first["x"], second["x"]], axis=1))


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_names_and_thinning_are_the_back_ends(tmp_path):
    trace = run(nb.Text(tmp_path / "run", ["x"], thin=5))
    found = nb.load(tmp_path / "run")
    assert found.varnames == ["x"]
    np.testing.assert_array_equal(found["x"], run(None)["x"][:, 4::5])
    np.testing.assert_array_equal(found["x"], trace["x"])


class Taker:
    def __init__(self, at=None):
        self.points, self.at, self.closed = [], at, []

    def setup(self, draws, chain, sampler_vars):
        assert draws == 20
        assert "lp" in sampler_vars[0]

    def record(self, point, stats):
        if len(self.points) == self.at:
            raise OSError("the disk is full")
        self.points.append((point["x"], stats[0]["lp"]))

    def close(self):
        self.closed.append(True)


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_a_users_object_gets_every_draw():
    taker = Taker()
    trace = run(taker, chains=1)
    np.testing.assert_array_equal([x for x, _ in taker.points], trace["x"][0])
    np.testing.assert_array_equal([lp for _, lp in taker.points], trace["lp"][0])
    assert taker.closed == [True]


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_an_object_that_raises_ends_the_run_and_no_draw_is_lost():
    taker = Taker(at=5)
    with pytest.raises(OSError, match="the disk is full") as failed:
        run(taker, chains=1)
    trace = failed.value.trace
    assert len(taker.points) == 5
    np.testing.assert_array_equal([x for x, _ in taker.points], trace["x"][0, :5])
    assert taker.closed == [True]


def test_what_is_no_destination_is_refused():
    with pytest.raises(TypeError, match=r"trace must be a list of names to keep, the name of a file"):
        run("nothing")


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_a_run_whose_draws_could_not_be_written_is_not_taken_for_a_whole_one(tmp_path, monkeypatch):
    def fails(self, parts):
        next(iter(parts))
        raise OSError("no room")

    whole = run(None)
    monkeypatch.setattr(nb.Text, "write", fails)
    with pytest.raises(OSError, match="no room") as failed:
        run(nb.Text(tmp_path / "run"))
    found = nb.load(tmp_path / "run")
    assert found.interrupted
    assert not found.draws_done.any()
    drawn = failed.value.trace  # chains end where they are when the store says so
    for chain, done in enumerate(drawn.draws_done):
        np.testing.assert_array_equal(drawn["x"][chain, :done], whole["x"][chain, :done])
