"""What may stand where in text and in SQLite: names, types, runs beside each other; and what failures leave."""

import contextlib
import resource
import sqlite3
import subprocess
import sys
import threading

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.errors import BackendError, NbinferWarning
from nbinfer.trace import Trace
from nbinfer.trace.records import sqlite, text
from tests.trace.records.test_records import assert_same, backend_of, kind, place, recorded, some  # noqa: F401


def one(name="x", values=0.0, dtype=float, **options):
    return Trace({name: np.full((1, 2), values, dtype)}, **options)


# Names and types


@pytest.mark.parametrize("name", ["a,b", 'a"b', "a\nb", "a\r", ""])
def test_names_that_no_column_can_have_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"cannot have a column .*; rename it, or leave it out\."):
        text.dump(tmp_path / "run", one(name))
    assert not any(tmp_path.iterdir())


def test_columns_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"two columns would be called 'x__1'; rename one of the variables"):
        text.dump(tmp_path / "run", Trace({"x": np.zeros((1, 2, 2)), "x__1": np.zeros((1, 2))}))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x", "X"], "'X': its name differs from 'x' in case only"),
        (["sqlite_x"], "SQLite's own"),
        (["nbinfer/page"], "is taken"),
        (["NBINFER/page"], "in case only"),
        ([""], "is empty"),
        (["a\0"], "has a zero in it"),
    ],
)
def test_names_that_tables_cannot_have_are_refused(tmp_path, names, message):
    with pytest.raises(ValueError, match=rf"cannot hold the variable .*{message}.* take trace='NAME\.nc'"):
        sqlite.dump(tmp_path / "run", Trace({name: np.zeros((1, 2)) for name in names}))
    assert not any(tmp_path.iterdir())


def test_a_statistic_and_a_variable_of_one_table_are_refused(tmp_path):
    trace = Trace({"sample_stats/lp": np.zeros((1, 2))}, {"lp": np.zeros((1, 2))})
    with pytest.raises(ValueError, match=r"'sample_stats/lp': its name is taken"):
        sqlite.dump(tmp_path / "run", trace)


NAMES = ["draw", "chain", "v", "recid", "order", "a b", "it's", "x;", "Ω", "ω", "éÉ", "[0]", "a--b", "a__0"]


def test_other_names_come_back(kind, place):  # noqa: F811
    trace = Trace({name: np.full((2, 3, 2), float(k)) for k, name in enumerate(NAMES)})
    kind.dump(place, trace)
    assert_same(trace, kind.load(place))


def test_a_run_is_refused_before_it_begins(tmp_path):
    model = nb.Model({"x": nb.real(), "X": nb.real()}, logp=lambda p, d: -(p.x**2) - p.X**2)
    with pytest.raises(ValueError, match=r"'X': its name differs from 'x' in case only"):
        nb.sample(model, 10, trace=nb.SQLite(tmp_path / "run"))
    with pytest.warns(NbinferWarning):
        nb.sample(model, 10, tune=5, trace=nb.SQLite(tmp_path / "run", ["X"]), random_seed=1, progressbar=False)
    assert nb.load(tmp_path / "run.sqlite").varnames == ["X"]


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", ">f8"])
def test_every_type_comes_back(kind, place, dtype):  # noqa: F811
    values = np.random.default_rng(1).integers(0, 2**15, (2, 5)).astype(dtype)
    if values.dtype.kind == "f":
        values[0, :4] = np.nan, np.inf, -0.0, np.nextafter(values.dtype.type(0), values.dtype.type(1))
    elif values.dtype.kind in "iu":
        values[0, :2] = np.iinfo(values.dtype).min, np.iinfo(values.dtype).max
        values[0, 2:3] = min(2**53 + 1, np.iinfo(values.dtype).max)
    if kind is sqlite and dtype == "u8":
        with pytest.raises(TypeError, match=r"SQLite cannot hold 'x', an array of uint64; it holds bool, int8"):
            kind.dump(place, Trace({"x": values}))
        return
    kind.dump(place, Trace({"x": values}))
    found = kind.load(place)["x"]
    assert found.dtype == values.dtype.newbyteorder("=")
    assert found.tobytes() == values.astype(found.dtype).tobytes()


def test_complex_numbers_are_refused(kind, place):  # noqa: F811
    with pytest.raises(TypeError, match=r"cannot hold 'x', an array of complex128; .* keep the parts as two variables"):
        kind.dump(place, one(dtype=complex))
    assert not place.exists()


