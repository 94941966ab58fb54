"""Chains and their workers: what is stored where, that chains stay level, that a block is all there is to a chain."""

import threading

import numpy as np
import pytest

from nbinfer.compile import address_of, entry, floats_at, kernel, record_at, store_release
from nbinfer.engine.chain import Chain
from nbinfer.engine.chains import Chains
from nbinfer.engine.state import State
from nbinfer.engine.step import StepMethod
from nbinfer.engine.team import work
from nbinfer.random import key_of
from nbinfer.trace.columns import Column
from tests.laws.kit import BareChains, Target, student, whole

KEY = key_of(np.random.SeedSequence(3))


#: A step that counts keeps where to stop, and has an integer, a boolean and a float as statistics.
COUNTING = State({"stop_at": "i8"}, statistics={"count": "int64", "odd": "bool", "half": "float64"})
Own, Row = COUNTING.record, COUNTING.row


@kernel
def count(chain, own):
    """Move by one; stop everything at a given draw."""
    if chain.done == own.stop_at:
        store_release(chain.stop, 1)
    floats_at(chain.position, 1)[0] += 1.0
    chain.gradients += 1
    row = record_at(own.statistics, Row)
    row.count = chain.done
    row.odd = chain.done % 2
    row.half = 0.5 * chain.done


@entry("int64(intp, intp)")
def counting_step(chain_address, own_address):
    """Count."""
    count(record_at(chain_address, Chain), record_at(own_address, Own))
    return 0


class Counting(StepMethod):
    """A step that counts."""

    name, function, state = "counting", counting_step, COUNTING

    def __init__(self, stop_at):
        super().__init__()
        object.__setattr__(self, "stop_at", stop_at)

    def initialise(self, own, site, tune, position):
        own.stop_at = self.stop_at


def counting_chains(chains, tune, draws, stop_at=-1, kind=Counting, numbers=None, settles=False):
    target, numbers = Target(student, 1), list(numbers or range(chains))
    steps = [whole(kind(stop_at), target)]
    blocks = Chains(target, steps, tune, numbers, [KEY] * chains, settles=settles)
    for c in range(chains):
        blocks.begin(c, np.zeros(1), 0.0, np.zeros(1))
    x = [np.full((chains, length, 1), np.nan) for length in (tune, draws)]
    stats = {k: [np.zeros((chains, length), d) for length in (tune, draws)] for k, d in Counting.statistics.items()}
    columns = [Column(i, 1, *stats[k]) for i, k in enumerate(Counting.statistics)]
    blocks.wire([Column(0, 1, *x)], columns)
    return blocks, x, stats


def test_every_kind_of_column_lands_in_its_place():
    blocks, x, stats = counting_chains(2, 3, 5)
    work(address_of(blocks.team(8)))
    for c in range(2):
        assert x[0][c, :, 0].tolist() == [1, 2, 3]
        assert x[1][c, :, 0].tolist() == [4, 5, 6, 7, 8]
        assert stats["count"][0][c].tolist() == [0, 1, 2]
        assert stats["count"][1][c].tolist() == [3, 4, 5, 6, 7]
        assert stats["odd"][1][c].tolist() == [True, False, True, False, True]
        assert stats["half"][1][c].tolist() == [1.5, 2.0, 2.5, 3.0, 3.5]
    assert blocks.progress["done"].tolist() == [8, 8]
    assert blocks.progress["finished"].tolist() == [1, 1]


