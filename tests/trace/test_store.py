"""Stores: what is asked of one before a run, what it holds at any moment of it, and which draws it keeps."""

import numpy as np
import pytest

from nbinfer.model.bound import Quantity
from nbinfer.trace import fill_value
from nbinfer.trace.columns import tables
from nbinfer.trace.disk import HDF5Store
from nbinfer.trace.store import MemoryStore, Store, columns_of_draws, columns_of_statistics
from tests.laws.kit import BareChains, Target, student
from tests.trace.test_columns import in_pages, scattered

GROUPS = ("warmup_posterior", "posterior", "warmup_sample_stats", "sample_stats")
QUANTITIES = [Quantity("x", 0, 2, (2,), "float64", "parameter"), Quantity("k", 2, 1, (), "int64", "derived")]


class Apart(Store):
    """A store whose chains lie apart from each other, as the pages of a file may."""

    def __init__(self, *args):
        super().__init__(*args)
        self.groups = {group: {} for group in GROUPS}
        self.memory = []

    def array(self, group, name, shape, dtype):
        memory, parts = in_pages(self.chains, self.rows_in(group), shape, dtype)
        for part in parts:
            part[...] = fill_value(dtype)
        self.memory.append(memory)
        self.groups[group][name] = parts
        return parts

    def words(self, name, count):
        return np.zeros((self.chains, count + 3), np.int64)[:, :count]  # rows with something between them


@pytest.fixture(params=[MemoryStore, Apart, HDF5Store])
def kind(request, tmp_path):
    made = []

    def make(*args):
        where = [tmp_path / f"{len(made)}.nc"] if request.param is HDF5Store else []
        made.append(request.param(*where, *args))
        return made[-1]

    yield make
    for store in made:
        store.discard()
    assert list(tmp_path.iterdir()) == []


# What is handed out


@pytest.mark.parametrize("dtype", ["float64", "int64", "bool"])
@pytest.mark.parametrize("group", GROUPS)
def test_what_no_draw_has_reached_reads_as_unfinished(kind, group, dtype):
    store = kind(3, 4, 10, 3)
    rows = store.array(group, "x", (2,), dtype)
    assert store.groups[group]["x"] is rows
    for of_chain in rows:
        assert of_chain.shape == (4 if group.startswith("warmup") else 3, 2)
        assert of_chain.dtype == dtype
        of_chain[:2] = 1
    shown = store.show(*np.array([[1, 0, 2], [0, 2, 1]]))[group]["x"]
    fill = np.array(fill_value(dtype), dtype)
    for of_chain, count in zip(shown, [1, 0, 2] if group.startswith("warmup") else [0, 2, 1], strict=True):
        assert (of_chain[:count] == 1).all()
        assert len(of_chain) >= 2
        np.testing.assert_array_equal(of_chain[2:], np.broadcast_to(fill, of_chain[2:].shape))


def test_groups_that_nobody_has_asked_for_are_empty():
    assert MemoryStore(1, 2, 3).groups["warmup_posterior"] == {}


@pytest.mark.parametrize("count", [1, 8, 11])
@pytest.mark.parametrize("kind", [MemoryStore, HDF5Store], indirect=True)
def test_words_of_a_name_are_the_same_memory_and_share_no_cache_line(kind, count):
    store = kind(3, 0, 1)
    words = store.words("counter", count)
    assert words.shape == (3, count)
    assert not words.any()
    assert all(row.ctypes.data % 64 == 0 and row.flags.c_contiguous for row in words)
    words[1] = 5
    assert (store.words("counter", count)[1] == 5).all()
    assert not store.words("snapshot", count).any()


