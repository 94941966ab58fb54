"""Back ends that take draws row by row: what they write reads back bit for bit, and only what is whole counts."""

import csv
import sqlite3

import numpy as np
import pytest

from nbinfer.errors import BackendError
from nbinfer.trace import Trace, fill_value
from nbinfer.trace.records import sqlite, text
from nbinfer.trace.records.recorded import Handed
from nbinfer.trace.records.sqlite import SQLite
from nbinfer.trace.records.text import Text

ODD = [np.nan, -0.0, np.inf, -np.inf, 5e-324, np.nextafter(1.0, 2.0), 1e308, -1 / 3]


def some(seed=0, chains=(2, 5, 9), draws=12, tune=4, done=None):
    """Return a trace of floats, integers and booleans of several shapes."""
    rng = np.random.default_rng(seed)
    shape = (len(chains), draws)
    x = rng.normal(size=(*shape, 2, 4))
    x[0, 1] = np.reshape(ODD, (2, 4))
    return Trace(
        {"x": x, "k": rng.integers(-(2**63), 2**63 - 1, shape), "flag": rng.random(shape) < 0.5, "none": x[..., :0]},
        {"lp": rng.normal(size=shape), "diverging": rng.random(shape) < 0.1, "accepted": rng.normal(size=(*shape, 2))},
        warmup_sample_stats={"lp": rng.normal(size=(len(chains), tune))},
        observed_data={"y": np.sqrt(np.arange(6.0)).reshape(3, 2), "n": np.arange(3)},
        draws_done=done,
        chain_ids=list(chains),
        attrs={"seed": [1, 2**70], "sampling_time": 0.1, "steps": ["nuts"]},
        dims={"x": ["row", "column"]},
    )


def assert_same(one, other):
    assert one.chains == other.chains
    np.testing.assert_array_equal(one.draws_done, other.draws_done)
    np.testing.assert_array_equal(one.tune_done, other.tune_done)
    assert one.attrs == other.attrs
    assert one.dims == other.dims
    assert one.interrupted == other.interrupted
    for group in ("posterior", "sample_stats", "warmup_posterior", "warmup_sample_stats", "observed_data"):
        ours, theirs = getattr(one, group), getattr(other, group)
        assert list(ours) == list(theirs)
        done = one.tune_done if group.startswith("warmup") else one.draws_done
        for name in ours:
            assert ours[name].dtype == theirs[name].dtype
            if group == "observed_data":
                assert ours[name].tobytes() == theirs[name].tobytes()
                continue
            for chain, rows in enumerate(done):
                a, b = ours[name][chain, :rows], theirs[name][chain, :rows]
                np.testing.assert_array_equal(a, b)
                np.testing.assert_array_equal(np.signbit(a), np.signbit(b))
                assert (theirs[name][chain, rows:] == fill_value(a.dtype)).all() or a.dtype == float


@pytest.fixture(params=[text, sqlite], ids=["text", "sqlite"])
def kind(request):
    return request.param


@pytest.fixture
def place(tmp_path, kind):
    return tmp_path / ("run" if kind is text else "run.sqlite")


# What is written reads back


@pytest.mark.parametrize("done", [None, [12, 3, 0]])
def test_a_trace_reads_back_bit_for_bit(kind, place, done):
    whole = some(done=done)
    kind.dump(place, whole)
    assert_same(whole, kind.load(place))


def test_more_draws_follow_those_that_are_there(kind, place):
    first, second = some(), some(1, chains=(5,), draws=3)
    kind.dump(place, first)
    kind.dump(place, second)
    found = kind.load(place)
    assert found.draws_done.tolist() == [12, 15, 12]
    assert found.tune_done.tolist() == [4, 8, 4]
    np.testing.assert_array_equal(found["k"][1], np.append(first["k"][1], second["k"][0]))


def test_some_chains_of_a_trace(kind, place):
    kind.dump(place, some(), chains=[9, 2])
    assert kind.load(place).chains == [2, 9]
    with pytest.raises(ValueError, match=r"chains names 3; the trace has 2, 5, 9\."):
        kind.dump(place, some(), chains=[3])


def test_draws_of_other_variables_are_refused(kind, place):
    kind.dump(place, some())
    before = kind.load(place)
    other = Trace({"x": np.zeros((1, 2)), "z": np.zeros((1, 2))})
    with pytest.raises(
        BackendError, match=r"holds posterior of x\[2, 4\] float64, .* these are of x float64, z float64"
    ):
        kind.dump(place, other)
    assert_same(before, kind.load(place))