@pytest.mark.nojit  # long as plain Python
def test_a_worker_takes_the_least_advanced_chain():
    blocks, *_ = counting_chains(4, 0, 4000, stop_at=500)
    work(address_of(blocks.team(4000)))
    draws = blocks.progress["done"]
    assert draws.max() >= 500
    assert np.ptp(draws) <= 16 + 1  # a block of draws, and the one that stopped


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("workers", [2, 5])
def test_any_number_of_workers_finishes_every_chain(workers):
    blocks, x, _ = counting_chains(4, 0, 400)
    team = blocks.team(400)
    threads = [threading.Thread(target=work, args=(address_of(team),)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert blocks.progress["done"].tolist() == [400] * 4
    assert (x[1][:, :, 0] == np.arange(1.0, 401.0)).all()


def test_a_stopped_team_does_nothing():
    blocks, x, _ = counting_chains(2, 0, 5)
    blocks.stop[0] = 1
    work(address_of(blocks.team(5)))
    assert np.isnan(x[1]).all()


@pytest.mark.parametrize("at", [5, 20, 35])
def test_a_chain_goes_on_from_a_copy_of_its_block(at):
    """The block is the whole state: copied at any draw into other memory, it draws the same."""
    tune, draws = 25, 25
    whole = BareChains(Target(student, 3), tune=tune, draws=draws).run()
    first, second = (BareChains(Target(student, 3), tune=tune, draws=draws) for _ in range(2))
    first.run(until=at)
    second.blocks.state[:] = first.blocks.state
    second.blocks.wire(*second.columns)
    second.run()
    done = max(at - tune, 0)
    assert second.x[0, done:].tobytes() == whole.x[0, done:].tobytes()
    assert second.stats["energy"][0, done:].tobytes() == whole.stats["energy"][0, done:].tobytes()


# Warm-up that ends early


@entry("int64(intp, intp)")
def settling_step(chain_address, own_address):
    """Count, and need no more warm-up after draw 2, 5, 8, …: each chain after another one."""
    chain = record_at(chain_address, Chain)
    if chain.tuning != 0 and chain.done == 2 + 3 * chain.number:
        chain.settled = 1
    count(chain, record_at(own_address, Own))
    return 0


class SettlingStep(Counting):
    """A step that counts, and settles."""

    function = settling_step


TUNE, DRAWS = 10, 25
NEEDED = [3, 6, 9, 10]  # draws of warm-up of chains 0 to 3


def settling_chains(numbers=range(4), settles=True, stop_at=-1):
    return counting_chains(len(numbers), TUNE, DRAWS, stop_at, SettlingStep, numbers, settles)


def is_settled_run(blocks, x, stats, numbers=range(4)):
    """Whether each chain has the draws that it needs, each in its row and with the number that it always has."""
    for c, needed in enumerate(NEEDED[number] for number in numbers):
        assert x[0][c, :needed, 0].tolist() == list(range(1, needed + 1))
        assert np.isnan(x[0][c, needed:]).all()
        assert x[1][c, :, 0].tolist() == list(range(needed + 1, needed + 1 + DRAWS))
        assert stats["count"][1][c].tolist() == list(range(TUNE, TUNE + DRAWS))
        assert blocks.every.skipped[c] == blocks.progress["skipped"][c] == TUNE - needed
        assert blocks.every.gradients[c] == needed + DRAWS
    assert (blocks.progress["done"] == TUNE + DRAWS).all()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_what_a_settled_chain_does_not_need_counts_as_done(workers):
    blocks, x, stats = settling_chains()
    team = blocks.team(TUNE + DRAWS)
    threads = [threading.Thread(target=work, args=(address_of(team),)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    is_settled_run(blocks, x, stats)


@pytest.mark.parametrize("numbers", [[0], [2], [3, 1]])
def test_when_a_chain_settles_is_a_matter_of_its_own(numbers):
    blocks, x, stats = settling_chains(numbers)
    work(address_of(blocks.team(TUNE + DRAWS)))
    is_settled_run(blocks, x, stats, numbers)


@pytest.mark.parametrize("size", [1, 2, 4, 7, 40])
def test_a_ragged_warm_up_in_blocks_of_any_size(size):
    blocks, x, stats = settling_chains()
    for until in range(size, TUNE + DRAWS + size, size):
        work(address_of(blocks.team(min(until, TUNE + DRAWS))))
    is_settled_run(blocks, x, stats)


@pytest.mark.parametrize("at", [1, 4, 12])
def test_a_ragged_warm_up_goes_on_from_a_copy(at):
    blocks, x, stats = settling_chains()
    work(address_of(blocks.team(at)))
    second, *arrays = settling_chains()
    for name in stats:
        arrays[1][name][0][:], arrays[1][name][1][:] = stats[name]
    arrays[0][0][:], arrays[0][1][:] = x
    columns = second._held
    second.state[:] = blocks.state
    second.wire(*columns)
    assert (second.progress["skipped"] == blocks.every.skipped).all()
    work(address_of(second.team(TUNE + DRAWS)))
    is_settled_run(second, *arrays)


def test_a_settled_unit_leaves_its_last_snapshot():
    blocks, *_ = settling_chains()
    snapshots = blocks.keep_snapshots()
    work(address_of(blocks.team(5)))  # the first chain is far beyond, the others are there
    assert (snapshots.newest()[:, 1] == blocks.every.done).all()
    assert blocks.every.done.tolist() == [TUNE, 5, 5, 5]


def test_a_run_of_a_given_length_does_not_ask_who_has_settled():
    blocks, x, _ = settling_chains(settles=False)
    work(address_of(blocks.team(TUNE + DRAWS)))
    assert np.isfinite(x[0]).all()
    assert (blocks.progress["skipped"] == 0).all()
