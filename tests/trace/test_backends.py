"""What holds of every back end: memory, a file, text, SQLite give the same trace, however many chains and workers."""

import pickle

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.trace import HDF5, SQLite, Text, Trace
from nbinfer.trace.backend import Memory
from tests.trace.disk.helpers import assert_same

BACKENDS = {
    "memory": lambda folder, **options: Memory(**options),
    "hdf5": lambda folder, **options: HDF5(folder / "run.nc", **options),
    "text": lambda folder, **options: Text(folder / "run", **options),
    "sqlite": lambda folder, **options: SQLite(folder / "run.sqlite", **options),
}

#: What differs from run to run.
OF_THE_MOMENT = {"created_at", "sampling_time"}

pytestmark = [pytest.mark.nojit, pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")]


def logp(p, d):
    return -0.5 * np.sum((p.x - d.y) ** 2) - 0.5 * p.k - p.k * p.x[0] ** 2


@pytest.fixture(scope="module")
def model():
    return nb.Model(
        {"x": nb.real(2), "k": nb.integer(0, 3)},
        data={"y": [0.5, -0.5]},
        logp=logp,
        derived={"r": lambda p, d: np.sum(p.x**2)},
    )


@pytest.fixture(params=BACKENDS)
def backend(request, tmp_path):
    def made(**options):
        return BACKENDS[request.param](tmp_path, **options)

    return made


def run(model, trace, **options):
    settings = {"draws": 30, "tune": 15, "chains": 4, "cores": 1, "random_seed": 1, "progressbar": False}
    return nb.sample(model, trace=trace, **settings | options)


def read(backend, trace):
    """Return what the back end has kept, or of memory a copy."""
    place = getattr(backend, "path", getattr(backend, "place", None))
    return pickle.loads(pickle.dumps(trace)) if place is None else nb.load(place)


@pytest.mark.parametrize(
    "options",
    [
        {"chains": 1},
        {"chains": 4, "cores": 2},
        {"chains": 4, "cores": 1, "discard_tuned_samples": False},
        {"chains": 2, "cores": 2, "chain_idx": 3, "tune": 0},
    ],
    ids=["one chain", "two workers", "warm-up kept", "other numbers"],
)
def test_the_trace_is_that_of_memory(model, backend, options):
    to = backend()
    trace, memory = run(model, to, **options), run(model, None, **options | {"cores": 1})
    for found in (trace, read(to, trace)):
        assert type(found) is Trace
        assert_same(found, memory)
        assert not found.interrupted
        assert str(found.report) == str(memory.report)
        assert str(found.metric) == str(memory.metric)
        assert list(found.attrs) == list(memory.attrs)
        for name in found.attrs.keys() - OF_THE_MOMENT:
            np.testing.assert_equal(found.attrs[name], memory.attrs[name])
        assert found.attrs["sampling_time"] == trace.attrs["sampling_time"]
        np.testing.assert_array_equal(found.get_values("x", burn=3, thin=2), memory.get_values("x", burn=3, thin=2))
        assert repr(found.point(-1)) == repr(memory.point(-1))
        assert str(found.summary()) == str(memory.summary())


@pytest.mark.parametrize("cores", [1, 2])
def test_names_and_thinning(model, backend, cores):
    to = backend(vars=["r", "k"], thin=7)
    trace, memory = run(model, to, cores=cores), run(model, None)
    for found in (trace, read(to, trace)):
        assert found.varnames == ["k", "r"]
        assert len(found) == 4
        for name in ("k", "r", "lp"):
            np.testing.assert_array_equal(found[name], memory[name][:, 6::7])


def test_a_run_that_is_stopped_has_what_is_finished_everywhere(model, backend):
    to = backend()
    trace = run(model, to, draws=100_000, max_evals=3000, cores=2)
    found = read(to, trace)
    assert found.interrupted
    assert_same(found, trace)
    assert found.draws_done.min() > 0
    assert found.attrs["ended_by"] == "max_evals"
    for values in found.posterior.values():
        assert values.shape[1] == found.draws_done.max()


def test_every_class_is_read_by_others(model, backend):
    pytest.importorskip("arviz_base")
    to = backend()
    found = read(to, run(model, to))
    tree = found.to_arviz()
    np.testing.assert_array_equal(tree["posterior"]["x"], found["x"])
