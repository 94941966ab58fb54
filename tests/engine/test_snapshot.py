"""Snapshots: whole at any moment, and runs that go on from one are the same run."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import nbinfer as nb
from nbinfer.compile import JIT, address_of, entry, ints_at, record_at
from nbinfer.engine import snapshot
from nbinfer.engine.job import JOB
from nbinfer.engine.snapshot import Mark, Shelf, Snapshots, check_words
from nbinfer.engine.state import Memory
from nbinfer.engine.team import work
from nbinfer.trace.store import MemoryStore
from tests.laws.kit import BareChains, Target, student

DONE = JOB.offset("done")
TUNE, DRAWS = 30, 60 if JIT else 10
STEPS = {
    "alone": (2, nb.NUTS()),
    "alone, with directions": (2, nb.NUTS(metric="fisher")),
    "in turn": (4, nb.DEMetropolis()),
    "in halves": (9, nb.DEMetropolis()),
}


def bare(kind, draws=DRAWS, store=MemoryStore):
    count, step = STEPS[kind]
    options = {"tune": TUNE, "draws": draws, "numbers": range(count), "store": store(count, TUNE, draws)}
    return BareChains(Target(student, 3), step, **options)


@entry("int64(intp, intp, int64, int64)")
def take(shelf, jobs, first, end):
    snapshot.take(record_at(shelf, Shelf), ints_at(jobs, end), first, end)
    return 0


def test_the_slot_that_counts_is_never_written_to():
    units, blocks = np.array([0, 2, 3]), np.zeros((3, 4), np.int64)
    shelf = Snapshots(units, np.zeros((3, 10), np.int64), np.zeros((3, 8), np.int64))
    jobs = np.array([address_of(block) for block in blocks], np.int64)
    assert (shelf.newest() == 0).all()
    for turn in range(1, 6):
        slot, before = turn % 2, shelf.slots.copy()  # the one that counts so far
        blocks[:] = turn
        take(address_of(shelf.shelf), address_of(jobs), 0, 2)
        assert (shelf.slots[:, slot] == before[:, slot]).all()
        assert (shelf.newest()[:2] == turn).all()
        assert (shelf.newest()[2] == 0).all()  # another unit
    assert shelf.marks["newest"].tolist() == [1, 0, 0]


def filled(rng, blocks, times):
    """A shelf of one unit that snapshots were taken of, all between the same two pieces."""
    shelf = Snapshots(np.array([0, len(blocks)]), *(np.zeros((len(blocks), n), np.int64) for n in (10, 8)))
    jobs = np.array([address_of(block) for block in blocks], np.int64)
    for turn in range(times):
        blocks[:] = rng.integers(-(2**63), 2**63 - 1, blocks.shape)
        blocks[:, DONE] = turn
        take(address_of(shelf.shelf), address_of(jobs), 0, len(blocks))
    return shelf


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_a_torn_slot_is_left_out(rng):
    blocks = np.zeros((2, 4), np.int64)
    assert filled(rng, blocks, 0).left(0) == []
    assert [left.done for left in filled(rng, blocks, 1).left(0)] == [0]
    shelf = filled(rng, blocks, 3)
    assert [left.done for left in shelf.left(0)] == [2, 1]
    assert (shelf.left(0)[0].blocks == blocks).all()
    for place in np.ndindex(2, 5):  # every word of the newest slot, its check word among them
        shelf = filled(rng, blocks, 3)
        shelf.slots[place[0], 0, place[1]] ^= 1 << int(rng.integers(63))
        assert [left.done for left in shelf.left(0)] == [1]
        shelf.mend(np.full(2, 9))
        take(address_of(shelf.shelf), address_of(np.array([address_of(block) for block in blocks])), 0, 2)
        assert [left.done for left in shelf.left(0)] == [2, 1]  # what was whole has not been written to
    shelf.slots[:] = 0
    assert shelf.left(0) == []  # a file that lost both
    shelf.mend(np.full(2, 9))
    assert shelf.left(0) == []


def test_words_that_change_places_or_change_alike_show(rng):
    block = rng.integers(0, 9, (1, 160))
    others = np.repeat(block, 4, axis=0)
    others[0, [3, 67]] = block[0, [67, 3]]  # as far apart as a word has bits
    others[1, [5, 69]] ^= 1
    others[2, [7, 8]] = block[0, [8, 7]]
    others[3, 80:] += 1  # half of it is of another snapshot
    assert (others != block).any(axis=1).all()
    found = check_words(others)
    assert (found != check_words(block)).all()
    assert len(set(found.tolist())) == 4


def test_members_between_other_pieces_are_no_unit(rng):
    shelf = filled(rng, np.zeros((2, 4), np.int64), 2)
    shelf.slots[1, 1] = shelf.slots[1, 0]  # whole, but older
    assert [left.done for left in shelf.left(0)] == [0]


def test_a_slot_that_is_ahead_of_what_was_counted_is_passed_over(rng):
    shelf = filled(rng, np.zeros((2, 4), np.int64), 3)
    assert [left.done for left in shelf.left(0, 1)] == [1]
    assert shelf.left(0, 0) == []
    for counted, newest in (([2, 2], 1), ([2, 1], 2), ([0, 0], 2)):
        shelf.mend(np.array(counted))
        assert shelf.marks["newest"][0] == newest


def test_what_python_leaves_is_what_workers_leave(rng):
    blocks = np.zeros((2, 4), np.int64)
    shelf = filled(rng, blocks, 1)
    shelf.keep(blocks)
    assert (shelf.slots[:, 0] == shelf.slots[:, 1]).all()
    assert shelf.marks["newest"][0] == 2


class Busy(np.ndarray):
    """Slots whose worker takes two snapshots while somebody reads the first one: what is read is half of each."""

    worker = None

    def __getitem__(self, key):
        read = np.asarray(super().__getitem__(key)).copy()
        if self.worker is not None:
            self.worker()
            read[:, ::2] = np.asarray(super().__getitem__(key))[:, ::2]
        return read


def test_a_snapshot_is_read_whole_while_others_are_taken():
    blocks, jobs = np.zeros((2, 4), np.int64), np.zeros(2, np.int64)
    shelf = Snapshots(np.array([0, 2]), np.zeros((2, 10), np.int64), np.zeros((2, 8), np.int64))
    jobs[:] = [address_of(block) for block in blocks]
    turns = iter(range(2, 8))

    def two_more():
        for turn in itertools.islice(turns, 2):
            shelf.ask()
            blocks[:] = turn
            take(address_of(shelf.shelf), address_of(jobs), 0, 2)

    blocks[:] = 1
    take(address_of(shelf.shelf), address_of(jobs), 0, 2)
    shelf.slots = shelf.slots.view(Busy)
    shelf.slots.worker = two_more
    assert (shelf.newest() == 7).all()


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("kind", STEPS)
def test_a_run_that_goes_on_from_any_snapshot_is_the_same_run(kind, workers):
    whole, first = bare(kind).run(), bare(kind)
    snapshots = first.blocks.keep_snapshots()
    kept = []
    for until in (3, TUNE, TUNE + 4):  # what is finished leaves one
        first.run(until)
        kept.append(snapshots.newest())
        assert [bare_header(first, block).done for block in kept[-1]] == [until] * len(first.blocks)
    team = first.blocks.team(TUNE + DRAWS)
    threads = [threading.Thread(target=work, args=(address_of(team),)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        snapshots.ask()
        time.sleep(0.002)
        kept.append(snapshots.newest())
    kept.append(snapshots.newest())
    done = np.array([[bare_header(first, block).done for block in blocks] for blocks in kept])
    assert done[-1].tolist() == [TUNE + DRAWS] * len(first.blocks)
    if not kind.startswith("alone"):
        assert (done == done[:, :1]).all()  # a unit as a whole
    chosen = {tuple(row): blocks for row, blocks in zip(done, kept, strict=True) if row.all()}
    for blocks in list(chosen.values())[:: max(1, len(chosen) // 5)]:
        second = bare(kind)
        second.blocks.state[:] = blocks
        second.blocks.wire(*second.columns)
        begun = np.maximum(second.blocks.every.done - TUNE, 0)
        second.run()
        for c, draw in enumerate(begun):
            assert second.x[c, draw:].tobytes() == whole.x[c, draw:].tobytes()
            assert second.stats["lp"][c, draw:].tobytes() == whole.stats["lp"][c, draw:].tobytes()


def bare_header(chains, block):
    """Return the header of a block as it was copied."""
    twin = chains.blocks.state[:1].copy()
    twin[0] = block
    return Memory(chains.blocks._header, twin[0], chains.blocks._work[0])


def test_nothing_is_copied_unless_it_was_asked_for():
    chains = bare("alone")
    snapshots = chains.blocks.keep_snapshots()
    chains.run(until=TUNE)
    assert snapshots.marks["newest"].tolist() == [1, 1]  # of what is finished, once
    assert (snapshots.slots[:, 1] == 0).all()


class Mapped(MemoryStore):
    """Words in files, as a store on disk has them; the blocks themselves need not be there."""

    folder = None

    def words(self, name, count):
        path = Path(self.folder, name)
        mode = "r+" if path.exists() else "w+"
        return np.asarray(np.memmap(path, np.int64, mode, shape=(self.chains, count)))


def mapped(folder):
    return type("Mapped", (Mapped,), {"folder": folder})


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("kind", STEPS)
def test_a_run_in_memory_from_outside_is_the_same_run(kind, tmp_path):
    chains = bare(kind, store=mapped(tmp_path)).run()
    assert chains.x.tobytes() == bare(kind).run().x.tobytes()
    words = np.fromfile(tmp_path / "block", np.int64).reshape(chains.blocks.state.shape)
    assert (words == chains.blocks.state).all()
    assert np.fromfile(tmp_path / "progress", np.int64)[::8].tolist() == [TUNE + DRAWS] * len(words)


CHILD = """
import sys, threading
from tests.engine.test_snapshot import bare, mapped
from nbinfer.compile import address_of
from nbinfer.engine.team import work
chains = bare(sys.argv[2], 100_000, mapped(sys.argv[1]))
snapshots = chains.blocks.keep_snapshots()
team = chains.blocks.team(100_000)
threading.Thread(target=work, args=(address_of(team),), daemon=True).start()
print("begun", flush=True)
while True:
    snapshots.ask()
"""


@pytest.mark.skipif(not JIT, reason="plain Python holds the lock that the asking thread needs")
@pytest.mark.parametrize("kind", STEPS)
def test_a_process_that_is_killed_leaves_a_snapshot_to_go_on_from(kind, tmp_path):
    command = [sys.executable, "-c", CHILD, str(tmp_path), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "begun\n"
        marks = np.memmap(tmp_path / "marks", Mark, "r")["newest"]
        while not marks[: 2 if kind.startswith("alone") else 1].all():
            time.sleep(0.001)
        time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    left = bare(kind, store=mapped(tmp_path)).blocks.keep_snapshots().newest()
    draws = int(max(bare_header(bare(kind), block).done for block in left)) + 20
    whole, second = bare(kind, draws).run(), bare(kind, draws)
    second.blocks.state[:] = left
    second.blocks.wire(*second.columns)
    begun = np.maximum(second.blocks.every.done - TUNE, 0)
    second.run()
    for c, draw in enumerate(begun):
        assert second.x[c, draw:].tobytes() == whole.x[c, draw:].tobytes()