def test_what_is_not_there_is_a_file_not_found(kind, place):
    with pytest.raises(FileNotFoundError, match=r"there is no f"):
        kind.load(place)


def test_a_page_of_another_format_is_refused(kind, place):
    kind.dump(place, some())
    if kind is text:
        page = place / "trace.json"
        page.write_text(page.read_text().replace('"format": 1', '"format": 7'))
    else:
        with sqlite3.connect(place) as base:
            base.execute("""UPDATE "nbinfer/page" SET text = replace(text, '"format": 1', '"format": 7')""")
        base.close()
    with pytest.raises(BackendError, match=r"format 7; this version of nbinfer reads 1"):
        kind.load(place)


# While a run goes on


def recorded(backend, chains=2, tune=2, draws=6):
    """Return a store that has been asked for draws and a statistic, and made ready."""
    store = backend.open(chains, tune, draws)
    store.array("posterior", "x", (), float)[...] = np.arange(chains * (draws // backend.thin)).reshape(chains, -1)
    for group in ("warmup_sample_stats", "sample_stats"):
        store.array(group, "lp", (), float)[...] = 0.5
    store.describe(Trace({"x": np.zeros((2, 0))}, chain_ids=[3, 7]))
    store.ready()
    return store


def backend_of(kind, place, **options):
    return (Text if kind is text else SQLite)(place, **options)


def test_what_is_finished_can_be_read_meanwhile(kind, place):
    store = recorded(backend_of(kind, place))
    store.look(np.array([1, 5]), last=True)
    found = kind.load(place)
    assert found.interrupted
    assert found.chains == [3, 7]
    assert found.tune_done.tolist() == [1, 2]
    assert found.draws_done.tolist() == [0, 3]
    np.testing.assert_array_equal(found["x"][1], [6, 7, 8])
    store.look(np.array([8, 8]), last=True)
    store.look(np.array([8, 8]), last=True)
    assert kind.load(place).draws_done.tolist() == [6, 6]


def test_a_store_does_not_look_all_the_time(kind, place):
    store = recorded(backend_of(kind, place))
    store.look(np.array([8, 8]))
    assert not kind.load(place).draws_done.any()


def test_thinned_draws_are_written_once_complete(kind, place):
    store = recorded(backend_of(kind, place, thin=4))
    store.look(np.array([5, 6]), last=True)
    assert kind.load(place).draws_done.tolist() == [0, 1]


def test_a_warm_up_that_ended_early(kind, place):
    store = recorded(backend_of(kind, place))
    store.look(np.array([3, 2]), np.array([1, 0]), last=True)
    assert kind.load(place).tune_done.tolist() == [1, 2]


# Text


def test_columns_are_named_by_their_indices(tmp_path):
    text.dump(tmp_path / "run", some())
    with (tmp_path / "run" / "chain-5.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == [f"x__{i}_{j}" for i in range(2) for j in range(4)] + ["k", "flag"]
    assert [float(cell) for cell in rows[3][:8]] == some()["x"][1, 2].ravel().tolist()
    assert len(rows) == 13


@pytest.mark.parametrize("cut", [1, 30])
def test_what_is_there_in_part_does_not_count_and_is_written_over(tmp_path, cut):
    name, whole = tmp_path / "run", some()
    text.dump(name, whole)
    torn = name / "chain-5.csv"
    torn.write_bytes(torn.read_bytes()[:-cut])
    assert text.load(name).draws_done.tolist() == [12, 11, 12]
    text.dump(name, whole, chains=[5])
    found = text.load(name)
    assert found.draws_done.tolist() == [12, 23, 12]
    for name in ("x", "k", "lp", "accepted"):
        np.testing.assert_array_equal(found[name][1], np.concatenate([whole[name][1, :11], whole[name][1]]))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BackendError, match=r"holds something else: there is no trace\.json in it"):
        Text(tmp_path).check()
    with pytest.raises(BackendError, match=r"is a file, where a folder"):
        Text(tmp_path / "notes.txt").check()
    with pytest.raises(BackendError, match=r"is no trace: there is no trace\.json"):
        text.load(tmp_path)


def test_a_chain_of_other_columns_is_refused(tmp_path):
    text.dump(tmp_path / "run", some())
    path = tmp_path / "run" / "chain-2.csv"
    path.write_text(path.read_text().replace("flag", "other", 1))
    with pytest.raises(BackendError, match=r"chain-2\.csv has other columns"):
        text.dump(tmp_path / "run", some())


# SQLite


def test_tables_are_those_that_others_expect(tmp_path):
    sqlite.dump(tmp_path / "run", some())
    base = sqlite3.connect(tmp_path / "run.sqlite")
    columns = [row[1] for row in base.execute("PRAGMA table_info(x)")]
    assert columns == ["recid", "draw", "chain", *[f"v__{i}_{j}" for i in range(2) for j in range(4)]]
    assert base.execute("SELECT draw, v FROM k WHERE chain = 9 ORDER BY draw").fetchall() == [
        (draw, int(value)) for draw, value in enumerate(some()["k"][2])
    ]
    base.close()


def test_a_part_is_chosen_by_the_database(tmp_path):
    sqlite.dump(tmp_path / "run", some())
    found = sqlite.load(tmp_path / "run", ["k"], burn=3, thin=2)
    assert found.varnames == ["k"]
    np.testing.assert_array_equal(found["k"], some()["k"][:, 3::2])
    np.testing.assert_array_equal(found.sample_stats["lp"], some().sample_stats["lp"][:, 3::2])
    with pytest.raises(ValueError, match=r"vars names 'z', which is not in the file; it has x, k"):
        sqlite.load(tmp_path / "run", ["z"])


def test_a_variable_too_wide_for_a_table_is_refused(tmp_path):
    with pytest.raises(BackendError, match=r"'x' of posterior has 1998 elements, .* room for 1997"):
        sqlite.dump(tmp_path / "run", Trace({"x": np.zeros((1, 1, 1998))}))
    sqlite.dump(tmp_path / "other", Trace({"x": np.ones((1, 1, 1997))}))
    assert sqlite.load(tmp_path / "other")["x"].all()


def test_files_of_something_else_are_left_alone(tmp_path):
    (tmp_path / "notes.sqlite").write_text("mine, and long enough to be taken for the head of a database")
    with pytest.raises(BackendError, match=r"is no database of SQLite"):
        SQLite(tmp_path / "notes").check()
    with sqlite3.connect(tmp_path / "other.sqlite") as base:
        base.execute("CREATE TABLE t (v)")
    base.close()
    with pytest.raises(BackendError, match=r"is a database of something else"):
        SQLite(tmp_path / "other").check()
    with pytest.raises(FileNotFoundError, match=r"there is no folder .* for run\.sqlite"):
        SQLite(tmp_path / "gone" / "run").check()


# A user's object


class Taker:
    """Takes notes of its calls; copies share them."""

    def __init__(self, fails=False):
        self.calls, self.fails, self.chain = [], fails, None

    def setup(self, draws, chain, sampler_vars):
        self.chain = chain
        self.calls.append(("setup", chain, draws, sampler_vars))

    def record(self, point, stats):
        if self.fails:
            raise OSError("no room")
        self.calls.append(("record", self.chain, point, stats))

    def close(self):
        self.calls.append(("close", self.chain))


def test_a_users_object_is_set_up_fed_and_closed():
    taker = Taker()
    store = recorded(Handed(taker))
    store.look(np.array([1, 4]), last=True)
    store.look(np.array([4, 4]), last=True)
    store.close()
    assert [call[:2] for call in taker.calls] == [
        *[("setup", 3), ("setup", 7)],
        *[("record", 7), ("record", 7), ("record", 3), ("record", 3)],
        *[("close", 3), ("close", 7)],
    ]
    assert taker.calls[0][2:] == (6, [{"lp": np.dtype(float)}])
    assert taker.calls[3][2:] == ({"x": 7.0}, [{"lp": 0.5}])
    assert taker.chain is None  # several chains have copies


def test_one_chain_has_the_object_itself():
    taker = Taker()
    store = Handed(taker).open(1, 0, 1)
    store.array("posterior", "x", (2,), float)[...] = 1.0
    store.describe(Trace({"x": np.zeros((1, 0, 2))}))
    store.ready()
    assert taker.chain == 0
    store.look(np.array([1]), last=True)
    assert taker.calls[-1][2]["x"].tolist() == [1.0, 1.0]


def test_what_a_users_object_raises_comes_out_and_all_are_closed():
    taker = Taker(fails=True)
    store = recorded(Handed(taker))
    with pytest.raises(OSError, match="no room"):
        store.look(np.array([8, 8]), last=True)
    store.close()
    assert [call[0] for call in taker.calls] == ["setup", "setup", "close", "close"]
