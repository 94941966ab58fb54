"""Teams: phases with a barrier between them, and jobs of which the workers know nothing but the header."""

import threading

import numpy as np
import pytest

from nbinfer.compile import address_of, entry, floats_at, ints_at, load_acquire, record_at, store_release
from nbinfer.engine import team
from nbinfer.engine.driver import run
from nbinfer.engine.job import JOB, Job, Status, progress_line
from nbinfer.engine.jobs import Jobs, Phase
from nbinfer.engine.progress import Silent
from nbinfer.engine.state import Plan, State, floats
from nbinfer.random import key_of
from tests.laws.kit import Target, student
from tests.laws.law import mutant

KEY = key_of(np.random.SeedSequence(3))
ROWS, WIDTH = 40, 64
#: A job that is no chain: a sum that grows by the number of each piece, and fails at one of them.
SUM = State({"fails_at": "i8", "total": "f8"}, parts={"seen": floats(4)}, base=JOB, leads=True)
Sum = SUM.record


@entry("int64(intp, int64)")
def add_up(address, until):
    """Add the numbers of three pieces at most: a moment."""
    own = record_at(address, Sum)
    until = min(until, own.done + 3)
    while own.done < until:
        if own.done == own.fails_at:
            return 4
        own.total += own.done
        own.done += 1
        store_release(own.progress, own.done)
    return 0


def sums(count, fails_at=()):
    plan = Plan()
    header = plan.place(SUM, None, None)
    jobs = Jobs(Target(student, 1), plan, header, add_up.address, list(range(count)), [KEY] * count)
    jobs.every.fails_at = -1
    for k, piece in fails_at:
        jobs[k].fails_at = piece
    jobs.connect()
    return jobs