@pytest.mark.parametrize(("thin", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_thin_is_a_whole_number_of_at_least_one(thin, error):
    with pytest.raises(error, match="thin must be"):
        MemoryStore(1, 0, 10, thin)


@pytest.mark.parametrize("thin", [1, 3])
def test_finished_rows_follow_from_the_counters(thin):
    tune, rows = MemoryStore(6, 4, 10, thin).finished(np.array([0, 3, 4, 6, 7, 14]))
    assert tune.tolist() == [0, 3, 4, 4, 4, 4]
    assert rows.tolist() == ([0, 0, 0, 2, 3, 10] if thin == 1 else [0, 0, 0, 0, 1, 3])


def test_draws_that_were_skipped_leave_no_rows():
    tune, rows = MemoryStore(4, 4, 10).finished(np.array([1, 4, 6, 14]), np.array([0, 3, 0, 2]))
    assert tune.tolist() == [1, 1, 4, 2]
    assert rows.tolist() == [0, 0, 2, 10]


# Where it leads


def test_columns_of_draws_lead_to_the_kept_quantities(kind):
    store = kind(2, 3, 4)
    columns = columns_of_draws(store, QUANTITIES, warm_up=True)
    row = np.array([0.5, 1.5, 7.0])
    scattered(columns, 2, index=2, row=row)
    scattered(columns, 2, index=1, row=row, warm=True)
    for group, index in (("posterior", 2), ("warmup_posterior", 1)):
        assert list(store.groups[group]) == ["x", "k"]
        for chain in range(2):
            assert store.groups[group]["x"][chain][index].tolist() == [0.5 + chain, 1.5 + chain]
            assert store.groups[group]["k"][chain][index] == 7 + chain


def test_what_is_not_kept_has_no_array():
    store = MemoryStore(1, 3, 4)
    (column,) = columns_of_draws(store, QUANTITIES, {"k"})
    assert list(store.groups["posterior"]) == ["k"]
    assert store.groups["warmup_posterior"] == {}
    scattered([column], 1, row=np.array([0.5, 1.5, 7.0]))
    assert store.groups["posterior"]["k"][0, 0] == 7


def test_statistics_of_several_steps_lie_side_by_side_but_lp_is_the_last_ones():
    store = MemoryStore(1, 2, 2)
    columns = columns_of_statistics(
        store, [{"lp": "float64", "accept": "bool"}, {"n": "int64", "accept": "bool", "lp": "float64"}]
    )
    scattered(columns, 1, index=1, row=np.array([-1.0, 1.0, 9.0, 0.0, -2.0]))
    stats = store.groups["sample_stats"]
    assert {name: array[0, 1].tolist() for name, array in stats.items()} == {
        "lp": -2.0, "accept": [True, False], "n": 9,
    }  # fmt: skip
    assert list(stats) == list(store.groups["warmup_sample_stats"])


def test_making_it_takes_no_more_steps_for_more_chains(monkeypatch):
    """Whatever is done for each chain is done for all of them at once."""
    calls = []
    monkeypatch.setattr("nbinfer.trace.columns.address_of", lambda array: calls.append(array.shape) or 8)
    store = MemoryStore(10_000, 2, 2)
    tables(columns_of_draws(store, QUANTITIES), store.chains)
    assert len(calls) == len(QUANTITIES)


# Which draws it keeps


def bare(store=None, tune=7):
    """Two chains, and a number of draws that 3 does not divide."""
    return BareChains(Target(student, 3), tune=tune, draws=10, numbers=(0, 1), store=store)


@pytest.mark.parametrize("thin", [1, 3, 11])
def test_a_thinned_run_is_the_whole_run_with_draws_left_out(kind, thin):
    whole, store = bare().run(), kind(2, 7, 10, thin)
    thinned = bare(store).run()
    kept = slice(thin - 1, None, thin)
    for chain in range(2):
        assert thinned.warm[chain].tobytes() == whole.warm[chain].tobytes()
        assert thinned.x[chain].tobytes() == whole.x[chain, kept].tobytes()
        for name, array in whole.stats.items():
            assert thinned.stats[name][chain].tobytes() == array[chain, kept].tobytes()
            assert thinned.warm_stats[name][chain].tobytes() == whole.warm_stats[name][chain].tobytes()
    assert thinned.blocks.progress["done"].tolist() == [17, 17]  # the draws left over at the end were made
    assert thinned.blocks.every.position.tobytes() == whole.blocks.every.position.tobytes()


@pytest.mark.parametrize("until", range(6, 18))
def test_at_any_draw_rows_are_whole_or_unfinished(kind, until):
    store = kind(2, 7, 10, 3)
    chains = bare(store).run(until)
    tune, rows = store.finished(chains.blocks.progress["done"])
    shown = store.show(tune, rows)
    for chain in range(2):
        for group, count in (("warmup_posterior", tune[chain]), ("posterior", rows[chain])):
            array = shown[group]["x"][chain]
            assert np.isfinite(array[:count]).all()
            assert np.isnan(array[count:]).all()


def test_a_run_goes_on_between_two_draws_that_are_kept():
    whole = bare(MemoryStore(2, 7, 10, 3)).run()
    parts = bare(MemoryStore(2, 7, 10, 3)).run(12)
    parts.blocks.wire(*parts.columns)
    parts.run()
    assert parts.x.tobytes() == whole.x.tobytes()


def test_chains_that_begin_anew_keep_the_same_draws():
    whole, again = (bare(MemoryStore(2, 0, 10, 3), tune=0) for _ in range(2))
    for chain in map(again.blocks.__getitem__, range(2)):
        position = chain.position.copy()
        again.blocks.begin(int(chain.number), position, *Target(student, 3).value_and_grad(position))
    assert again.run().x.tobytes() == whole.run().x.tobytes()