def test_variables_without_elements_alone(kind, place):  # noqa: F811
    kind.dump(place, Trace({"x": np.zeros((2, 3, 0))}))
    assert kind.load(place)["x"].shape == (2, 3, 0)


def test_thousands_of_chains(kind, place):  # noqa: F811
    trace = Trace({"x": np.arange(4500.0).reshape(1500, 3)})
    kind.dump(place, trace)
    assert_same(trace, kind.load(place))


# Runs beside each other


def sample(place, kind, data=1.0, seed=1, slope=1.0, **options):  # noqa: F811
    def logp(p, d):
        return -0.5 * slope * (p.x - d.y) ** 2

    model = nb.Model({"x": nb.real()}, data={"y": data}, logp=logp)
    settings = {"draws": 8, "tune": 4, "chains": 2, "random_seed": seed, "progressbar": False}
    return nb.sample(model, trace=backend_of(kind, place), **settings | options)


@pytest.mark.filterwarnings("ignore::nbinfer.errors.NbinferWarning")
def test_runs_of_other_models_data_and_seeds(kind, place):  # noqa: F811
    first = sample(place, kind)
    refused = [
        ({"slope": 2.0}, r"holds draws of another model; there -> here: function logp"),
        ({"data": 2.0}, r"holds draws of another model; there -> here: data 'y'"),
        ({}, r"has draws of chain 0 with this random_seed already, and would have them twice"),
        ({"chain_idx": 1}, r"has draws of chain 1 with this random_seed already"),
        ({"seed": 2, "discard_tuned_samples": False}, r"holds warmup_posterior of none, and these are of x float64"),
    ]
    for options, message in refused:
        with pytest.raises(BackendError, match=message):
            sample(place, kind, **options)
        assert_same(first, kind.load(place))
    second = sample(place, kind, chain_idx=2)
    third = sample(place, kind, seed=3)
    found = kind.load(place)
    assert found.chains == [0, 1, 2, 3]
    assert found.draws_done.tolist() == [16, 16, 8, 8]
    assert found.attrs["sampling_time"] == sum(run.attrs["sampling_time"] for run in (first, second, third))
    assert "seed" not in found.attrs
    assert not found.interrupted
    np.testing.assert_array_equal(found.metric.scale[:2], third.metric.scale)
    np.testing.assert_array_equal(found.metric.scale[2:], second.metric.scale)


def test_a_trace_given_other_data_is_refused(kind, place):  # noqa: F811
    kind.dump(place, one(observed_data={"y": np.array([1.0, np.nan])}))
    kind.dump(place, one(observed_data={"y": np.array([1.0, np.nan])}))
    with pytest.raises(BackendError, match=r"holds draws given other data 'y'"):
        kind.dump(place, one(observed_data={"y": np.array([1.0, 2.0])}))
    assert kind.load(place).draws_done.tolist() == [4]


def test_draws_without_the_statistics_of_those_there_are_refused(kind, place):  # noqa: F811
    kind.dump(place, one(sample_stats={"lp": np.zeros((1, 2))}))
    with pytest.raises(BackendError, match=r"holds sample_stats of lp float64, and these are of none"):
        kind.dump(place, one())


def test_one_run_at_a_time(kind, place):  # noqa: F811
    store = recorded(backend_of(kind, place))
    failed = []

    def second():
        try:
            recorded(backend_of(kind, place))
        except BackendError as error:
            failed.append(str(error))

    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
    assert len(failed) == 1
    assert "is written to by another run of this process" in failed[0]
    store.close()
    assert sorted(entry.name for entry in place.parent.iterdir()) == [place.name]


def test_a_store_that_nobody_closes_gives_the_right_back(kind, place):  # noqa: F811
    backend = backend_of(kind, place)
    store = recorded(backend)
    del store
    backend.open(1, 0, 1)
    kind.dump(place, Trace({"x": np.zeros((1, 2))}, {"lp": np.zeros((1, 2))}, warmup_sample_stats={"lp": [[1.0]]}))


def test_another_process_is_refused(kind, place):  # noqa: F811
    store = recorded(backend_of(kind, place))
    code = (
        "import sys, numpy as np\nfrom nbinfer.trace import Trace\n"
        f"from nbinfer.trace.records import {kind.__name__.rpartition('.')[2]} as kind\n"
        "kind.dump(sys.argv[1], Trace({'x': np.zeros((1, 2))}))"
    )
    found = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True, check=False)
    store.close()
    assert "is written to by process" in found.stderr


# What failures leave