def in_threads(jobs, until, workers, work=team.work):
    shared = jobs.team(until)
    threads = [threading.Thread(target=work, args=(address_of(shared),)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_jobs_that_are_no_chains_are_run_to_their_end(workers):
    jobs = sums(7)
    in_threads(jobs, 100, workers)
    assert jobs.every.total.tolist() == [99 * 50] * 7
    assert jobs.progress["done"].tolist() == [100] * 7
    assert jobs.progress["finished"].tolist() == [1] * 7


def test_jobs_that_are_there_already_stay_there():
    jobs = sums(3)
    in_threads(jobs, 10, 1)
    for until in (10, 5):
        in_threads(jobs, until, 2)
        assert jobs.progress["done"].tolist() == [10] * 3


def test_the_driver_stops_when_a_job_fails_and_asks_it_why():
    jobs = sums(3, fails_at=[(1, 20)])
    jobs.failure = lambda job: (RuntimeError(f"job {job} has status {Status(jobs[job].status).name}"), None)
    outcome = run(jobs, 50, 2, Silent())
    assert str(outcome.error) == "job 1 has status ITERATION_LIMIT"
    assert (outcome.job, outcome.interrupted) == (1, True)
    assert jobs.progress["done"][1] == 20


SPARE = np.zeros(200, np.int64)


@pytest.mark.parametrize(
    "words",
    [
        lambda name, size: np.zeros((2, size + 1), np.int64),
        lambda name, size: np.zeros((2, size - 1), np.int64),
        lambda name, size: np.zeros((3, size), np.int64),
        lambda name, size: np.zeros((2, size)),
        lambda name, size: np.zeros((size, 2), np.int64).T,
        lambda name, size: SPARE.view(np.uint8)[4 : 4 + 16 * size].view(np.int64).reshape(2, size),
        lambda name, size: np.broadcast_to(np.int64(0), (2, size)),
    ],
    ids=["wider", "narrower", "more", "floats", "gaps", "misaligned", "read only"],
)
def test_memory_that_kernels_cannot_write_to_is_refused(words):
    plan = Plan()
    header = plan.place(SUM, None, None)
    with pytest.raises(ValueError, match="memory for 'block' must be a writable array of int64, shape"):
        Jobs(Target(student, 1), plan, header, add_up.address, [0, 1], [KEY] * 2, words=words)


def test_a_line_has_room_for_five_gauges():
    five = dict.fromkeys("abcde", "f8")
    assert progress_line().itemsize == progress_line({"loss": "f8"}).itemsize == progress_line(five).itemsize == 64
    assert [progress_line(five).fields[name][1] for name in ("done", "claimed", "finished")] == [0, 8, 16]
    with pytest.raises(ValueError, match="room for 5 gauges, got a, b, c, d, e, f"):
        progress_line(five | {"f": "f8"})


def test_what_extends_a_job_begins_with_one():
    assert SUM.record.names[: len(JOB.record.names)] == JOB.record.names
    assert all(Sum.fields[name] == field for name, field in Job.fields.items())


# Phases: rows are filled in parallel from the sum of the piece before, then summed up in order.


@entry("int64(intp, int64, int64)")
def fill_row(context, row, piece):
    """Fill a row; it takes long enough that another worker may come."""
    own = ints_at(context, 2)
    before = floats_at(own[1], 1)[0]
    values = floats_at(own[0] + 8 * WIDTH * row, WIDTH)
    for i in range(WIDTH):
        values[i] = np.sin(before + row * WIDTH + i) / (1.0 + piece)
    return 0


@entry("int64(intp, int64, int64)")
def add_rows(context, row, piece):
    """Add everything up, in order: what a single row does."""
    own = ints_at(context, 2)
    total, values = 0.0, floats_at(own[0], ROWS * WIDTH)
    for i in range(ROWS * WIDTH):
        total += values[i]
    floats_at(own[1], 1)[0] = total
    return 0


class Summing(Jobs):
    """One job whose pieces are two phases: rows, then their sum."""

    def __init__(self):
        plan = Plan()
        header = plan.place(JOB, None, None)
        super().__init__(Target(student, 1), plan, header, 0, [0], [KEY])
        self.values, self.total = np.zeros((ROWS, WIDTH)), np.zeros(1)
        self._own = np.array([address_of(self.values), address_of(self.total)], np.int64)
        self.connect()

    @property
    def phases(self):
        return [Phase(fill_row.address, address_of(self._own), ROWS), Phase(add_rows.address, address_of(self._own), 1)]


def reduced(workers, pieces=20):
    jobs = Summing()
    in_threads(jobs, pieces, workers)
    return float(jobs.total[0])


@pytest.mark.nojit  # long as plain Python
@pytest.mark.parametrize("workers", [2, 3, 8])
def test_an_ordered_reduction_does_not_depend_on_the_number_of_workers(workers):
    assert reduced(workers) == reduced(1) != 0.0


@entry("int64(intp, int64, int64)")
def linger(context, row, piece):
    """Look for a while whether the next phase begins although this row is not done."""
    seen = ints_at(context, 2)
    turn = 0
    while turn < 50_000_000 and row == 0 and load_acquire(context) <= piece:
        turn += 1
    if load_acquire(context) > piece:
        seen[1] += 1
    return 0


@entry("int64(intp, int64, int64)")
def follow(context, row, piece):
    """Say that the phase has begun."""
    store_release(context, piece + 1)
    return 0


class Following(Summing):
    """One job whose pieces are two phases of two rows, the second of which must not begin early."""

    def __init__(self):
        self.seen = np.zeros(2, np.int64)
        super().__init__()

    @property
    def phases(self):
        return [Phase(linger.address, address_of(self.seen), 2), Phase(follow.address, address_of(self.seen), 1)]


@pytest.mark.nojit
def test_the_next_phase_begins_when_all_rows_are_done(tmp_path):
    jobs = Following()
    in_threads(jobs, 5, 2)
    assert jobs.seen.tolist() == [5, 0]
    broken = mutant(
        tmp_path, "while load_acquire(team.rows_done) < ticket", "while load_acquire(team.rows_done) < 0", team
    )
    jobs = Following()
    in_threads(jobs, 5, 2, broken.work)
    assert jobs.seen[1] > 0