def test_what_a_killed_process_leaves_of_a_beginning_is_in_nobodys_way(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "trace.json.part").write_text("{")
    (tmp_path / "run.sqlite").touch()
    text.dump(tmp_path / "run", some())
    sqlite.dump(tmp_path / "run.sqlite", some())
    (tmp_path / "run" / "chain-2.csv").write_text("x__0")
    text.dump(tmp_path / "run", some())
    assert text.load(tmp_path / "run").draws_done.tolist() == [12, 24, 24]


def test_a_run_that_was_killed_is_interrupted(kind, place):  # noqa: F811
    store = recorded(backend_of(kind, place))
    assert kind.load(place).interrupted
    del store


@contextlib.contextmanager
def room(most):
    """Let no file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_without_room_is_told_with_the_name(kind, place):  # noqa: F811
    kind.dump(place, one())
    before = kind.load(place)
    with room(200_000), pytest.raises(OSError, match=r"run") as failed:
        kind.dump(place, Trace({"x": np.random.default_rng(1).normal(size=(1, 20_000))}))
    assert "File too large" in str(failed.value) or "cannot be" in str(failed.value) or "no room" in str(failed.value)
    found = kind.load(place)
    assert found.interrupted
    np.testing.assert_array_equal(found["x"][:, :2], before["x"])
    assert found["x"].shape[1] in ([2] if kind is sqlite else range(2, 20_002))


def test_a_vanished_place_is_told(kind, place):  # noqa: F811
    store = recorded(backend_of(kind, place))
    place.rename(place.with_name("elsewhere"))
    with pytest.raises(OSError, match=r"run"):
        store.look(np.array([8, 8]), last=True)
    with pytest.raises(OSError, match=r"run"):
        store.close()
    assert not place.exists()


def test_a_folder_that_is_missing_is_told_at_once(kind, tmp_path):  # noqa: F811
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*gone for run.*; make it first"):
        backend_of(kind, tmp_path / "gone" / "run.sqlite").check()


def test_a_place_that_cannot_be_written_to_is_told_at_once(kind, place, monkeypatch):  # noqa: F811
    kind.dump(place, one())
    monkeypatch.setattr("os.access", lambda path, mode: path != place)
    with pytest.raises(PermissionError, match=r"run\S* cannot be written to; choose another place"):
        backend_of(kind, place).check()


def test_damaged_text_is_told(tmp_path):
    text.dump(tmp_path / "run", some())
    table = tmp_path / "run" / "chain-5.csv"
    whole = table.read_text()
    for damage, message in (
        (whole.replace("True", "Truth", 1), "neither True nor False"),
        (whole.replace("nan", "none", 1) if "nan" in whole else whole.replace(".", "..", 1), "could not convert"),
        (whole.replace(",", "", 100), "other columns"),
        (whole[:-1] + ",1\n", "is longer than|is shorter than"),
    ):
        table.write_text(damage)
        with pytest.raises(BackendError, match=rf"chain-5\.csv is damaged: .*({message})"):
            text.load(tmp_path / "run")


@pytest.mark.parametrize(
    "page", ["", "{}", "[]", '{"format": 1}', '{"format": 1, "kinds": 3, "chains": [], "runs": []}']
)
def test_a_damaged_page_is_told(tmp_path, page):
    text.dump(tmp_path / "run", some())
    (tmp_path / "run" / "trace.json").write_text(page)
    with pytest.raises(BackendError, match=r"trace\.json cannot be read"):
        nb.load(tmp_path / "run")


def test_a_damaged_database_is_told(tmp_path):
    sqlite.dump(tmp_path / "run", some())
    path = tmp_path / "run.sqlite"
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(BackendError, match=r"run\.sqlite cannot be read"):
        nb.load(path)


def test_a_database_that_others_have_locked_is_told(tmp_path, monkeypatch):
    sqlite.dump(tmp_path / "run", some())
    monkeypatch.setattr(sqlite, "_PATIENCE", 0.01)
    base = sqlite3.connect(tmp_path / "run.sqlite", isolation_level=None)
    base.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BackendError, match=r"locked by another program for 0\.01 seconds; close it there"):
        sqlite.dump(tmp_path / "run", some())
    base.close()
    assert sqlite.load(tmp_path / "run").draws_done.tolist() == [12, 12, 12]


def test_a_database_may_have_any_name(tmp_path):
    trace = some()
    sqlite.dump(tmp_path / "run", trace)
    (tmp_path / "run.sqlite").rename(tmp_path / "renamed")
    assert_same(trace, nb.load(tmp_path / "renamed"))
